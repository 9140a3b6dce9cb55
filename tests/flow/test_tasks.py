"""Every task from data to metrics: small networks learn made-up data; arrays of NumPy are read as NumPy wrote them; `check` compares shapes."""
import pathlib
import sys
import unittest

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import Case  # noqa: E402


class Network:
    """A chain of convolutions; the last one's output may be averaged over the image."""

    def __init__(self, channels, pooled=False, side=16):
        random = numpy.random.default_rng(1)
        self.nodes, self.parameters, value = [], [], 'image'
        for i, (before, after) in enumerate(zip(channels, channels[1:])):
            weight = random.normal(0, (2 / (9 * before)) ** 0.5, (after, before, 3, 3)).astype(numpy.float32)
            self.parameters += [numpy_helper.from_array(weight, f'conv{i}.weight'),
                                numpy_helper.from_array(numpy.zeros(after, numpy.float32), f'conv{i}.bias')]
            name = f'conv{i}'
            self.nodes.append(helper.make_node('Conv', [value, f'{name}.weight', f'{name}.bias'], [name], name, pads=[1, 1, 1, 1]))
            value = name
            if i + 2 < len(channels):
                self.nodes.append(helper.make_node('Relu', [value], [f'relu{i}'], f'relu{i}'))
                value = f'relu{i}'
        shape = ['N', channels[-1], side, side]
        if pooled:
            self.nodes += [helper.make_node('GlobalAveragePool', [value], ['pool'], 'pool'), helper.make_node('Flatten', ['pool'], ['flat'], 'flat')]
            value, shape = 'flat', ['N', channels[-1]]
        self.inputs = [helper.make_tensor_value_info('image', TensorProto.FLOAT, ['N', channels[0], side, side])]
        self.outputs = [helper.make_tensor_value_info(value, TensorProto.FLOAT, shape)]

    def save(self, path):
        graph = helper.make_graph(self.nodes, 'network', self.inputs, self.outputs, self.parameters)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8), path)
        return path


RECIPE = """
name: learn
data: {{batch_size: 32, limits: {{train: 1024}}}}
training: {{epochs: {epochs}, threads: 1, optimizer: {{class: SGD, lr: {lr}, momentum: 0.9}}}}
"""


class Tasks(Case):
    def learn(self, network, data, epochs=4, lr=0.05):
        """Metrics of the test split before and after training."""
        recipe = self.write('learn.yaml', RECIPE.format(epochs=epochs, lr=lr))
        before = self.run_json('eval', network, '--data', data)
        self.run_json('run', recipe, '--model', network, '--data', data, '--out', self.folder / 'run')
        return before, self.run_json('eval', self.folder / 'run', '--data', data)

    def test_multi_label(self):
        before, after = self.learn(Network([3, 16, 32, 5], pooled=True).save(self.folder / 'n.onnx'), 'synthetic_multi_label', epochs=8, lr=0.2)
        self.assertGreater(after['map'], before['map'] + 10)
        self.assertGreater(after['label_accuracy'], 60)
        self.assertIn('micro_f1', after)

    def test_segmentation(self):
        before, after = self.learn(Network([3, 16, 4]).save(self.folder / 'n.onnx'), 'synthetic_segmentation')
        self.assertGreater(after['miou'], before['miou'] + 30)
        self.assertGreater(after['pixel_accuracy'], 80)

    def test_reconstruction(self):
        before, after = self.learn(Network([3, 8, 3]).save(self.folder / 'n.onnx'), 'synthetic_reconstruction')
        self.assertGreater(after['psnr'], before['psnr'] + 5)
        self.assertLess(after['mse'], before['mse'])

    def test_numpy_arrays(self):
        random = numpy.random.default_rng(1)
        labels = random.integers(0, 2, 400)
        images = (random.integers(0, 100, (400, 8, 8, 1)) + 120 * labels[:, None, None, None]).astype(numpy.uint8)
        numpy.savez_compressed(self.folder / 'data.npz', x_train=images[:300], y_train=labels[:300], x_test=images[300:], y_test=labels[300:])
        network = Network([1, 4, 2], pooled=True, side=8).save(self.folder / 'n.onnx')
        _, after = self.learn(network, f'numpy:{self.folder}/data.npz')
        self.assertGreater(after['top1'], 95)
        self.fails(2, "there is no array 'photos' for field 'image'",
                   args=('eval', network, '--data', f'numpy:{self.folder}/data.npz', '--set', 'data.format_settings={fields: {image: photos}}'))

    def test_check_compares_the_declared_data_with_the_network(self):
        network = Network([3, 16, 4]).save(self.folder / 'n.onnx')
        recipe = self.write('r.yaml', 'name: r\ntraining: {epochs: 1}\n')
        self.run_ok('check', recipe, '--model', network, '--data', 'synthetic_segmentation')
        self.fails(2, 'is 4x16x16 for each sample', args=('check', recipe, '--model', network, '--data', 'synthetic'))
        self.fails(2, "has 10 classes, but field 'label' of the data has 100", args=('check', recipe, '--model', 'resnet20_cifar', '--data', 'cifar100'))
        self.fails(2, "takes 3x32x32, but field 'image' of the data is 1x28x28", args=('check', recipe, '--model', 'resnet20_cifar', '--data', 'mnist'))

    def test_limit(self):
        self.fails(2, '--limit', 'takes a whole number of at least 1, not \'0\'', args=('eval', 'lenet5', '--data', 'synthetic_mnist', '--limit', '0'))


if __name__ == '__main__':
    unittest.main()
