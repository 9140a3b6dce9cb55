"""Early exits from recipe to file: trained, measured, exported with every exit as an output that ONNX Runtime computes as well, opened again."""
import json
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import numpy
import onnxruntime

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import COMPRESS, Case, compress  # noqa: E402

DATA = """
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 640, validation: 64, test: 128}}
training: {epochs: 2, seed: 7, threads: 1, optimizer: {class: SGD, lr: 0.05, momentum: 0.9}}
"""
EXITS = """
early_exits:
  early: {value: pool1, loss_weight: 0.3, threshold: 0.6}
  late: {value: relu2, kernel: 2, hidden: 16, loss_weight: 0.2, threshold: 0.4}
"""
PLAIN = 'name: exits\nmodel: {arch: lenet5}\n' + DATA + EXITS + 'export: {file: model.onnx}\n'
# All at once: the network as its own teacher, pruned, thinned, quantised.
COMPRESSED = 'name: exits\nmodel: {arch: lenet5}\n' + DATA + EXITS + """
pruners:
  filters: {class: L1RankedStructureParameterPruner, group_type: Filters, desired_sparsity: 0.5, weights: [conv1.weight, conv2.weight]}
passes: {remove: {class: thin}}
distillers: {teacher: {class: KnowledgeDistillation, teacher: self, temperature: 2}}
quantizers: {int8: {class: PostTrainMinMaxQuantizer, calibration_samples: 64}}
policies:
  - {distiller: {instance_name: teacher}, starting_epoch: 0, ending_epoch: 2, frequency: 1}
  - {pruner: {instance_name: filters}, epochs: [0]}
  - {pass: {instance_name: remove}, epochs: [1]}
  - {quantizer: {instance_name: int8}}
export: {format: onnx-qdq, file: model.onnx}
"""


class EarlyExit(Case):
    def run_recipe(self, text, out='run', *args):
        recipe = self.write('exits.yaml', text)
        return self.run_json('run', recipe, '--out', self.folder / out, *args)

    def assert_adds_up(self, report, top1):
        self.assertEqual([exit['name'] for exit in report['exits']], ['early', 'late', 'final'])
        self.assertAlmostEqual(sum(exit['share'] for exit in report['exits']), 100)
        right = sum(exit['share'] * (exit['top1_of_these'] or 0) / 100 for exit in report['exits'])
        self.assertAlmostEqual(right, top1, places=3)
        macs = [exit['macs'] for exit in report['exits']]
        self.assertEqual(macs, sorted(macs))
        self.assertAlmostEqual(report['mean_macs'], sum(e['share'] * e['macs'] for e in report['exits']) / 100)

    def evaluate(self, model, *args):
        return self.run_json('eval', model, '--data', 'synthetic_mnist', '--limit', 128, '--seed', 7, *args)

    def test_a_run_trains_exports_and_reports_the_exits(self):
        summary = self.run_recipe(PLAIN)
        result = summary['result']
        self.assert_adds_up(result['early_exit'], result['metrics']['top1'])
        self.assertIn('early exits on the test split', (self.folder / 'run/log.txt').read_text())
        rows = [json.loads(row) for row in (self.folder / 'run/metrics.jsonl').read_text().splitlines()]
        self.assertIn('exits.early.share', rows[-1]['validation'])
        # The file and the run directory know the exits again, with the same numbers.
        for model in (self.folder / 'run/model.onnx', self.folder / 'run'):
            again = self.evaluate(model)
            self.assertEqual(again['early_exit'], result['early_exit'])
            self.assertEqual(again['top1'], result['metrics']['top1'])

    def test_onnx_runtime_computes_every_exit(self):
        self.run_recipe(PLAIN)
        model = self.folder / 'run/model.onnx'
        session = onnxruntime.InferenceSession(str(model), providers=['CPUExecutionProvider'])
        names = [output.name for output in session.get_outputs()]
        self.assertEqual(names, ['output', 'exits.early', 'exits.late'])
        images = numpy.random.default_rng(1).random((4, 1, 28, 28), dtype=numpy.float32)
        output, early, late = session.run(None, {'input': images})
        self.assertTrue(output.shape == early.shape == late.shape == (4, 10))
        self.assertGreater(abs(output - early).max(), 1e-3)

    def test_thresholds_are_a_choice_of_the_evaluation(self):
        self.run_recipe(PLAIN)
        def shares(early, late):
            report = self.evaluate(self.folder / 'run', '--set', f'early_exits.early.threshold={early}',
                                   '--set', f'early_exits.late.threshold={late}')['early_exit']
            return [exit['share'] for exit in report['exits']]
        self.assertEqual(shares(0, 0), [0, 0, 100])
        self.assertEqual(shares(1, 0), [100, 0, 0])
        self.assertEqual(shares(0, 1), [0, 100, 0])
        text = self.run_ok('eval', self.folder / 'run', '--data', 'synthetic_mnist', '--limit', 32).stdout
        self.assertRegex(text, r'early +0\.6 ')
        self.assertIn('MACs of a sample on average', text)
        wrong = compress('eval', self.folder / 'run', '--data', 'synthetic_mnist', '--set', 'early_exits.erly.threshold=0.5')
        self.assertEqual(wrong.returncode, 2)
        self.assertIn("has no early exit 'erly'", wrong.stderr)
        self.assertIn("did you mean 'early'?", wrong.stderr)

    def test_with_distillation_pruning_thinning_and_quantisation(self):
        summary = self.run_recipe(COMPRESSED)
        result = summary['result']
        self.assert_adds_up(result['early_exit'], result['metrics']['top1'])
        self.assertLess(summary['ratio']['macs'], 0.6)
        session = onnxruntime.InferenceSession(str(self.folder / 'run/model.onnx'), providers=['CPUExecutionProvider'])
        self.assertEqual([output.name for output in session.get_outputs()], ['output', 'exits.early', 'exits.late'])
        again = self.evaluate(self.folder / 'run/model.onnx')
        for one, other in zip(again['early_exit']['exits'], result['early_exit']['exits']):
            self.assertAlmostEqual(one['share'], other['share'], delta=2)

    def test_a_killed_run_resumes_with_the_same_bits(self):
        self.run_recipe(COMPRESSED, 'whole')
        process = subprocess.Popen([COMPRESS, 'run', str(self.folder / 'exits.yaml'), '--out', str(self.folder / 'part')],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        metrics = self.folder / 'part/metrics.jsonl'
        while process.poll() is None and not (metrics.exists() and metrics.read_text().endswith('\n')):
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.run_json('run', '--resume', self.folder / 'part')
        whole, part = ((self.folder / out / 'model.onnx').read_bytes() for out in ('whole', 'part'))
        self.assertEqual(whole, part)

    def test_a_model_with_exits_is_trained_on(self):
        self.run_recipe(PLAIN)
        recipe = self.write('on.yaml', f'name: on\nmodel: {{run: {self.folder / "run"}}}\n' + DATA +
                            'early_exits:\n  early: {value: pool1, loss_weight: 0.5, threshold: 0.25}\n')
        report = self.run_json('run', recipe, '--out', self.folder / 'on')['result']['early_exit']
        self.assertEqual([exit.get('threshold') for exit in report['exits']], [0.25, 0.4, None])
        self.assertEqual([exit['loss_weight'] for exit in report['exits']][:2], [0.5, 0.2])

    def test_what_is_wrong_is_found_before_training(self):
        def refused(*changes):
            text = PLAIN
            for before, after in changes:
                self.assertIn(before, text)
                text = text.replace(before, after)
            recipe = self.write('bad.yaml', text)
            for command in ('check', 'run'):
                done = compress(command, recipe, *(['--out', self.folder / 'bad'] if command == 'run' else []))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertFalse((self.folder / 'bad').exists())
            return done.stderr
        self.assertRegex(refused(('value: pool1', 'value: pol1')), r"bad\.yaml:8:18: error: exit 'early' begins with value 'pol1'")
        self.assertIn("did you mean 'pool1'?", refused(('value: pool1', 'value: pol1')))
        self.assertRegex(refused(('loss_weight: 0.2', 'loss_weight: 0.7')), r"bad\.yaml:8:3: error: .*add up to 1; they must stay below 1")
        self.assertRegex(refused(('threshold: 0.6', 'threshold: 1.6')), r'bad\.yaml:8:\d+: error: .*threshold')
        self.assertRegex(refused(('  late:', '  early:')), r"bad\.yaml:9:3: error: .*'early'")
        self.assertRegex(refused(('epochs: 2', 'epochs: 2, task: {class: regression}')), r"bad\.yaml:\d+:\d+: error: early exits are for the task")


class Reestimate(Case):
    def test_apply_takes_statistics_from_training_samples(self):
        out = self.folder / 'out.onnx'
        done = self.run_json('apply', 'resnet20_cifar', '--pass', 'reestimate_batchnorm', '--data', 'synthetic_cifar', '-o', out)
        self.assertEqual(done['passes'][0]['parameters_removed'], 0)
        self.assertGreater(done['passes'][0]['nodes_changed'], 18)
        # An untrained network: with statistics of the data it says something else than with those it starts with.
        before = self.run_json('eval', 'resnet20_cifar', '--data', 'synthetic_cifar', '--limit', 64)
        after = self.run_json('eval', out, '--data', 'synthetic_cifar', '--limit', 64)
        self.assertNotAlmostEqual(before['loss'], after['loss'], places=3)

    def test_without_data_it_says_so(self):
        done = compress('apply', 'resnet20_cifar', '--pass', 'reestimate_batchnorm', '-o', self.folder / 'out.onnx')
        self.assertEqual(done.returncode, 2)
        self.assertIn('the pass looks at training samples, and there is no data set', done.stderr)
        self.assertIn('--data NAME', done.stderr)


if __name__ == '__main__':
    unittest.main()
