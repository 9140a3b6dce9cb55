"""Small convolutional networks of the families that people bring: their channels run through shuffles, gates, skips and concatenations."""
import torch
import torch.nn.functional as F
from torch import nn


def conv_bn(inputs, outputs, size=3, stride=1, groups=1, activation=nn.ReLU):
    layers = [nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*layers, activation()) if activation else nn.Sequential(*layers)


class ShuffleUnit(nn.Module):
    """ShuffleNet v2: half of the channels go past, then both halves are shuffled."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(conv_bn(half, half, 1), conv_bn(half, half, 3, groups=half, activation=None), conv_bn(half, half, 1))

    def forward(self, x):
        past, through = x.chunk(2, 1)
        x = torch.cat([past, self.branch(through)], 1)
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class ShuffleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 32, 3, 2)
        self.units = nn.Sequential(ShuffleUnit(32), ShuffleUnit(32))
        self.last = conv_bn(32, 24, 1)
        self.fc = nn.Linear(24, 5)

    def forward(self, image):
        return self.fc(self.last(self.units(self.stem(image))).mean([2, 3]))


class UpNet(nn.Module):
    """A U-Net whose ways up are a ConvTranspose and a Resize, each with a skip."""

    def __init__(self):
        super().__init__()
        self.enc1, self.enc2, self.enc3 = conv_bn(3, 8), conv_bn(8, 16), conv_bn(16, 24)
        self.up2 = nn.ConvTranspose2d(24, 16, 2, stride=2)
        self.dec2 = conv_bn(32, 16)
        self.dec1 = conv_bn(24, 8)
        self.mask = nn.Conv2d(8, 2, 1)

    def forward(self, image):
        a = self.enc1(image)
        b = self.enc2(F.max_pool2d(a, 2))
        c = self.enc3(F.max_pool2d(b, 2))
        b = self.dec2(torch.cat([self.up2(c), b], 1))
        up = F.interpolate(b, scale_factor=2, mode='nearest')
        return self.mask(self.dec1(torch.cat([up, a], 1)))


class Gate(nn.Module):
    """Squeeze and excitation, with convolutions as MobileNet v3 has them."""

    def __init__(self, channels):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.expand(F.relu(self.reduce(F.adaptive_avg_pool2d(x, 1)))))


class InvertedResidual(nn.Module):
    def __init__(self, inputs, inner, outputs, stride):
        super().__init__()
        self.adds = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(conv_bn(inputs, inner, 1, activation=nn.Hardswish), conv_bn(inner, inner, 3, stride, inner, nn.Hardswish),
                                    Gate(inner), conv_bn(inner, outputs, 1, activation=None))

    def forward(self, x):
        return x + self.layers(x) if self.adds else self.layers(x)


class MobileNetV3(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 8, 3, 2, activation=nn.Hardswish)
        self.blocks = nn.Sequential(InvertedResidual(8, 16, 8, 1), InvertedResidual(8, 24, 12, 2), InvertedResidual(12, 24, 12, 1))
        self.head = nn.Sequential(nn.Linear(12, 16), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(16, 5))

    def forward(self, image):
        return self.head(torch.flatten(F.adaptive_avg_pool2d(self.blocks(self.stem(image)), 1), 1))


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([x, self.conv(F.relu(self.norm(x)))], 1)


class DenseNet(nn.Module):
    """Each layer reads all those before it."""

    def __init__(self):
        super().__init__()
        self.stem = conv_bn(3, 8)
        self.block1 = nn.Sequential(DenseLayer(8, 6), DenseLayer(14, 6))
        self.transition = nn.Sequential(conv_bn(20, 10, 1), nn.AvgPool2d(2))
        self.block2 = nn.Sequential(DenseLayer(10, 6), DenseLayer(16, 6))
        self.norm, self.fc = nn.BatchNorm2d(22), nn.Linear(22, 5)

    def forward(self, image):
        x = self.block2(self.transition(self.block1(self.stem(image))))
        return self.fc(F.relu(self.norm(x)).mean((2, 3)))


IMAGE = {'image': (3, 16, 16)}
CONV_NETWORKS = {
    'shuffle': (ShuffleNet, IMAGE, ['logits']),
    'upnet': (UpNet, IMAGE, ['mask']),
    'mobile': (MobileNetV3, IMAGE, ['logits']),
    'dense': (DenseNet, IMAGE, ['logits']),
}
