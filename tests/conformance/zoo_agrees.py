"""zoo_agrees.py ZOO_FILES [SPEC ...]: every network of the zoo, exported, checked and run by ONNX Runtime with what it computes here.

ZOO_FILES is the program built from tests/support/zoo_files.cpp. The batch-norm statistics have seen a batch; outputs agree within 1e-4 of
max(1, max|y|).
"""
import os
import pathlib
import subprocess
import sys
import tempfile

import onnx

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conformance.onnxruntime_agrees import require_close, run_onnxruntime  # noqa: E402
from support.safetensors_file import read_safetensors  # noqa: E402


def check(spec, stem):
    path = stem.with_suffix('.onnx')
    onnx.checker.check_model(str(path), full_check=True)
    batch = onnx.load(path, load_external_data=False).graph.input[0].type.tensor_type.shape.dim[0]
    if batch.dim_param != 'N':
        sys.exit(f'{spec}: the batch is not free')
    require_close(spec, read_safetensors(stem.with_suffix('.outputs')), run_onnxruntime(path, read_safetensors(stem.with_suffix('.inputs'))))
    for suffix in ('.onnx', '.inputs', '.outputs'):
        os.remove(stem.with_suffix(suffix))
    print(f'{spec}: agrees', flush=True)


def main(program, *specs):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with subprocess.Popen([program, name, *specs], stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                number, spec = line.split()
                check(spec, folder / number)
        if process.returncode != 0:
            sys.exit(f'{program}: exit status {process.returncode}')


if __name__ == '__main__':
    main(*sys.argv[1:])
