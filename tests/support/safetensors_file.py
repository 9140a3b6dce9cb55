"""Reads and writes safetensors files: what the test programs take and give."""
import json
import struct

import numpy

TYPES = {'F32': numpy.float32, 'I8': numpy.int8, 'U8': numpy.uint8, 'I16': numpy.int16, 'U16': numpy.uint16,
         'I32': numpy.int32, 'I64': numpy.int64}


def write_safetensors(path, tensors):
    """Writes whole numbers as int64, others as float32."""
    header, data = {}, b''
    for name, array in tensors.items():
        kind = 'I64' if numpy.issubdtype(array.dtype, numpy.integer) else 'F32'
        values = numpy.ascontiguousarray(array, TYPES[kind])
        header[name] = {'dtype': kind, 'shape': list(values.shape), 'data_offsets': [len(data), len(data) + values.nbytes]}
        data += values.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack('<Q', data[:8])
    header, body = json.loads(data[8:8 + length]), data[8 + length:]
    return {name: numpy.frombuffer(body[slice(*entry['data_offsets'])], TYPES[entry['dtype']]).reshape(entry['shape'])
            for name, entry in header.items() if name != '__metadata__'}
