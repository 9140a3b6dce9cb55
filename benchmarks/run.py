"""Compares training steps with PyTorch's and evaluation with ONNX Runtime's on the same machine.

    python benchmarks/run.py --step build/benchmarks/step [--onnx resnet20.onnx] [--rounds 5] [--repeats 15]

Programs take turns, one process at a time, for a number of rounds, so that a change of the machine's speed meets all of them. Printed are
medians over rounds of (ours / peer), with the smallest and largest round, and peak memory. Needs torch and, with --onnx, onnxruntime.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

PEERS = str(pathlib.Path(__file__).with_name("peers.py"))


def measure(command):
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    return {"seconds": statistics.median(result["seconds"]), "peak": result["peak_bytes"]}


def compare(title, commands, arguments):
    """The first command is ours. The rate of a round is batch / median seconds."""
    rounds = [{name: measure(command) for name, command in commands.items()} for _ in range(arguments.rounds)]
    names = list(commands)
    ours, peers = names[0], names[1:]
    print(f"{title}, batch {arguments.batch}, {arguments.rounds} rounds of {arguments.repeats}")
    for name in names:
        rates = [arguments.batch / result[name]["seconds"] for result in rounds]
        peak = max(result[name]["peak"] for result in rounds) / 2**20
        print(f"  {name:24} {statistics.median(rates):8.0f} images/s  ({min(rates):.0f} - {max(rates):.0f})  peak {peak:6.0f} MiB")
    best = [min(result[peer]["seconds"] for peer in peers) / result[ours]["seconds"] for result in rounds]
    print(f"  ours / best peer         {statistics.median(best):8.2f}           ({min(best):.2f} - {max(best):.2f})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", default="build/benchmarks/step", help="the program built from benchmarks/step.cpp")
    parser.add_argument("--model", default="resnet20_cifar", help="zoo name for the training step")
    parser.add_argument("--onnx", help="ONNX file for the evaluation")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    sizes = [str(arguments.batch), str(arguments.repeats)]
    peer = [sys.executable, PEERS]
    compare(
        "training step of ResNet-20",
        {
            "compress": [arguments.step, "train", arguments.model, *sizes],
            "PyTorch channels-last": [*peer, "train", "channels_last", *sizes],
            "PyTorch contiguous": [*peer, "train", "contiguous", *sizes],
        },
        arguments,
    )
    if arguments.onnx:
        compare(
            f"evaluation of {pathlib.Path(arguments.onnx).name}",
            {
                "compress": [arguments.step, "eval", arguments.onnx, *sizes],
                "ONNX Runtime": [*peer, "eval", arguments.onnx, *sizes],
            },
            arguments,
        )


if __name__ == "__main__":
    main()
