#!/usr/bin/env python3
"""Writes scipy_powell.json: minima that scipy.optimize.minimize(method='Powell') finds of the functions of tests/unit/quant/lapq/functions.h.
usage: scipy_powell.py > scipy_powell.json"""
import json

import numpy as np
import scipy
from scipy.optimize import minimize


def rosenbrock(x):
    return sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(len(x) - 1))


def rotated(x):
    """A quadratic whose axes (lengths 1 : 10 : 100) are rotated by 0.5 in each plane; minimum 2 at (0.5, -1, 1.5)."""
    y = np.array(x) - [0.5, -1, 1.5]
    for i, j in ((0, 1), (1, 2), (0, 2)):
        c, s = np.cos(0.5), np.sin(0.5)
        y[i], y[j] = c * y[i] - s * y[j], s * y[i] + c * y[j]
    return 2 + y[0] ** 2 + 10 * y[1] ** 2 + 100 * y[2] ** 2


def beale(x):
    return sum((a - x[0] + x[0] * x[1] ** n) ** 2 for n, a in ((1, 1.5), (2, 2.25), (3, 2.625)))


CASES = [('rosenbrock', rosenbrock, [-1.2, 1], None), ('rosenbrock', rosenbrock, [0.5, 0.5, 0.5, 0.5], [[-5, 5]] * 4),
         ('rosenbrock', rosenbrock, [-1.2, 1], [[-2, 0.6], [-2, 2]]), ('rotated', rotated, [0, 0, 0], None),
         ('rotated', rotated, [0, 0, 0], [[-3, 3], [-0.4, 3], [-3, 3]]), ('beale', beale, [0, 0], [[-4.5, 4.5]] * 2)]

cases = []
for name, function, start, bounds in CASES:
    found = minimize(function, start, method='Powell', bounds=bounds, options={'xtol': 1e-6, 'ftol': 1e-12, 'maxiter': 200})
    cases.append({'function': name, 'start': start, 'bounds': bounds, 'point': found.x.tolist(), 'loss': float(found.fun),
                  'evaluations': found.nfev})
print(json.dumps({'made by': f'tests/golden/scipy_powell.py with SciPy {scipy.__version__}', 'cases': cases}, indent=1))
