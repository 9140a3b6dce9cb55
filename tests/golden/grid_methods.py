#!/usr/bin/env python3
"""Writes grid_methods.json: what the methods of FakeQuantize compute in training, and their gradients by PyTorch's autograd, from the
papers' formulas (rounding passes gradients straight through). usage: grid_methods.py > grid_methods.json"""
import json
import math

import torch


def straight(target, source):
    """The values of `target` with the gradient of `source`."""
    return source + (target - source).detach()


def rounded(x):
    return straight(torch.round(x), x)


def scaled_gradient(x, factor):
    return x.detach() + (x - x.detach()) * factor


def limits(bits, signed, narrow=0):
    return (-2 ** (bits - 1) + narrow, 2 ** (bits - 1) - 1) if signed else (narrow, 2 ** bits - 1)


def per_channel(value, x, axis):
    return value if axis < 0 else value.reshape([-1 if i == axis else 1 for i in range(x.dim())])


def lsq(x, p, a):
    low, high = limits(a['bits'], a['signed'])
    shared = x.numel() / p['scale'].numel() / (x.size(0) if a.get('batched') else 1)
    s = per_channel(scaled_gradient(p['scale'], 1 / math.sqrt(shared * high)), x, a.get('axis', -1))
    return rounded(torch.clamp(x / s, low, high)) * s


def lsq_plus(x, p, a):
    low, high = limits(a['bits'], a['signed'])
    factor = 1 / math.sqrt(x.numel() / (x.size(0) if a.get('batched') else 1) * high)
    s, beta = scaled_gradient(p['scale'], factor), scaled_gradient(p['offset'], factor)
    offset = straight(-torch.round(-beta / s) * s, beta)  # the nearest multiple of the scale
    # Equation 4 of the paper, its gradients (5 and 6) by autograd.
    v = torch.clamp((x - straight(offset, beta)) / s, low, high)
    return rounded(v) * s + offset


def trained_range(x, p, a):
    low, high = limits(a['bits'], a['signed'], a.get('narrow_range', 0))
    least, most = p['range_min'], p['range_max']
    if a['symmetric']:
        reach = most if not a['signed'] else straight((most - least) / 2, most - least)
        s = reach / (high if not a['signed'] or a.get('narrow_range') else high + 0.5)
        z = torch.zeros(())
    else:
        s = (most - least) / (high - low)
        z = straight(torch.round(low - least / s), low - least / s)
    # A code counts as inside while its rounding is: AIMET's mask.
    code = x / s + z
    inside = ((code >= low - 0.5) & (code <= high + 0.5)).float()
    kept = code * inside + torch.clamp(code, low, high).detach() * (1 - inside)
    return (straight(torch.clamp(torch.round(x / s) + z, low, high).detach(), kept) - z) * s


def pact(x, p, a):
    steps = 2 ** a['bits'] - 1
    alpha = per_channel(p['alpha'], x, a.get('axis', -1))
    clipped = torch.where(x >= alpha, alpha, torch.relu(x))
    return straight(torch.round(clipped * steps / alpha) * alpha / steps, clipped)


def pact_asymmetric(x, p, a):
    eps = ((p['alpha'] + p['beta']) / (2 ** a['bits'] - 1)).detach()
    low = -torch.ceil(p['alpha'].detach() / eps) * eps
    high = torch.floor(p['beta'].detach() / eps + 1e-6) * eps
    bounds = torch.where(x.detach() < low, -p['alpha'], torch.zeros(())) + torch.where(x.detach() > high, p['beta'], torch.zeros(()))
    return straight(torch.round(torch.clamp(x, low, high) / eps) * eps, x + bounds - bounds.detach())


def dorefa(x, p, a):
    if not a['signed']:
        return unit(x, p, a)
    if a['bits'] == 1:
        return straight(torch.sign(x) * x.abs().mean(), x)
    steps = 2 ** a['bits'] - 1
    t = torch.tanh(x)
    return 2 * rounded((t / (2 * t.abs().max()) + 0.5) * steps) / steps - 1


def unit(x, p, a):
    low, high = limits(a['bits'], a['signed'])
    steps = high + 0.5 if a['signed'] else high
    clipped = torch.clamp(x, -1 if a['signed'] else 0, 1)
    return straight(torch.clamp(torch.round(clipped * steps), low, high) / steps, clipped)


METHODS = {'lsq': lsq, 'lsq_plus': lsq_plus, 'trained_range': trained_range, 'pact': pact, 'pact_asymmetric': pact_asymmetric,
           'dorefa': dorefa, 'wrpn': unit}
CASES = [
    ('lsq', dict(bits=4, signed=1, symmetric=1), dict(scale=0.13)),
    ('lsq', dict(bits=3, signed=0, symmetric=1, batched=1), dict(scale=0.21)),
    ('lsq', dict(bits=2, signed=1, symmetric=1, axis=0), dict(scale=[0.4, 0.7, 0.9, 1.3])),
    ('lsq_plus', dict(bits=4, signed=0, symmetric=0, batched=1), dict(scale=0.17, offset=-0.62)),
    ('lsq_plus', dict(bits=3, signed=1, symmetric=0), dict(scale=0.3, offset=0.35)),
    ('trained_range', dict(bits=4, signed=0, symmetric=0), dict(range_min=-0.93, range_max=1.41)),
    ('trained_range', dict(bits=4, signed=1, symmetric=0), dict(range_min=-1.7, range_max=0.8)),
    ('trained_range', dict(bits=3, signed=1, symmetric=1), dict(range_min=-1.2, range_max=1.2)),
    ('trained_range', dict(bits=4, signed=1, symmetric=1, narrow_range=1), dict(range_min=-1.1, range_max=1.1)),
    ('trained_range', dict(bits=4, signed=0, symmetric=1), dict(range_min=0.0, range_max=1.3)),
    ('pact', dict(bits=4, signed=0, symmetric=1), dict(alpha=1.3)),
    ('pact', dict(bits=3, signed=0, symmetric=1, axis=1), dict(alpha=[0.6, 0.9, 1.2, 1.5, 1.8])),
    ('pact_asymmetric', dict(bits=4, signed=0, symmetric=0), dict(alpha=0.7, beta=1.1)),
    ('pact_asymmetric', dict(bits=8, signed=1, symmetric=0), dict(alpha=1.2, beta=0.4)),
    ('dorefa', dict(bits=1, signed=1, symmetric=1), {}),
    ('dorefa', dict(bits=2, signed=1, symmetric=1), {}),
    ('dorefa', dict(bits=4, signed=1, symmetric=1), {}),
    ('dorefa', dict(bits=4, signed=0, symmetric=1), {}),
    ('wrpn', dict(bits=2, signed=1, symmetric=1), {}),
    ('wrpn', dict(bits=4, signed=1, symmetric=1), {}),
    ('wrpn', dict(bits=4, signed=0, symmetric=1), {}),
]


def case(method, attributes, parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    # Multiples of 1/1024, which single precision and decimals hold exactly.
    x = (torch.randn(4, 5, generator=generator) * 1024).round() / 1024
    gradient = (torch.randn(4, 5, generator=generator) * 64).round() / 64
    x.requires_grad_()
    p = {name: torch.tensor(value, requires_grad=True) for name, value in parameters.items()}
    y = METHODS[method](x, p, attributes)
    y.backward(gradient)
    numbers = lambda tensor: [float(v) for v in tensor.detach().flatten()]
    return {'method': method, 'attributes': attributes, 'x': numbers(x), 'shape': list(x.shape), 'parameters': parameters,
            'gradient': numbers(gradient), 'y': numbers(y), 'dx': numbers(x.grad),
            'd': {name: numbers(value.grad if value.grad is not None else torch.zeros_like(value)) for name, value in p.items()}}


print('[' + ',\n'.join(json.dumps(case(*c, seed)) for seed, c in enumerate(CASES)) + ']')
