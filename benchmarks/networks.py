"""The networks of the comparisons in PyTorch, as a careful user writes them: activations and additions in place."""

from torch import nn
from torch.nn import functional as F


def conv_bn(inputs, outputs, kernel, stride=1, groups=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs))


class CifarBlock(nn.Module):
    """Two 3x3 convolutions; where the size changes, the shortcut subsamples and pads with zeros (option A)."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = conv_bn(inputs, outputs, 3, stride)
        self.conv2 = conv_bn(outputs, outputs, 3)
        self.stride, self.padding = stride, (outputs - inputs) // 2

    def forward(self, x):
        y = self.conv2(F.relu(self.conv1(x), inplace=True))
        if self.stride != 1:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))
        y += x
        return F.relu(y, inplace=True)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = conv_bn(inputs, width, 1), conv_bn(width, width, 3, stride), conv_bn(width, 4 * width, 1)
        self.downsample = conv_bn(inputs, 4 * width, 1, stride) if stride != 1 or inputs != 4 * width else None

    def forward(self, x):
        y = F.relu(self.conv1(x), inplace=True)
        y = self.conv3(F.relu(self.conv2(y), inplace=True))
        y += x if self.downsample is None else self.downsample(x)
        return F.relu(y, inplace=True)


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        layers = [conv_bn(inputs, hidden, 1), nn.ReLU6(inplace=True)] if expansion != 1 else []
        layers += [conv_bn(hidden, hidden, 3, stride, hidden), nn.ReLU6(inplace=True), conv_bn(hidden, outputs, 1)]
        self.layers = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.layers(x) if self.residual else self.layers(x)


class Pooled(nn.Module):
    """Features, mean over space, a linear layer."""

    def __init__(self, features, channels, classes):
        super().__init__()
        self.features, self.fc = features, nn.Linear(channels, classes)

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


def resnet20_cifar():
    layers, inputs = [conv_bn(3, 16, 3), nn.ReLU(inplace=True)], 16
    for outputs in (16, 32, 64):
        for i in range(3):
            layers.append(CifarBlock(inputs, outputs, 2 if i == 0 and outputs > 16 else 1))
            inputs = outputs
    return Pooled(nn.Sequential(*layers), 64, 10), (3, 32, 32)


def resnet50():
    layers, inputs = [conv_bn(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for i in range(blocks):
            layers.append(Bottleneck(inputs, width, 2 if i == 0 and width > 64 else 1))
            inputs = 4 * width
    return Pooled(nn.Sequential(*layers), 2048, 1000), (3, 224, 224)


def mobilenet_v2():
    layers, inputs = [conv_bn(3, 32, 3, 2), nn.ReLU6(inplace=True)], 32
    for expansion, outputs, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for i in range(blocks):
            layers.append(InvertedResidual(inputs, outputs, stride if i == 0 else 1, expansion))
            inputs = outputs
    layers += [conv_bn(inputs, 1280, 1), nn.ReLU6(inplace=True)]
    return Pooled(nn.Sequential(*layers), 1280, 1000), (3, 224, 224)
