"""qdq_agrees.py QUANTIZE_ONNX [MODEL ...] [--images FILE.npy] [--size N]: quantised files run by ONNX Runtime against the simulated network.

QUANTIZE_ONNX is the program built from tests/support/quantize_onnx.cpp; without models (ONNX files or networks of the zoo) two small networks are
made. Images are the .npy file's, [N,C,H,W] as the network wants them; without one N normal numbers each. Node by node: each stretch from quantised
inputs to the next quantised value gets the same inputs; 99.99 % of its integers must be equal and the others one step away. End to end: the
outputs must be nearer to the simulation than to the floating-point network by 3 dB. Graph optimisation is off. Integer operators (QLinearConv ...)
must give the integers of onnx's ReferenceEvaluator, bit for bit.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.safetensors_file import read_safetensors, write_safetensors  # noqa: E402

INTEGERS = 'onnx-qoperator'
# quantiser, arguments, format, opset
VARIANTS = [
    ('PostTrainMinMaxQuantizer', '{}', 'onnx-qdq', 17),
    ('PostTrainMinMaxQuantizer', '{per_channel_weights: false}', 'onnx-qdq', 13),
    ('PostTrainMinMaxQuantizer', '{bits_activations: 6, bits_weights: 4, per_channel_weights: false}', 'onnx-qdq', 17),
    ('PostTrainMinMaxQuantizer', '{activations: symmetric, quantize_outputs: true}', 'onnx-qdq', 17),
    ('PostTrainMinMaxQuantizer', '{bits_weights: 4}', 'onnx-qdq', 21),
    ('PostTrainMinMaxQuantizer', '{bits_activations: 4, bits_weights: 4}', 'onnx-qdq', 21),
    ('PostTrainMinMaxQuantizer', '{bits_activations: 16, bits_weights: 8}', 'onnx-qdq', 21),
    ('PostTrainMinMaxQuantizer', '{bits_activations: 12, bits_weights: 12}', 'onnx-qdq', 23),
    ('QuantAwareTrainRangeLinearQuantizer', '{bits_activations: 8, bits_weights: 8, mode: ASYMMETRIC_UNSIGNED, per_channel_wts: true}',
     'onnx-qdq', 17),
    ('PostTrainMinMaxQuantizer', '{}', INTEGERS, 17),
    ('PostTrainMinMaxQuantizer', '{activations: symmetric, quantize_outputs: true}', INTEGERS, 17),
    ('PostTrainMinMaxQuantizer', '{bits_activations: 6, bits_weights: 4, activations: asymmetric_signed}', INTEGERS, 17),
]
# Integer operators whose results do not depend on how sums are rounded.
EXACT = {'QLinearConv', 'QLinearMatMul', 'ConvInteger', 'MatMulInteger', 'DynamicQuantizeLinear'}


class Network:
    """Builds a small network layer by layer, with weights from a seed."""

    def __init__(self, seed):
        self.random, self.nodes, self.weights, self.count = numpy.random.default_rng(seed), [], [], 0

    def weight(self, *shape, spread=0.3, offset=0.0):
        name = f'w{len(self.weights)}'
        values = self.random.normal(offset, spread, shape).astype(numpy.float32)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def add(self, op, *inputs, **attributes):
        self.count += 1
        name = f'{op.lower()}{self.count}'
        self.nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def conv(self, x, out, inner, size=3, **attributes):
        return self.add('Conv', x, self.weight(out, inner, size, size), self.weight(out, spread=0.1), kernel_shape=[size, size],
                        pads=[size // 2] * 4, **attributes)

    def batch_norm(self, x, channels):
        self.weights.append(numpy_helper.from_array(self.random.uniform(0.5, 2, channels).astype(numpy.float32), f'v{len(self.weights)}'))
        variance = self.weights[-1].name
        return self.add('BatchNormalization', x, self.weight(channels, offset=1), self.weight(channels), self.weight(channels), variance)

    def save(self, path, output, shape):
        graph = helper.make_graph(self.nodes, 'network', [helper.make_tensor_value_info('input', TensorProto.FLOAT, ['batch', 3, 16, 16])],
                                  [helper.make_tensor_value_info(output, TensorProto.FLOAT, ['batch', *shape])], self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), path)


def make_residual(path):
    net = Network(1)
    a = net.add('Relu', net.batch_norm(net.conv('input', 16, 3), 16))
    b = net.add('Relu', net.batch_norm(net.conv(a, 16, 16), 16))
    c = net.add('Relu', net.add('Add', net.batch_norm(net.conv(b, 16, 16), 16), a))
    flat = net.add('Flatten', net.add('GlobalAveragePool', c))
    net.save(path, net.add('Gemm', flat, net.weight(10, 16), net.weight(10), transB=1), [10])


def make_branches(path):
    net = Network(2)
    a = net.add('Relu', net.conv('input', 8, 3))
    pooled = net.add('MaxPool', a, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    b = net.add('Sigmoid', net.conv(pooled, 8, 1, group=8))
    c = net.add('AveragePool', net.conv(a, 8, 8), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    both = net.add('Concat', a, b, net.add('Mul', b, c), axis=1)
    net.save(path, net.conv(both, 4, 24, size=1), [4, 16, 16])


def run_onnxruntime(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])
    return session.run(None, inputs)


class Stretches:
    """The parts of a QDQ model that lead from quantised values to one quantised value."""

    def __init__(self, model):
        self.model, graph = model, model.graph
        self.producers = {name: node for node in graph.node for name in node.output}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.readers = {name: node for node in graph.node for name in node.input}

    def type_of(self, quantizer):
        return self.constants[quantizer.input[2]].data_type

    def is_small(self, quantizer):
        """NumPy has no such integers: the real numbers behind them are compared."""
        return self.type_of(quantizer) not in (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16)

    def source(self, node):
        """The quantiser whose value the node dequantises."""
        behind = self.producers.get(node.input[0]) if node.op_type == 'DequantizeLinear' else None
        return behind if behind is not None and behind.op_type == 'QuantizeLinear' else None

    def input_type(self, name):
        """Where a stretch begins: None inside of it."""
        if name not in self.producers:
            return TensorProto.FLOAT
        node = self.producers[name]
        if node.op_type == 'QuantizeLinear' and not self.is_small(node):
            return self.type_of(node)
        return TensorProto.FLOAT if self.source(node) is not None and self.is_small(self.source(node)) else None

    def part(self, target, small):
        nodes, inputs, used, open_names, seen = [target], {}, {}, list(target.input), {target.output[0]}
        if small:
            quantizer = self.source(target)
            nodes.append(quantizer)
            open_names += quantizer.input
            seen.add(quantizer.output[0])
        while open_names:
            name = open_names.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            if name in self.constants:
                used[name] = self.constants[name]
            elif self.input_type(name) is not None:
                inputs[name] = self.input_type(name)
            else:
                nodes.append(self.producers[name])
                open_names += self.producers[name].input
        kind = TensorProto.FLOAT if small else self.type_of(target)
        part = helper.make_graph([node for node in self.model.graph.node if node in nodes], 'stretch',
                                 [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
                                 [helper.make_tensor_value_info(target.output[0], kind, None)], list(used.values()))
        return helper.make_model(part, opset_imports=self.model.opset_import, ir_version=self.model.ir_version), list(inputs)

    def __iter__(self):
        """(model, name of its output, names of its inputs, step of the output's grid)."""
        for node in self.model.graph.node:
            quantizer = self.source(node)
            small = quantizer is not None and self.is_small(quantizer)
            if small or (node.op_type == 'QuantizeLinear' and not self.is_small(node)):
                part, inputs = self.part(node, small)
                scale = numpy_helper.to_array(self.constants[node.input[1]])
                yield part, node.output[0], inputs, scale if small else 1


def signal_to_noise(signal, other):
    noise = numpy.square(signal.astype(numpy.float64) - other).sum()
    return numpy.inf if noise == 0 else 10 * numpy.log10(numpy.square(signal.astype(numpy.float64)).sum() / noise)


def check_nodes(what, model, values):
    equal = total = 0
    for part, target, inputs, step in Stretches(model):
        (codes,) = run_onnxruntime(part, {name: values[name] for name in inputs})
        steps = numpy.rint(numpy.abs(codes.astype(float) - values[target].astype(float)) / step)
        if steps.max() > 1:
            sys.exit(f'{what}: {target} differs by {steps.max()} steps')
        equal, total = equal + (steps == 0).sum(), total + steps.size
    wide = any(tensor.data_type in (TensorProto.INT16, TensorProto.UINT16) for tensor in model.graph.initializer)
    if equal < (0.999 if wide else 0.9999) * total:  # a step of 16 bits is near the rounding of 32-bit sums
        sys.exit(f'{what}: only {equal} of {total} integers are equal')
    return equal, total


def check_integers(what, model, values):
    """Each integer operator by itself, with the inputs that it had here."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    total = 0
    for node in model.graph.node:
        known = [*(name for name in node.input if name), node.output[0]]  # an output's name may have changed in the file
        if node.op_type not in EXACT or not all(name in constants or name in values for name in known):
            continue
        inputs = {name: values[name][:2] for name in node.input if name and name not in constants}
        graph = helper.make_graph([node], 'one', [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                                                  for name, array in inputs.items()],
                                  [onnx.ValueInfoProto(name=node.output[0])], [constants[name] for name in node.input if name in constants])
        one = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        result = ReferenceEvaluator(one).run(None, inputs)[0]
        if not numpy.array_equal(result, values[node.output[0]][:2]):
            sys.exit(f"{what}: {node.name} ({node.op_type}) differs from onnx's ReferenceEvaluator in "
                     f'{(result != values[node.output[0]][:2]).sum()} of {result.size} integers')
        total += result.size
    return total


def check(tool, network, images, variant, folder):
    quantizer, arguments, form, opset = variant
    what = f'{pathlib.Path(network).stem} {quantizer} {arguments} {form} {opset}'
    write_safetensors(folder / 'inputs.safetensors', {'input': images})
    subprocess.run([tool, network, '--inputs', folder / 'inputs.safetensors', '--quantizer', quantizer, '--arguments', arguments, '--format', form,
                    '--opset', str(opset), '--output', folder / 'out.onnx', '--values', folder / 'values.safetensors'], check=True)
    written = onnx.load(folder / 'out.onnx')
    onnx.checker.check_model(written, full_check=True)
    inputs = {written.graph.input[0].name: images}
    values = read_safetensors(folder / 'values.safetensors') | inputs
    if form == INTEGERS:
        found = f"{check_integers(what, written, values)} integers as onnx's ReferenceEvaluator"
    else:
        found = '{} of {} integers equal'.format(*check_nodes(what, written, values))
    name = written.graph.output[0].name
    output = numpy.concatenate([run_onnxruntime(written, {key: value[k:k + 64] for key, value in inputs.items()})[0]
                                for k in range(0, len(images), 64)])
    to_simulation = signal_to_noise(output, values['simulated/' + name])
    to_float = signal_to_noise(output, values['float/' + name])
    if not to_simulation >= to_float + 3:
        sys.exit(f'{what}: {to_simulation:.1f} dB to the simulation, {to_float:.1f} dB to floating point')
    print(f'{what}: {found}, {to_simulation:.1f} dB to the simulation, {to_float:.1f} dB to floating point', flush=True)


def images_for(options, network):
    if options.images:
        return numpy.load(options.images).astype(numpy.float32)
    shape = [3, 32, 32]
    if pathlib.Path(network).suffix == '.onnx':
        shape = [dim.dim_value for dim in onnx.load(network).graph.input[0].type.tensor_type.shape.dim][1:]
    elif options.resolution:
        shape = [3, options.resolution, options.resolution]
    return numpy.random.default_rng(3).normal(size=[options.size, *shape]).astype(numpy.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('tool')
    parser.add_argument('models', nargs='*', help='ONNX files or networks of the zoo')
    parser.add_argument('--images', help='.npy file, [N,C,H,W]')
    parser.add_argument('--size', type=int, default=64, help='how many random images, without --images')
    parser.add_argument('--resolution', type=int, help='of random images for networks of the zoo')
    parser.add_argument('--variants', help='numbers of the variants to run, as 0,9')
    options = parser.parse_args()
    variants = [VARIANTS[int(k)] for k in options.variants.split(',')] if options.variants else VARIANTS
    with tempfile.TemporaryDirectory(prefix='qdq-') as name:
        folder = pathlib.Path(name)
        networks = options.models
        if not networks:
            make_residual(folder / 'residual.onnx')
            make_branches(folder / 'branches.onnx')
            networks = [str(folder / 'residual.onnx'), str(folder / 'branches.onnx')]
        for network in networks:
            for variant in variants:
                check(options.tool, network, images_for(options, network), variant, folder)


if __name__ == '__main__':
    main()
