#!/usr/bin/env python3
"""Rules about the source tree: every #include points to the same or a lower module of lib/LAYERS, no file is longer than 500 lines, no header
pulls in a heavy LibTorch header, every registry's file has its line and every line its file, nothing is left unfinished."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 500
HEAVY = re.compile(r'#include <(torch/torch|torch/all|ATen/ATen|torch/types|torch/optim|torch/nn)')
UNFINISHED = re.compile(r'\b(TODO|FIXME|XXX|HACK)\b')
# Which module a folder outside lib may not be included from is decided by its rank: models above lib, tools on top.
SOURCES = [p for d in ('lib', 'models', 'tools', 'tests', 'benchmarks') for p in (ROOT / d).rglob('*') if p.suffix in ('.cpp', '.h')]


def ranks():
    rank, found = 0, {}
    for line in (ROOT / 'lib/LAYERS').read_text().splitlines():
        if line.strip() and not line.startswith('#'):
            for module in line.split():
                found[module] = rank
            rank += 1
    return found


def check_layers(problems):
    rank = ranks()
    for folder in (ROOT / 'lib').iterdir():
        if folder.is_dir() and folder.name not in rank:
            problems.append(f'lib/{folder.name}: not in lib/LAYERS')
    for path in (ROOT / 'lib').rglob('*'):
        if path.suffix not in ('.cpp', '.h'):
            continue
        module = path.relative_to(ROOT / 'lib').parts[0]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            include = re.match(r'#include "([a-z_]+)/', line)
            if not include or include[1] not in rank or include[1] == module:
                continue
            if rank[include[1]] >= rank[module]:
                problems.append(f'{path.relative_to(ROOT)}:{number}: {module} may not include {include[1]} (lib/LAYERS)')


def check_files(problems):
    for path in SOURCES:
        lines = path.read_text().splitlines()
        name = path.relative_to(ROOT)
        if len(lines) > LIMIT:
            problems.append(f'{name}: {len(lines)} lines, {LIMIT} at most: split it by idea')
        for number, line in enumerate(lines, 1):
            if path.suffix == '.h' and HEAVY.search(line):
                problems.append(f'{name}:{number}: a header includes a heavy LibTorch header')
            if UNFINISHED.search(line):
                problems.append(f'{name}:{number}: unfinished: {line.strip()}')


def check_registries(problems):
    for table in list((ROOT / 'lib').rglob('*.def')) + [ROOT / 'models/models.def', ROOT / 'tools/compress/commands.def']:
        names = re.findall(r'^ENTRY\((\w+)\)', table.read_text(), re.M)
        where = table.relative_to(ROOT)
        if names != sorted(names):
            problems.append(f'{where}: not in alphabetical order')
        for name in names:
            if not (table.parent / f'{name}.cpp').exists():
                problems.append(f'{where}: ENTRY({name}) has no file {name}.cpp')


def check_sources_are_built(problems):
    """A .cpp that neither a registry nor a meson.build names would silently be left out."""
    for path in (ROOT / 'lib').rglob('*.cpp'):
        module = path.parent
        listed = re.findall(r"'(?:\w+/)*(\w+)'", (ROOT / 'lib/meson.build').read_text())
        for table in module.glob('*.def'):
            listed += re.findall(r'^ENTRY\((\w+)\)', table.read_text(), re.M)
        if path.stem not in listed:
            problems.append(f'{path.relative_to(ROOT)}: in no .def and not in lib/meson.build')


def main():
    problems = []
    for check in (check_layers, check_files, check_registries, check_sources_are_built):
        check(problems)
    print('\n'.join(problems) if problems else f'{len(SOURCES)} files obey the rules of the tree')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
