"""Top-1 of an exported file on Fashion-MNIST's 10,000 test images in ONNX Runtime, with graph optimisation off and on.

    python benchmarks/onnxruntime_accuracy.py runs/demo/lenet5_int8.onnx
"""
import gzip
import json
import sys

import numpy
import onnx
import onnxruntime

FOLDER = '/usr/share/datasets/fashion-mnist/'


def load(name, header):
    with gzip.open(FOLDER + name) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=header)


def main(path):
    metadata = {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props if entry.key.startswith('normalize.')}
    images = load('t10k-images-idx3-ubyte.gz', 16).reshape(-1, 1, 28, 28).astype(numpy.float32) / 255
    images = (images - metadata['normalize.mean'][0]) / metadata['normalize.std'][0]
    labels = load('t10k-labels-idx1-ubyte.gz', 8)
    for name, level in (('off', onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL), ('default', onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        session = onnxruntime.InferenceSession(path, options)
        feed = session.get_inputs()[0].name
        right = sum(int((session.run(None, {feed: images[i:i + 250].astype(numpy.float32)})[0].argmax(1) == labels[i:i + 250]).sum())
                    for i in range(0, len(labels), 250))
        print(f'optimisation {name}: top-1 {100 * right / len(labels):.2f} %')


if __name__ == '__main__':
    main(sys.argv[1])
