"""gradients_agree.py ONNX_ROUNDTRIP [FOLDER]: networks of PyTorch's exporters, imported: the gradients of their parameters are PyTorch's.

Without FOLDER the networks of tests/support/make_onnx.py are made. Files whose batch-norm was folded away are left out: they train another network.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.safetensors_file import read_safetensors, write_safetensors  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
TOLERANCE = 1e-4  # relative to max(1, max|gradient|)


def parts(array):
    """A tensor and what exporters make of it: transposed, without axes of size 1, a third of it (query, key, value), its first rows."""
    yield array
    if array.ndim == 2:
        yield array.T
    if array.ndim > 0 and array.shape[0] % 3 == 0:
        for third in numpy.split(array, 3):
            yield third
            yield third.T


def fits(wanted, found):
    return numpy.abs(wanted - found).max() <= TOLERANCE * max(1, numpy.abs(wanted).max())


def agrees(wanted, found):
    for part in parts(wanted):
        if part.shape == found.shape and fits(part, found):
            return True
        if part.size == found.size and fits(part.reshape(found.shape), found):
            return True
        if part.ndim == found.ndim and all(a >= b for a, b in zip(part.shape, found.shape)):
            if fits(part[tuple(slice(size) for size in found.shape)], found):  # a table of which only the beginning is read
                return True
    return False


def original(name, names):
    """PyTorch's parameter: the same name, but for the number of a further part."""
    stem, _, number = name.rpartition('_')
    return name if name in names else stem if number.isdigit() and stem in names else None


def compare(path, expected, found):
    """The problem, if any."""
    compared = set()
    for name, gradient in found.items():
        torch_name = original(name, expected)
        if torch_name is None:  # the newer exporter calls what it computed beforehand by the operator: "slice_1"
            if not any(agrees(wanted, gradient) for wanted in expected.values()):
                return f'{path.name}: no parameter of PyTorch has the gradient of {name}'
            continue
        if not agrees(expected[torch_name], gradient):
            return f'{path.name}: the gradient of {name} differs'
        compared.add(torch_name)
    if len(compared) < 0.8 * len(expected):
        return f'{path.name}: only {len(compared)} of {len(expected)} parameters have their names: {sorted(set(expected) - compared)}'
    print(f'{path.name}: {len(compared)} of {len(expected)} gradients agree by name')
    return None


def check(program, path, folder):
    arrays = dict(numpy.load(path.with_suffix('.npz')))
    write_safetensors(folder / 'inputs', {key[3:]: value for key, value in arrays.items() if key.startswith('in.')})
    command = [program, path, '--inputs', folder / 'inputs', '--outputs', folder / 'outputs', '--gradients', folder / 'gradients', '--quiet']
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if result.returncode != 0:
        return f'{path.name}: {result.stderr or result.returncode}'
    expected = {key[5:]: value for key, value in arrays.items() if key.startswith('grad.')}
    return compare(path, expected, read_safetensors(folder / 'gradients'))


def is_comparable(path):
    """With gradients of PyTorch, and with the batch-norm that it trained."""
    arrays = numpy.load(path.with_suffix('.npz'))
    folds = path.stem.endswith(('_folded', '_dynamo'))
    return any(key.startswith('grad.') for key in arrays) and not (folds and arrays['batch_norm'])


def main(program, folder=None):
    with tempfile.TemporaryDirectory() as name:
        made = pathlib.Path(folder or name)
        if not folder:
            subprocess.run([sys.executable, ROOT / 'support' / 'make_onnx.py', made], check=True, capture_output=True)
        files = [file for file in sorted(made.glob('*.onnx')) if is_comparable(file)]
        problems = [problem for file in files if (problem := check(program, file, pathlib.Path(name)))]
    print('\n'.join(problems) or f'{len(files)} networks: gradients are PyTorch\'s')
    return 1 if problems or not files else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
