#!/usr/bin/env python3
"""Writes image_values.h (small image files of every kind, and what Pillow makes of them), jpeg_values.h (larger JPEGs) and pixel_values.h
(resizing and colours) beside itself. Needs Pillow and numpy."""
import colorsys
import contextlib
import io
import pathlib
import struct
import textwrap
import zlib

import numpy
from PIL import Image, ImageEnhance

GENERATOR = numpy.random.default_rng(7)


def smooth(width, height, channels=3, detail=4):
    coarse = GENERATOR.integers(0, 256, size=(max(2, height // detail), max(2, width // detail), channels)).astype(numpy.uint8)
    layers = [Image.fromarray(coarse[:, :, c]).resize((width, height), Image.Resampling.BICUBIC) for c in range(channels)]
    return numpy.stack([numpy.asarray(layer) for layer in layers], 2)


def encode(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width, height, depth, color, rows):
    """Pillow writes no 16-bit colours."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def interlaced_png(pixels):
    """Adam7 by hand: seven smaller images one after the other."""
    height, width = pixels.shape[:2]
    rows = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        part = pixels[y::dy, x::dx]
        if part.size:
            rows += b"".join(b"\0" + row.tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def constant(name, content):
    text = "".join(f"{byte:02x}" for byte in content)
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap(text, 112))
    print(f"constexpr const char* {name} =\n{lines};\n")


def image_kinds():
    width, height = 12, 10
    color, grey = smooth(width, height), smooth(width, height, 1)[:, :, 0]
    rgb = Image.fromarray(color)
    alpha = Image.fromarray(numpy.dstack([color, smooth(width, height, 1)]))
    cmyk = Image.frombytes("CMYK", (width, height), smooth(width, height, 4).tobytes())
    palette = rgb.quantize(9)
    deep = GENERATOR.integers(0, 65536, size=(height, width, 3)).astype(">u2")
    rows16 = b"".join(b"\0" + row.tobytes() for row in deep)
    grey16 = b"".join(b"\0" + row[:, 0].tobytes() for row in deep)
    second = Image.fromarray(255 - color)
    bits = Image.fromarray(grey).convert("1")
    files = {
        "jpeg_420": encode(rgb, "JPEG", quality=90),
        "jpeg_444": encode(rgb, "JPEG", quality=95, subsampling=0),
        "jpeg_progressive": encode(rgb, "JPEG", progressive=True),
        "jpeg_grey": encode(Image.fromarray(grey), "JPEG"),
        "jpeg_cmyk": encode(cmyk, "JPEG", quality=95),
        "png_rgb": encode(rgb, "PNG"),
        "png_alpha": encode(alpha, "PNG"),
        "png_grey": encode(Image.fromarray(grey), "PNG"),
        "png_grey_alpha": encode(Image.merge("LA", (Image.fromarray(grey), alpha.getchannel("A"))), "PNG"),
        "png_bits": encode(bits, "PNG"),
        "png_palette": encode(palette, "PNG"),
        "png_palette_transparent": encode(palette, "PNG", transparency=2),
        "png_animated": encode(rgb, "PNG", save_all=True, append_images=[second], default_image=False),
    }
    expected = {name: Image.open(io.BytesIO(file)).convert("RGB").tobytes() for name, file in files.items()}
    files["png_interlaced"], expected["png_interlaced"] = interlaced_png(color), Image.open(io.BytesIO(interlaced_png(color))).convert("RGB").tobytes()
    files["png_rgb16"] = png(width, height, 16, 2, rows16)
    expected["png_rgb16"] = numpy.rint(deep / 257).astype(numpy.uint8).tobytes()
    files["png_grey16"] = png(width, height, 16, 0, grey16)
    expected["png_grey16"] = numpy.repeat(numpy.rint(deep[:, :, :1] / 257).astype(numpy.uint8), 3, axis=2).tobytes()
    print("// 12x10 pixels each, and Pillow's RGB; 16 bits become 8 by dividing by 257.\n")
    for name in files:
        constant(f"k_{name}", files[name])
        constant(f"k_{name}_rgb", expected[name])
    print("struct ImageKind {\n  const char *name, *file, *rgb;\n};")
    print("constexpr ImageKind kImageKinds[] = {")
    for name in files:
        print(f'    {{"{name}", k_{name}, k_{name}_rgb}},')
    print("};\n")
    constant("k_grey_of_rgb", rgb.convert("L").tobytes())
    constant("k_palette_numbers", palette.tobytes())
    constant("k_bit_numbers", numpy.asarray(bits).astype(numpy.uint8).tobytes())


def larger_jpegs():
    print("// 160x120 pixels, for parts of images.\n")
    image = Image.fromarray(smooth(160, 120, detail=8))
    for name, subsampling in (("444", 0), ("422", 1), ("420", 2)):
        constant(f"k_larger_{name}", encode(image, "JPEG", quality=60, subsampling=subsampling))
    constant("k_larger_progressive", encode(image, "JPEG", quality=60, progressive=True))
    large = Image.fromarray(smooth(320, 240, detail=40))
    print("// 320x240 pixels, and what Pillow makes of it at 30x20.\n")
    constant("k_large", encode(large, "JPEG", quality=50))
    decoded = Image.open(io.BytesIO(encode(large, "JPEG", quality=50))).convert("RGB")
    constant("k_large_30x20", decoded.resize((30, 20), Image.Resampling.BILINEAR).tobytes())


def resizes():
    print("// 13x9 pixels of RGB, and Pillow's BILINEAR: smaller, larger, and a part of it.\n")
    image = Image.fromarray(GENERATOR.integers(0, 256, size=(9, 13, 3)).astype(numpy.uint8))
    constant("k_resize_source", image.tobytes())
    for width, height in ((5, 4), (20, 17), (13, 3)):
        constant(f"k_resized_{width}x{height}", image.resize((width, height), Image.Resampling.BILINEAR).tobytes())
    constant("k_resized_part_6x6", image.crop((2, 1, 11, 8)).resize((6, 6), Image.Resampling.BILINEAR).tobytes())


def colors():
    print("// 4x4 pixels; brightness, contrast and saturation by ImageEnhance, hue by colorsys.\n")
    pixels = GENERATOR.integers(0, 256, size=(4, 4, 3)).astype(numpy.uint8)
    image = Image.fromarray(pixels)
    constant("k_colors", pixels.tobytes())
    constant("k_brighter", ImageEnhance.Brightness(image).enhance(1.3).tobytes())
    constant("k_less_contrast", ImageEnhance.Contrast(image).enhance(0.6).tobytes())
    constant("k_more_saturation", ImageEnhance.Color(image).enhance(1.5).tobytes())
    turned = []
    for red, green, blue in pixels.reshape(-1, 3) / 255:
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        turned += [round(255 * part) for part in colorsys.hsv_to_rgb((hue + 0.2) % 1, saturation, value)]
    constant("k_turned_hue", bytes(turned))


for name, parts in {"image_values": (image_kinds,), "jpeg_values": (larger_jpegs,), "pixel_values": (resizes, colors)}.items():
    with open(pathlib.Path(__file__).with_name(name + ".h"), "w") as file, contextlib.redirect_stdout(file):
        print("#pragma once\n\n// Made by image_values.py: bytes as hexadecimal digits.\nnamespace compress::data::test {\n")
        for part in parts:
            part()
        print("}  // namespace compress::data::test")
