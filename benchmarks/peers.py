"""The peers of benchmarks/step.cpp: PyTorch's training step (eager) and ONNX Runtime's evaluation.

    peers.py train NETWORK channels_last|contiguous BATCH REPEATS      NETWORK: a function of networks.py
    peers.py eval MODEL.onnx BATCH REPEATS
    peers.py export NETWORK MODEL.onnx                                 the network of the evaluation, by PyTorch's exporter

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


def network(name):
    import networks
    import torch

    torch.manual_seed(1)
    return getattr(networks, name)()


def train(name, memory_format, batch, repeats):
    import torch

    memory_format = getattr(torch, f"{memory_format}_format" if memory_format == "contiguous" else memory_format)
    model, shape = network(name)
    model = model.to(memory_format=memory_format)
    images = torch.randn(int(batch), *shape).contiguous(memory_format=memory_format)
    labels = torch.randint(model.fc.out_features, (int(batch),))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step():
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    print_timings(int(repeats), step)


def evaluate(model, batch, repeats):
    import numpy
    import onnxruntime

    session = onnxruntime.InferenceSession(model)
    value = session.get_inputs()[0]
    images = numpy.random.default_rng(1).standard_normal([int(batch), *value.shape[1:]]).astype(numpy.float32)
    print_timings(int(repeats), lambda: session.run(None, {value.name: images}))


def export(name, path):
    import torch

    model, shape = network(name)
    for module in model.modules():  # statistics that have seen data, so that values stay of ordinary size
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        model(torch.randn(8, *shape))
    image = torch.randn(1, *shape)
    torch.onnx.export(model.eval(), (image,), path, dynamo=False, opset_version=17, input_names=["input"], output_names=["output"],
                      dynamic_axes={"input": {0: "N"}, "output": {0: "N"}})


if __name__ == "__main__":
    commands = {"train": train, "eval": evaluate, "export": export}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
