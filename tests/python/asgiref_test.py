# SPDX-License-Identifier: Apache-2.0
"""The test suite of asgiref passes when its event loops use Rondo's selector."""
import concurrent.futures
import re
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

from python_server import NEWEST, VENVS, environment_of, python_of

from server import BACKENDS

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
CACHE = VENVS.parent / "asgiref"  # build/asgiref


def source_archive():
    """The source archive of the version in requirements.txt, from PyPI at the first use: the wheel has no tests."""
    requirement = re.search(r"^asgiref==.*$", REQUIREMENTS.read_text(), re.M).group()
    archive = CACHE / f"{requirement.replace('==', '-')}.tar.gz"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run([python_of(NEWEST), "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
                        "--no-binary", "asgiref", "-d", str(CACHE), requirement], check=True, timeout=120)
    return archive


def run(folder, backend):
    command = [python_of(NEWEST), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "asgiref_plugin", "tests"]
    environment = environment_of(NEWEST, Path(__file__).resolve().parent, TEST_BACKEND=backend)
    return subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=200)


class Asgiref(unittest.TestCase):
    def test_its_own_suite(self):
        if not NEWEST:
            self.skipTest("the extension is not built for any Python")
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            with tarfile.open(source_archive()) as archive:
                members = [m for m in archive.getmembers() if "/tests" in m.name or m.name.endswith("/setup.cfg")]
                archive.extractall(folder, members)
            source = next(Path(folder).iterdir())
            with concurrent.futures.ThreadPoolExecutor(len(BACKENDS)) as threads:
                results = list(threads.map(lambda backend: run(source, backend), BACKENDS))
        for backend, done in zip(BACKENDS, results):
            with self.subTest(backend=backend):
                self.assertEqual(done.returncode, 0, done.stdout[-8000:])
                self.assertGreater(int(re.search(r"(\d+) passed", done.stdout).group(1)), 90, done.stdout[-8000:])
                loops = re.search(r"^(\d+) loops with Rondo's selector, (\d+) with Python's$", done.stdout, re.M)
                ours, others = map(int, loops.groups())
                self.assertGreater(ours, 4 * others)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
