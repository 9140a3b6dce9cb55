"""Summaries as programs read them: CSV and JSON of every kind, comparisons."""
import csv
import json
import sys
import unittest

sys.path.insert(0, str(__import__('pathlib').Path(__file__).resolve().parents[1]))
from support.binary import Case  # noqa: E402

KINDS = 'compute graph groups masks model modules sparsity storage'.split()
TEXT = {'Name', 'Type', 'Attrs', 'IFM', 'OFM', 'Class', 'Output', 'Blocked by', 'Weights', 'Vectors', 'Inputs', 'Outputs', 'Shape',
        'Parameters', 'Packed as'}


class Summaries(Case):
    def written(self, ending, *args):
        path = self.folder / ('summary' + ending)
        self.run_ok('summary', *args, '--output', path)
        return path.read_text(encoding='utf-8')

    def rows(self, *args):
        return list(csv.DictReader(self.written('.csv', *args).splitlines()))

    def test_csv_of_every_kind_has_one_header_and_plain_numbers(self):
        for kind in KINDS:
            rows = self.rows('lenet5', '--what', kind)
            names = [row['Name'] for row in rows]
            self.assertEqual(len(set(names)), len(names), kind)
            self.assertNotIn('Total sparsity:', names)
            for row in rows:
                self.assertNotIn(None, row)
                for column, cell in row.items():
                    texts = TEXT - {'Weights'} if kind == 'graph' else TEXT - {'Parameters'} if kind == 'modules' else TEXT
                    if column not in texts and cell:
                        float(cell)

    def test_json_of_every_kind_holds_the_rows_of_the_csv(self):
        for kind in KINDS:
            data = json.loads(self.written('.json', 'lenet5', '--what', kind))
            records = data['nodes'] if kind in ('graph', 'model') else data['rows']
            self.assertEqual(len(records), len(self.rows('lenet5', '--what', kind)), kind)

    def test_a_comparison(self):
        flags = ('lenet5', '--compare', 'lenet5?classes=7')
        text = self.run_ok('summary', *flags).stdout
        self.assertIn('fc2   1x10        1x7                        5,000                 3,500                -30.0 %', text)
        self.assertIn('3 of 4 rows are the same in these columns.', text)
        self.assertIn('Total MACs: 2,293,000 -> 2,291,500 (-0.1 %)', text)
        compared = self.run_json('summary', *flags)
        self.assertEqual(compared['before'], 'lenet5')
        self.assertEqual(compared['totals']['total_weights'], {'before': 430500, 'after': 429000, 'change': -1500})
        changed = [row for row in self.rows(*flags) if row['Status'] == 'changed']
        self.assertEqual([(row['Name'], row['MACs before'], row['MACs after'], row['MACs change']) for row in changed],
                         [('fc2', '5000', '3500', '-1500')])

    def test_every_kind_can_be_compared(self):
        for kind in KINDS:
            compared = self.run_json('summary', 'lenet5', '--what', kind, '--compare', 'simplenet_mnist')
            self.assertEqual({row['Status'] for row in compared['rows']} - {'added', 'removed', 'changed', 'same'}, set())
            self.assertTrue(self.run_ok('summary', 'lenet5', '--what', kind, '--compare', 'simplenet_mnist').stdout)

    def test_a_comparison_is_no_picture(self):
        self.fails(2, "a comparison cannot be written to 'x.svg'", '.txt, .csv or .json',
                   args=('summary', 'lenet5', '--what', 'graph', '--compare', 'lenet5', '-o', 'x.svg'))

    def test_a_comparison_with_a_model_that_does_not_exist(self):
        self.fails(2, "'lenet6'", "did you mean 'lenet5'?", args=('summary', 'lenet5', '--compare', 'lenet6'))


if __name__ == '__main__':
    unittest.main()
