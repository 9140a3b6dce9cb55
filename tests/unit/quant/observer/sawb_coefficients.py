#!/usr/bin/env python3
"""Prints the table of lib/quant/observer/sawb.cpp: for each number of bits the c1 and c2 of the clip c1 * sqrt(E[x^2]) - c2 * E|x|, fitted, as
SAWB does (Choi et al. 2018), by least squares of (best clip / E|x|) over (sqrt(E[x^2]) / E|x|) for six distributions. The grid is ours:
symmetric, signed, full range, step = 2 * clip / (2^bits - 1). Needs numpy."""
import math

import numpy as np

SHAPES = {  # densities on [0, reach], all symmetric around 0; their scale does not matter
    'gauss': (lambda x: np.exp(-x * x / 2), 9),
    'laplace': (lambda x: np.exp(-x), 40),
    'logistic': (lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2, 40),
    'uniform': (lambda x: np.ones_like(x), 1),
    'triangle': (lambda x: 1 - x, 1),
    'von mises': (lambda x: np.exp(np.cos(x)), math.pi),
}


def error(clip, x, weight, bits):
    step = 2 * clip / (2 ** bits - 1)
    top, bottom = 2 ** (bits - 1) - 1, 2 ** (bits - 1)
    if step < 16 * (x[1] - x[0]):  # finer than the integration: the mean square of a uniform error
        beyond = [np.maximum(x - (limit + 0.5) * step, 0) for limit in (top, bottom)]
        far = [np.where(over > 0, over + step / 2, 0) for over in beyond]
        return sum(float(np.sum(weight * np.where(over > 0, over ** 2, step ** 2 / 12))) for over in far)
    return sum(float(np.sum(weight * (x - step * np.minimum(np.rint(x / step), limit)) ** 2)) for limit in (top, bottom))


def best_clip(x, weight, bits):
    low, high = x[-1] / 100, x[-1] * 1.3
    for _ in range(4):
        clips = np.linspace(low, high, 81)
        best = int(np.argmin([error(clip, x, weight, bits) for clip in clips]))
        low, high = clips[max(best - 1, 0)], clips[min(best + 1, 80)]
    return clips[best]


def main():
    print('bits: c1, c2')
    for bits in range(2, 18):
        ratios, targets = [], []
        for density, reach in SHAPES.values():
            x = (np.arange(20000) + 0.5) * reach / 20000
            weight = density(x)
            weight /= weight.sum()
            mean = float(np.sum(weight * x))
            ratios.append(math.sqrt(float(np.sum(weight * x * x))) / mean)
            targets.append(best_clip(x, weight, bits) / mean)
        slope, offset = np.polyfit(ratios, targets, 1)
        print(f'{bits}: {slope:.3f}, {-offset:.3f}', flush=True)


if __name__ == '__main__':
    main()
