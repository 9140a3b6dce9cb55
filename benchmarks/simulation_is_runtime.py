"""Simulation = runtime on whole networks: tests/conformance/qdq_agrees.py with real images and networks of ImageNet's size.

    python benchmarks/simulation_is_runtime.py build/tests/quantize_onnx --cifar10 DIR --networks resnet20.onnx ... --zoo resnet18 mobilenet_v2 ...

DIR holds CIFAR-10's binary files; the networks' inputs are 3x32x32, normalised as ImageNet. 512 training images calibrate and are compared (--size). Networks
of the zoo get 8 images of noise at their own resolution (--zoo-size). One line each: how many integers are equal, node by node, and the
signal-to-noise ratios to the simulation and to floating point. Stops at the first network that does not agree.
"""
import argparse
import pathlib
import sys
import tempfile
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'tests'))
from conformance import qdq_agrees  # noqa: E402

MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32).reshape(3, 1, 1)
STD = numpy.array([0.229, 0.224, 0.225], numpy.float32).reshape(3, 1, 1)


def cifar10(folder, size):
    records = numpy.frombuffer((pathlib.Path(folder) / 'data_batch_1.bin').read_bytes(), numpy.uint8).reshape(-1, 3073)
    images = records[:size, 1:].reshape(-1, 3, 32, 32).astype(numpy.float32) / 255
    return (images - MEAN) / STD


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tool', help='the program built from tests/support/quantize_onnx.cpp')
    parser.add_argument('--cifar10', help="folder of CIFAR-10's binary files")
    parser.add_argument('--networks', nargs='*', default=[], help='ONNX files of networks for CIFAR-10')
    parser.add_argument('--size', type=int, default=512)
    parser.add_argument('--zoo', nargs='*', default=[], help='networks of the zoo')
    parser.add_argument('--zoo-size', type=int, default=8)
    parser.add_argument('--resolution', type=int, default=224, help='of images for networks of the zoo')
    parser.add_argument('--variants', help='numbers of the variants of qdq_agrees.py to run, as 0,9')
    options = parser.parse_args()
    chosen = [int(k) for k in options.variants.split(',')] if options.variants else range(len(qdq_agrees.VARIANTS))
    noise = numpy.random.default_rng(3).normal(size=[options.zoo_size, 3, options.resolution, options.resolution]).astype(numpy.float32)
    jobs = [(network, cifar10(options.cifar10, options.size)) for network in options.networks] + [(spec, noise) for spec in options.zoo]
    with tempfile.TemporaryDirectory(prefix='qdq-') as folder:
        for network, images in jobs:
            for k in chosen:
                start = time.monotonic()
                qdq_agrees.check(options.tool, network, images, qdq_agrees.VARIANTS[k], pathlib.Path(folder))
                print(f'    {time.monotonic() - start:.0f} s', flush=True)


if __name__ == '__main__':
    main()
