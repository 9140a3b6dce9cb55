"""make_onnx.py FOLDER: ONNX files of small PyTorch networks that no one here wrote by hand, by both of PyTorch's exporters.

For each NAME: NAME.onnx, and NAME.npz with inputs ("in.NAME"), PyTorch's outputs ("out.NAME") and gradients ("grad.NAME"), batch 4 where the batch
is free.
"""
import pathlib
import sys
import warnings

import numpy
import torch
import torch.nn.functional as F
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.conv_networks import CONV_NETWORKS  # noqa: E402
from support.nhwc_network import write_nhwc  # noqa: E402
from support.sequence_networks import SEQUENCE_NETWORKS  # noqa: E402
from support.torch_gradients import gradients  # noqa: E402

warnings.filterwarnings('ignore')


def conv_block(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


class TwoInputs(nn.Module):
    """An image and a vector, two outputs."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv_block(3, 8), nn.MaxPool2d(2), conv_block(8, 12, 2))
        self.embed = nn.Linear(6, 12)
        self.head = nn.Linear(24, 5)
        self.gate = nn.Linear(24, 1)

    def forward(self, image, vector):
        x = self.features(image).mean((2, 3))
        x = torch.cat([x, torch.tanh(self.embed(vector))], 1)
        return self.head(x), torch.sigmoid(self.gate(x))


class UNet(nn.Module):
    """Two ways down that meet at equal resolution."""

    def __init__(self):
        super().__init__()
        self.first = conv_block(3, 8)
        self.down = conv_block(8, 16, 2)
        self.middle = conv_block(16, 16)
        self.down_again = conv_block(8, 8, 2)
        self.join = conv_block(24, 8)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, image):
        fine = self.first(image)
        coarse = self.middle(self.down(fine))
        skip = self.down_again(fine)
        return self.last(self.join(torch.cat([coarse, skip], 1)))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(48, 32), nn.PReLU(), nn.Dropout(0.2), nn.Linear(32, 16), nn.LeakyReLU(0.1))
        self.out = nn.Linear(16, 4)

    def forward(self, image):
        return F.softmax(self.out(self.layers(image)), -1)


class Tokens(nn.Module):
    """Linear layers on three axes (MatMul and Add), one of them tied."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(8, 8)
        self.out = nn.Linear(8, 3, bias=False)

    def forward(self, tokens):
        return self.out(F.relu(self.mix(F.relu(self.mix(tokens)))) + tokens)


class Shapes(nn.Module):
    """As much arithmetic on shapes as people write: views by size, channel shuffle, pads, slices, chunks."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.squeeze = nn.Linear(8, 4)
        self.excite = nn.Linear(4, 8)
        self.fc = nn.Linear(8 * 2 * 2, 6)

    def forward(self, image):
        x = self.conv(F.pad(image, (1, 1, 1, 1)))
        n, c, h, w = x.size()
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        x = F.relu6(self.depthwise(x))
        scale = x.mean([2, 3])
        scale = torch.sigmoid(self.excite(F.hardswish(self.squeeze(scale))))
        x = x * scale.view(x.size(0), -1, 1, 1)
        shortcut = F.pad(x[:, :4, ::2, ::2], (0, 0, 0, 0, 2, 2))
        x = F.avg_pool2d(x, 2) + shortcut
        x = F.max_pool2d(x, 2, ceil_mode=True) * 0.5 + x[:, :, : x.size(2) - 1, 1:]
        return self.fc(x.view(x.size(0), -1))


def set_statistics(network):
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return network.eval()


IMAGE = {'image': (3, 8, 8)}
NETWORKS = {
    'two_inputs': (TwoInputs, {'image': (3, 8, 8), 'vector': (6,)}, ['logits', 'gate']),
    'unet': (UNet, IMAGE, ['mask']),
    'mlp': (Mlp, {'image': (3, 4, 4)}, ['probabilities']),
    'tokens': (Tokens, {'tokens': (5, 8)}, ['scores']),
    'shapes': (Shapes, {'image': (3, 6, 6)}, ['logits']),
    **CONV_NETWORKS,
    **SEQUENCE_NETWORKS,
}
OLDEST = {'shapes': 14, 'mobile': 14, 'translator': 14}  # HardSwish, scaled_dot_product_attention
SCRIPT = [('script13', 13, {}), ('script17', 17, {}), ('folded', 17, {'do_constant_folding': True}), ('fixed', 11, {'fixed': True})]


def export_by_script(network, inputs, outputs, path, opset, fixed=False, do_constant_folding=False):
    # With TrainingMode.PRESERVE batch-norm is kept; folding merges it into the convolutions and loses their names.
    axes = {} if fixed else {name: {0: 'N'} for name in [*inputs, *outputs]}
    mode = torch.onnx.TrainingMode.EVAL if do_constant_folding else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(network, tuple(inputs.values()), path, input_names=list(inputs), output_names=outputs, dynamic_axes=axes, opset_version=opset,
                      do_constant_folding=do_constant_folding, training=mode, dynamo=False)


def export_by_dynamo(network, inputs, outputs, path):
    shapes = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
    program = torch.onnx.export(network, tuple(inputs.values()), input_names=list(inputs), output_names=outputs, dynamic_shapes=shapes, dynamo=True,
                                verbose=False)
    program.save(str(path))


def write_case(folder, name, network, shapes, outputs, batch, export):
    inputs = {key: shape(batch) if callable(shape) else torch.randn(batch, *shape) for key, shape in shapes.items()}
    export(network, inputs, outputs, folder / f'{name}.onnx')
    with torch.no_grad():
        made = network(*inputs.values())
    made = made if isinstance(made, tuple) else (made,)
    arrays = {f'in.{key}': value.numpy() for key, value in inputs.items()}
    arrays.update({f'grad.{key}': value for key, value in gradients(network, inputs).items()})
    arrays['batch_norm'] = numpy.array(any(isinstance(module, nn.BatchNorm2d) for module in network.modules()))
    numpy.savez(folder / f'{name}.npz', **arrays, **{f'out.{key}': value.numpy() for key, value in zip(outputs, made)})


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    write_nhwc(folder / 'nhwc_tf2onnx.onnx')
    for name, (kind, shapes, outputs) in NETWORKS.items():
        network = set_statistics(kind())
        for label, opset, options in SCRIPT:
            opset = max(opset, OLDEST.get(name, 0))
            if options.get('fixed') and name in SEQUENCE_NETWORKS:  # time comes first inside: the batch cannot be freed
                continue
            batch = 1 if options.get('fixed') else 4
            write_case(folder, f'{name}_{label}', network, shapes, outputs, batch,
                       lambda *case, opset=opset, options=options: export_by_script(*case, opset, **options))
        write_case(folder, f'{name}_dynamo', network, shapes, outputs, 4, export_by_dynamo)


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]))
