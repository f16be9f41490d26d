# SPDX-License-Identifier: Apache-2.0
"""CPython's own suites of asyncio pass when its loops use Rondo's selector."""
import concurrent.futures
import re
import subprocess
import unittest
from pathlib import Path

from python_server import PYTHONS, environment_of, python_of

from server import BACKENDS

SCRIPT = Path(__file__).resolve().parent / "cpython_suites.py"
SUITES = ("test_selector_events", "test_streams", "test_subprocess", "test_tasks")
MISSING = 5  # exit status of the script


def run(version, backend):
    return subprocess.run([python_of(version), str(SCRIPT), backend, *SUITES], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True, errors="replace", timeout=250,
                          env=environment_of(version))


class CPythonSuites(unittest.TestCase):
    def test_suites_of_asyncio(self):
        if not PYTHONS:
            self.skipTest("the extension is not built for Python 3.11 or newer")
        combinations = [(version, backend) for version in PYTHONS for backend in BACKENDS]
        # The suites wait more than they compute.
        with concurrent.futures.ThreadPoolExecutor(len(combinations)) as threads:
            results = list(threads.map(lambda c: run(*c), combinations))
        for (version, backend), done in zip(combinations, results):
            with self.subTest(python=version, backend=backend):
                if done.returncode == MISSING:
                    self.skipTest(f"Python {version}: {done.stdout.strip()}")
                self.assertEqual(done.returncode, 0, done.stdout[-8000:])
                tests = re.search(r"^Ran (\d+) tests", done.stdout, re.M)
                self.assertGreater(int(tests.group(1)), 1000)
                # A thread has one loop of Rondo; tests that make a second one in the same thread use Python's selector for it.
                loops = re.search(r"^(\d+) loops with Rondo's selector, (\d+) with Python's$", done.stdout, re.M)
                ours, others = map(int, loops.groups())
                self.assertGreater(ours, 4 * others)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
