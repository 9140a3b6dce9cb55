"""The command line as a user meets it: help, typos, listings, JSON, exit status."""
import json
import sys
import unittest

sys.path.insert(0, str(__import__('pathlib').Path(__file__).resolve().parents[1]))
from support.binary import ROOT, Case, compress  # noqa: E402

COMMANDS = 'apply check eval explain export list quantize run summary verify'.split()
KINDS = 'models datasets operators passes pruners criteria granularities amounts regularizers quantizers observers runtimes export_formats encodings formats searches distillers optimizers lr_schedulers tasks sections'.split()


class CommandLine(Case):
    def test_help_names_every_command_and_shows_examples(self):
        text = self.run_ok('--help').stdout
        for command in COMMANDS:
            self.assertIn(f'  {command} ', text)
        self.assertIn('Examples:', text)

    def test_every_command_has_help_with_an_example(self):
        for command in COMMANDS:
            text = self.run_ok(command, '--help').stdout
            self.assertIn(f'Example:\n  compress {command}', text)

    def test_a_misspelt_command_names_the_nearest(self):
        self.fails(2, "unknown command 'sumary'", "did you mean 'summary'?", args=('sumary',))

    def test_an_unknown_flag_points_to_the_help(self):
        self.fails(2, '--bits', "see 'compress eval --help'", args=('eval', 'lenet5', '--data', 'synthetic_mnist', '--bits', '3'))

    def test_two_values_behind_one_set(self):
        self.fails(2, "'training.seed=2' is not expected here", 'each value has its own --set: --set a=1 --set b=2',
                   args=('run', 'recipe.yaml', '--set', 'training.epochs=1', 'training.seed=2'))

    def error_json(self, status, *args):
        """With --json an error is one line of JSON on stderr."""
        done = self.fails(status, args=(*args, '--json'))
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        error = json.loads(done.stderr)['error']
        self.assertEqual(error['exit_code'], status)
        return error

    def test_errors_are_json_when_json_is_asked_for(self):
        error = self.error_json(2, 'explain', 'AutomaticGradualPruner')
        self.assertEqual(error['message'], "nothing is called 'AutomaticGradualPruner'")
        self.assertEqual(error['hints'], ["did you mean 'AutomatedGradualPruner'?", "see 'compress list --help'"])
        self.assertEqual(error['others'], [])
        self.assertNotIn('where', error)

    def test_json_errors_say_where_and_hold_all_problems(self):
        recipe = self.write('recipe.yaml', 'training: {epoch: 3, seed: x}\nmodell: {arch: lenet5}\n')
        error = self.error_json(2, 'check', recipe)
        places = [error['where'], *(other['where'] for other in error['others'])]
        self.assertEqual([(place['line'], place['column']) for place in places], [(1, 12), (1, 28), (2, 1)])
        self.assertEqual(error['where']['file'], str(recipe))
        self.assertEqual(error['hints'], ["did you mean 'epochs'?"])

    def test_json_errors_of_the_command_line_itself(self):
        self.assertIn('--bits', self.error_json(2, 'eval', 'lenet5', '--data', 'synthetic_mnist', '--bits', '3')['message'])
        self.assertEqual(self.error_json(2, 'sumary')['hints'], ["did you mean 'summary'?"])

    def test_no_command_is_an_error(self):
        self.fails(2, 'error:', args=())

    def test_every_kind_is_listed(self):
        for kind in KINDS:
            rows = self.run_json('list', kind)[kind]
            self.assertTrue(rows)
            for row in rows:
                self.assertTrue(row['description'], row['name'])

    def test_list_of_an_unknown_kind(self):
        self.fails(2, "'pruner'", "did you mean 'pruners'?", args=('list', 'pruner'))

    def test_explain_shows_arguments_and_a_schema(self):
        text = self.run_ok('explain', 'AutomatedGradualPruner').stdout
        self.assertIn('final_sparsity', text)
        schema = self.run_json('explain', 'AutomatedGradualPruner')['schema']
        self.assertIn('final_sparsity', schema['properties'])
        self.assertIn('weights', schema['required'])

    def test_explain_shows_what_every_schedule_takes_and_the_sections_of_a_recipe(self):
        text = self.run_ok('explain', 'StepLR').stdout
        for argument in ('step_size', 'interval', 'warmup'):
            self.assertIn(argument, text)
        names = [argument['name'] for argument in self.run_json('explain', 'training')['arguments']]
        for setting in ('accumulate', 'clip_norm', 'clip_value', 'ema', 'freeze', 'precision', 'num_best_scores'):
            self.assertIn(setting, names)

    def test_apply_of_an_unknown_pass(self):
        self.fails(2, "unknown pass 'nope'", "see 'compress list passes'", args=('apply', 'lenet5', '--pass', 'nope', '--output', self.folder / 'a.onnx'))

    def test_the_examples_work_as_far_as_they_can_without_files(self):
        for command, flags in (('run', ['--dry-run']), ('check', []), ('explain', []), ('list', [])):
            example = self.run_ok(command, '--help').stdout.strip().splitlines()[-1].split()
            self.assertEqual(example[:2], ['compress', command])
            self.run_ok(*example[1:], *flags, cwd=ROOT)

    def test_explain_of_a_kind(self):
        self.fails(2, "nothing is called 'observers'", "'compress list observers' shows what there is of them", args=('explain', 'observers'))

    def test_export_formats_and_encodings_are_explained(self):
        self.assertIn('integers, with QuantizeLinear', self.run_ok('explain', 'onnx-qdq').stdout)
        self.assertIn('aimet (encodings)', self.run_ok('explain', 'aimet').stdout)

    def test_export_takes_encodings_in_front_of_the_model(self):
        self.fails(2, 'encodings go with a format for quantised models', args=('export', '--encodings', 'aimet', 'lenet5', '-o', self.folder / 'a.onnx'))

    def test_explain_of_an_unknown_class(self):
        self.fails(2, "did you mean 'AutomatedGradualPruner'?", args=('explain', 'AutomaticGradualPruner'))

    def test_summaries_of_a_zoo_network(self):
        compute = self.run_json('summary', 'simplenet_cifar', '--what', 'compute')
        self.assertEqual([row['MACs'] for row in compute['rows'] if row['MACs']], [352800, 240000, 48000, 10080, 840])
        resnet = self.run_json('summary', 'resnet20_cifar', '--what', 'compute')
        self.assertEqual(resnet['total_macs'], 40813184)
        for what in ('sparsity', 'model', 'modules', 'groups', 'graph'):
            self.assertTrue(self.run_ok('summary', 'resnet20_cifar', '--what', what).stdout)

    def test_summary_of_an_unknown_kind(self):
        self.fails(2, "'sparsety'", "did you mean 'sparsity'?", args=('summary', 'lenet5', '--what', 'sparsety'))

    def test_summary_into_a_file(self):
        self.run_ok('summary', 'lenet5', '--what', 'sparsity', '--output', self.folder / 'sparsity.csv')
        self.assertIn('conv1.weight', (self.folder / 'sparsity.csv').read_text())

    def test_drawings(self):
        for ending, start in (('.svg', b'<?xml'), ('.png', b'\x89PNG'), ('.pdf', b'%PDF'), ('.dot', b'digraph')):
            path = self.folder / ('lenet5' + ending)
            self.run_ok('summary', 'lenet5', '--what', 'graph', '--output', path)
            self.assertTrue(path.read_bytes().startswith(start), ending)

    def test_summary_into_a_file_of_the_wrong_kind(self):
        self.fails(2, "the compute summary cannot be written to 'x.pdf'", '.txt, .csv or .json', args=('summary', 'lenet5', '-o', 'x.pdf'))
        self.fails(2, 'has no depth', 'graph or modules', args=('summary', 'lenet5', '--depth', '1'))

    def test_model_arguments(self):
        self.assertIn('fc2.weight: float[7,500]', self.run_ok('summary', 'lenet5?classes=7', '--what', 'model').stdout)
        self.fails(2, "'clases'", "did you mean 'classes'?", args=('summary', 'lenet5?clases=7'))

    def test_eval_prints_json_for_machines(self):
        result = self.run_json('eval', 'lenet5', '--data', 'synthetic_mnist', '--limit', '100')
        self.assertEqual(result['samples'], 100)
        for key in ('top1', 'top5', 'loss', 'images_per_second'):
            self.assertIn(key, result)

    def test_eval_writes_and_shows_a_confusion_matrix(self):
        path = self.folder / 'confusion.csv'
        args = ('eval', 'lenet5', '--data', 'synthetic_mnist', '--limit', '100', '--confusion', path)
        text = self.run_ok(*args).stdout
        rows = [line.split(',') for line in path.read_text().splitlines()]
        self.assertEqual(len(rows), 11)
        self.assertIn('label', text)
        result = self.run_json(*args)
        counts = [[int(cell) for cell in row[1:]] for row in rows[1:]]
        self.assertEqual(counts, result['confusion_matrix'])
        self.assertEqual(sum(map(sum, counts)), 100)
        self.assertEqual(sum(counts[i][i] for i in range(10)), result['top1'])

    def test_a_confusion_matrix_of_anything_but_classes(self):
        self.fails(2, '--confusion', "'regression'", args=('eval', 'lenet5', '--data', 'synthetic_regression', '--confusion', self.folder / 'a.csv'))
        self.fails(2, 'there is no folder', args=('eval', 'lenet5', '--data', 'synthetic_mnist', '--confusion', self.folder / 'no/a.csv'))

    def test_eval_with_a_model_that_does_not_fit_the_data(self):
        self.fails(2, '3', '28', args=('eval', 'resnet20_cifar', '--data', 'synthetic_mnist'))

    def test_eval_of_an_unknown_split(self):
        self.fails(2, "unknown split 'tset'", args=('eval', 'lenet5', '--data', 'synthetic_mnist', '--split', 'tset'))

    def test_unknown_data_set(self):
        self.fails(2, "'cifar'", 'cifar10', args=('eval', 'lenet5', '--data', 'cifar'))

    def test_missing_data_names_the_folder(self):
        self.fails(2, str(self.folder), args=('eval', 'resnet20_cifar', '--data', f'cifar10:{self.folder}'))

    def test_cuda_that_is_not_there(self):
        done = compress('eval', 'lenet5', '--data', 'synthetic_mnist', '--limit', '10', '--device', 'cuda')
        if done.returncode != 0:
            self.assertEqual(done.returncode, 2)
            self.assertIn('cuda', done.stderr)

    def test_export_and_apply_write_models_that_import_again(self):
        self.run_ok('export', 'resnet20_cifar', '--output', self.folder / 'a.onnx')
        self.run_ok('apply', self.folder / 'a.onnx', '--pass', 'fold_batchnorm', '--output', self.folder / 'b.onnx')
        text = self.run_ok('summary', self.folder / 'b.onnx', '--what', 'model').stdout
        self.assertNotIn('BatchNormalization', text)
        self.assertIn('layer1.0.conv1 = Conv', text)

    def test_export_to_a_place_that_cannot_be_written(self):
        self.fails(2, 'there is no folder', 'nowhere', args=('export', 'lenet5', '--output', self.folder / 'nowhere/a.onnx'))

    def test_half_of_a_normalisation_is_filled_by_the_data_set(self):
        self.run_json('eval', 'lenet5', '--data', 'synthetic_mnist', '--limit', '50', '--set', 'data.normalize.mean=[0.4]')

    def test_float_network_has_no_integers_to_export(self):
        self.fails(2, "'onnx-qdq' needs a quantised model", 'quantise first', args=('export', 'lenet5', '--format', 'onnx-qdq', '--output', self.folder / 'a.onnx'))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_broken_onnx_files(self):
        self.run_ok('export', 'lenet5', '--output', self.folder / 'a.onnx')
        whole = (self.folder / 'a.onnx').read_bytes()
        for name, content in (('cut', whole[:1000]), ('garbage', b'garbage' * 100), ('empty', b'')):
            path = self.folder / f'{name}.onnx'
            path.write_bytes(content)
            self.fails(2, f'{name}.onnx', args=('summary', path))


if __name__ == '__main__':
    unittest.main()
