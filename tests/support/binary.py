"""Drives the compress binary; its path comes in COMPRESS (set by Meson)."""
import json
import os
import pathlib
import subprocess
import tempfile
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPRESS = os.environ.get('COMPRESS', str(ROOT / 'build/compress'))


def compress(*args, cwd=None, env=None, timeout=300):
    """Runs the binary; gives the finished process with text output."""
    return subprocess.run([COMPRESS, *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=timeout,
                          env={**os.environ, **(env or {})})


class Case(unittest.TestCase):
    """A test with a folder of its own."""

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix='compress-test-')
        self.folder = pathlib.Path(self._folder.name)
        self.addCleanup(self._folder.cleanup)

    def write(self, name, text):
        path = self.folder / name
        path.write_text(textwrap.dedent(text).lstrip('\n'))
        return path

    def run_ok(self, *args, **kw):
        done = compress(*args, **kw)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def run_json(self, *args, **kw):
        return json.loads(self.run_ok(*args, '--json', **kw).stdout)

    def fails(self, status, *texts, args, **kw):
        """The command ends with this status and says all these texts on stderr, without a stack trace and without writing to stdout."""
        done = compress(*args, **kw)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual(done.stdout, '')
        for trace in ('frame #', 'terminate called', 'Exception raised from', 'what():', 'Aborted'):
            self.assertNotIn(trace, done.stderr)
        return done
