#!/usr/bin/env python3
"""Writes numpy_values.h beside itself: small .npy and .npz files as NumPy writes them. Needs numpy."""
import contextlib
import io
import pathlib
import struct
import textwrap
import zlib

import numpy


def npy(array, **options):
    file = io.BytesIO()
    numpy.save(file, array, **options)
    return file.getvalue()


def npz(save, **arrays):
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def zip64(name, content):
    """One stored member whose sizes and places all stand in the 64-bit records."""
    sizes = struct.pack("<QQ", len(content), len(content))
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 45, 0, 0, 0, 0, zlib.crc32(content), 0xFFFFFFFF, 0xFFFFFFFF, len(name), 20)
    file = local + name + struct.pack("<HH", 1, 16) + sizes + content
    start = len(file)
    extra = struct.pack("<HH", 1, 24) + sizes + struct.pack("<Q", 0)
    file += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 45, 45, 0, 0, 0, 0, zlib.crc32(content), 0xFFFFFFFF, 0xFFFFFFFF, len(name),
                        len(extra), 0, 0, 0, 0, 0xFFFFFFFF) + name + extra
    length, end = len(file) - start, len(file)
    file += struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, length, start)
    file += struct.pack("<IIQI", 0x07064B50, 0, end, 1)
    return file + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def constant(name, content):
    lines = "\n".join(f'    "{line}"' for line in textwrap.wrap("".join(f"{byte:02x}" for byte in content), 112))
    print(f"constexpr const char* {name} =\n{lines};\n")


TABLE = numpy.arange(6).reshape(2, 3) - 2
FILES = {
    **{f"k_npy_{name}": npy(TABLE.astype(name)) for name in ("float16", "float32", "float64", "int8", "int16", "int32", "int64")},
    **{f"k_npy_{name}": npy(abs(TABLE).astype(name)) for name in ("uint8", "uint16", "uint32", "uint64")},
    "k_npy_bool": npy(TABLE > 0),
    "k_npy_big_endian": npy(TABLE.astype(">f4")),
    "k_npy_fortran": npy(numpy.asfortranarray(TABLE.astype("i4"))),
    "k_npy_scalar": npy(numpy.float32(3)),
    "k_npy_objects": npy(numpy.array([{}, None], dtype=object), allow_pickle=True),
    "k_npy_structure": npy(numpy.zeros(2, dtype=[("a", "f4"), ("b", "i4")])),
    "k_npy_text": npy(numpy.array(["a", "bc"])),
    "k_npy_complex": npy(numpy.zeros(2, dtype=complex)),
    "k_npz_stored": npz(numpy.savez, x=TABLE.astype("f4"), y=numpy.array([1, 0])),
    "k_npz_deflated": npz(numpy.savez_compressed, x=TABLE.astype("f4"), y=numpy.array([1, 0])),
    "k_npz_64": zip64(b"x.npy", npy(TABLE.astype("f4"))),
}
with open(pathlib.Path(__file__).with_name("numpy_values.h"), "w") as header, contextlib.redirect_stdout(header):
    print("#pragma once\n\n// Made by numpy_values.py: bytes as hexadecimal digits. Arrays are [[-2, -1, 0], [1, 2, 3]], absolute where unsigned.")
    print("namespace compress::data::test {\n")
    for key, value in FILES.items():
        constant(key, value)
    print("}  // namespace compress::data::test")
