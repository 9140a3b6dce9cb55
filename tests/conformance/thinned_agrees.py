"""thinned_agrees.py PRUNE_ONNX: networks that PyTorch's exporters made (two inputs, a U-Net with Concat, attention, recurrent layers), pruned, thinned,
exported: ONNX Runtime computes the same with the thinned file as with the masked one.

PRUNE_ONNX is the program built from tests/support/prune_onnx.cpp.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parents[1]
KINDS = ('two_inputs', 'unet', 'shuffle', 'upnet', 'mobile', 'dense', 'nhwc', 'encoder', 'translator', 'tagger', 'classifier', 'bidirectional')
TOLERANCE = 1e-5  # relative to max(1, max|y|)


def outputs(path, feeds):
    session = onnxruntime.InferenceSession(str(path))
    return session.run(None, {entry.name: feeds[entry.name] for entry in session.get_inputs()})


def check(program, model, folder):
    masked, thinned = folder / 'masked.onnx', folder / 'thinned.onnx'
    done = subprocess.run([program, str(model), str(masked), str(thinned)], capture_output=True, text=True)
    if done.returncode != 0:
        return f'{model.name}: {done.stderr.strip()}'
    before, after = json.loads(done.stdout)['macs']
    if after >= before:
        return f'{model.name}: thinning removed nothing ({before} MACs)'
    feeds = {key[3:]: value for key, value in numpy.load(model.with_suffix('.npz')).items() if key.startswith('in.')}
    for a, b in zip(outputs(masked, feeds), outputs(thinned, feeds)):
        error = numpy.abs(a - b).max() / max(1, numpy.abs(a).max())
        if a.shape != b.shape or error > TOLERANCE:
            return f'{model.name}: thinned differs from masked by {error:g}'
    print(f'{model.name}: {before} -> {after} MACs')
    return None


def main(program):
    with tempfile.TemporaryDirectory(prefix='compress-thinned-') as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.executable, str(ROOT / 'support/make_onnx.py'), name], check=True, capture_output=True)
        models = sorted(m for kind in KINDS for m in folder.glob(f'{kind}_*.onnx'))
        problems = [problem for model in models if (problem := check(program, model, folder))]
    print('\n'.join(problems) or f'{len(models)} networks: thinned = masked in ONNX Runtime')
    return 1 if problems or not models else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
