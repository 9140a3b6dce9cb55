#!/usr/bin/env python3
"""Writes float8_onnx.json: the numbers of every code of ONNX's 8-bit floating-point types, and what the reference evaluator's Cast
(saturate = 1) makes of single-precision numbers, halfway cases among them. usage: float8_onnx.py > float8_onnx.json"""
import json

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

TYPES = {'float8_e4m3': TensorProto.FLOAT8E4M3FN, 'float8_e5m2': TensorProto.FLOAT8E5M2}


def text(number):
    """JSON knows neither infinity nor not-a-number."""
    return float(number) if np.isfinite(number) else str(float(number))


def evaluate(nodes, x):
    graph = helper.make_graph(nodes, 'cast', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [None])],
                              [helper.make_tensor_value_info('y', TensorProto.FLOAT, [None])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 21)])
    return ReferenceEvaluator(model).run(None, {'x': np.array(x, np.float32)})[0]


def cast(x, kind):
    return evaluate([helper.make_node('Cast', ['x'], ['q'], to=kind, saturate=1),
                     helper.make_node('Cast', ['q'], ['y'], to=TensorProto.FLOAT)], x)


def main():
    result = {'made by': f'tests/golden/float8_onnx.py with onnx {onnx.__version__}'}
    for name, kind in TYPES.items():
        codes = np.arange(256, dtype=np.uint8).view(helper.tensor_dtype_to_np_dtype(kind)).astype(np.float32)
        grid = np.unique(np.abs(codes[np.isfinite(codes)]))
        between = (grid[1:] + grid[:-1]) / 2
        x = np.concatenate([between, -between, np.nextafter(between, np.float32(0)), np.nextafter(between, np.float32(np.inf)),
                            np.float32([0.1, -0.3, 3.14159, -77.7, 1e-9, -1e-9, 1e9, -1e9, np.inf, -np.inf, np.nan, 0, -0.0]),
                            grid[-1] * np.float32([1.01, 1.03, 1.04, 1.0715, 1.08, 1.2, -1.03, -2])]).astype(np.float32)
        result[name] = {'codes': [text(n) for n in codes], 'x': [text(n) for n in x], 'cast': [text(n) for n in cast(x, kind)]}
    print('{\n' + ',\n'.join(f'  {json.dumps(key)}: {json.dumps(value)}' for key, value in result.items()) + '\n}')


main()
