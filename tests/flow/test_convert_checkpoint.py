"""tools/convert_checkpoint.py: what PyTorch saved, converted and loaded, computes what PyTorch computes."""
import collections
import pathlib
import subprocess
import sys
import unittest

import onnxruntime
import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support import residual_network  # noqa: E402
from support.binary import COMPRESS, ROOT, Case  # noqa: E402


def convert(*arguments, cwd=None):
    command = [sys.executable, ROOT / 'tools/convert_checkpoint.py', *arguments, '--compress', COMPRESS]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd, timeout=300)


class ConvertCheckpoint(Case):
    def setUp(self):
        super().setUp()
        torch.manual_seed(1)
        self.checkpoint, self.weights, self.onnx = (self.folder / f'a.{suffix}' for suffix in ('pth', 'safetensors', 'onnx'))

    def convert_ok(self, *arguments, **kw):
        done = convert(self.checkpoint, '--output', self.weights, *arguments, **kw)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def convert_fails(self, *texts, arguments=()):
        done = convert(self.checkpoint, '--output', self.weights, *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        for text in texts:
            self.assertIn(text, done.stderr)

    def require_same(self, network, shape, path=None):
        x = torch.randn(3, *shape)
        with torch.no_grad():
            expected = network(x)
        session = onnxruntime.InferenceSession(str(path or self.onnx), providers=['CPUExecutionProvider'])
        actual = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])
        self.assertLess((actual - expected).abs().max() / max(1, expected.abs().max()), 1e-4)

    def test_a_state_dict_becomes_the_zoos_network(self):
        network = residual_network.worn_in(residual_network.resnet20_cifar(), (3, 32, 32))
        torch.save(network.state_dict(), self.checkpoint)
        self.assertIn('107 tensors', self.convert_ok('--arch', 'resnet20_cifar').stdout)
        self.require_same(network, (3, 32, 32))
        other = self.folder / 'b.onnx'
        self.run_ok('export', 'resnet20_cifar', '--weights', self.weights, '--output', other)
        self.assertEqual(other.read_bytes(), self.onnx.read_bytes())
        arguments = ('--data', 'synthetic_cifar', '--limit', 64)
        loaded = self.run_json('eval', 'resnet20_cifar', '--weights', self.weights, *arguments)
        self.assertEqual(loaded['loss'], self.run_json('eval', self.onnx, *arguments)['loss'])
        self.assertNotEqual(loaded['loss'], self.run_json('eval', 'resnet20_cifar', *arguments)['loss'])

    def test_a_full_checkpoint_of_data_parallel(self):
        network = residual_network.worn_in(residual_network.resnet18(), (3, 64, 64))
        optimizer = torch.optim.SGD(network.parameters(), 0.1)
        state = collections.OrderedDict((f'module.{name}', value) for name, value in network.state_dict().items())
        torch.save({'epoch': 3, 'state_dict': state, 'optimizer': optimizer.state_dict()}, self.checkpoint)
        self.convert_ok('--arch', 'resnet18?resolution=64')
        self.require_same(network, (3, 64, 64))

    def test_a_whole_module_needs_trust(self):
        torch.save(torch.nn.Sequential(torch.nn.Linear(2, 3)), self.checkpoint)
        self.convert_fails('--trust')
        self.assertFalse(self.weights.exists())
        self.assertIn('2 tensors, 9 numbers', self.convert_ok('--trust').stdout)

    def test_an_importable_module_is_exported_by_pytorch(self):
        network = residual_network.worn_in(residual_network.resnet20_cifar(), (3, 32, 32))
        torch.save({'model': network.state_dict()}, self.checkpoint)
        self.convert_ok('--module', 'support.residual_network:resnet20_cifar', '--input', '3x32x32', cwd=ROOT / 'tests')
        self.require_same(network, (3, 32, 32))
        self.run_ok('summary', self.onnx)

    def test_element_types_survive(self):
        torch.save({'half': torch.ones(3, dtype=torch.bfloat16), 'whole': torch.arange(4), 'none': torch.empty(0, 2), 'one': torch.tensor(1.5)}, self.checkpoint)
        self.assertIn('4 tensors, 8 numbers', self.convert_ok().stdout)

    def test_weights_that_do_not_fit(self):
        torch.save(residual_network.resnet20_cifar().state_dict(), self.checkpoint)
        self.convert_fails('do not fit the model', "the file lacks 'layer1.3.conv1.weight'", '--match by_name', arguments=('--arch', 'resnet32_cifar'))
        self.convert_ok('--arch', 'resnet32_cifar', '--match', 'by_name')

    def test_what_is_no_checkpoint(self):
        self.convert_fails('does not exist')
        self.checkpoint.write_bytes(b'no checkpoint')
        self.convert_fails('cannot be read')
        torch.save({'epoch': 3, 'history': [1]}, self.checkpoint)
        self.convert_fails('no state dict found; the checkpoint has: epoch, history')
        self.convert_fails("has no 'model'", arguments=('--key', 'model'))
        torch.save([1], self.checkpoint)
        self.convert_fails('a list is no state dict')
        torch.save({'a': torch.ones(2, dtype=torch.complex64)}, self.checkpoint)
        self.convert_fails("the tensor 'a' is torch.complex64")
        self.convert_fails('--onnx needs to know the network', arguments=('--onnx', 'x.onnx'))


if __name__ == '__main__':
    unittest.main()
