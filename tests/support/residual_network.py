"""Residual networks in PyTorch with torchvision's and Distiller's module names: twins of the zoo's resnet18 and resnet20_cifar."""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        same = stride == 1 and inputs == channels
        self.downsample = None if same else nn.Sequential(nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (self.downsample(x) if self.downsample else x)).relu()


class ResNet(nn.Module):
    def __init__(self, stem, channels, blocks, classes):
        super().__init__()
        self.conv1, self.maxpool = stem
        self.bn1 = nn.BatchNorm2d(channels)
        inputs = channels
        for stage in range(len(blocks)):
            layers = []
            for block in range(blocks[stage]):
                layers.append(Block(inputs, channels << stage, 2 if stage and not block else 1))
                inputs = channels << stage
            setattr(self, f'layer{stage + 1}', nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)
        self.stages = len(blocks)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        for stage in range(self.stages):
            x = getattr(self, f'layer{stage + 1}')(x)
        return self.fc(x.mean((2, 3)))


def worn_in(network, shape):
    """Statistics of a few batches."""
    network.train()
    for _ in range(3):
        network(torch.randn(8, *shape))
    return network.eval()


def resnet18():
    return ResNet((nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.MaxPool2d(3, 2, 1)), 64, (2, 2, 2, 2), 1000)


def resnet20_cifar():
    return ResNet((nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.Identity()), 16, (3, 3, 3), 10)
