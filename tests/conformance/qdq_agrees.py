"""qdq_agrees.py QUANTIZE_ONNX [FILE.onnx ...]: QDQ files run by ONNX Runtime against the simulated network.

QUANTIZE_ONNX is the program built from tests/support/quantize_onnx.cpp; without files two small networks are made. Node by node: each stretch
from quantised inputs to the next quantised value gets the same inputs; 99.99 % of its integers must be equal and the others one step away. End to
end: the outputs must be nearer to the simulation than to the floating-point network by 3 dB.
"""
import pathlib
import subprocess
import sys
import tempfile

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.safetensors_file import read_safetensors, write_safetensors  # noqa: E402

VARIANTS = [
    ('PostTrainMinMaxQuantizer', '{}'),
    ('PostTrainMinMaxQuantizer', '{bits_activations: 6, bits_weights: 4, per_channel_weights: false}'),
    ('PostTrainMinMaxQuantizer', '{activations: symmetric, quantize_outputs: true}'),
    ('QuantAwareTrainRangeLinearQuantizer', '{bits_activations: 8, bits_weights: 8, mode: ASYMMETRIC_UNSIGNED, per_channel_wts: true}'),
]


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


def stretches(model):
    """(model of the nodes that lead to one quantised value, its name, the names of its inputs)."""
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    types = {'QuantizeLinear': lambda node: constants[node.input[2]].data_type}
    for target in (node for node in graph.node if node.op_type == 'QuantizeLinear'):
        nodes, inputs, used, open_names = [], {}, {}, list(target.input)
        seen = {target.output[0]}
        while open_names:
            name = open_names.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            if name in constants:
                used[name] = constants[name]
            elif name not in producers:
                inputs[name] = TensorProto.FLOAT
            elif producers[name].op_type == 'QuantizeLinear':
                inputs[name] = types['QuantizeLinear'](producers[name])
            else:
                nodes.append(producers[name])
                open_names += producers[name].input
        ordered = [node for node in graph.node if node in nodes or node == target]
        part = helper.make_graph(ordered, 'stretch', [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs.items()],
                                 [helper.make_tensor_value_info(target.output[0], types['QuantizeLinear'](target), None)], list(used.values()))
        yield helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version), target.output[0], list(inputs)


def signal_to_noise(signal, other):
    noise = numpy.square(signal.astype(numpy.float64) - other).sum()
    return numpy.inf if noise == 0 else 10 * numpy.log10(numpy.square(signal.astype(numpy.float64)).sum() / noise)


def check_nodes(what, model, values):
    equal = total = 0
    for part, target, inputs in stretches(model):
        (codes,) = run_onnxruntime(part, {name: values[name] for name in inputs})
        steps = numpy.abs(codes.astype(int) - values[target].astype(int))
        if steps.max() > 1:
            sys.exit(f'{what}: {target} differs by {steps.max()} steps')
        equal, total = equal + (steps == 0).sum(), total + steps.size
    if equal < 0.9999 * total:
        sys.exit(f'{what}: only {equal} of {total} integers are equal')
    return equal, total


def check(tool, path, quantizer, arguments, folder):
    what = f'{path.stem} {quantizer} {arguments}'
    model = onnx.load(path)
    sizes = [dim.dim_value or 64 for dim in model.graph.input[0].type.tensor_type.shape.dim]
    inputs = {model.graph.input[0].name: numpy.random.default_rng(3).normal(size=sizes).astype(numpy.float32)}
    write_safetensors(folder / 'inputs.safetensors', inputs)
    subprocess.run([tool, path, '--inputs', folder / 'inputs.safetensors', '--quantizer', quantizer, '--arguments', arguments,
                    '--qdq', folder / 'qdq.onnx', '--values', folder / 'values.safetensors'], check=True)
    values = read_safetensors(folder / 'values.safetensors') | inputs
    qdq = onnx.load(folder / 'qdq.onnx')
    onnx.checker.check_model(qdq, full_check=True)
    equal, total = check_nodes(what, qdq, values)
    name = qdq.graph.output[0].name
    (output,) = run_onnxruntime(qdq, inputs)
    to_simulation = signal_to_noise(output, values['simulated/' + name])
    to_float = signal_to_noise(output, values['float/' + name])
    if not to_simulation >= to_float + 3:
        sys.exit(f'{what}: {to_simulation:.1f} dB to the simulation, {to_float:.1f} dB to floating point')
    print(f'{what}: {equal} of {total} integers equal, {to_simulation:.1f} dB to the simulation, {to_float:.1f} dB to floating point')


def main():
    tool, files = sys.argv[1], [pathlib.Path(name) for name in sys.argv[2:]]
    with tempfile.TemporaryDirectory(prefix='qdq-') as name:
        folder = pathlib.Path(name)
        if not files:
            make_residual(folder / 'residual.onnx')
            make_branches(folder / 'branches.onnx')
            files = [folder / 'residual.onnx', folder / 'branches.onnx']
        for path in files:
            for quantizer, arguments in VARIANTS:
                check(tool, path, quantizer, arguments, folder)


if __name__ == '__main__':
    main()
