"""Every recipe of schedules/ binds to the network that it names."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from support.binary import Case  # noqa: E402

SCHEDULES = sorted((pathlib.Path(__file__).resolve().parents[2] / 'schedules').glob('*.yaml'))


class Schedules(Case):
    def test_each_recipe_is_ok(self):
        for recipe in SCHEDULES:
            with self.subTest(recipe.stem):
                self.assertIn('ok, all names bound', self.run_ok('check', recipe).stdout)


if __name__ == '__main__':
    unittest.main()
