"""onnx_cases.py RUN_CASES [--only PATTERN] [--failures] [--keep FOLDER]: the test cases of the onnx package, run by compress.

RUN_CASES is the program built from tests/support/run_cases.cpp. The cases are those that the package makes for its operators
(onnx.backend.test.case.node) and those it ships as files (onnx/backend/test/data). A case is

- left out when it uses an operator outside the operator table or a type that LibTorch has not (LEFT_OUT_TYPES);
- run otherwise: imported, run, exported, imported again with the same text form. Output types and shapes must be the case's exactly, values
  within the case's own tolerance, NaN equal to NaN. Where ONNX Runtime runs the exported file, its outputs must be the case's, too.

A failure must match a line of onnx_cases_failures.txt (PATTERN: REASON), and each of its lines must match failures only. At least LEAST cases
must pass. docs/conformance.md holds the counts; COMPRESS_ACCEPT=1 rewrites it.

Inputs that compress takes as constants only are initialisers of the case's model: those that the operator table keeps as attributes
(Op::constant_inputs: axes, shapes, pads, limits ...), those of CONSTANT_INPUTS, and whatever these are computed from. Models of opset 6 and
older are converted to opset 7, the oldest that compress reads, by the onnx package.
"""
import argparse
import collections
import contextlib
import fnmatch
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper, version_converter

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAILURES = pathlib.Path(__file__).with_name('onnx_cases_failures.txt')
TABLE = ROOT / 'docs' / 'conformance.md'
LEAST = 800
OLDEST_OPSET = 7
# Beside the operator table's: conditions and counts of control flow, and what decides a size.
CONSTANT_INPUTS = {'If': [0], 'Loop': [0, 1], 'Range': [0, 1, 2]}
TYPES = {getattr(TensorProto, name) for name in 'FLOAT FLOAT16 BFLOAT16 DOUBLE INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL'.split()}
TWO_UNITS = {'bfloat16': 2 ** -6, 'float16': 2 ** -9}  # of the last place; onnx's own runner allows the first
LEFT_OUT_TYPES = 'FLOAT8*, FLOAT4*, FLOAT6*, INT4, UINT4, INT2, UINT2, STRING, COMPLEX*, sequences, optionals'

Case = collections.namedtuple('Case', 'name group model inputs outputs rtol atol')


# ---- the cases of the package ----------------------------------------------------------------------------------------

def quietly(make):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return make()


def with_supported_opset(model):
    old = any(entry.version < OLDEST_OPSET for entry in model.opset_import if not entry.domain)
    return quietly(lambda: version_converter.convert_version(model, OLDEST_OPSET)) if old else model


def made_cases():
    from onnx.backend.test.case.node import collect_testcases
    tests = quietly(lambda: collect_testcases(None))
    operators = {test.name: test.model.graph.node[0].op_type for test in tests if len(test.model.graph.node) == 1}
    for test in tests:
        group = operators.get(test.name.removesuffix('_expanded').split('_expanded_ver')[0]) or test.model.graph.node[-1].op_type
        for k, (inputs, outputs) in enumerate(test.data_sets):
            yield Case(test.name + (f'_{k}' if k else ''), group, with_supported_opset(test.model), list(inputs), list(outputs), test.rtol, test.atol)


def read_values(folder, kind, infos):
    values = []
    for k, info in enumerate(infos):
        path = folder / f'{kind}_{k}.pb'
        if not path.exists() or not info.type.HasField('tensor_type'):
            return None
        values.append(onnx.load_tensor(path))
    return values


def shipped_cases():
    data = pathlib.Path(onnx.__file__).parent / 'backend' / 'test' / 'data'
    for kind in ('simple', 'pytorch-operator', 'pytorch-converted'):
        for path in sorted((data / kind).glob('*/model.onnx')):
            model = with_supported_opset(onnx.load(path))
            names = {tensor.name for tensor in model.graph.initializer}
            infos = [info for info in model.graph.input if info.name not in names]
            for k, folder in enumerate(sorted(path.parent.glob('test_data_set_*'))):
                inputs, outputs = read_values(folder, 'input', infos), read_values(folder, 'output', model.graph.output)
                name = f'{kind}/{path.parent.name}' + (f'_{k}' if k else '')
                yield Case(name.replace('/', '.'), f'models: {kind}', model, inputs, outputs, 1e-3, 1e-7)


# ---- what is left out --------------------------------------------------------------------------------------------------

def all_nodes(graph):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField('g') else attribute.graphs:
                yield from all_nodes(inner)


def node_types(node):
    """Element types that attributes of the node name (Cast's) or hold."""
    for attribute in node.attribute:
        if attribute.name in ('to', 'dtype', 'output_dtype') and attribute.i:
            yield attribute.i
        if attribute.HasField('t'):
            yield attribute.t.data_type


def is_tensor(value):
    return isinstance(value, (numpy.ndarray, numpy.generic, TensorProto))


def left_out(case, operators):
    """Why the case is not run; None when it is."""
    model = case.model
    nodes = list(all_nodes(model.graph)) + [node for function in model.functions for node in function.node]
    own = {function.name for function in model.functions}
    for node in nodes:
        if node.domain not in ('', 'ai.onnx') and node.op_type not in own:
            return f'operator {node.domain}.{node.op_type}'
        if node.op_type not in operators and node.op_type not in own:
            return f'operator {node.op_type}'
    infos = list(model.graph.input) + list(model.graph.output) + list(model.graph.value_info)
    if case.inputs is None or case.outputs is None or not all(map(is_tensor, [*case.inputs, *case.outputs])):
        return 'type'
    if any(not info.type.HasField('tensor_type') for info in infos):
        return 'type'
    types = [info.type.tensor_type.elem_type for info in infos] + [tensor.data_type for tensor in model.graph.initializer]
    types += [kind for node in nodes for kind in node_types(node)]
    if any(kind and kind not in TYPES for kind in types):
        return 'type'
    return None


# ---- running -----------------------------------------------------------------------------------------------------------

def supported(program):
    """Operator -> the inputs that must be constant."""
    lines = subprocess.run([program, '--operators'], check=True, capture_output=True, text=True).stdout.splitlines()
    table = {line.split()[0]: [int(index) for index in line.split()[1:]] for line in lines}
    return {name: indices + CONSTANT_INPUTS.get(name, []) for name, indices in table.items()}


def constant_values(graph, operators):
    """The values that must be constant, and all that they are computed from."""
    nodes = list(all_nodes(graph))
    wanted, before = {node.input[i] for node in nodes for i in operators.get(node.op_type, []) if i < len(node.input)}, None
    while before != len(wanted):
        before = len(wanted)
        for node in nodes:
            if node.op_type not in ('Shape', 'Size') and wanted & set(node.output):
                wanted |= {*node.input, *(value.name for attribute in node.attribute for value in attribute.g.output)}
    return wanted


def as_proto(value, name):
    return value if isinstance(value, TensorProto) else numpy_helper.from_array(numpy.asarray(value), name)


def write_case(folder, case, operators):
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    constants = constant_values(model.graph, operators)
    initialisers = {tensor.name for tensor in model.graph.initializer}
    given = onnx.GraphProto()
    infos = [info for info in model.graph.input if info.name not in initialisers]
    del model.graph.input[:]
    for info, value in zip(infos, case.inputs):
        proto = as_proto(value, info.name)
        if info.name in constants:
            model.graph.initializer.add().CopyFrom(proto)
            model.graph.initializer[-1].name = info.name
            continue
        given.initializer.add().CopyFrom(proto)
        model.graph.input.add().CopyFrom(onnx.helper.make_tensor_value_info(info.name, proto.data_type, list(proto.dims)))
    (folder / f'{case.name}.onnx').write_bytes(model.SerializeToString())
    (folder / f'{case.name}.inputs').write_bytes(given.SerializeToString())


def run_cases(program, folder, names):
    """Name -> (stage, message). A case that ends the program is a failure of its own; the others go on."""
    results, waiting = {}, list(names)
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    while waiting:
        done = subprocess.run([program, folder], input='\n'.join(waiting) + '\n', capture_output=True, text=True, env=environment)
        for line in done.stdout.splitlines():
            name, stage, message = (line.split('\t') + ['crash', f'the program ended with status {done.returncode}'])[:3]
            results[name] = (stage, message)
        rest = [name for name in waiting if name not in results]
        if len(rest) == len(waiting):
            sys.exit(f'{program} ran no case: {done.stderr}')
        waiting = rest
    return results


def difference(case, folder):
    """Why the outputs are not the expected ones; None when they are."""
    made = onnx.GraphProto()
    made.ParseFromString((folder / f'{case.name}.outputs').read_bytes())
    for proto, wanted, info in zip(made.initializer, case.outputs, case.model.graph.output):
        expected, actual = numpy_helper.to_array(as_proto(wanted, info.name)), numpy_helper.to_array(proto)
        if actual.dtype != expected.dtype or actual.shape != expected.shape:
            return f"output '{proto.name}' is {actual.dtype}{list(actual.shape)} instead of {expected.dtype}{list(expected.shape)}"
        two_units = TWO_UNITS.get(expected.dtype.name, 0)
        if expected.dtype != bool:
            expected, actual = (array.astype(numpy.float64 if expected.dtype.kind not in 'iu' else expected.dtype) for array in (expected, actual))
        if not numpy.allclose(actual, expected, max(case.rtol, two_units), case.atol, equal_nan=True):
            return f"output '{proto.name}' has other values: {actual.ravel()[:6]} instead of {expected.ravel()[:6]}"
    return None if len(made.initializer) == len(case.outputs) else f'{len(made.initializer)} outputs instead of {len(case.outputs)}'


def run_onnxruntime(path, case, folder):
    """The outputs by ONNX Runtime; None when it cannot run the model."""
    given = onnx.GraphProto()
    given.ParseFromString((folder / f'{case.name}.inputs').read_bytes())
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        return session.run(None, {entry.name: numpy_helper.to_array(tensor) for entry, tensor in zip(session.get_inputs(), given.initializer)})
    except Exception:  # types and operators that it has not; each kind throws something else
        return None


def agree(case, outputs):
    pairs = [(output, numpy_helper.to_array(as_proto(wanted, ''))) for output, wanted in zip(outputs, case.outputs)]
    return all(output.shape == wanted.shape and numpy.allclose(output, wanted, max(case.rtol, 1e-3), max(case.atol, 1e-4), equal_nan=True)
               for output, wanted in pairs)


def deployed_difference(case, folder):
    """What ONNX Runtime makes of the exported file; where it differs from the case in the package's own file, too, that is its affair."""
    outputs = run_onnxruntime(folder / f'{case.name}.exported.onnx', case, folder)
    if outputs is None or agree(case, outputs):
        return None
    original = run_onnxruntime(folder / f'{case.name}.onnx', case, folder)
    return 'ONNX Runtime computes something else with the exported file' if original is not None and agree(case, original) else None


def judge(case, result, folder):
    """Why the case fails; None when it passes."""
    stage, message = result
    if stage in ('import', 'run', 'crash'):
        return f'{stage}: {message}'
    if found := difference(case, folder):
        return f'values: {found}'
    if stage != 'ok':
        return f'{stage}: {message}'
    return (found := deployed_difference(case, folder)) and f'exported: {found}'


# ---- the verdict -------------------------------------------------------------------------------------------------------

def read_reasons():
    lines = [line.strip() for line in FAILURES.read_text().splitlines()]
    return dict(line.split(': ', 1) for line in lines if line and not line.startswith('#'))


def problems_of(failures, run, reasons):
    problems = [f'{name}: {why}' for name, why in failures.items() if not any(fnmatch.fnmatch(name, pattern) for pattern in reasons)]
    for pattern in reasons:
        matched = fnmatch.filter(run, pattern)
        passing = [name for name in matched if name not in failures]
        if not matched or passing:
            problems.append(f"'{pattern}' is listed as failing, but " + (f'{passing[0]} passes' if passing else 'no case has that name'))
    return problems


def table(counts, totals, reasons, failures):
    lines = ['# Conformance with ONNX', '',
             f'Written by `tests/conformance/onnx_cases.py` from the test cases of the onnx package {onnx.__version__}; run the test with',
             '`COMPRESS_ACCEPT=1` after a change.', '',
             f'**{totals["passed"]} cases pass**, {totals["failed"]} fail, {totals["left out"]} are left out: they need an operator that is not in the',
             f'[operator table](operators.md), or a type that LibTorch has not ({LEFT_OUT_TYPES}).',
             '"Passes" means: imported, run, compared with the expected outputs (type, shape, values), exported, imported again to the same graph, and the exported',
             'file run by ONNX Runtime (where it can) with the same outputs.', '',
             '| Operator | Passed | Failed | Left out |', '|---|---|---|---|']
    lines += [f'| {group} | {count["passed"]} | {count["failed"] or "-"} | {count["left out"] or "-"} |'
              for group, count in sorted(counts.items()) if count['passed'] or count['failed']]
    nothing = sorted(group for group, count in counts.items() if not count['passed'] and not count['failed'])
    lines += ['', f'No case at all runs of: {", ".join(nothing)}.', '', '## What fails, and why', '', '| Cases | Number | Reason |', '|---|---|---|']
    lines += [f'| `{pattern}` | {len(fnmatch.filter(failures, pattern))} | {reason} |' for pattern, reason in reasons.items()]
    return '\n'.join(lines) + '\n'


def main():
    parser = argparse.ArgumentParser(description='runs the test cases of the onnx package')
    parser.add_argument('program')
    parser.add_argument('--only', default='*', help='names of cases, with * and ?')
    parser.add_argument('--failures', action='store_true', help='print every failure, listed or not')
    parser.add_argument('--keep', type=pathlib.Path, help='a folder for the files of the cases')
    options = parser.parse_args()
    operators = supported(options.program)
    cases = {case.name: case for case in [*made_cases(), *shipped_cases()] if fnmatch.fnmatch(case.name, options.only)}
    excluded = {name: why for name, case in cases.items() if (why := left_out(case, operators))}
    run = [name for name in cases if name not in excluded]
    with tempfile.TemporaryDirectory(prefix='compress-cases-') as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in run:
            write_case(folder, cases[name], operators)
        results = run_cases(options.program, folder, run)
        failures = {name: why for name in run if (why := judge(cases[name], results[name], folder))}
    counts = collections.defaultdict(collections.Counter)
    for name, case in cases.items():
        counts[case.group]['left out' if name in excluded else 'failed' if name in failures else 'passed'] += 1
    totals = sum(counts.values(), collections.Counter())
    print(f'{totals["passed"]} passed, {totals["failed"]} failed, {totals["left out"]} left out of {len(cases)}')
    if options.failures:
        print('\n'.join(f'{name}: {why}' for name, why in sorted(failures.items())))
    if options.only != '*':
        return 1 if failures else 0
    reasons = read_reasons()
    text = table(counts, totals, reasons, failures)
    if os.environ.get('COMPRESS_ACCEPT') == '1':
        TABLE.write_text(text)
    problems = problems_of(failures, run, reasons)
    problems += [f'only {totals["passed"]} cases pass, {LEAST} must'] * (totals['passed'] < LEAST)
    problems += [f'{TABLE.name} is not up to date: run this with COMPRESS_ACCEPT=1'] * (not TABLE.exists() or TABLE.read_text() != text)
    print('\n'.join(problems))
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
