"""Compares training steps with PyTorch's and evaluation with ONNX Runtime's on the same machine.

    python benchmarks/run.py --step build/benchmarks/step [--networks resnet20_cifar:128 mobilenet_v2:8 resnet50:8] [--rounds 5] [--repeats 15]

Programs take turns, one process at a time, for a number of rounds, so that a change of the machine's speed meets all of them. Printed are
medians over rounds of (ours / peer), with the smallest and largest round, and peak memory. The evaluated file is the one that PyTorch's
exporter writes. Needs torch, onnx and onnxruntime.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

PEERS = str(pathlib.Path(__file__).with_name("peers.py"))


def measure(command):
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    result = json.loads(output.strip().splitlines()[-1])
    return {"seconds": statistics.median(result["seconds"]), "peak": result["peak_bytes"]}


def compare(title, commands, batch, arguments):
    """The first command is ours. The rate of a round is batch / median seconds."""
    rounds = [{name: measure(command) for name, command in commands.items()} for _ in range(arguments.rounds)]
    names = list(commands)
    ours, peers = names[0], names[1:]
    print(f"{title}, batch {batch}, {arguments.rounds} rounds of {arguments.repeats}")
    for name in names:
        rates = [batch / result[name]["seconds"] for result in rounds]
        peak = max(result[name]["peak"] for result in rounds) / 2**20
        print(f"  {name:24} {statistics.median(rates):8.1f} images/s  ({min(rates):.1f} - {max(rates):.1f})  peak {peak:6.0f} MiB")
    best = [min(result[peer]["seconds"] for peer in peers) / result[ours]["seconds"] for result in rounds]
    print(f"  ours / best peer         {statistics.median(best):8.2f}           ({min(best):.2f} - {max(best):.2f})", flush=True)


def compare_training(network, batch, arguments):
    sizes = [str(batch), str(arguments.repeats)]
    peer = [sys.executable, PEERS, "train", network]
    commands = {
        "compress": [arguments.step, "train", network, *sizes],
        "PyTorch channels-last": [*peer, "channels_last", *sizes],
        "PyTorch contiguous": [*peer, "contiguous", *sizes],
    }
    compare(f"training step of {network}", commands, batch, arguments)


def compare_evaluation(network, batch, arguments):
    sizes = [str(batch), str(arguments.repeats)]
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/{network}.onnx"
        subprocess.run([sys.executable, PEERS, "export", network, file], check=True, capture_output=True)
        commands = {
            "compress": [arguments.step, "eval", file, *sizes],
            "ONNX Runtime": [sys.executable, PEERS, "eval", file, *sizes],
        }
        compare(f"evaluation of {network}", commands, batch, arguments)


def compare_quantised_training(network, batch, arguments):
    """User time of one thread, the two steps by turns: a ratio that other programs on the machine disturb little."""
    rounds = []
    for _ in range(arguments.rounds):
        command = [arguments.step, "qat", network, str(batch), str(arguments.repeats)]
        output = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS="1")).stdout
        result = json.loads(output.strip().splitlines()[-1])
        pairs = zip(result["seconds"], result["float_seconds"])
        rounds.append((statistics.median(result["seconds"]), statistics.median(result["float_seconds"]), statistics.median(a / b for a, b in pairs)))
    quantised, plain, ratio = (statistics.median(values) for values in zip(*rounds))
    print(f"quantisation-aware training step of {network}, batch {batch}, {arguments.rounds} rounds of {arguments.repeats}, user time of one thread")
    print(f"  QuantAwareTrainRangeLinearQuantizer, 8 bits {quantised:8.4f} s    FP32 {plain:8.4f} s    ratio {ratio:.2f}"
          f"  ({min(r[2] for r in rounds):.2f} - {max(r[2] for r in rounds):.2f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", default="build/benchmarks/step", help="the program built from benchmarks/step.cpp")
    parser.add_argument("--networks", nargs="+", default=["resnet20_cifar:128", "mobilenet_v2:8", "resnet50:8"],
                        help="name:batch; a zoo name and a function of networks.py")
    parser.add_argument("--only", choices=["train", "qat", "eval"], help="one of the comparisons")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    for word in arguments.networks:
        network, batch = word.split(":")
        if arguments.only in (None, "train"):
            compare_training(network, int(batch), arguments)
        if arguments.only in (None, "qat"):
            compare_quantised_training(network, int(batch), arguments)
        if arguments.only in (None, "eval"):
            compare_evaluation(network, int(batch), arguments)


if __name__ == "__main__":
    main()
