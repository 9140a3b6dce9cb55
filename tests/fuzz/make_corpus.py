"""make_corpus.py FOLDER: seeds and a dictionary for fuzz_onnx, from the models of the onnx package: FOLDER/corpus/*.onnx, FOLDER/onnx.dict.

Each operator and each shape of model comes a few times, small ones first: what is large slows the fuzzer down and says nothing new.
"""
import collections
import contextlib
import io
import pathlib
import sys
import warnings

import onnx

LARGEST = 3000  # bytes
EACH = 2  # models with the same operators


def models():
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        from onnx.backend.test.case.node import collect_testcases
        made = [test.model for test in collect_testcases(None)]
    shipped = (pathlib.Path(onnx.__file__).parent / 'backend' / 'test' / 'data').glob('*/*/model.onnx')
    return [with_functions(), *made, *(onnx.load(path) for path in sorted(shipped))]


def with_functions():
    """The package's cases have no functions of their own: one that calls another, with an attribute handed on."""
    domain, helper = 'mine', onnx.helper
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid(domain, 1)]
    inner = helper.make_function(domain, 'Inner', ['a'], ['b'], [helper.make_node('Relu', ['a'], ['b'])], opsets[:1])
    leaky = helper.make_node('LeakyRelu', ['c'], ['d'])
    leaky.attribute.add(name='alpha', ref_attr_name='slope', type=onnx.AttributeProto.FLOAT)
    outer = helper.make_function(domain, 'Outer', ['c'], ['e'], [leaky, helper.make_node('Inner', ['d'], ['e'], domain=domain)], opsets, ['slope'])
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ['N', 3]) for name in 'xy']
    graph = helper.make_graph([helper.make_node('Outer', ['x'], ['y'], domain=domain, slope=0.5)], 'functions', values[:1], values[1:])
    return helper.make_model(graph, functions=[inner, outer], opset_imports=opsets, ir_version=8)


def words():
    for schema in onnx.defs.get_all_schemas_with_history():
        if not schema.domain:
            yield schema.name
            yield from schema.attributes
    yield from ('then_branch', 'else_branch', 'body', 'ai.onnx', 'com.microsoft', 'location', 'offset', 'length', 'N')


def main(folder):
    (folder / 'corpus').mkdir(parents=True, exist_ok=True)
    kept = collections.Counter()
    for model in sorted(models(), key=lambda model: model.ByteSize()):
        kind = tuple(sorted({node.op_type for node in model.graph.node}))
        if model.ByteSize() > LARGEST or kept[kind] == EACH:
            continue
        kept[kind] += 1
        # The values of a dimension and of an initialiser matter more than those of documentation.
        del model.graph.value_info[:]
        (folder / 'corpus' / f'{"_".join(kind)[:80]}.{kept[kind]}.onnx').write_bytes(model.SerializeToString())
    (folder / 'onnx.dict').write_text(''.join(f'"{word}"\n' for word in sorted(set(words()))))
    print(f'{sum(kept.values())} models')


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]))
