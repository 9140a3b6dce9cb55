#!/usr/bin/env python3
"""Prints the numbers of observers.cpp that a search over a fine grid of ranges finds, by numpy on the numbers themselves (no histogram):
the least mean |x - nearest|^p, and AIMET's cost of the best of its candidates."""
import numpy as np


def laplace(n=2000):
    u = (np.arange(n) + 0.5) / n - 0.5
    x = -np.sign(u) * np.log(1 - 2 * np.abs(u))
    return np.where(x < 0, x / 2, x)


def nearest(x, low, high, bits, symmetric):
    if symmetric:
        scale, zero, first = max(-low, high) / ((2 ** bits - 1) / 2), 0, -2 ** (bits - 1)
    else:
        scale, first = (high - low) / (2 ** bits - 1), 0
        zero = np.clip(np.rint(-low / scale), 0, 2 ** bits - 1)
    q = np.clip(np.rint(x / scale) + zero, first, first + 2 ** bits - 1)
    return scale * (q - zero), scale * (first - zero) - scale / 2, scale * (first + 2 ** bits - 1 - zero) + scale / 2


def least(x, p, bits, symmetric):
    fractions = np.arange(1, 501) / 500 if symmetric or x.min() >= 0 else np.arange(1, 61) / 60
    lows = fractions if not symmetric and x.min() < 0 else [None]
    best = np.inf
    for high in fractions:
        for low in lows:
            bottom = min(x.min(), 0) * (high if low is None else low)
            best = min(best, np.mean(np.abs(x - nearest(x, bottom, x.max() * high, bits, symmetric)[0]) ** p))
    return best


def aimet(x, bits, symmetric, gamma=3):
    n, best = 2 ** bits - 1, (np.inf, None)

    def consider(low, high):
        nonlocal best
        y, bottom, top = nearest(x, low, high, bits, symmetric)
        cost = np.mean((x - y) ** 2 * np.where((x < bottom) | (x > top), gamma, 1))
        best = min(best, (cost, (low, high)))
    if symmetric:
        reach = np.abs(x).max()
        for k in range(1, 102):
            consider(-reach * k / 100, reach * k / 100)
        return best[0]
    widest = (max(x.max(), 0) - min(x.min(), 0)) / n
    offset = np.rint(min(x.min(), 0) / widest)
    low, high = widest * offset, widest * (offset + n)
    for k in range(1, 18):
        for first in list(np.rint(np.linspace(-n, 0, min(20, n + 1)))) + [offset]:
            step = widest * k / 16
            bottom, top = max(low, step * first), min(high, step * (first + n))
            if top > bottom:
                delta = (top - bottom) / n
                bottom = delta * np.rint(bottom / delta)
                consider(bottom, bottom + n * delta)
    return best[0]


if __name__ == '__main__':
    for name, x in ('both sides', laplace()), ('one side', np.maximum(laplace(), 0)):
        for bits, symmetric in (2, True), (4, True), (8, True), (2, False), (4, False), (8, False):
            errors = ', '.join(f'{value:.6g}' for value in (least(x, 2, bits, symmetric), least(x, 3, bits, symmetric), aimet(x, bits, symmetric)))
            print(f'{{{str(name == "one side").lower()}, {bits}, {str(symmetric).lower()}, {errors}}},', flush=True)
