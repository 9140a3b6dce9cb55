#!/usr/bin/env python3
"""Prints the expected numbers of the distillers' tests, with PyTorch in double precision and the papers' formulas. Needs torch."""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def student():
    return torch.cos(0.4 * torch.arange(96.0)).view(3, 2, 4, 4).requires_grad_(True)


INPUT = torch.sin(0.7 * torch.arange(96.0)).view(3, 2, 4, 4)
WEIGHT = torch.sin(0.9 * torch.arange(8.0) + 0.2)
WIDE = F.conv2d(INPUT, WEIGHT.view(4, 2, 1, 1))
NARROW = F.conv2d(INPUT, WEIGHT[:4].view(2, 2, 1, 1))


def show(name, loss, value):
    """The loss, and its gradient times cos(i): one number that depends on every element."""
    gradient, = torch.autograd.grad(loss, value)
    print(f'{name:24} {loss.item():.10g}, {(gradient.flatten() * torch.cos(torch.arange(value.numel()))).sum().item():.10g}')


def attention(own, its, power, size=None):
    maps = [value.abs().pow(power).sum(1) for value in (own, its)]
    if size:
        maps = [F.adaptive_avg_pool2d(each, size) for each in maps]
    own, its = [F.normalize(each.flatten(1), dim=1) for each in maps]
    return (own - its).pow(2).sum(1).mean()


def pairwise(value):
    return (value.unsqueeze(0) - value.unsqueeze(1)).pow(2).sum(2).clamp(min=1e-24).sqrt()


def relation_distance(own, its):
    def relative(value):
        lengths = pairwise(value.flatten(1))
        off = ~torch.eye(len(value), dtype=bool)
        return torch.where(off, lengths, 0) / lengths[off].mean()
    return F.smooth_l1_loss(relative(own), relative(its))


def relation_angle(own, its):
    def cosines(value):
        flat = value.flatten(1)
        unit = F.normalize(flat.unsqueeze(0) - flat.unsqueeze(1), p=2, dim=2)
        return torch.bmm(unit, unit.transpose(1, 2))
    return F.smooth_l1_loss(cosines(own), cosines(its))


def soft_targets():
    logits = torch.cos(0.4 * torch.arange(12.0)).view(3, 4).requires_grad_(True)
    teachers = [3 * torch.sin(0.5 * torch.arange(12.0)).view(3, 4), 2 * torch.sin(1.1 * torch.arange(12.0)).view(3, 4)]
    temperature, loss = 2.0, 0
    for weight, teacher in zip((0.25, 0.75), teachers):
        loss = loss + weight * F.kl_div(F.log_softmax(logits / temperature, 1), F.softmax(teacher / temperature, 1), reduction='batchmean')
    show('two teachers, T^2 * KL', temperature ** 2 * loss, logits)


def projection():
    """Two steps of SGD with momentum on a projection of 2 to 4 channels, and the loss before each."""
    value = student().detach().movedim(1, -1)
    target = WIDE.movedim(1, -1)
    layer = torch.nn.Linear(2, 4)
    layer.weight.data = torch.sin(1.3 * torch.arange(8.0)).view(4, 2)
    layer.bias.data = torch.cos(torch.arange(4.0))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2, momentum=0.9)
    for step in range(2):
        own = student()
        show(f'projected, step {step}', F.mse_loss(layer(own.movedim(1, -1)), target), own)
        optimizer.zero_grad()
        F.mse_loss(layer(value), target).backward()
        optimizer.step()
    print('weight', [round(x, 8) for x in layer.weight.flatten().tolist()])
    print('bias', [round(x, 8) for x in layer.bias.tolist()])


s = student()
show('hint l2', F.mse_loss(s, NARROW), s)
show('hint smooth_l1', F.smooth_l1_loss(s, NARROW), s)
show('attention, power 2', attention(s, WIDE, 2), s)
show('attention, power 3', attention(s, WIDE, 3), s)
show('attention, pooled', attention(s, F.avg_pool2d(WIDE, 2), 2, (2, 2)), s)
show('relation, distance', relation_distance(s, WIDE), s)
show('relation, angle', relation_angle(s, WIDE), s)
soft_targets()
projection()
