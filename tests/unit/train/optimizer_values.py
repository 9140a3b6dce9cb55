#!/usr/bin/env python3
"""Writes optimizer_values.h: parameters after five steps of PyTorch's optimisers.

usage: optimizer_values.py | clang-format > optimizer_values.h (torch 2.13.0)

The start and the gradients of step k are sines: weight[i] = sin(i), bias[i] = sin(100 + i),
gradient[i] = sin(10 (k + 1) + i), + 50 for the bias.
"""
import math

import torch

STEPS = 5
CASES = [
    ("SGD", "{lr: 0.1}", torch.optim.SGD, dict(lr=0.1), {}),
    ("SGD", "{lr: 0.1, momentum: 0.9, dampening: 0.1, weight_decay: 0.01}", torch.optim.SGD,
     dict(lr=0.1, momentum=0.9, dampening=0.1, weight_decay=0.01), {}),
    ("SGD", "{lr: 0.05, momentum: 0.8, nesterov: true, weight_decay: 0.1}", torch.optim.SGD,
     dict(lr=0.05, momentum=0.8, nesterov=True, weight_decay=0.1), {}),
    ("SGD", "{lr: 0.1, momentum: 0.9, weight_decay: 0.1, groups: [{parameters: ['*.bias'], lr: 0.01, weight_decay: 0, momentum: 0}]}",
     torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.1), dict(lr=0.01, weight_decay=0, momentum=0)),
    ("Adam", "{lr: 0.01}", torch.optim.Adam, dict(lr=0.01), {}),
    ("Adam", "{lr: 0.01, betas: [0.8, 0.9], eps: 0.001, weight_decay: 0.1}", torch.optim.Adam,
     dict(lr=0.01, betas=(0.8, 0.9), eps=0.001, weight_decay=0.1), {}),
    ("Adam", "{lr: 0.01, amsgrad: true, groups: [{parameters: [fc.bias], lr: 0.1}]}", torch.optim.Adam,
     dict(lr=0.01, amsgrad=True), dict(lr=0.1)),
    ("AdamW", "{}", torch.optim.AdamW, {}, {}),
    ("AdamW", "{lr: 0.02, betas: [0.8, 0.9], weight_decay: 0.3, amsgrad: true, groups: [{parameters: [fc.bias], weight_decay: 0}]}",
     torch.optim.AdamW, dict(lr=0.02, betas=(0.8, 0.9), weight_decay=0.3, amsgrad=True), dict(weight_decay=0)),
    ("RMSprop", "{}", torch.optim.RMSprop, {}, {}),
    ("RMSprop", "{lr: 0.02, alpha: 0.9, momentum: 0.8, weight_decay: 0.1, eps: 0.001}", torch.optim.RMSprop,
     dict(lr=0.02, alpha=0.9, momentum=0.8, weight_decay=0.1, eps=0.001), {}),
    ("RMSprop", "{lr: 0.02, centered: true, groups: [{parameters: [fc.bias], momentum: 0.5}]}", torch.optim.RMSprop,
     dict(lr=0.02, centered=True), dict(momentum=0.5)),
]


def sines(shape, start):
    count = math.prod(shape)
    return torch.tensor([math.sin(start + i) for i in range(count)], dtype=torch.float32).reshape(shape)


def result(make, arguments, bias_arguments):
    weight, bias = (torch.nn.Parameter(sines(shape, start)) for shape, start in (((2, 3), 0), ((2,), 100)))
    optimizer = make([dict(params=[weight]), dict(params=[bias], **bias_arguments)], **arguments)
    for step in range(STEPS):
        weight.grad, bias.grad = sines((2, 3), 10 * (step + 1)), sines((2,), 10 * (step + 1) + 50)
        optimizer.step()
    return weight.flatten().tolist() + bias.tolist()


print("// Made by optimizer_values.py.\n#pragma once\n\n#include <vector>\n\nnamespace compress::train::test {\n")
print("struct OptimizerCase {\n  const char* name;\n  const char* arguments;\n  std::vector<double> values;  ///< weight, then bias\n};\n")
print(f"constexpr int kOptimizerSteps = {STEPS};\n\ninline const std::vector<OptimizerCase> kOptimizerCases = {{")
for name, yaml, make, arguments, bias_arguments in CASES:
    values = ", ".join(f"{value:.9g}" for value in result(make, arguments, bias_arguments))
    print(f'    {{"{name}", "{yaml}",\n     {{{values}}}}},')
print("};\n\n}  // namespace compress::train::test")
