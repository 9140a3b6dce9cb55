"""onnxruntime_agrees.py ONNX_ROUNDTRIP [FILE.onnx ...]: networks of PyTorch's exporters, imported, run, exported and run by ONNX Runtime.

Without files those of tests/support/make_onnx.py are made. ONNX_ROUNDTRIP is the program built from tests/support/onnx_roundtrip.cpp; it also
checks that import, export and import again give the same text form.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.safetensors_file import read_safetensors, write_safetensors  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOLERANCE = 1e-4  # relative to max(1, max|y|): sums in another order
OPSETS = (13, 17, 18, 21)


def run_onnxruntime(path, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs)))


def require_close(what, expected, actual):
    if expected.keys() != actual.keys():
        sys.exit(f'{what}: outputs {sorted(actual)} instead of {sorted(expected)}')
    for name, wanted in expected.items():
        if wanted.shape != actual[name].shape:
            sys.exit(f'{what}: output {name} has shape {actual[name].shape} instead of {wanted.shape}')
        error = numpy.abs(wanted - actual[name]).max() / max(1, numpy.abs(wanted).max())
        if not error <= TOLERANCE:
            sys.exit(f'{what}: output {name} differs by {error:.2e}')


def random_inputs(path):
    generator = numpy.random.default_rng(1)
    model = onnx.load(path, load_external_data=False)
    constants = {tensor.name for tensor in model.graph.initializer}
    shapes = {value.name: [dim.dim_value or 4 for dim in value.type.tensor_type.shape.dim] for value in model.graph.input if value.name not in constants}
    return {name: generator.standard_normal(shape).astype(numpy.float32) for name, shape in shapes.items()}


def check(program, path, folder):
    arrays = dict(numpy.load(path.with_suffix('.npz'))) if path.with_suffix('.npz').exists() else {}
    inputs = {key[3:]: value for key, value in arrays.items() if key.startswith('in.')} or random_inputs(path)
    expected = {key[4:]: value for key, value in arrays.items() if key.startswith('out.')} or run_onnxruntime(path, inputs)
    write_safetensors(folder / 'inputs', inputs)
    for opset in OPSETS:
        exported = folder / f'{path.stem}.opset{opset}.onnx'
        command = [program, path, '--inputs', folder / 'inputs', '--outputs', folder / 'outputs', '--export', exported, '--opset', str(opset), '--quiet']
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if 'exists in ONNX since opset' in result.stderr:
            continue
        if result.returncode != 0:
            sys.exit(f'{path.name}, opset {opset}: {result.stderr or result.returncode}')
        require_close(f'{path.name}, run by compress', expected, read_safetensors(folder / 'outputs'))
        onnx.checker.check_model(str(exported), full_check=True)
        require_close(f'{path.name}, exported as opset {opset}', expected, run_onnxruntime(exported, inputs))
        dynamic = onnx.load(exported).graph.input[0].type.tensor_type.shape.dim[0].dim_param
        if dynamic != 'N':
            sys.exit(f'{path.name}: the batch is not free after export')
    print(f'{path.name}: agrees')


def main(program, *files):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if not files:
            subprocess.run([sys.executable, ROOT / 'support' / 'make_onnx.py', folder / 'made'], check=True, capture_output=True)
            files = sorted((folder / 'made').glob('*.onnx'))
        for file in files:
            check(program, pathlib.Path(file), folder)


if __name__ == '__main__':
    main(*sys.argv[1:])
