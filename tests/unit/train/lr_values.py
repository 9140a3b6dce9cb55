#!/usr/bin/env python3
"""Writes lr_values.h: PyTorch's learning rates, which our closed forms must give.

usage: lr_values.py | clang-format > lr_values.h (torch 2.13.0)
"""
import torch
from torch.optim import lr_scheduler as schedulers

BASE_LR, STEPS = 0.4, 12
CASES = [
    ("StepLR", "{step_size: 3, gamma: 0.5}", dict(step_size=3, gamma=0.5)),
    ("MultiStepLR", "{milestones: [2, 5, 9], gamma: 0.2}", dict(milestones=[2, 5, 9], gamma=0.2)),
    ("CosineAnnealingLR", "{}", dict(T_max=STEPS)),
    ("CosineAnnealingLR", "{T_max: 5, eta_min: 0.01}", dict(T_max=5, eta_min=0.01)),
    ("OneCycleLR", "{max_lr: 2}", dict(max_lr=2, total_steps=STEPS)),
    ("OneCycleLR", "{max_lr: 2, pct_start: 0.05}", dict(max_lr=2, total_steps=STEPS, pct_start=0.05)),
    ("OneCycleLR", "{max_lr: 1, anneal_strategy: linear, div_factor: 10, final_div_factor: 100, total_steps: 12}",
     dict(max_lr=1, total_steps=STEPS, anneal_strategy="linear", div_factor=10, final_div_factor=100)),
    ("OneCycleLR", "{max_lr: 1, three_phase: true, pct_start: 0.4}",
     dict(max_lr=1, total_steps=STEPS, three_phase=True, pct_start=0.4)),
]


def rates(name, arguments):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_LR)
    if name == "OneCycleLR":
        arguments = dict(arguments, cycle_momentum=False)
    scheduler = getattr(schedulers, name)(optimizer, **arguments)
    for _ in range(STEPS):
        yield scheduler.get_last_lr()[0]
        optimizer.step()
        if scheduler.last_epoch < STEPS - 1:
            scheduler.step()


print("// Made by lr_values.py.\n#pragma once\n\n#include <vector>\n\nnamespace compress::train::test {\n")
print("struct LrCase {\n  const char* name;\n  const char* arguments;\n  std::vector<double> rates;\n};\n")
print(f"constexpr double kBaseLr = {BASE_LR};\n\ninline const std::vector<LrCase> kLrCases = {{")
for name, yaml, arguments in CASES:
    print(f'    {{"{name}", "{yaml}",\n     {{{", ".join(f"{rate:.12g}" for rate in rates(name, arguments))}}}}},')
print("};\n\n}  // namespace compress::train::test")
