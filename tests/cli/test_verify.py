"""compress verify, the overflow guard of exports and what summaries say of quantisers, as a user calls them."""
import csv
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import Case, compress  # noqa: E402

RECIPE = """
name: int8
model: {arch: lenet5}
data: {name: synthetic_mnist, batch_size: 32, limits: {train: 64, validation: 32, test: 32}}
training: {epochs: 0, seed: 1}
quantizers:
  int8: {class: PostTrainMinMaxQuantizer, calibration_samples: 32}
policies:
  - quantizer: {instance_name: int8}
export:
  - {format: onnx-qdq, file: model.onnx}
  - {format: onnx-qdq, file: signed.onnx, overflow_guard: warn}
  - {format: onnx-qdq, file: seven.onnx, overflow_guard: seven_bits}
"""
DATA = ('--data', 'synthetic_mnist', '--samples', '64')


class Verify(Case):
    """One small run serves all tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import tempfile
        cls.shared = tempfile.TemporaryDirectory(prefix='compress-test-')
        cls.addClassCleanup(cls.shared.cleanup)
        folder = pathlib.Path(cls.shared.name)
        (folder / 'recipe.yaml').write_text(RECIPE)
        cls.run_folder = folder / 'run'
        cls.done = compress('run', folder / 'recipe.yaml', '--out', cls.run_folder)
        assert cls.done.returncode == 0, cls.done.stdout + cls.done.stderr

    # ---- verify
    def test_floating_point_and_quantised(self):
        result = self.run_json('verify', 'lenet5', self.run_folder, *DATA)
        self.assertEqual(result['samples'], 64)
        self.assertEqual([layer['Layer'] for layer in result['layers']][:2], ['conv1', 'relu1'])
        self.assertEqual(result['only_first'], [])
        output = result['outputs'][0]
        self.assertGreater(output['SQNR (dB)'], 20)
        self.assertLess(output['Max error'], 0.2)
        self.assertGreater(output['Cosine'], 0.99)
        self.assertGreater(output['Same top-1 (%)'], 85)
        text = self.run_ok('verify', 'lenet5', self.run_folder, *DATA).stdout
        self.assertIn('64 test samples. ', text)
        self.assertIn('Processor: ', text)

    def test_the_exported_file_is_the_simulation(self):
        for file in ('model.onnx', 'signed.onnx'):
            result = self.run_json('verify', self.run_folder, self.run_folder / file, *DATA, '--threshold', '60')
            self.assertEqual(result['only_first'] + result['only_second'], [])
            self.assertEqual(result['failures'], [])

    def test_without_data_the_inputs_are_random_and_the_same_each_time(self):
        args = ('verify', 'lenet5', self.run_folder, '--samples', '20')
        first = self.run_ok(*args).stdout
        self.assertIn('20 random samples. ', first)
        self.assertEqual(first, self.run_ok(*args).stdout)
        self.assertNotEqual(first, self.run_ok(*args, '--seed', '2').stdout)

    def test_threads_change_nothing_but_the_time(self):
        args = ('verify', 'lenet5', self.run_folder, '--samples', '32')
        one, two = (self.run_json(*args, '--threads', threads) for threads in ('1', '2'))
        for kind in ('layers', 'outputs'):
            self.assertEqual(len(one[kind]), len(two[kind]))
            for row, other in zip(one[kind], two[kind]):
                # sums in another order move a value across a rounding here and there
                self.assertAlmostEqual(row['SQNR (dB)'], other['SQNR (dB)'], delta=0.5)
                self.assertAlmostEqual(row['Mean |error|'], other['Mean |error|'], delta=0.05 * row['Mean |error|'])

    def test_a_missed_limit_is_exit_status_1_and_the_table_is_there_all_the_same(self):
        path = self.folder / 'layers.csv'
        done = compress('verify', 'lenet5', self.run_folder, *DATA, '--threshold', '200', '--csv', path)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the SQNR of layer 'conv1' is ", done.stderr)
        self.assertIn("the SQNR of output 'output' is ", done.stderr)
        self.assertIn('but must be at least 200 dB', done.stderr)
        self.assertIn('First layer below 200 dB: conv1 (Conv, ', done.stdout)
        rows = list(csv.DictReader(path.read_text().splitlines()))
        self.assertEqual(rows[0]['Layer'], 'conv1')
        float(rows[0]['SQNR (dB)'])
        done = compress('verify', 'lenet5', self.run_folder, *DATA, '--max-error', '1e-9', '--json')
        self.assertEqual(done.returncode, 1)
        self.assertIn('the largest error of output', json.loads(done.stdout)['failures'][0])

    def test_a_model_equals_itself(self):
        text = self.run_ok('verify', 'lenet5', 'lenet5', '--samples', '8', '--threshold', '500', '--max-error', '0').stdout
        self.assertIn("No layer's SQNR is below 500 dB.", text)
        self.assertIn(' inf ', text)

    def test_models_that_are_not_two_forms_of_one_network(self):
        self.fails(2, "the models' inputs differ: input Nx1x28x28 (Float) and input Nx3x32x32 (Float)",
                   args=('verify', 'lenet5', 'resnet20_cifar'))
        self.fails(2, "the models' outputs differ", '1x10', '1x7', args=('verify', 'lenet5', 'lenet5?classes=7'))

    def test_bad_flags(self):
        self.fails(2, "'lenet6'", "did you mean 'lenet5'?", args=('verify', 'lenet5', 'lenet6'))
        self.fails(2, "task 'regression': output 'output' of 'lenet5' is 10 for each sample", args=('verify', 'lenet5', 'lenet5', '--data', 'synthetic_regression'))
        self.fails(2, '--samples', 'takes a whole number of at least 1', args=('verify', 'lenet5', 'lenet5', '--samples', '0'))
        self.fails(2, '--seed', 'takes a whole number of at least 0', args=('verify', 'lenet5', 'lenet5', '--seed', '-1'))
        for flag, text in (('--threshold', 'takes a finite number'), ('--max-error', 'takes a finite number of at least 0')):
            for value in ('nan', 'inf', 'ten'):
                self.fails(2, flag, text, f"not '{value}'", args=('verify', 'lenet5', 'lenet5', flag, value))
        self.fails(2, "not '-1'", args=('verify', 'lenet5', 'lenet5', '--max-error', '-1'))
        self.fails(2, '--threads', 'takes a whole number of at least 0', args=('verify', 'lenet5', 'lenet5', '--threads', '-1'))
        self.fails(2, "unknown split 'tset'", args=('verify', 'lenet5', 'lenet5', *DATA, '--split', 'tset'))
        self.fails(2, 'there is no folder', args=('verify', 'lenet5', 'lenet5', '--csv', self.folder / 'no/a.csv'))

    # ---- overflow guard
    def weight_types(self, file):
        text = self.run_ok('summary', file, '--what', 'model').stdout
        return {line.split(': ')[1].split('[')[0] for line in text.splitlines()
                if line.startswith('parameter') and 'weight:' in line}

    def test_a_run_says_which_layers_can_overflow_and_stores_their_weights_unsigned(self):
        self.assertIn('[overflow] x86 without VNNI adds pairs of byte products in 16 bits', self.done.stderr)
        self.assertIn('stored as unsigned bytes', self.done.stderr)
        self.assertEqual(self.weight_types(self.run_folder / 'model.onnx'), {'uint8'})
        self.assertEqual(self.weight_types(self.run_folder / 'signed.onnx'), {'int8'})

    def test_export_takes_the_guard(self):
        path = self.folder / 'a.onnx'
        done = self.run_ok('export', self.run_folder, '--format', 'onnx-qdq', '-o', path, '--overflow-guard', 'seven_bits')
        self.assertIn('grid of 7 bits', done.stderr)
        sums = self.run_json('summary', path, '--what', 'quantization')['accumulation']
        self.assertTrue(all(row['Largest pair'] <= 32767 for row in sums))
        self.assertNotIn('[overflow]', self.run_ok('export', self.run_folder, '--format', 'onnx-qdq', '-o', path,
                                                    '--overflow-guard', 'off').stderr)
        self.fails(2, "there is no overflow guard 'seven_bit'", "did you mean 'seven_bits'?",
                   args=('export', self.run_folder, '-o', path, '--overflow-guard', 'seven_bit'))

    # ---- summaries
    def test_the_quantization_summary(self):
        flags = ('summary', self.run_folder, '--what', 'quantization')
        text = self.run_ok(*flags).stdout
        self.assertIn('Activations are looked at with --data.', text)
        self.assertIn('Processor: ', text)
        self.assertIn('can overflow the 16-bit sums of x86 without VNNI', text)
        rows = {row['Name']: row for row in self.run_json(*flags, *DATA)['rows']}
        weight = rows['conv1.weight.quantizer']
        self.assertEqual((weight['Kind'], weight['Grid'], weight['Scales']), ('weight', 'int8 symmetric narrow', 20))
        self.assertGreater(weight['SQNR (dB)'], 35)
        self.assertEqual(weight['Clipped (%)'], 0)
        self.assertEqual(rows['input.quantizer']['Kind'], 'activation')
        self.assertIsNotNone(rows['input.quantizer']['SQNR (dB)'])

    def test_histograms_as_data_for_plots(self):
        flags = ('summary', self.run_folder, '--what', 'histograms', *DATA)
        data = self.run_json(*flags)['histograms']
        shown = {entry['name']: entry for entry in data}['input.quantizer']
        self.assertEqual(sum(shown['counts']), 64 * 28 * 28)
        self.assertEqual(len(shown['edges']), len(shown['counts']) + 1)
        self.assertLessEqual(len(shown['counts']), 128)
        self.assertEqual(len(shown['range']), 2)
        path = self.folder / 'h.csv'
        self.run_ok(*flags, '-o', path)
        rows = list(csv.DictReader(path.read_text().splitlines()))
        self.assertEqual(sum(int(row['Count']) for row in rows if row['Quantizer'] == 'input.quantizer'), 64 * 28 * 28)
        self.assertIn('input.quantizer', self.run_ok(*flags).stdout)

    def test_sensitivity_of_layers(self):
        result = self.run_json('summary', self.run_folder, '--what', 'sensitivity', *DATA)
        rows = {row['Name']: row for row in result['rows']}
        self.assertEqual(set(rows), {'conv1', 'conv2', 'fc1', 'fc2'})
        for row in rows.values():
            self.assertGreater(row['Only: SQNR (dB)'], result['all_sqnr'] - 1)
        self.assertIn('conv1.weight.quantizer', rows['conv1']['Quantizers'])
        self.assertGreater(result['weights_sqnr'], result['all_sqnr'] - 1)

    def test_summaries_and_data_that_do_not_go_together(self):
        self.fails(2, 'the sensitivity summary needs samples', 'add --data', args=('summary', self.run_folder, '--what', 'sensitivity'))
        self.fails(2, 'the compute summary does not look at data', args=('summary', 'lenet5', *DATA))
        for kind in ('sensitivity', 'quantization', 'histograms'):
            self.fails(2, 'the model has no simulated quantisers', 'compress quantize', args=('summary', 'lenet5', '--what', kind, *DATA))


if __name__ == '__main__':
    unittest.main()
