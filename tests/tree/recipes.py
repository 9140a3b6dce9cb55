#!/usr/bin/env python3
"""The recipes of schedules/ say what was measured, and only that: each header ends in a block that is written from the committed summary of the
run (schedules/results/NAME.json), or says why it was not run. `recipes.py --accept RUN...` commits the summaries of run directories and rewrites the
headers."""
import argparse
import hashlib
import json
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEDULES = ROOT / 'schedules'
RESULTS = SCHEDULES / 'results'
KEPT = ('name', 'command', 'recipe_hash', 'seed', 'epochs', 'device', 'threads', 'data', 'baseline', 'result', 'ratio', 'exports',
        'failed_checks', 'seconds')
WIDTH = 140


def number(value):
    return f'{value:,}'


def metrics(measurement):
    return measurement['metrics'] if measurement else {}


def block(summary):
    """The lines of a recipe's header that state what its run gave."""
    before, after, data = summary['baseline'], summary['result'], summary['data']
    text = []
    for name, value in metrics(after).items():
        if name.startswith('top1') or name in ('mse', 'iou', 'accuracy'):
            text.append(f'{name} {metrics(before)[name]:.2f} -> {value:.2f}' if name in metrics(before) else f'{name} {value:.2f}')
    text[0] += f' on {number(data["test"])} {after["split"]} images'
    if after['sparsity']:
        text.append(f'{after["sparsity"]:.1f} % of the weights zero')
    text.append(f'MACs {number(before["macs"])} -> {number(after["macs"])} ({100 * summary["ratio"]["macs"]:.1f} %)')
    text.append(f'non-zero parameters {number(before["nonzero"])} -> {number(after["nonzero"])} ({100 * summary["ratio"]["nonzero"]:.1f} %)')
    if 'early_exit' in after:
        *early, _ = after['early_exit']['exits']
        text.append(f'{sum(exit["share"] for exit in early):.1f} % of the samples leave early, {number(round(after["early_exit"]["mean_macs"]))} '
                    'MACs on the average')
    if after['quantized']:
        text.append(f'weights {number(before["weight_bytes"])} -> {number(after["weight_bytes"])} bytes')
    seconds = round(summary['seconds'])
    validation = f' and {number(data["validation"])} for validation' if data['validation'] else ''
    trained = f'{summary["epochs"]} epoch{"s" if summary["epochs"] > 1 else ""} of {number(data["train"])} images' if summary['epochs'] else 'No training'
    how = (f'{trained}{validation}, seed {summary["seed"]}, '
           f'{seconds // 60}:{seconds % 60:02d} on {summary["threads"]} thread{"s" if summary["threads"] > 1 else ""}')
    failed = ''.join(f' Falls short: {failure}.' for failure in summary['failed_checks'])
    words = f'Measured: {"; ".join(text)}. {how}.{failed}'
    return [f'# {line}' for line in textwrap.wrap(words, WIDTH - 2)]


def header(lines):
    """The comment lines at the beginning of a recipe."""
    return [line for line in lines[:next(i for i, line in enumerate(lines) if not line.startswith('#'))]]


def stated(lines):
    """Where the block of a recipe's header stands: [first, end)."""
    head = header(lines)
    starts = [i for i, line in enumerate(head) if line.startswith('# Measured:')]
    return (starts[0], len(head)) if starts else (len(head), len(head))


def body_hash(lines):
    """Of what the program reads: a recipe that changed since its run was not measured."""
    return hashlib.sha256('\n'.join(lines[len(header(lines)):]).encode()).hexdigest()[:16]


def accept(run):
    summary = json.loads((run / 'summary.json').read_text())
    summary = {key: summary[key] for key in KEPT if key in summary}
    recipe = SCHEDULES / f'{summary["name"]}.yaml'
    lines = recipe.read_text().splitlines()
    summary['recipe_body'] = body_hash(lines)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f'{summary["name"]}.json').write_text(json.dumps(summary, indent=2) + '\n')
    first, end = stated(lines)
    recipe.write_text('\n'.join(lines[:first] + block(summary) + lines[end:]) + '\n')


def problems():
    for recipe in sorted(SCHEDULES.glob('*.yaml')):
        lines, result = recipe.read_text().splitlines(), RESULTS / f'{recipe.stem}.json'
        head = '\n'.join(header(lines))
        if f'name: {recipe.stem}' not in lines:
            yield f'{recipe.name}: its name is not that of its file'
        if not re.search(rf'^#     compress run schedules/{recipe.stem}\.yaml', head, re.M):
            yield f'{recipe.name}: the header states no command'
        if not result.exists():
            if '# Not run:' not in head:
                yield f'{recipe.name}: neither measured (results/{recipe.stem}.json) nor marked "# Not run: why"'
            continue
        summary = json.loads(result.read_text())
        if summary['recipe_body'] != body_hash(lines):
            yield f'{recipe.name}: it changed since its run was measured'
        first, end = stated(lines)
        if lines[first:end] != block(summary):
            yield f'{recipe.name}: the header does not say what results/{recipe.stem}.json says; it should be\n' + '\n'.join(block(summary))
    for result in sorted(RESULTS.glob('*.json')):
        if not (SCHEDULES / f'{result.stem}.yaml').exists():
            yield f'results/{result.name}: no such recipe'
        if re.search(r'"/|/tmp|/home|/work', result.read_text()):
            yield f'results/{result.name}: holds paths of the machine it was measured on'


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--accept', nargs='*', type=pathlib.Path, default=[])
    for run in parser.parse_args().accept:
        accept(run)
    found = list(problems())
    print('\n'.join(found) if found else f'{len(list(SCHEDULES.glob("*.yaml")))} recipes say what was measured')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
