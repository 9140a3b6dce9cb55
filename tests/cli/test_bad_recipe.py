"""What a wrong recipe says: message with place, nearest name, exit status 2, and nothing written."""
import os
import sys
import unittest

sys.path.insert(0, str(__import__('pathlib').Path(__file__).resolve().parents[1]))
from support.binary import Case  # noqa: E402

GOOD = """
model: {arch: "lenet5"}
data: {name: synthetic_mnist}
training: {epochs: 4, seed: 3}
pruners:
  agp:
    class: AutomatedGradualPruner
    initial_sparsity: 0.1
    final_sparsity: 0.5
    weights: [conv1.weight]
policies:
  - pruner: {instance_name: agp}
    starting_epoch: 0
    ending_epoch: 2
    frequency: 1
"""


class BadRecipe(Case):
    def says(self, text, *texts, command='check', status=2):
        recipe = self.write('recipe.yaml', text)
        done = self.fails(status, *texts, args=(command, recipe))
        self.assertEqual(sorted(os.listdir(self.folder)), ['recipe.yaml'])
        return done

    def replaced(self, old, new):
        self.assertIn(old, GOOD)
        return GOOD.replace(old, new)

    def test_a_good_recipe_is_ok(self):
        self.assertIn('all names bound', self.run_ok('check', self.write('recipe.yaml', GOOD)).stdout)

    def test_misspelt_class(self):
        self.says(self.replaced('AutomatedGradualPruner', 'AutomatedGradualPrunner'), 'recipe.yaml:6:12',
                  "unknown pruner 'AutomatedGradualPrunner'", "did you mean 'AutomatedGradualPruner'?")

    def test_misspelt_argument(self):
        self.says(self.replaced('final_sparsity', 'final_sparsty'), 'recipe.yaml:8:5', "'final_sparsty'",
                  "did you mean 'final_sparsity'?")

    def test_misspelt_section(self):
        self.says(self.replaced('pruners:', 'pruner:'), 'recipe.yaml:4:1', "'pruner'", "did you mean 'pruners'?")

    def test_misspelt_parameter_name(self):
        self.says(self.replaced('conv1.weight', 'conv1.weigth'), "'conv1.weigth'", "did you mean 'conv1.weight'?", 'recipe.yaml:9:')

    def test_pattern_that_matches_nothing(self):
        self.says(self.replaced('conv1.weight', "'layer*.weight'"), "'layer*.weight'", 'match')

    def test_undefined_instance(self):
        self.says(self.replaced('instance_name: agp', 'instance_name: apg'), "'apg'", "did you mean 'agp'?")

    def test_epoch_out_of_range(self):
        beyond = self.replaced('starting_epoch: 0', 'starting_epoch: 7').replace('ending_epoch: 2', 'ending_epoch: 9')
        self.says(beyond, 'recipe.yaml:12:21', 'epoch 7 never comes', '4 epochs')
        self.says(self.replaced('starting_epoch: 0', 'starting_epoch: 3'), 'recipe.yaml', "'ending_epoch' (2)")
        self.says(self.replaced('starting_epoch: 0', 'starting_epoch: -1'), "'starting_epoch'", '-1')
        self.says(self.replaced('frequency: 1', 'frequency: 0'), 'frequency')

    def test_wrong_type(self):
        self.says(self.replaced('final_sparsity: 0.5', 'final_sparsity: half'), "'final_sparsity' must be a number", 'half')
        self.says(self.replaced('epochs: 4', 'epochs: [1]'), "'epochs'")

    def test_value_out_of_range(self):
        self.says(self.replaced('final_sparsity: 0.5', 'final_sparsity: 1.5'), "'final_sparsity'", '1.5')

    def test_all_problems_are_reported_at_once(self):
        text = self.replaced('final_sparsity', 'final_sparsty').replace('epochs: 4', 'epoch: 4').replace('agp}', 'apg}')
        self.says(text, "'final_sparsty'", "'epoch'", "'apg'")

    def test_yaml_that_is_not_a_map(self):
        self.says('- a\n- b\n', 'recipe.yaml:1:1', 'a recipe is a map of sections, not a list')

    def test_duplicate_keys(self):
        self.says(GOOD + 'training: {epochs: 1}\n', "'training'", 'recipe.yaml:15:1', 'twice')

    def test_alias_bomb(self):
        levels = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
        for before, name in zip('abcdefgh', 'bcdefghi'):
            levels.append(f'{name}: &{name} [' + ', '.join(['*' + before] * 10) + ']')
        self.says('\n'.join(levels), 'alias')

    def test_broken_yaml(self):
        self.says('model: {arch: lenet5\ndata: [', 'recipe.yaml:')

    def test_empty_file(self):
        self.says('', 'recipe.yaml')

    def test_missing_recipe_file(self):
        self.fails(2, 'nowhere.yaml', args=('check', self.folder / 'nowhere.yaml'))

    def test_a_search_of_another_class(self):
        self.says(GOOD + 'searches: {greedy: {class: GreedyFilterPruner}}\n', "unknown search 'GreedyFilterPruner'",
                  "did you mean 'GreedyFilterPruning'?")

    def test_unknown_model_and_data(self):
        self.says(self.replaced('"lenet5"', '"lenet6"'), "'lenet6'", "did you mean 'lenet5'?")
        self.says(self.replaced('synthetic_mnist', 'synthetik'), "'synthetik'", "did you mean 'synthetic'?", command='run')

    def test_float_export_of_a_quantised_model(self):
        text = GOOD + 'quantizers: {int8: {class: PostTrainMinMaxQuantizer}}\nexport: [{format: onnx}]\n'
        text = text.replace('policies:\n', 'policies:\n  - quantizer: {instance_name: int8}\n')
        self.says(text, 'onnx-qdq')

    def test_exports_that_cannot_be_written(self):
        self.says(GOOD + 'export: [{file: metrics.jsonl}]\n', "would overwrite the run's own 'metrics.jsonl'")
        self.says(GOOD + 'export: [{file: /nowhere/a.onnx}]\n', "there is no folder '/nowhere'")
        self.says(GOOD + 'export: [{file: ../a.onnx}]\n', "the export '../a.onnx' names a folder")

    def test_more_bits_than_the_exported_format_carries(self):
        text = GOOD + 'quantizers: {int8: {class: PostTrainMinMaxQuantizer, bits_weights: 9}}\nexport: [{format: onnx-qdq}]\n'
        self.says(text.replace('policies:\n', 'policies:\n  - quantizer: {instance_name: int8}\n'), "'bits_weights' is 9", 'at most 8 bits')

    def test_nothing_to_prune(self):
        self.says(self.replaced('[conv1.weight]', '[]'), "'weights' is empty")

    def test_unknown_device(self):
        self.says(self.replaced('seed: 3', 'device: gpu'), "unknown device 'gpu'", 'cuda')

    def test_a_model_input_that_does_not_exist(self):
        self.says(self.replaced('"lenet5"', '"lenet5", inputs: {imput: image}'), "the model has no input 'imput'", "did you mean 'input'?")

    def training(self, setting):
        return self.replaced('seed: 3', 'seed: 3, ' + setting)

    def test_settings_of_training(self):
        self.says(self.training('clip_norm: 0'), "'clip_norm' must be a number above 0")
        self.says(self.training('clip_norm: 1, clip_value: 1'), "'clip_norm' and 'clip_value' exclude each other")
        self.says(self.training('precision: half'), "'precision' must be one of float32, bfloat16 or float16")
        self.says(self.training('precision: float16'), "precision 'float16' needs a CUDA device")
        self.says(self.training('ema: {decay: 1}'), "'decay' must be a number in [0, 1)")
        self.says(self.training('freeze: [conv1.wieght]'), "freeze: 'conv1.wieght' matches no trainable parameter", "did you mean 'conv1.weight'?")
        self.says(self.training("freeze: ['*']"), 'every trainable parameter', 'is frozen')
        self.says(self.training('accumulate: 0'), "'accumulate' must be an integer")

    def test_schedules_of_learning_rates(self):
        def schedule(entry):
            return GOOD.replace('policies:', f'lr_schedulers:\n  rates: {entry}\npolicies:\n  - {{lr_scheduler: {{instance_name: rates}}, epochs: [0]}}', 1)
        self.says(schedule('{class: MultiStepMultiGammaLR, milestones: [1], gammas: [1, 2]}'), "1 'milestones', but 2 'gammas'")
        self.says(schedule('{class: StepLR, step_size: 1, warmup: {epochs: 1, iterations: 1}}'), "'epochs' or 'iterations', not both")
        self.says(schedule('{class: ReduceLROnPlateau, metric: top2}'), "no metric 'top2' to follow", command='run')
        self.says(schedule('{class: ReduceLROnPlateau}').replace('synthetic_mnist}', 'synthetic_mnist, validation_split: 0}'), 'no validation split', command='run')

    def test_weights_that_are_no_weights(self):
        self.says(self.replaced('"lenet5"', f'"lenet5", weights: "{self.folder}"'), 'holds no checkpoint to take the weights from')

    def test_a_metric_that_the_task_does_not_have(self):
        self.says(GOOD + 'checks: {drop_at_most: {top2: 1}}\n', "there is no metric 'top2'", 'top1', command='run')

    def test_a_run_name_that_is_a_path(self):
        self.says(GOOD + 'name: ../x\n', "the run's name '../x' has a '/'")

    def test_overrides_are_checked_too(self):
        recipe = self.write('recipe.yaml', GOOD)
        self.fails(2, "'epoch'", args=('check', recipe, '--set', 'training.epoch=3'))


if __name__ == '__main__':
    unittest.main()
