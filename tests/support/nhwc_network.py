"""A network as tf2onnx writes it from TensorFlow: values are NHWC, each convolution stands between two Transposes, pads are of NHWC values, the
classifier is a MatMul on the last axis."""
import numpy
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class Writer:
    def __init__(self, seed):
        self.random, self.nodes, self.weights = numpy.random.default_rng(seed), [], []

    def constant(self, name, values):
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def weight(self, name, *shape):
        return self.constant(name, self.random.normal(0, 0.4, shape).astype(numpy.float32))

    def add(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name + ':0'], name, **attributes))
        return name + ':0'

    def conv(self, x, name, inner, outer, stride=1, groups=1):
        x = self.add('Transpose', [x], name + '__to_nchw', perm=TO_NCHW)
        inputs = [x, self.weight(name + '/kernel', outer, inner // groups, 3, 3), self.weight(name + '/bias', outer)]
        x = self.add('Conv', inputs, name, kernel_shape=[3, 3], strides=[stride, stride], group=groups, pads=[0, 0, 0, 0] if stride == 2 else [1] * 4)
        return self.add('Transpose', [x], name + '__to_nhwc', perm=TO_NHWC)


def write_nhwc(path, batch=4):
    net = Writer(7)
    x = net.add('Pad', ['image:0', net.constant('pads', numpy.array([0, 0, 0, 0, 0, 1, 1, 0]))], 'pad')
    x = net.add('Relu', [net.conv(x, 'stem', 3, 12, stride=2)], 'relu')
    skip = x
    x = net.add('Clip', [net.conv(x, 'depthwise', 12, 12, groups=12), net.constant('low', numpy.float32([0]).reshape(())),
                         net.constant('high', numpy.float32([6]).reshape(()))], 'relu6')
    x = net.add('Add', [skip, net.conv(x, 'point', 12, 12)], 'add')
    x = net.add('Concat', [x, net.conv(x, 'side', 12, 6)], 'concat', axis=3)
    x = net.add('ReduceMean', [x], 'mean', axes=[1, 2], keepdims=0)
    x = net.add('MatMul', [x, net.weight('dense/kernel', 18, 5)], 'dense')
    x = net.add('Add', [x, net.weight('dense/bias', 5)], 'dense/add')
    graph = helper.make_graph(net.nodes, 'tf2onnx', [helper.make_tensor_value_info('image:0', TensorProto.FLOAT, ['unk__1', 16, 16, 3])],
                              [helper.make_tensor_value_info(x, TensorProto.FLOAT, ['unk__2', 5])], net.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 15)], ir_version=8, producer_name='tf2onnx')
    checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    image = net.random.normal(size=(batch, 16, 16, 3)).astype(numpy.float32)
    (made,) = ReferenceEvaluator(model).run(None, {'image:0': image})
    numpy.savez(path.with_suffix('.npz'), **{'in.image:0': image, f'out.{x}': made})
