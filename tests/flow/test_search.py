"""Searches in whole runs: before training and in an epoch, the same bits after Ctrl-C, goals that are not reached, wrong requests."""
import csv
import hashlib
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import COMPRESS, Case, compress  # noqa: E402

RECIPE = """
name: smaller
model: {arch: lenet5}
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 320, validation: 64, test: 64}}
training:
  epochs: 2
  seed: 7
  optimizer: {class: SGD, lr: 0.02, momentum: 0.9}
searches:
  greedy: {class: GreedyFilterPruning, target: 0.4, step: 0.2, min_channels: 2}
policies:
  - search: {instance_name: greedy}
export:
  - {format: onnx, file: model.onnx}
"""


class Search(Case):
    def setUp(self):
        super().setUp()
        self.recipe = self.write('smaller.yaml', RECIPE)

    def rows(self, out):
        with open(self.folder / out / 'search/greedy/search.csv') as file:
            return list(csv.DictReader(file))

    def digest(self, out):
        return hashlib.sha256((self.folder / out / 'model.onnx').read_bytes()).hexdigest()

    def run_recipe(self, out, *args):
        return self.run_json('run', self.recipe, '--out', self.folder / out, *args)

    def test_a_search_before_training_makes_the_network_smaller(self):
        summary = self.run_recipe('a')
        self.assertLessEqual(summary['ratio']['macs'], 0.4)
        self.assertEqual(summary['failed_checks'], [])
        rows = self.rows('a')
        self.assertEqual([row['iteration'] for row in rows], [str(i) for i in range(len(rows))])
        self.assertEqual(rows[0]['group'], '')
        self.assertEqual(int(rows[-1]['macs']), summary['result']['macs'])
        self.assertLessEqual(float(rows[-1]['normalized_macs']), 0.4)
        self.assertTrue(all(row['group'].endswith('.weight') for row in rows[1:]))
        # The best network so far is a model for every command.
        best = self.run_json('eval', self.folder / 'a', '--data', 'synthetic_mnist', '--limit', 64, '--seed', 7)
        self.assertEqual(best['top1'], summary['result']['metrics']['top1'])
        self.run_recipe('b')
        self.assertEqual(self.digest('a'), self.digest('b'))

    def test_a_search_in_an_epoch_cuts_the_momentum_along(self):
        recipe = self.write('later.yaml', RECIPE.replace('{instance_name: greedy}', '{instance_name: greedy}\n    epochs: [1]'))
        summary = self.run_json('run', recipe, '--out', self.folder / 'a')
        self.assertLessEqual(summary['ratio']['macs'], 0.4)
        self.assertEqual(summary['best_epoch'], 1)

    def test_ctrl_c_in_a_search_goes_on_to_the_same_bits(self):
        tune = ('--set', 'searches.greedy.fine_tune={batches: 4, learning_rate: 0.01}', '--set', 'searches.greedy.step=0.1')
        self.run_recipe('whole', *tune)
        process = subprocess.Popen([COMPRESS, 'run', str(self.recipe), '--out', str(self.folder / 'killed'), *tune],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        table = self.folder / 'killed/search/greedy/search.csv'
        for _ in range(6000):
            if process.poll() is not None or (table.exists() and len(table.read_text().splitlines()) >= 3):
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn(f"compress run --resume {self.folder / 'killed'}", errors)
        self.assertLess(len(self.rows('killed')), len(self.rows('whole')))
        self.run_json('run', '--resume', self.folder / 'killed')
        self.assertEqual(self.digest('killed'), self.digest('whole'))
        self.assertEqual(self.rows('killed'), self.rows('whole'))

    def test_a_goal_that_is_not_reached_fails_the_run_and_keeps_the_best(self):
        done = compress('run', self.recipe, '--out', self.folder / 'a', '--set', 'searches.greedy.max_iterations=1')
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("search 'greedy': the search ended at", done.stderr)
        self.assertIn("'max_iterations' is 1", done.stderr)
        self.assertEqual(len(self.rows('a')), 2)
        self.assertTrue((self.folder / 'a/model.onnx').exists())
        self.assertTrue((self.folder / 'a/search/greedy/best/graph.onnx').exists())

    def test_without_training_the_search_is_all(self):
        summary = self.run_recipe('a', '--set', 'training.epochs=0')
        self.assertEqual(summary['epochs'], 0)
        self.assertLessEqual(summary['ratio']['macs'], 0.4)

    def test_without_a_validation_split_training_samples_are_held_out(self):
        done = self.run_ok('run', self.recipe, '--out', self.folder / 'a', '--set', 'data.validation_split=0')
        self.assertIn('a tenth of the training samples is held out', done.stderr)
        self.assertLessEqual(float(self.rows('a')[-1]['normalized_macs']), 0.4)


class WrongSearch(Case):
    def says(self, old, new, *texts, command='check'):
        self.assertIn(old, RECIPE)
        recipe = self.write('recipe.yaml', RECIPE.replace(old, new))
        self.fails(2, *texts, args=(command, recipe))
        self.assertEqual([path.name for path in self.folder.iterdir()], ['recipe.yaml'])

    def test_targets(self):
        self.says('target: 0.4', 'target: 1.4', 'recipe.yaml:9:48', "'target' must be")
        self.says('target: 0.4', 'target: 0.0001', 'recipe.yaml:9:', "the 'target' 0.0001 of the MACs cannot be reached")

    def test_names(self):
        self.says('min_channels: 2', 'exclude: [conv3.weight]', 'recipe.yaml:9:', "'conv3.weight' names no weight",
                  "did you mean 'conv1.weight'?")
        self.says('min_channels: 2', 'include: [fc2.weight]', 'there are no channels to remove', "output 'output' of the network")
        self.says('GreedyFilterPruning', 'GreedyFilterPruner', 'recipe.yaml:9:19', "did you mean 'GreedyFilterPruning'?")

    def test_data(self):
        self.says('limits: {train: 320, ', 'validation_split: 0, limits: {train: 4, ', 'recipe.yaml:11:5',
                  'there is no validation data to search by', command='run')

    def test_epochs(self):
        self.says('{instance_name: greedy}', '{instance_name: greedy}\n    epochs: [0, 1]', 'recipe.yaml:11:5',
                  "search 'greedy' runs once, but its policy has 2 epochs")

    def test_fine_tuning(self):
        self.says('min_channels: 2', 'fine_tune: {learning_rate: 0.1}', 'recipe.yaml:9:', "either 'epochs' or 'batches'")


if __name__ == '__main__':
    unittest.main()
