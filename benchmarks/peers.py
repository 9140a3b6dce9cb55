"""The peers of benchmarks/step.cpp: PyTorch's training step (eager) and ONNX Runtime's evaluation.

    peers.py train channels_last|contiguous BATCH REPEATS
    peers.py eval MODEL.onnx BATCH REPEATS

Prints one line of JSON as step.cpp does: seconds per step, and the largest resident memory in bytes.
"""

import json
import resource
import sys
import time

WARM_UP = 3


def print_timings(repeats, step):
    seconds = []
    for i in range(-WARM_UP, repeats):
        start = time.perf_counter()
        step()
        if i >= 0:
            seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak_bytes": peak}))


def resnet20():
    """ResNet-20 for CIFAR-10 with option-A shortcuts, as a careful user writes it (activations in place)."""
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.stride, self.padding = stride, (outputs - inputs) // 2

        def forward(self, x):
            y = F.relu(self.bn1(self.conv1(x)), inplace=True)
            y = self.bn2(self.conv2(y))
            if self.stride != 1:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))
            y += x
            return F.relu(y, inplace=True)

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(16)
            blocks, inputs = [], 16
            for outputs in (16, 32, 64):
                for i in range(3):
                    blocks.append(Block(inputs, outputs, 2 if i == 0 and outputs > 16 else 1))
                    inputs = outputs
            self.blocks = nn.Sequential(*blocks)
            self.fc = nn.Linear(64, 10)

        def forward(self, x):
            x = F.relu(self.bn1(self.conv1(x)), inplace=True)
            return self.fc(self.blocks(x).mean((2, 3)))

    return ResNet()


def train(memory_format, batch, repeats):
    import torch

    memory_format = getattr(torch, f"{memory_format}_format" if memory_format == "contiguous" else memory_format)
    torch.manual_seed(1)
    model = resnet20().to(memory_format=memory_format)
    images = torch.randn(batch, 3, 32, 32).contiguous(memory_format=memory_format)
    labels = torch.randint(10, (batch,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    print_timings(repeats, step)


def evaluate(model, batch, repeats):
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    name = session.get_inputs()[0].name
    images = numpy.random.default_rng(1).standard_normal((batch, 3, 32, 32)).astype(numpy.float32)
    print_timings(repeats, lambda: session.run(None, {name: images}))


if __name__ == "__main__":
    if len(sys.argv) != 5 or sys.argv[1] not in ("train", "eval"):
        sys.exit(__doc__)
    {"train": train, "eval": evaluate}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
