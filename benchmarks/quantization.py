"""Post-training quantisation beside ONNX Runtime's and NNCF's: the same training images, test images and session options.

    python benchmarks/quantization.py MODEL.onnx --cifar FOLDER [--images 512] [--only NAME ...]

FOLDER holds CIFAR-10's binary files. Every row quantises MODEL with the same training images (drawn by seed 1), writes a
file and gives it to ONNX Runtime: top-1 on the test images with graph optimisation off and on ("default"; without VNNI its
fused 8-bit kernels saturate), and the seconds that quantising took, reading the model and starting the program included.
Needs onnxruntime; rows of NNCF are left out where it is not installed.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime

MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32).reshape(3, 1, 1)
STD = numpy.array([0.229, 0.224, 0.225], numpy.float32).reshape(3, 1, 1)
LEVELS = {
    "off": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    "default": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
}


def read_cifar(paths):
    rows = numpy.concatenate([numpy.fromfile(path, numpy.uint8).reshape(-1, 3073) for path in paths])
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].astype(numpy.int64)


def normalized(images):
    return (images.astype(numpy.float32) / 255 - MEAN) / STD


class Job:
    """What every row has in common: the model, the images, a folder for files."""

    def __init__(self, options, folder):
        cifar = pathlib.Path(options.cifar)
        images, labels = read_cifar(sorted(cifar.glob("data_batch_*.bin")))
        chosen = numpy.sort(numpy.random.default_rng(1).permutation(len(images))[: options.images])
        self.train, self.train_labels = images[chosen], labels[chosen]
        self.test, self.test_labels = read_cifar([cifar / "test_batch.bin"])
        self.model, self.folder, self.program = options.model, pathlib.Path(folder), options.compress
        self.data = self.folder / "images.npz"
        numpy.savez(self.data, x_train=self.train, y_train=self.train_labels, x_test=self.test, y_test=self.test_labels)
        self.feed = onnx.load(self.model).graph.input[0].name

    def top1(self, path, level):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = LEVELS[level]
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options)
        feed = session.get_inputs()[0].name
        right = 0
        for i in range(0, len(self.test), 250):
            logits = session.run(None, {feed: normalized(self.test[i : i + 250])})[0]
            right += int((logits.argmax(1) == self.test_labels[i : i + 250]).sum())
        return 100 * right / len(self.test)


class Reader:
    """Calibration images one batch at a time, as ONNX Runtime's quantiser asks for them."""

    def __init__(self, job):
        images = normalized(job.train)
        self.batches = iter([{job.feed: images[i : i + 64]} for i in range(0, len(images), 64)])

    def get_next(self):
        return next(self.batches, None)


def onnxruntime_row(method, per_channel=True):
    def quantize(job, path):
        from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
        from onnxruntime.quantization.shape_inference import quant_pre_process

        prepared = job.folder / "prepared.onnx"
        quant_pre_process(job.model, prepared)
        quantize_static(prepared, path, Reader(job), quant_format=QuantFormat.QDQ, per_channel=per_channel,
                        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        calibrate_method=getattr(CalibrationMethod, method))

    return quantize


def nncf_row(job, path):
    import nncf

    dataset = nncf.Dataset([{job.feed: normalized(job.train[i : i + 1])} for i in range(len(job.train))])
    onnx.save(nncf.quantize(onnx.load(job.model), dataset, subset_size=len(job.train)), str(path))


def compress_row(**quantizer):
    def quantize(job, path):
        recipe = {
            "version": 1,
            "name": "quantization",
            "model": {"onnx": str(job.model)},
            "data": {"name": "numpy", "path": str(job.data), "normalize": {"mean": MEAN.ravel().tolist(), "std": STD.ravel().tolist()},
                     "validation_split": 0, "limits": {"test": 1}},
            "training": {"epochs": 0},
            "quantizers": {"row": quantizer},
            "policies": [{"quantizer": {"instance_name": "row"}}],
            "export": [{"format": "onnx-qdq", "file": str(path)}],
        }
        file = job.folder / "recipe.yaml"
        file.write_text(json.dumps(recipe))
        shutil.rmtree(job.folder / "run", ignore_errors=True)
        done = subprocess.run([job.program, "run", file, "--out", job.folder / "run"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr)

    return quantize


def native(bits_weights, bits_activations, **arguments):
    return compress_row(**{"class": "PostTrainQuantizer", "bits_weights": bits_weights, "bits_activations": bits_activations} | arguments)


L3 = {"class": "lp_norm", "p": 3}
OBSERVERS = {name: name for name in ["min_max", "percentile", "mse", "sqnr"]} | {"lp_norm 3": L3}
ROWS = {
    "onnxruntime W8A8 min-max": onnxruntime_row("MinMax"),
    "onnxruntime W8A8 min-max per tensor": onnxruntime_row("MinMax", per_channel=False),
    "onnxruntime W8A8 entropy": onnxruntime_row("Entropy"),
    "onnxruntime W8A8 percentile": onnxruntime_row("Percentile"),
    "nncf W8A8": nncf_row,
    "compress W8A8": native(8, 8),
    "compress W8A8 per tensor": native(8, 8, per_channel_weights=False),
    "compress W4A8 min_max": native(4, 8),
    "compress W4A8 lp_norm 3, bias correction": native(4, 8, weight_observer=L3, bias_correction=True),
    **{f"compress W4A4 {name}": native(4, 4, observer=observer, weight_observer=observer) for name, observer in OBSERVERS.items()},
    "compress W4A4 LAPQ": compress_row(**{"class": "LapqQuantizer", "bits_weights": 4, "bits_activations": 4,
                                          "per_channel_weights": True, "maxiter": 1}),
}


def measure(job, name):
    path = job.folder / "quantized.onnx"
    path.unlink(missing_ok=True)
    start = time.perf_counter()
    ROWS[name](job, path)
    seconds = time.perf_counter() - start
    return job.top1(path, "off"), job.top1(path, "default"), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--cifar", required=True, help="folder of CIFAR-10's binary files")
    parser.add_argument("--images", type=int, default=512, help="training images for calibration")
    parser.add_argument("--compress", default="build/compress", help="the program")
    parser.add_argument("--only", nargs="*", default=[], help="rows whose name holds one of these words")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        job = Job(options, folder)
        print(f"{'FP32':40} {job.top1(options.model, 'off'):6.2f} {job.top1(options.model, 'default'):8.2f}", flush=True)
        for name in ROWS:
            if options.only and not any(word in name for word in options.only):
                continue
            try:
                off, default, seconds = measure(job, name)
            except ImportError as error:
                print(f"{name:40} left out: {error}", file=sys.stderr)
                continue
            print(f"{name:40} {off:6.2f} {default:8.2f} {seconds:7.1f} s", flush=True)


if __name__ == "__main__":
    main()
