"""Whole runs on synthetic images: what is written, the same bits after a kill, damaged checkpoints, full stops."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import COMPRESS, Case  # noqa: E402

RECIPE = """
name: tiny
model: {arch: lenet5}
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 320, validation: 64, test: 128}}
training:
  epochs: 4
  seed: 7
  optimizer: {class: SGD, lr: 0.02, momentum: 0.9}
pruners:
  filters: {class: L1RankedStructureParameterPruner_AGP, initial_sparsity: 0.1, final_sparsity: 0.5,
            group_type: Filters, weights: [conv1.weight, conv2.weight]}
distillers:
  teacher: {class: KnowledgeDistillation, teacher: self, teacher_epoch: 1, temperature: 2.0}
lr_schedulers:
  cosine: {class: CosineAnnealingLR, T_max: 4}
passes:
  thin: {class: thin}
quantizers:
  int8: {class: PostTrainMinMaxQuantizer, calibration_samples: 64}
policies:
  - pruner: {instance_name: filters}
    starting_epoch: 1
    ending_epoch: 3
    frequency: 1
  - pass: {instance_name: thin}
    epochs: [3]
  - distiller: {instance_name: teacher}
    starting_epoch: 1
    ending_epoch: 4
    frequency: 1
  - lr_scheduler: {instance_name: cosine}
    starting_epoch: 0
    ending_epoch: 4
    frequency: 1
  - quantizer: {instance_name: int8}
export:
  - {format: onnx-qdq, file: model.onnx}
"""


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Run(Case):
    def setUp(self):
        super().setUp()
        self.recipe = self.write('tiny.yaml', RECIPE)

    def run_recipe(self, out, *args):
        return self.run_json('run', self.recipe, '--out', self.folder / out, *args)

    def assert_same_result(self, a, b):
        self.assertEqual(digest(self.folder / a / 'model.onnx'), digest(self.folder / b / 'model.onnx'))
        rows = [(self.folder / run / 'metrics.jsonl').read_text() for run in (a, b)]
        self.assertEqual(*rows)

    def start(self, out, *args):
        return subprocess.Popen([COMPRESS, 'run', str(self.recipe), '--out', str(self.folder / out), *args],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def wait_for_epoch(self, out, epochs, process):
        """Waits until the run has finished this many epochs (its metrics file grows by a line each)."""
        metrics = self.folder / out / 'metrics.jsonl'
        for _ in range(6000):
            if process.poll() is not None or (metrics.exists() and len(metrics.read_text().splitlines()) >= epochs):
                return
            time.sleep(0.005)
        self.fail('the run did not get that far')

    def test_a_run_leaves_everything_it_promises(self):
        summary = self.run_recipe('a')
        folder = self.folder / 'a'
        for name in ('recipe.yaml', 'metrics.jsonl', 'log.txt', 'summary.json', 'weights_sparsity.csv', 'model.onnx', 'checkpoint', 'final'):
            self.assertTrue((folder / name).exists(), name)
        self.assertEqual(len((folder / 'metrics.jsonl').read_text().splitlines()), 4)
        self.assertEqual(json.loads((folder / 'summary.json').read_text()), summary)
        self.assertLess(summary['ratio']['macs'], 0.6)
        self.assertEqual(summary['seed'], 7)
        self.assertEqual(summary['failed_checks'], [])
        # The run directory is a model: what eval says is what the summary says.
        again = self.run_json('eval', folder, '--data', 'synthetic_mnist', '--limit', 128, '--seed', 7)
        self.assertEqual(again['top1'], summary['result']['metrics']['top1'])

    def test_the_same_seed_gives_the_same_bits(self):
        self.run_recipe('a')
        self.run_recipe('b')
        self.assert_same_result('a', 'b')

    def test_a_killed_run_resumes_with_the_same_bits(self):
        self.run_recipe('whole')
        for epochs in (1, 2, 3):
            out = f'killed{epochs}'
            process = self.start(out)
            self.wait_for_epoch(out, epochs, process)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.run_json('run', '--resume', self.folder / out)
            self.assert_same_result('whole', out)

    def test_ctrl_c_says_how_to_resume(self):
        process = self.start('a')
        self.wait_for_epoch('a', 1, process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn(f"compress run --resume {self.folder / 'a'}", errors)
        self.run_json('run', '--resume', self.folder / 'a')

    def test_sigterm_is_answered_like_ctrl_c(self):
        process = self.start('a')
        self.wait_for_epoch('a', 1, process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn(f"compress run --resume {self.folder / 'a'}", errors)
        self.run_json('run', '--resume', self.folder / 'a')

    LAPQ = """
        name: lapq
        model: {arch: lenet5}
        data: {name: synthetic_mnist, batch_size: 64, limits: {train: 256, validation: 64, test: 64}}
        training: {epochs: 0, seed: 1}
        quantizers: {q: {class: LapqQuantizer, bits_weights: 3, bits_activations: 3, init_mode: NONE, maxiter: 2, save_every: 5}}
        policies: [{quantizer: {instance_name: q}}]
        export: [{format: onnx-qdq, file: model.onnx}]
    """

    def test_ctrl_c_in_a_search_of_clips_leaves_the_best_file_so_far(self):
        self.recipe = self.write('lapq.yaml', self.LAPQ)
        self.run_recipe('whole')
        process = self.start('part')
        record = self.folder / 'part/lapq.json'
        while process.poll() is None and not (record.exists() and '"point"' in record.read_text()):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, r"LAPQ was interrupted after \d+ evaluations: the run's files hold the best so far \(loss ")
        self.assertIn(f"compress run --resume {self.folder / 'part'}", errors)
        self.assertTrue((self.folder / 'part/model.onnx').exists())
        self.run_json('run', '--resume', self.folder / 'part')
        self.assertEqual(digest(self.folder / 'whole/model.onnx'), digest(self.folder / 'part/model.onnx'))

    def test_everything_that_training_keeps_resumes_with_the_same_bits(self):
        settings = ('training.ema={decay: 0.9}', 'training.accumulate=2', 'training.clip_norm=0.5', 'training.optimizer={class: AdamW, lr: 0.002}',
                    'lr_schedulers.cosine={class: ReduceLROnPlateau, patience: 0, threshold: 0.5}', 'training.num_best_scores=2')
        flags = [part for setting in settings for part in ('--set', setting)]
        whole = self.run_recipe('whole', *flags)
        self.assertEqual(len(whole['best_epochs']), 1, 'epochs 0 to 2 still prune')
        process = self.start('killed', *flags)
        self.wait_for_epoch('killed', 2, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.run_json('run', '--resume', self.folder / 'killed')
        self.assert_same_result('whole', 'killed')

    PLAIN = """
        name: plain
        model: {arch: lenet5}
        data: {name: synthetic_mnist, batch_size: 32, limits: {train: 320, validation: 64, test: 128}}
        training: {epochs: 3, seed: 7, optimizer: {class: SGD, lr: 0.02, momentum: 0.9}}
    """

    def plain(self, out, *args):
        return self.run_json('run', self.write('plain.yaml', self.PLAIN), '--out', self.folder / out, *args)

    def test_the_best_epochs_are_reported(self):
        summary = self.plain('a', '--num-best-scores', 2)
        best = summary['best_epochs']
        self.assertEqual(len(best), 2)
        self.assertEqual(best[0]['epoch'], summary['best_epoch'])
        self.assertGreaterEqual(best[0]['value'], best[1]['value'])
        text = self.run_ok('run', self.folder / 'plain.yaml', '--out', self.folder / 'b', '--num-best-scores', 2).stdout
        self.assertIn('best epoch', text)

    def test_a_run_starts_with_the_weights_of_another_and_nothing_else(self):
        first = self.plain('a')
        again = self.plain('b', '--weights', self.folder / 'a', '--set', 'training.epochs=0')
        self.assertEqual(again['baseline']['metrics'], first['result']['metrics'])
        self.fails(2, 'do not fit', 'other shapes', args=('run', self.folder / 'plain.yaml', '--set', 'model.arch=simplenet_cifar', '--data', 'synthetic',
                                                        '--weights', self.folder / 'a', '--out', self.folder / 'c'))
        self.assertFalse((self.folder / 'c').exists())

    def test_a_resumed_run_may_forget_the_state_of_its_optimiser(self):
        process = self.start('a')
        self.wait_for_epoch('a', 1, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done = self.run_ok('run', '--resume', self.folder / 'a', '--reset-optimizer')
        self.assertIn('the optimiser starts without its state', done.stderr)
        self.fails(2, '--reset-optimizer needs --resume', '--weights RUN', args=('run', self.recipe, '--reset-optimizer'))
        self.fails(2, '--num-best-scores cannot change it', args=('run', '--resume', self.folder / 'a', '--num-best-scores', 3))

    def test_averages_are_the_result_or_a_file(self):
        raw = self.plain('raw', '--set', 'training.ema={decay: 0.9, apply: false}')
        self.assertTrue((self.folder / 'raw/ema.safetensors').exists())
        averaged = self.plain('averaged', '--set', 'training.ema={decay: 0.9}')
        self.assertFalse((self.folder / 'averaged/ema.safetensors').exists())
        self.assertNotEqual(raw['result']['metrics'], averaged['result']['metrics'])
        from_file = self.plain('file', '--weights', self.folder / 'raw/ema.safetensors', '--set', 'training.epochs=0')
        if averaged['best_epoch'] == 2:
            self.assertEqual(from_file['result']['metrics'], averaged['result']['metrics'])

    def test_the_confusion_matrix_of_the_test_split(self):
        summary = self.plain('a', '--set', 'training.task={class: classification, confusion_matrix: true}')
        self.assertEqual(sum(map(sum, summary['confusion_matrix'])), 128)
        self.assertEqual(len((self.folder / 'a/confusion.csv').read_text().splitlines()), 11)

    def test_a_damaged_checkpoint_is_refused(self):
        self.run_recipe('a')
        for name in ('graph.onnx', 'tensors.safetensors', 'state.json'):
            path = self.folder / 'a/checkpoint' / name
            whole = path.read_bytes()
            path.write_bytes(whole[:len(whole) // 2])
            self.fails(2, name, args=('run', '--resume', self.folder / 'a'))
            path.write_bytes(whole)

    def test_a_checkpoint_of_another_recipe_is_refused(self):
        self.run_recipe('a')
        other = self.write('other.yaml', RECIPE.replace('seed: 7', 'seed: 8'))
        self.fails(2, 'another recipe', args=('run', other, '--resume', self.folder / 'a'))
        (self.folder / 'a/recipe.yaml').write_text(other.read_text())
        self.fails(2, 'another recipe', args=('run', '--resume', self.folder / 'a'))

    def test_a_folder_that_holds_a_run_is_not_overwritten(self):
        self.run_recipe('a')
        self.fails(2, 'holds a run already', '--resume', args=('run', self.recipe, '--out', self.folder / 'a'))

    def test_two_processes_cannot_share_a_run_directory(self):
        process = self.start('a')
        self.wait_for_epoch('a', 1, process)
        self.fails(2, 'is in use by another process', args=('run', '--resume', self.folder / 'a'))
        self.assertEqual(process.wait(), 0)

    def test_a_resumed_run_stays_in_its_folder(self):
        self.fails(2, '--out', args=('run', '--resume', self.folder, '--out', self.folder / 'b'))

    def test_an_output_directory_that_cannot_be_made(self):
        (self.folder / 'file').write_text('')
        self.fails(2, 'file', args=('run', self.recipe, '--out', self.folder / 'file/run'))

    def test_a_loss_that_is_not_finite_stops_the_run(self):
        self.fails(3, 'epoch', 'finite', args=('run', self.recipe, '--out', self.folder / 'a', '--set', 'training.optimizer.lr=1e30'))
        self.assertFalse((self.folder / 'a/model.onnx').exists())

    def test_failed_checks_give_exit_status_1_and_still_write_the_model(self):
        self.write('tiny.yaml', RECIPE + 'checks: {macs_ratio_at_most: 0.01, metric_at_least: {top1: 101}}\n')
        done = subprocess.run([COMPRESS, 'run', str(self.recipe), '--out', str(self.folder / 'a')], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn('MACs are', done.stderr)
        self.assertIn('top1 is', done.stderr)
        self.assertTrue((self.folder / 'a/model.onnx').exists())

    def test_a_dry_run_prints_the_timeline_and_writes_nothing(self):
        text = self.run_ok('run', self.recipe, '--dry-run', '--out', self.folder / 'a').stdout
        for instance in ('filters', 'thin', 'teacher', 'cosine', 'int8'):
            self.assertIn(instance, text)
        self.assertEqual(os.listdir(self.folder), ['tiny.yaml'])

    def test_the_exported_model_runs_in_onnx_runtime_with_the_reported_accuracy(self):
        import numpy
        import onnxruntime
        summary = self.run_recipe('a')
        self.run_ok('eval', self.folder / 'a/model.onnx', '--data', 'synthetic_mnist', '--limit', 128, '--seed', 7)
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(self.folder / 'a/model.onnx'), options)
        shape = [2, 1, 28, 28]
        logits = session.run(None, {session.get_inputs()[0].name: numpy.zeros(shape, numpy.float32)})[0]
        self.assertEqual(logits.shape, (2, 10))
        again = self.run_json('eval', self.folder / 'a/model.onnx', '--data', 'synthetic_mnist', '--limit', 128, '--seed', 7)
        self.assertAlmostEqual(again['top1'], summary['result']['metrics']['top1'], delta=1.6)


if __name__ == '__main__':
    unittest.main()
