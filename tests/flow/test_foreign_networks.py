"""A two-input network that PyTorch exported goes through a whole recipe: train, prune, thin, quantise, export, ONNX Runtime."""
import pathlib
import sys
import unittest
import warnings

import numpy
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import Case  # noqa: E402

RECIPE = """
model: {onnx: pair.onnx, inputs: {a: left, b: right}}
data: {name: synthetic_pair, batch_size: 32, limits: {train: 320, validation: 64, test: 128}}
training: {epochs: 3, seed: 2, optimizer: {class: SGD, lr: 0.05, momentum: 0.9}}
pruners:
  filters: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5,
            weights: [one.conv.weight, two.conv.weight]}
passes:
  remove: {class: FilterRemover, thinning_func_str: remove_filters}
quantizers:
  int8: {class: PostTrainMinMaxQuantizer, calibration_samples: 64}
policies:
  - {pruner: {instance_name: filters}, epochs: [1]}
  - {pass: {instance_name: remove}, epochs: [2]}
  - {quantizer: {instance_name: int8}}
export: [{format: onnx-qdq, file: small.onnx}]
"""


def export_pair(path, dynamo):
    import torch
    from torch import nn

    class Branch(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)

        def forward(self, x):
            return torch.relu(self.bn(self.conv(x)))

    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = Branch(), Branch()
            self.mix, self.fc = nn.Conv2d(16, 12, 3, stride=2), nn.Linear(12, 10)

        def forward(self, a, b):
            x = torch.relu(self.mix(torch.cat([self.one(a), self.two(b)], 1)))
            return self.fc(x.mean((2, 3)))

    torch.manual_seed(3)
    images = (torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16))
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if dynamo:
            batch = {0: torch.export.Dim.DYNAMIC}
            torch.onnx.export(Pair().train(), images, str(path), input_names=['a', 'b'], dynamic_shapes=(batch, batch), dynamo=True,
                              training=torch.onnx.TrainingMode.PRESERVE, verbose=False)
        else:
            torch.onnx.export(Pair().train(), images, str(path), input_names=['a', 'b'], dynamic_axes={'a': {0: 'N'}, 'b': {0: 'N'}},
                              opset_version=17, dynamo=False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)


class ForeignNetworks(Case):
    def test_a_two_input_network_goes_through_a_whole_recipe(self):
        export_pair(self.folder / 'pair.onnx', dynamo=False)
        recipe = self.write('pair.yaml', RECIPE)
        summary = self.run_json('run', recipe, '--out', self.folder / 'run', cwd=self.folder)
        self.assertLess(summary['ratio']['macs'], 0.7)
        self.assertTrue(summary['result']['quantized'])
        session = onnxruntime.InferenceSession(str(self.folder / 'run/small.onnx'))
        self.assertEqual([entry.name for entry in session.get_inputs()], ['a', 'b'])
        image = numpy.zeros([5, 3, 16, 16], numpy.float32)
        self.assertEqual(session.run(None, {'a': image, 'b': image})[0].shape, (5, 10))

    def test_an_input_without_a_field_is_named(self):
        export_pair(self.folder / 'pair.onnx', dynamo=False)
        recipe = self.write('pair.yaml', RECIPE.replace('a: left', 'a: lefd'))
        self.fails(2, "the data has no field 'lefd'", 'left (3x16x16)', args=('run', recipe, '--out', self.folder / 'run'), cwd=self.folder)
        self.assertFalse((self.folder / 'run').exists())


if __name__ == '__main__':
    unittest.main()
