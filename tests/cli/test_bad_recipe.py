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

    def quantizing(self, arguments, ending=''):
        text = GOOD[:GOOD.index('pruners:')] + f'quantizers: {{q: {{{arguments}}}}}\npolicies: [{{quantizer: {{instance_name: q}}}}]\n'
        return text + ending

    def test_a_grid_that_the_exported_format_has_no_operators_for(self):
        for arguments in ('class: PostTrainQuantizer, runtime: nnie', 'class: PostTrainQuantizer, weights: gfpq',
                          'class: PostTrainQuantizer, overrides: {conv1: {activations: gfpq}}'):
            for form in ('onnx-qdq', 'onnx-qoperator'):
                self.says(self.quantizing(arguments, f'export: [{{format: {form}}}]\n'), 'recipe.yaml:4:', 'ONNX has no operators for the grid GFPQ',
                          f"the format '{form}'", "use 'format: onnx-float' with 'encodings: [nnie]'")
        for arguments in ('runtime: nnie, weights: symmetric, activations: symmetric', 'runtime: nnie, weights: symmetric, bits_activations: null'):
            recipe = self.write('recipe.yaml', self.quantizing('class: PostTrainQuantizer, ' + arguments, 'export: [{format: onnx-qdq}]\n'))
            self.run_ok('check', recipe)

    def test_16_bits_are_exported(self):
        arguments = 'class: PostTrainQuantizer, bits_weights: 16, bits_activations: 16, bits_inputs: 16'
        self.run_ok('check', self.write('recipe.yaml', self.quantizing(arguments, 'export: [{format: onnx-qdq}]\n')))

    def test_a_format_for_quantised_models_without_a_quantizer(self):
        for form in ('onnx-qdq', 'onnx-qoperator', 'onnx-float'):
            self.says(GOOD + f'export: [{{format: {form}}}]\n', f"the recipe exports '{form}', but has no quantizer", "use 'format: onnx'")
        idle = self.quantizing('class: PostTrainQuantizer', 'export: [{format: onnx-qdq}]\n')
        self.says(idle.replace('[{quantizer: {instance_name: q}}]', '[]'), 'but has no quantizer', "no policy names one of 'quantizers'")

    def test_a_training_quantizer_that_leaves_all_in_floating_point(self):
        recipe = self.quantizing('class: LsqQuantizer').replace('{instance_name: q}', '{instance_name: q}, starting_epoch: 0, ending_epoch: 4')
        self.says(recipe, 'recipe.yaml:4:', "nothing of 'lenet5' is quantised: every layer stays in floating point", "give 'bits_weights' or 'bits_activations'")

    def test_what_is_wrong_with_an_export_is_said_of_its_place(self):
        self.says(self.quantizing('class: PostTrainQuantizer', 'export:\n- {format: onnx-qdq}\n- {format: onnx-qdq, file: clip_search.yaml}\n'),
                  "recipe.yaml:8:28: error: the export 'clip_search.yaml' would overwrite the run's own 'clip_search.yaml'")
        self.says(self.quantizing('class: PostTrainQuantizer', 'export: {format: onnx}\n'), 'recipe.yaml:6:', "exports the floating-point format 'onnx'")

    def test_a_pass_quantises_as_well(self):
        recipe = (GOOD[:GOOD.index('pruners:')] + 'passes: {p: {class: quant_dequant_weight}}\npolicies: [{pass: {instance_name: p}}]\n'
                  'export: [{format: onnx-float, encodings: [nnie]}]\n')
        self.run_ok('check', self.write('recipe.yaml', recipe))
        self.says(recipe.replace('quant_dequant_weight', 'unquant_weight'), "exports 'onnx-float', but has no quantizer")

    def test_what_a_network_cannot_have_is_found_before_training(self):
        self.says(self.quantizing('class: PostTrainQuantizer, group_size: 7'), 'recipe.yaml:4:',
                  'groups of 7 do not divide the 1 input channels of a weight', "quantising the weight of 'conv1'")
        for name in ('PostTrainQuantizer', 'LapqQuantizer'):
            self.says(self.quantizing(f'class: {name}, bits_weights: null, bits_activations: 32'), 'recipe.yaml:4:', "nothing of 'lenet5' is quantised")
        self.says(self.quantizing('class: LapqQuantizer, activations: symmetric, search_clipping: true'), "'search_clipping'", 'all grids are symmetric')

    def test_files_that_a_run_cannot_write_or_writes_itself(self):
        own = "would overwrite the run's own"
        for file in ('lapq.json', 'clip_search.yaml'):
            self.says(GOOD + f'export: [{{file: {file}}}]\n', f"the export '{file}' {own} '{file}'")
        def saved(file):
            return self.quantizing(f'class: PostTrainQuantizer, save_statistics: {file}')
        self.says(saved('clip_search.yaml'), f"the file of statistics 'clip_search.yaml' {own}")
        self.says(saved('/nowhere/x.yaml'), 'recipe.yaml:4:', "cannot write '/nowhere/x.yaml': there is no folder '/nowhere'")
        self.says(saved('some/x.yaml'), "the file of statistics 'some/x.yaml' names a folder")

    def test_patterns_of_file_names_in_overrides(self):
        self.says(self.quantizing("class: PostTrainQuantizer, overrides: {'conv*': {bits_weights: 4}}"), "override 'conv*' matches no node",
                  "patterns are regular expressions: 'conv.*'")

    def test_made_up_data_have_no_folder(self):
        self.says(self.replaced('synthetic_mnist}', 'synthetic_mnist, path: /nowhere}'), "'synthetic_mnist' is made up", "'/nowhere'", 'leave the folder out')
        self.fails(2, "'synthetic_mnist' is made up", args=('check', self.write('recipe.yaml', GOOD), '--data', 'synthetic_mnist:/nowhere'))

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
