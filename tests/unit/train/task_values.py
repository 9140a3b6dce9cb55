#!/usr/bin/env python3
"""Prints the expected numbers of task_multi_label.cpp and task_segmentation.cpp, by definition and with PyTorch. Needs torch and numpy."""
import numpy
import torch

LOGITS = [[2.0, -1.0, 0.5], [0.5, 0.5, -2.0], [-1.5, 2.0, 1.0], [0.5, -0.5, 3.0]]
LABELS = [[1, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]]


def average_precision(scores, truth):
    """The sum over thresholds of (recall - recall before) * precision; thresholds are the distinct scores."""
    area, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        chosen = scores >= threshold
        recall, precision = truth[chosen].sum() / truth.sum(), truth[chosen].mean()
        area += (recall - before) * precision
        before = recall
    return area


def multi_label():
    logits, labels = numpy.array(LOGITS), numpy.array(LABELS, float)
    precisions = [average_precision(logits[:, i], labels[:, i]) for i in range(3) if labels[:, i].any()]
    chosen = 1 / (1 + numpy.exp(-logits)) >= 0.5
    both = (chosen & (labels == 1)).sum()
    print("map", 100 * numpy.mean(precisions))
    print("micro_f1", 100 * 2 * both / (chosen.sum() + labels.sum()))
    print("label_accuracy", 100 * (chosen == labels).mean())
    print("loss", torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(logits), torch.tensor(labels)).item())


def segmentation():
    generator = numpy.random.default_rng(1)
    logits = torch.tensor(generator.integers(-4, 5, size=(2, 3, 2, 2)).astype(numpy.float64)) + torch.arange(3).view(3, 1, 1) / 8
    mask = torch.tensor(generator.integers(0, 3, size=(2, 2, 2)))
    mask[1, 0, 1] = 255
    print("logits", logits.flatten().tolist())
    print("mask", mask.flatten().tolist())
    print("loss", torch.nn.functional.cross_entropy(logits, mask, ignore_index=255).item())
    known, found = mask != 255, logits.argmax(1)
    print("pixel_accuracy", 100 * (found == mask)[known].double().mean().item())
    unions = [(((found == c) & (mask == c) & known).sum(), (((found == c) | (mask == c)) & known).sum()) for c in range(3)]
    print("miou", 100 * numpy.mean([(both / either).item() for both, either in unions if either > 0]))


multi_label()
segmentation()
