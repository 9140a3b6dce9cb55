#!/usr/bin/env python3
"""Writes lr_values.h: PyTorch's learning rates and momenta, which our schedules must give.

usage: lr_values.py | clang-format > lr_values.h (torch 2.13.0)
"""
import math

import torch
from torch.optim import lr_scheduler as schedulers

BASE_LR, STEPS = 0.4, 12
CASES = [
    ("StepLR", "{step_size: 3, gamma: 0.5}", dict(step_size=3, gamma=0.5)),
    ("MultiStepLR", "{milestones: [2, 5, 9], gamma: 0.2}", dict(milestones=[2, 5, 9], gamma=0.2)),
    ("ExponentialLR", "{gamma: 0.7}", dict(gamma=0.7)),
    ("ConstantLR", "{}", {}),
    ("ConstantLR", "{factor: 0.25, total_iters: 3}", dict(factor=0.25, total_iters=3)),
    ("LinearLR", "{}", {}),
    ("LinearLR", "{start_factor: 0.8, end_factor: 0.1, total_iters: 7}", dict(start_factor=0.8, end_factor=0.1, total_iters=7)),
    ("PolynomialLR", "{}", {}),
    ("PolynomialLR", "{total_iters: 10, power: 2.5}", dict(total_iters=10, power=2.5)),
    ("CosineAnnealingLR", "{}", dict(T_max=STEPS)),
    ("CosineAnnealingLR", "{T_max: 5, eta_min: 0.01}", dict(T_max=5, eta_min=0.01)),
    ("CosineAnnealingWarmRestarts", "{T_0: 4}", dict(T_0=4)),
    ("CosineAnnealingWarmRestarts", "{T_0: 2, T_mult: 2, eta_min: 0.02}", dict(T_0=2, T_mult=2, eta_min=0.02)),
    ("OneCycleLR", "{max_lr: 2}", dict(max_lr=2, total_steps=STEPS)),
    ("OneCycleLR", "{max_lr: 2, pct_start: 0.05}", dict(max_lr=2, total_steps=STEPS, pct_start=0.05)),
    ("OneCycleLR", "{max_lr: 1, anneal_strategy: linear, div_factor: 10, final_div_factor: 100, total_steps: 12, base_momentum: 0.7, max_momentum: 0.9}",
     dict(max_lr=1, total_steps=STEPS, anneal_strategy="linear", div_factor=10, final_div_factor=100, base_momentum=0.7, max_momentum=0.9)),
    ("OneCycleLR", "{max_lr: 1, three_phase: true, pct_start: 0.4}",
     dict(max_lr=1, total_steps=STEPS, three_phase=True, pct_start=0.4)),
    ("OneCycleLR", "{max_lr: 1, cycle_momentum: false}", dict(max_lr=1, total_steps=STEPS, cycle_momentum=False)),
]
# Metrics of 12 epochs; infinite and missing ones included.
LOSSES = [3, 2, 1.9999, 1.5, 1.5, 1.6, 1.4999, 1.49999, math.inf, math.nan, 1, 1]
PLATEAUS = [
    ("{patience: 1}", dict(patience=1)),
    ("{patience: 0, factor: 0.5, threshold: 0.1, threshold_mode: abs, cooldown: 2}",
     dict(patience=0, factor=0.5, threshold=0.1, threshold_mode="abs", cooldown=2)),
    ("{patience: 0, factor: 0.5, min_lr: 0.06, threshold: 0.5}", dict(patience=0, factor=0.5, min_lr=0.06, threshold=0.5)),
    ("{patience: 0, eps: 0.1, factor: 0.5}", dict(patience=0, eps=0.1, factor=0.5)),
    ("{mode: max, metric: loss, patience: 2, factor: 0.2}", dict(mode="max", patience=2, factor=0.2)),
]
WARMUPS = [("{step_size: 3, gamma: 0.5}", "{iterations: 5, start_factor: 0.1}", dict(step_size=3, gamma=0.5), 5, 0.1),
           ("{step_size: 2, gamma: 0.9}", "{epochs: 2, start_factor: 0.25}", dict(step_size=2, gamma=0.9), 8, 0.25)]


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_LR, momentum=0.9)


def rates(scheduler, sgd):
    """(rate, momentum) of each step."""
    for _ in range(STEPS):
        yield scheduler.get_last_lr()[0], sgd.param_groups[0]["momentum"]
        sgd.step()
        if scheduler.last_epoch < STEPS - 1:
            scheduler.step()


def plateau(arguments):
    sgd = optimizer()
    scheduler = schedulers.ReduceLROnPlateau(sgd, **arguments)
    for loss in LOSSES:
        yield sgd.param_groups[0]["lr"]
        scheduler.step(loss)


def warmup(arguments, steps, start):
    sgd = optimizer()
    return [rate for rate, _ in rates(schedulers.ChainedScheduler(
        [schedulers.StepLR(sgd, **arguments), schedulers.LinearLR(sgd, start_factor=start, total_iters=steps)]), sgd)]


def numbers(values):
    return "{" + ", ".join("NAN" if math.isnan(v) else "INFINITY" if math.isinf(v) else f"{v:.12g}" for v in values) + "}"


def chained_last_epoch(self):
    return self._schedulers[0].last_epoch


schedulers.ChainedScheduler.last_epoch = property(chained_last_epoch, lambda self, value: None)
print("// Made by lr_values.py.\n#pragma once\n\n#include <cmath>\n#include <vector>\n\nnamespace compress::train::test {\n")
print("struct LrCase {\n  const char* name;\n  const char* arguments;\n  std::vector<double> rates;\n  std::vector<double> momenta;  ///< empty: the optimiser's own\n};\n")
print(f"constexpr double kBaseLr = {BASE_LR};\n\ninline const std::vector<LrCase> kLrCases = {{")
for name, yaml, arguments in CASES:
    sgd = optimizer()
    steps = list(rates(getattr(schedulers, name)(sgd, **arguments), sgd))
    cycled = name == "OneCycleLR" and arguments.get("cycle_momentum", True)
    print(f'    {{"{name}", "{yaml}",\n     {numbers(rate for rate, _ in steps)}, {numbers([m for _, m in steps] if cycled else [])}}},')
print("};\n")
print("/// ReduceLROnPlateau: the rate in each epoch, when validation gives these metrics behind it.")
print("struct PlateauCase {\n  const char* arguments;\n  std::vector<double> rates;\n};\n")
print(f"inline const std::vector<double> kPlateauMetrics = {numbers(LOSSES)};\n\ninline const std::vector<PlateauCase> kPlateauCases = {{")
for yaml, arguments in PLATEAUS:
    print(f'    {{"{yaml}", {numbers(plateau(arguments))}}},')
print("};\n")
print("/// StepLR chained with LinearLR; an epoch has 4 steps.")
print("struct WarmUpCase {\n  const char* step_lr;\n  const char* warmup;\n  std::vector<double> rates;\n};\n\ninline const std::vector<WarmUpCase> kWarmUpCases = {")
for yaml, warm, arguments, steps, start in WARMUPS:
    print(f'    {{"{yaml}", "{warm}", {numbers(warmup(arguments, steps, start))}}},')
print("};\n\n}  // namespace compress::train::test")
