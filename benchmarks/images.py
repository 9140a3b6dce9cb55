"""Compares reading images for training with Pillow's, one thread each, in turns.

    python benchmarks/images.py --images build/benchmarks/images [--count 64] [--rounds 7]

Makes JPEGs of ImageNet's usual size (500x375, quality 90) from random content with the spectrum of photographs, then times for each image:
decode, random resized crop to 224x224 (bilinear with antialiasing), flip, conversion to float, normalisation, channel order. Pillow's side is
what torchvision does: Image.open, convert, crop, resize, transpose, numpy. Needs Pillow and numpy. Prints medians over rounds of processor
time, so that other programs on the machine matter little.
"""

import argparse
import json
import math
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy
from PIL import Image

SIDE = 224
MEAN = numpy.array([0.485, 0.456, 0.406], numpy.float32)
STD = numpy.array([0.229, 0.224, 0.225], numpy.float32)


def photograph(generator, width, height):
    """Noise of all scales, the coarse ones strongest, partly shared by the three channels."""
    image = numpy.full((height, width, 3), 128.0)
    size, amplitude = 2, 90.0
    while size < 2 * width:
        coarse = generator.normal(size=(max(1, size * height // width), size, 3)) * 0.4
        coarse += generator.normal(size=coarse.shape[:2])[:, :, None]
        for channel in range(3):
            layer = Image.fromarray(coarse[:, :, channel].astype(numpy.float32))
            image[:, :, channel] += amplitude * numpy.asarray(layer.resize((width, height), Image.Resampling.BICUBIC))
        size, amplitude = size * 2, amplitude * 0.75
    return Image.fromarray(image.clip(0, 255).astype(numpy.uint8))


def make_images(folder, count, width, height):
    generator = numpy.random.default_rng(1)
    (folder / "things").mkdir()
    for i in range(count):
        photograph(generator, width, height).save(folder / "things" / f"{i:04}.jpg", quality=90)
    return sorted((folder / "things").iterdir())


def random_box(generator, width, height):
    """As torchvision's RandomResizedCrop."""
    for _ in range(10):
        area = width * height * generator.uniform(0.08, 1)
        ratio = math.exp(generator.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = generator.integers(0, width - w + 1), generator.integers(0, height - h + 1)
            return left, top, left + w, top + h
    return 0, 0, width, height


def read_with_pillow(path, generator):
    image = Image.open(path).convert("RGB")
    image = image.crop(random_box(generator, *image.size)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    if generator.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = numpy.asarray(image).astype(numpy.float32)
    pixels /= 255
    pixels -= MEAN
    pixels /= STD
    return numpy.ascontiguousarray(pixels.transpose(2, 0, 1))


def pillow_seconds(paths, generator):
    start = time.process_time()
    for path in paths:
        read_with_pillow(path, generator)
    return (time.process_time() - start) / len(paths)


def our_seconds(program, folder):
    result = json.loads(subprocess.run([program, folder, "3"], check=True, capture_output=True, text=True).stdout)
    return min(result["seconds"][1:]) / result["images"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="build/benchmarks/images", help="the program built from benchmarks/images.cpp")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--height", type=int, default=375)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        paths = make_images(pathlib.Path(name), arguments.count, arguments.width, arguments.height)
        size = statistics.mean(path.stat().st_size for path in paths)
        generator = numpy.random.default_rng(2)
        pillow_seconds(paths, generator)
        rounds = []
        for _ in range(arguments.rounds):
            theirs = min(pillow_seconds(paths, generator) for _ in range(2))
            rounds.append((our_seconds(arguments.images, name), theirs))
        ours, theirs = (statistics.median(values) for values in zip(*rounds))
        ratios = sorted(theirs / ours for ours, theirs in rounds)
        print(f"JPEGs of {arguments.width}x{arguments.height}, {size / 1024:.0f} KiB each, to {SIDE}x{SIDE}, one thread")
        print(f"  compress   {1000 * ours:6.2f} ms an image  {1 / ours:6.0f} images/s")
        print(f"  Pillow     {1000 * theirs:6.2f} ms an image  {1 / theirs:6.0f} images/s")
        print(f"  ratio      {statistics.median(ratios):6.2f}  ({ratios[0]:.2f} - {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
