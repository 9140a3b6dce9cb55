"""compress quantize: flags become a recipe, which is run."""
import json
import re
import sys
import unittest

sys.path.insert(0, str(__import__('pathlib').Path(__file__).resolve().parents[1]))
from support.binary import Case, compress  # noqa: E402

MODEL = ('lenet5', '--data', 'synthetic_mnist')
SMALL = (*MODEL, '--set', 'data.limits.train=160', '--set', 'data.limits.test=50', '--set', 'training.threads=1', '--samples', '60')


def network(path):
    """The bytes of a file without the hash of its recipe."""
    return re.sub(rb'recipe\.hash\x12\x08[0-9a-f]{8}', b'', path.read_bytes())


class Quantize(Case):
    def recipe(self, *flags):
        return self.run_ok('quantize', *MODEL, *flags, '--print-recipe').stdout

    def quantizer(self, *flags):
        """The recipe's entry, line by line."""
        text = self.recipe(*flags)
        return text[text.index('quantizers:'):text.index('policies:')]

    def quantize(self, *flags, name='quantised', source=SMALL):
        path = self.folder / f'{name}.onnx'
        summary = self.run_json('quantize', *source, *flags, '-o', path, '--out', self.folder / name)
        return path, summary

    def refused(self, *flags, texts, status=2):
        self.fails(status, *texts, args=('quantize', *MODEL, *flags))

    def test_without_flags_the_defaults_of_the_class_hold(self):
        text = self.recipe()
        self.assertIn('class: PostTrainQuantizer', text)
        self.assertIn('name: lenet5_quantized', text)
        self.assertIn('format: onnx-qdq', text)

    def test_long_and_short_spellings_are_the_same(self):
        for long, short, *value in (('--qe-bits-acts', '--qeba', '6'), ('--qe-bits-wts', '--qebw', '4'), ('--qe-mode', '--qem', 'asym_u'),
                                    ('--qe-mode-acts', '--qema', 'asym_s'), ('--qe-mode-wts', '--qemw', 'sym_restr'),
                                    ('--qe-clip-acts', '--qeca', 'gauss'), ('--qe-no-clip-layers', '--qencl', 'fc1', 'fc2'),
                                    ('--qe-no-quant-layers', '--qenql', 'conv1'), ('--qe-per-channel', '--qepc'),
                                    ('--qe-scale-approx-bits', '--qesab', '8')):
            self.assertEqual(self.recipe(long, *value), self.recipe(short, *value))
            self.assertNotEqual(self.recipe(long, *value), self.recipe())

    def test_each_flag_is_an_argument_of_the_recipe(self):
        for flags, line in ((('--qeba', '6'), 'bits_activations: 6'), (('--qeba', '0'), 'bits_activations: null'),
                            (('--qebw', '4'), 'bits_weights: 4'), (('--qem', 'asym_u'), 'activations: asymmetric_unsigned'),
                            (('--qem', 'asym_u'), 'weights: asymmetric_unsigned'), (('--qema', 'SYM'), 'activations: symmetric'),
                            (('--qemw', 'sym_restr'), 'weights: symmetric_restricted'),
                            (('--qema', 'asymmetric_signed'), 'activations: asymmetric_signed'),
                            (('--qeca', 'avg'), 'observer: averaged_min_max'), (('--qeca', 'LAPLACE'), 'observer: aciq_laplace'),
                            (('--qeca', 'n_std', '--qe-clip-n-stds', '2.5'), 'n: 2.5'), (('--qeca', 'none'), 'observer: min_max'),
                            (('--qe-per-tensor',), 'per_channel_weights: false'), (('--qepc',), 'per_channel_weights: true'),
                            (('--qe-bits-accum', '16'), 'bits_accum: 16'), (('--qesab', '8'), 'scale_approx_mult_bits: 8'),
                            (('--qe-calibration', '0.25'), 'calibration_fraction: 0.25'), (('--samples', '99'), 'calibration_samples: 99'),
                            (('--qe-dynamic',), 'dynamic: true'), (('--observer', 'mse'), 'observer: mse'),
                            (('--observer', '{class: percentile, percentile: 99.9}'), 'percentile: 99.9'),
                            (('--weight-observer', 'mse'), 'weight_observer: mse'), (('--runtime', 'tensorrt'), 'runtime: tensorrt'),
                            (('--bias-correction',), 'bias_correction: true'), (('--clip-search',), 'clip_search: true'),
                            (('--qe-lapq', '--lapq-maxiter', '3'), 'maxiter: 3'), (('--qe-lapq',), 'class: LapqQuantizer'),
                            (('--qe-lapq', '--lapq-maxfev', '9'), 'maxfev: 9'), (('--qe-lapq', '--lapq-method', 'Nelder-Mead'), 'method: nelder-mead'),
                            (('--qe-lapq', '--lapq-basinhopping'), 'basinhopping: true'), (('--qe-lapq', '--lapq-bh'), 'basinhopping: true'),
                            (('--qe-lapq', '--lapq-bh', '--lapq-basinhopping-niter', '7'), 'basinhopping_niter: 7'),
                            (('--qe-lapq', '--lapq-init-mode', 'L2'), 'init_mode: L2'), (('--qe-lapq', '--lapq-init-method', 'COBYLA'), 'init_method: cobyla'),
                            (('--qe-lapq', '--lapq-search-clipping'), 'search_clipping: true'),
                            (('--qem', 'float8_e4m3'), 'weights: float8_e4m3'), (('--qema', 'gfpq'), 'activations: gfpq'), (('--qemw', 'bfloat16'), 'weights: bfloat16'),
                            (('--qe-lapq', '--samples', '64'), 'eval_size: 64'), (('--qe-lapq', '--lapq-eval-size', '0.5'), 'eval_size: 0.5')):
            self.assertIn(line, self.quantizer(*flags), flags)

    def test_the_flags_beside_the_quantiser_are_in_the_recipe_too(self):
        for flags, line in ((('--weights', 'w.safetensors'), 'weights: w.safetensors'), (('--format', 'onnx-qoperator'), 'format: onnx-qoperator'),
                            (('--name', 'small'), 'name: small'), (('--encodings', 'aimet,tensorrt'), 'encodings: [aimet, tensorrt]'),
                            (('-o', '/tmp/x.onnx'), 'file: /tmp/x.onnx'), (('--runtime', 'nnie'), 'format: onnx-float'),
                            (('--runtime', 'nnie'), 'encodings: [nnie]'), (('--qem', 'gfpq', '--format', 'onnx-float'), 'format: onnx-float')):
            self.assertIn(line, self.recipe(*flags), flags)

    def test_weights_of_a_file(self):
        weights = self.folder / 'weights.onnx'
        self.run_ok('export', 'lenet5?classes=10', '-o', weights)
        direct, _ = self.quantize(name='direct', source=(weights, *SMALL[1:]))
        taken, _ = self.quantize('--weights', weights, name='taken')
        self.assertEqual(direct.stat().st_size // 1000, taken.stat().st_size // 1000)
        self.assertEqual(self.run_json('verify', direct, taken, '--samples', '4', '--max-error', '0')['failures'], [])

    def test_nnie_gets_its_marks_in_a_file_beside_the_model(self):
        path, summary = self.quantize('--runtime', 'nnie')
        self.assertEqual(summary['exports'][0]['format'], 'onnx-float')
        self.assertTrue(list(self.folder.glob('quantised*.json')))
        self.refused('--runtime', 'nnie', '--format', 'onnx-qdq', '--out', self.folder / 'x', texts=('--runtime: error: ONNX has no operators for the grid GFPQ',))
        self.assertFalse((self.folder / 'x').exists())

    def test_16_bits_run_in_onnx_runtime(self):
        import numpy
        import onnxruntime
        inputs = numpy.random.default_rng(1).uniform(0, 0.5, (4, 1, 28, 28)).astype('float32')  # inside of what calibration sees
        def outputs(path):
            session = onnxruntime.InferenceSession(str(path))
            return session.run(None, {session.get_inputs()[0].name: inputs})[0]
        floating = self.folder / 'float.onnx'
        self.run_ok('export', 'lenet5', '-o', floating)
        for form in ('onnx-qdq', 'onnx-qoperator'):
            path, _ = self.quantize('--qeba', '16', '--qebw', '16', '--format', form, name=form)
            numpy.testing.assert_allclose(outputs(path), outputs(floating), atol=2e-3)

    def test_more_samples_than_there_are(self):
        small = SMALL[:-2]
        for flags in (('--samples', '999999999'), ('--qe-lapq', '--lapq-maxiter', '1', '--lapq-eval-size', '1000000')):
            done = self.run_ok('quantize', *small, *flags, '--out', self.folder / flags[0])
            self.assertEqual(done.stderr.count('training samples are asked for, and there are 160: all of them are looked at'), 1, done.stderr)

    def test_the_printed_recipe_runs_and_gives_the_same_file(self):
        recipe = self.write('recipe.yaml', self.run_ok('quantize', *SMALL, '--qebw', '5', '--observer', 'mse', '--print-recipe').stdout)
        self.run_ok('check', recipe)
        self.run_ok('run', recipe, '--out', self.folder / 'run')
        path, _ = self.quantize('--qebw', '5', '--observer', 'mse')
        self.assertEqual(network(self.folder / 'run/model.onnx'), network(path))

    def test_the_summary_is_that_of_a_run(self):
        path, summary = self.quantize()
        self.assertEqual(summary['exports'][0]['file'], str(path))
        self.assertLess(summary['result']['weight_bytes'], 0.3 * summary['baseline']['weight_bytes'])
        self.assertIn('compress quantize', summary['command'])
        self.assertIn(b'DequantizeLinear', path.read_bytes())
        text = self.run_ok('quantize', *SMALL, '--out', self.folder / 'text').stdout
        self.assertIn('weight bytes', text)
        self.assertIn(str(self.folder / 'text/model.onnx'), text)

    def test_written_statistics_give_the_same_network_as_calibration(self):
        statistics = self.folder / 'statistics.yaml'
        for observer in ('min_max', 'averaged_min_max', 'aciq_gauss', 'aciq_laplace'):
            seen, _ = self.quantize('--observer', observer, '--save-statistics', statistics, name='seen-' + observer)
            read, _ = self.quantize('--observer', observer, '--qe-stats-file', statistics, name='read-' + observer, source=SMALL[:-2])
            self.assertEqual(network(seen), network(read), observer)

    def test_samples_for_what_is_done_beside_ranges_from_elsewhere(self):
        statistics = self.folder / 'statistics.yaml'
        self.quantize('--save-statistics', statistics)
        for name, *flags in (('searched', '--qe-stats-file', statistics, '--clip-search', '--qeba', '4'),
                             ('kept', '--observer', 'averaged_min_max', '--clip-search', '--qeba', '4'), ('dynamic', '--qe-dynamic', '--bias-correction')):
            path, _ = self.quantize(*flags, name=name)
            self.assertTrue(path.exists(), name)

    def test_statistics_of_another_model(self):
        statistics = self.folder / 'statistics.yaml'
        self.quantize('--save-statistics', statistics)
        self.fails(2, "has no statistics of value 'avgpool', nor of 30 more", args=('quantize', 'resnet20_cifar', '--data', 'synthetic_cifar', '--qe-stats-file', statistics,
                                               '--set', 'data.limits.train=20', '--set', 'data.limits.test=20', '--out', self.folder / 'other'))

    def test_encodings_that_cannot_be_written_are_found_before_anything_runs(self):
        (self.folder / 'net.encodings').mkdir()
        self.refused('-o', self.folder / 'net.onnx', '--encodings', 'aimet', '--out', self.folder / 'run',
                     texts=(f"cannot write '{self.folder}/net.encodings': it is a folder",))
        self.assertEqual([path.name for path in self.folder.iterdir()], ['net.encodings'])

    def test_what_a_statistics_file_cannot_tell(self):
        self.refused('--qe-stats-file', 'none.yaml', '--observer', 'mse',
                     texts=("observer 'mse' needs a histogram, which statistics files do not hold", 'from a file work: aciq_gauss'))

    def test_statistics_files_are_looked_at_before_anything_runs(self):
        out = self.folder / 'run'
        self.refused('--qe-stats-file', self.write('bad.yaml', 'conv1: ['), '--out', out, texts=('bad.yaml:', 'not valid YAML'))
        self.refused('--qe-stats-file', self.write('foreign.yaml', 'layer9: {}'), '--out', out, texts=('foreign.yaml:1:1', 'statistics of another model'))
        self.refused('--qe-stats-file', self.folder, '--out', out, texts=('--qe-stats-file: error: the statistics file', 'is a folder'))
        self.refused('--save-statistics', '/nowhere/x.yaml', '--out', out, texts=("--save-statistics: error: cannot write '/nowhere/x.yaml'",))
        self.assertFalse(out.exists())

    def test_a_statistics_file_that_is_not_there(self):
        self.refused('--qe-stats-file', 'none.yaml', '--out', self.folder / 'run',
                     texts=("none.yaml' is not there", 'save_statistics writes such a file'))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_weights_only(self):
        path, summary = self.quantize('--qeba', '0', source=SMALL[:-2])
        self.assertNotIn(b'QuantizeLinear', path.read_bytes().replace(b'DequantizeLinear', b''))
        self.assertLess(summary['result']['weight_bytes'], 0.3 * summary['baseline']['weight_bytes'])

    def test_a_calibration_set_smaller_than_a_batch(self):
        self.quantize('--samples', '3', source=SMALL[:-2])
        self.quantize('--qe-calibration', '0.01', name='share', source=SMALL[:-2])

    def test_every_way_to_a_network(self):
        for name, *flags in (('dynamic', '--qe-dynamic'), ('corrected', '--bias-correction', '--qebw', '4'),
                             ('searched', '--clip-search', '--qeba', '4'), ('lapq', '--qe-lapq', '--lapq-maxiter', '1')):
            source = SMALL[:-2] if name == 'dynamic' else SMALL
            path, _ = self.quantize(*flags, name=name, source=source)
            self.assertTrue(path.exists(), name)

    def test_the_clip_modes_that_were_found_are_overrides(self):
        found, _ = self.quantize('--clip-search', '--qeba', '4', name='searched')
        chosen = (self.folder / 'searched/clip_search.yaml').read_text()
        self.assertIn('observer: ', chosen)
        indented = ''.join('      ' + line + '\n' for line in chosen.splitlines() if not line.startswith('#'))
        recipe = self.run_ok('quantize', *SMALL, '--qeba', '4', '--print-recipe').stdout
        recipe = recipe.replace('bits_activations: 4', 'bits_activations: 4\n    overrides:\n' + indented.rstrip())
        self.run_ok('run', self.write('recipe.yaml', recipe), '--out', self.folder / 'run')
        self.assertEqual(network(self.folder / 'run/model.onnx'), network(found))

    def test_flags_without_an_effect_warn(self):
        done = self.run_ok('quantize', *MODEL, '--qe-lapq', '--lapq-eval-memoize-dataloader', '--qe-save-fp-weights', '--print-recipe')
        self.assertIn('--lapq-eval-memoize-dataloader has no effect: samples are kept in memory whenever they fit', done.stderr)
        self.assertIn('--qe-save-fp-weights has no effect: weights stay in floating point until the network is exported', done.stderr)
        self.assertNotIn('memoize', done.stdout)

    def test_a_configuration_file(self):
        config = self.write('config.yaml', 'quantizers:\n  q: {class: PostTrainQuantizer, bits_weights: 3}\n')
        self.assertIn('bits_weights: 3', self.quantizer('--qe-config-file', config))
        self.refused('--qe-config-file', config, '--qebw', '4', texts=('--qe-config-file and --qe-bits-wts do not go together',))
        whole = self.write('whole.yaml', 'quantizers:\n  q: {class: PostTrainQuantizer}\ndata: {name: mnist}\n')
        self.refused('--qe-config-file', whole, texts=("whole.yaml:3:1", "has a section 'data' besides", "'compress run' runs whole recipes"))
        trains = self.write('trains.yaml', 'quantizers:\n  q: {class: LsqQuantizer}\n')
        self.refused('--qe-config-file', trains, texts=('trains.yaml:2:', 'LsqQuantizer trains with quantisation', "use 'compress run'"))
        nothing = self.write('nothing.yaml', 'quantizers: {}\n')
        self.refused('--qe-config-file', nothing, texts=("has no 'quantizers' section with one quantizer",))

    def test_flags_that_do_not_go_together(self):
        together = 'do not go together'
        for flags, why in ((('--samples', '5', '--qe-calibration', '0.1'), 'each says which training samples are looked at'),
                           (('--qe-dynamic', '--qeca', 'avg'), 'dynamic ranges are the extremes of each batch'),
                           (('--qe-dynamic', '--qe-lapq'), "LAPQ has no 'dynamic'"),
                           (('--qeca', 'avg', '--observer', 'mse'), 'each says who chooses the ranges of activations'),
                           (('--clip-search', '--qe-lapq'), "LAPQ has no 'clip_search'"),
                           (('--qepc', '--qe-per-tensor'), 'a weight has one scale or several'),
                           (('--qem', 'sym', '--qema', 'asym_u'), 'both give the grid of activations'),
                           (('--qem', 'sym', '--qemw', 'asym_u'), 'both give the grid of weights')):
            self.refused(*flags, texts=(together, why))
        for flags, texts in ((('--samples', '5'), ("--qe-dynamic: error: 'dynamic' has no ranges to calibrate: 'calibration_samples'",)),
                             (('--qe-stats-file', 'x.yaml'), ("--qe-dynamic: error:", "'statistics' does not go with it")),
                             (('--save-statistics', 'x.yaml'), ("--qe-dynamic: error:", "'save_statistics' does not go with it")),
                             (('--clip-search',), ("--qe-dynamic: error:", "'clip_search' does not go with it")),
                             (('--observer', 'mse'), ("--observer: error: 'observer' chooses ranges that stay",))):
            self.refused('--qe-dynamic', *flags, texts=texts)
        for flag, value, argument in (('--samples', '5', 'calibration_samples'), ('--qe-calibration', '0.1', 'calibration_fraction')):
            self.refused('--qe-stats-file', 'x.yaml', flag, value, texts=(f"{flag}: error: '{argument}' has nothing to do: the statistics come from",))
        self.refused('--qeca', 'n_std', texts=('--qe-clip-acts n_std needs --qe-clip-n-stds',))
        self.refused('--qe-clip-n-stds', '2', texts=('--qe-clip-n-stds needs --qe-clip-acts n_std',))
        self.refused('--qe-lapq', '--samples', '5', '--lapq-eval-size', '5', texts=(together, 'which training samples are looked at'))
        for flags, argument in ((('--observer', 'mse'), 'observer'), (('--runtime', 'tensorrt'), 'runtime'), (('--qencl', 'conv1'), 'no_clip_layers'),
                                (('--qeca', 'avg'), 'observer'), (('--weight-observer', 'mse'), 'weight_observer'), (('--qenql', 'conv1'), 'no_quant_layers'),
                                (('--qe-bits-accum', '16'), 'bits_accum'), (('--qesab', '8'), 'scale_approx_mult_bits'),
                                (('--qe-stats-file', 'x.yaml'), 'statistics'), (('--save-statistics', 'x.yaml'), 'save_statistics')):
            self.refused('--qe-lapq', *flags, texts=('--qe-lapq', together, f"LAPQ has no '{argument}'"))
        self.refused('--qe-lapq', '--lapq-basinhopping-niter', '3', texts=('--lapq-basinhopping-niter needs --lapq-basinhopping',))
        self.refused('--qe-lapq', '--qem', 'sym', '--lapq-search-clipping', '--out', self.folder / 'x', texts=('--lapq-search-clipping: error:', 'all grids are symmetric'))
        for flags in (('--observer', 'mse'), ('--samples', '5'), ('--qe-dynamic',), ('--clip-search',)):
            self.refused('--qeba', '0', *flags, texts=(f'{flags[0]} has no effect beside --qe-bits-acts 0', 'activations stay in floating point'))
        for flags in (('--weight-observer', 'mse'), ('--qemw', 'sym'), ('--qe-per-tensor',)):
            self.refused('--qebw', '0', *flags, texts=('has no effect beside --qe-bits-wts 0: weights stay in floating point',))
        self.refused('--qeba', '0', '--qebw', '0', texts=('leave nothing to quantise',))
        self.refused('--lapq-maxiter', '3', texts=('--lapq-maxiter needs --qe-lapq',))

    def test_wrong_values_are_said_of_their_flag(self):
        self.refused('--qem', 'asymu', texts=("unknown value 'asymu' of --qe-mode", "did you mean 'asym_u'?"))
        self.refused('--qeca', 'mse', texts=("unknown value 'mse' of --qe-clip-acts", 'one of avg, gauss, laplace, n_std or none'))
        self.refused('--qebw', '1', texts=('--qe-bits-wts', "'bits_weights'"))
        self.refused('--qebw', 'four', texts=('--qe-bits-wts', 'integer'))
        self.refused('--qe-calibration', '1.5', texts=('--qe-calibration', "'calibration_fraction'"))
        self.refused('--qe-calibration', '0', texts=('--qe-calibration', "'calibration_fraction'"))
        self.refused('--observer', 'mean', texts=('--observer', "observer 'mean'"))
        self.refused('--qe-no-quant-layers', 'conv9', texts=("'conv9'", "did you mean 'conv1'"))
        self.refused('--runtime', 'nnie', '--qebw', '4', texts=('--qe-bits-wts: error: the number format GFPQ has 8 or 16 bits, not 4',))
        self.refused('--format', 'onnx-qdp', texts=('--format: error:', "did you mean 'onnx-qdq'?"))
        self.refused('--encodings', 'aimett', texts=("'aimett'", "did you mean 'aimet'?"))
        self.refused('--weights', 'none.onnx', texts=("--weights: error: the weights 'none.onnx' do not exist",))
        self.refused('--qe-lapq', '--lapq-method', 'nelder', texts=('--lapq-method: error:', 'one of powell, bobyqa, cobyla, nelder-mead or sbplx, not'))
        self.refused('--qe-lapq', '--lapq-method', 'cobila', texts=('--lapq-method: error:', "did you mean 'cobyla'?"))
        self.fails(2, 'model is required', "'--qe-no-clip-layers' takes all words that follow it", args=('quantize', '--qencl', 'conv1', *MODEL))
        self.fails(2, "error: unknown model 'lenet6'", "did you mean 'lenet5'?", args=('quantize', 'lenet6', '--data', 'synthetic_mnist'))
        self.refused('-o', '/nowhere/model.onnx', texts=("cannot write '/nowhere/model.onnx': there is no folder '/nowhere'",))

    def test_a_model_that_is_quantised_already(self):
        path, _ = self.quantize()
        self.fails(2, 'quantised', args=('quantize', path, *SMALL[1:], '--out', self.folder / 'again'))


if __name__ == '__main__':
    unittest.main()
