#!/usr/bin/env python3
"""Turns a checkpoint of PyTorch into safetensors, and into ONNX when the network is known.

    tools/convert_checkpoint.py resnet20.pth --output resnet20.safetensors
    tools/convert_checkpoint.py resnet20.pth --output resnet20.safetensors --arch resnet20_cifar
    tools/convert_checkpoint.py mine.pth --output mine.safetensors --module my_package.my_net:make_net --input 3x64x64

CHECKPOINT is what torch.save wrote: a state dict, or a dictionary with one under state_dict, model_state_dict, model, net or weights (--key names
another). Prefixes of DataParallel ("module.") and torch.compile ("_orig_mod.") are dropped, and so are batch-norm's counters. Only tensors are
unpickled; a file that holds other objects, such as a whole module, runs code of its author when it is read and needs --trust.

With --arch a network of the zoo (compress list models) takes the weights and is written as ONNX by `compress export`. With --module a function of an
importable module makes the network, whose ONNX file PyTorch's exporter writes.
"""
import argparse
import importlib
import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys

import torch

PLACES = ('state_dict', 'model_state_dict', 'model', 'net', 'weights')
PREFIXES = ('module.', '_orig_mod.')
TYPES = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16', torch.bfloat16: 'BF16', torch.int64: 'I64', torch.int32: 'I32',
         torch.int16: 'I16', torch.int8: 'I8', torch.uint8: 'U8', torch.bool: 'BOOL'}


class Problem(Exception):
    """Something the user can put right."""


def load(path, trust):
    try:
        return torch.load(path, map_location='cpu', weights_only=not trust)
    except FileNotFoundError:
        raise Problem(f"'{path}' does not exist") from None
    except pickle.UnpicklingError as error:
        if trust:
            raise Problem(f"'{path}' is no checkpoint of PyTorch: {error}") from None
        raise Problem(f"'{path}' cannot be read as tensors alone; if you trust its author, --trust reads the Python objects in it") from None
    except (RuntimeError, EOFError, OSError, ImportError, AttributeError) as error:
        raise Problem(f"'{path}' cannot be read: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from None


def is_state_dict(value):
    return isinstance(value, dict) and any(isinstance(entry, torch.Tensor) for entry in value.values())


def state_dict(checkpoint, key):
    if key is not None:
        if not isinstance(checkpoint, dict) or key not in checkpoint:
            names = ', '.join(map(str, checkpoint)) if isinstance(checkpoint, dict) else 'no dictionary'
            raise Problem(f"the checkpoint has no '{key}'; it has: {names}")
        checkpoint = checkpoint[key]
    if isinstance(checkpoint, torch.nn.Module):
        return checkpoint.state_dict()
    if is_state_dict(checkpoint):
        return checkpoint
    if isinstance(checkpoint, dict) and key is None:
        for place in PLACES:
            if isinstance(checkpoint.get(place), torch.nn.Module) or is_state_dict(checkpoint.get(place)):
                return state_dict(checkpoint[place], None)
        raise Problem(f"no state dict found; the checkpoint has: {', '.join(map(str, checkpoint))} (name one with --key)")
    raise Problem(f'a {type(checkpoint).__name__} is no state dict')


def plain_name(name, prefix):
    dropped = True
    while dropped:
        dropped = False
        for start in PREFIXES:
            if name.startswith(start):
                name, dropped = name[len(start):], True
    return name[len(prefix):] if prefix and name.startswith(prefix) else name


def tensors_of(entries, prefix):
    tensors, skipped = {}, []
    for name, value in entries.items():
        plain = plain_name(name, prefix)
        if name.endswith('num_batches_tracked'):
            continue
        if not isinstance(value, torch.Tensor):
            skipped.append(name)
            continue
        if value.dtype not in TYPES or value.layout != torch.strided:
            raise Problem(f"the tensor '{name}' is {value.dtype}, {value.layout}, which safetensors cannot hold")
        if plain in tensors:
            raise Problem(f"two tensors would be called '{plain}'")
        tensors[plain] = value.detach().cpu().contiguous()
    if not tensors:
        raise Problem('the checkpoint holds no weights')
    return tensors, skipped


def write_safetensors(path, tensors):
    """Written beside and renamed: the whole file or nothing."""
    header, offset = {}, 0
    for name, tensor in sorted(tensors.items()):
        size = tensor.numel() * tensor.element_size()
        header[name] = {'dtype': TYPES[tensor.dtype], 'shape': list(tensor.shape), 'data_offsets': [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    part = path.with_name(path.name + '.part')
    try:
        with open(part, 'wb') as file:
            file.write(struct.pack('<Q', len(text)) + text)
            for _, tensor in sorted(tensors.items()):
                file.write(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b'')
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Problem(f"'{path}' cannot be written: {error.strerror}") from None


def export_zoo(options, onnx):
    command = [options.compress, 'export', options.arch, '--weights', options.output, '--match', options.match, '--output', onnx]
    try:
        done = subprocess.run(list(map(str, command)), check=False)
    except FileNotFoundError:
        raise Problem(f"there is no '{options.compress}': build it (make build) or name it with --compress") from None
    if done.returncode != 0:
        sys.exit(done.returncode)


def export_module(options, tensors, onnx):
    if not options.input:
        raise Problem('--module needs the shape of one input, without the batch: --input 3x224x224')
    module, _, function = options.module.partition(':')
    sys.path.insert(0, os.getcwd())
    try:
        network = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise Problem(f"--module {options.module}: {error} (write package.module:function)") from None
    try:
        missing, unused = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise Problem(f'the weights do not fit {options.module}: {error}') from None
    missing = [name for name in missing if not name.endswith('num_batches_tracked')]
    if options.match == 'strict' and (missing or unused):
        raise Problem(f'the weights do not fit {options.module}: missing {missing[:5]}, unused {unused[:5]} (--match by_name takes what fits)')
    example = torch.zeros(1, *map(int, options.input.split('x')))
    torch.onnx.export(network.eval(), (example,), str(onnx), opset_version=17, input_names=['input'], output_names=['output'],
                      dynamic_axes={'input': {0: 'N'}, 'output': {0: 'N'}}, dynamo=False)
    print(f'wrote {onnx}')


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=pathlib.Path)
    parser.add_argument('-o', '--output', type=pathlib.Path, required=True, help='safetensors file to write')
    parser.add_argument('--key', help='where the state dict is in the checkpoint')
    parser.add_argument('--prefix', default='', help='further prefix to drop from the names, such as "model."')
    parser.add_argument('--trust', action='store_true', help='unpickle any Python object of the file: this runs code of its author')
    parser.add_argument('--arch', help='network of the zoo, with arguments: "mobilenet_v1?width=0.5"')
    parser.add_argument('--module', help='package.module:function that makes the network')
    parser.add_argument('--input', help='with --module: shape of one input, 3x224x224')
    parser.add_argument('--onnx', type=pathlib.Path, help='ONNX file to write (default: beside the output)')
    parser.add_argument('--match', choices=('strict', 'by_name'), default='strict', help='strict: all names and shapes fit; by_name: what fits is taken')
    parser.add_argument('--compress', default=str(pathlib.Path(__file__).resolve().parents[1] / 'build' / 'compress'), help='the program')
    return parser.parse_args()


def main(options):
    if options.output.suffix != '.safetensors':
        raise Problem(f"the output '{options.output}' must end with .safetensors")
    if options.arch and options.module:
        raise Problem('--arch and --module name the network twice')
    if options.onnx and not (options.arch or options.module):
        raise Problem('--onnx needs to know the network: --arch or --module')
    tensors, skipped = tensors_of(state_dict(load(options.checkpoint, options.trust), options.key), options.prefix)
    write_safetensors(options.output, tensors)
    count = sum(tensor.numel() for tensor in tensors.values())
    print(f'wrote {options.output} ({len(tensors)} tensors, {count:,} numbers)', flush=True)
    if skipped:
        print(f'left out, no tensors: {", ".join(skipped)}', file=sys.stderr)
    onnx = options.onnx or options.output.with_suffix('.onnx')
    if options.arch:
        export_zoo(options, onnx)
    if options.module:
        export_module(options, tensors, onnx)


if __name__ == '__main__':
    try:
        main(parse())
    except Problem as problem:
        sys.exit(print(f'error: {problem}', file=sys.stderr) or 2)
