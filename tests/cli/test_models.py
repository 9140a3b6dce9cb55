"""Models on the command line: the zoo, its arguments, weights from files."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import Case  # noqa: E402


class Models(Case):
    def test_the_zoo_is_listed_and_its_arguments_explained(self):
        names = {row['name'] for row in self.run_json('list', 'models')['models']}
        self.assertLessEqual({'resnet50', 'mobilenet_v2', 'vgg16_bn', 'googlenet', 'preact_resnet110_cifar_conv_ds', 'mobilenet'}, names)
        text = self.run_ok('explain', 'mobilenet_v2').stdout
        for argument in ('classes', 'resolution', 'width'):
            self.assertIn(argument, text)

    def test_arguments_change_the_network(self):
        cost = self.run_json('summary', 'mobilenet_v1?width=0.25&resolution=128&classes=7')
        self.assertEqual(cost['rows'][-1]['Weights volume'], 256 * 7)

    def test_arguments_that_do_not_fit(self):
        self.fails(2, "'resolutoin'", "did you mean 'resolution'?", args=('summary', 'resnet18?resolutoin=64'))
        self.fails(2, 'the resolution is too small', args=('summary', 'alexnet?resolution=20'))
        self.fails(2, "'avgpool' cannot average a map of 5x5 to 7x7", args=('summary', 'vgg11?width=0.1&resolution=160'))

    def test_weights_of_an_exported_file(self):
        exported = self.folder / 'a.onnx'
        self.run_ok('export', 'lenet5', '--output', exported)
        self.run_ok('export', 'lenet5', '--weights', exported, '--output', self.folder / 'b.onnx')
        self.assertEqual(exported.read_bytes(), (self.folder / 'b.onnx').read_bytes())
        self.fails(2, 'do not fit the model', "other shapes: 'fc2.weight' (7x500 in the model, 10x500 in the file)", '--match by_name',
                   args=('summary', 'lenet5?classes=7', '--weights', exported))
        done = self.run_ok('summary', 'lenet5?classes=7', '--weights', exported, '--match', 'by_name')
        self.assertIn("has other shapes, left out: 'fc2.weight'", done.stderr)

    def test_weights_that_cannot_be_loaded(self):
        self.fails(2, "the weights 'no.safetensors' do not exist", args=('summary', 'lenet5', '--weights', 'no.safetensors'))
        self.fails(2, '--weights', args=('summary', 'lenet5', '--match', 'by_name'))
        self.fails(2, 'by_nam', args=('summary', 'lenet5', '--weights', 'a.onnx', '--match', 'by_nam'))

    def test_a_recipe_says_where_its_model_is_wrong(self):
        recipe = self.write('recipe.yaml', '''
            model:
              arch: lenet5
              weights: no.safetensors
            data: {name: synthetic_mnist}
            training: {epochs: 1, optimizer: {class: SGD, lr: 0.1}}
        ''')
        self.fails(2, 'recipe.yaml:3:12: ', "the weights 'no.safetensors' do not exist", args=('check', recipe))


if __name__ == '__main__':
    unittest.main()
