# SPDX-License-Identifier: Apache-2.0
"""The wheel, made of the modules in RONDO_BUILD, in a new virtual environment: the console script works without the tree."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

from python_server import ALL_PYTHONS, BUILD, PythonServer, python_of

from server import SOURCE, TIMEOUT

HELLO = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"wheel"})
"""


def run(*arguments, **more):
    # Variables of the tests would be settings of the server, and the modules of the tree would hide those of the wheel.
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("RONDO_", "PYTHON"))}
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, **more)
    assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


class Wheel(unittest.TestCase):
    versions = ALL_PYTHONS

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)

    def make_wheel(self, version):
        # A copy, so that nothing is written into the source tree.
        source = self.folder / f"source-{version}"
        source.mkdir()
        for name in ("CMakeLists.txt", "pyproject.toml", "README.md", "LICENSE", "CMakePresets.json"):
            shutil.copy(SOURCE / name, source)
        for name in ("cmake", "python"):
            shutil.copytree(SOURCE / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        run(python_of(version), "-m", "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--no-index",
            f"--config-settings=cmake.define.RONDO_PREBUILT={BUILD}", "-w", self.folder / version, source, cwd=self.folder)
        wheels = list((self.folder / version).glob("*.whl"))
        self.assertEqual(len(wheels), 1)
        return wheels[0]

    def install(self, version):
        wheel = self.make_wheel(version)
        self.assertIn(f"-cp{version.replace('.', '')}-", wheel.name)
        venv = self.folder / f"venv-{version}"
        run(python_of(version), "-m", "venv", venv)
        run(venv / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-index", wheel)
        return venv

    def test_the_installed_command_serves(self):
        (self.folder / "site").mkdir()
        (self.folder / "site/mysite.py").write_text(HELLO)
        for version in self.versions:
            with self.subTest(version=version):
                venv = self.install(version)
                self.assertRegex(run(venv / "bin/rondo", "--help", cwd=self.folder), r"Usage: rondo \[COMMAND\] APP")
                number = run(venv / "bin/rondo", "version", cwd=self.folder)
                self.assertRegex(number, r"\d+\.\d+\.\d+")
                found = run(venv / "bin/python", "-c", "import rondo; print(rondo.__version__, rondo.__file__)", cwd=self.folder)
                self.assertIn(str(venv), found)
                self.assertIn(re.search(r"\d+\.\d+\.\d+", number).group(), found)
                self.assert_serves([venv / "bin/rondo"])
                self.assert_serves([venv / "bin/python", "-m", "rondo"])

    def assert_serves(self, command):
        log = self.folder / "log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RONDO_", "PYTHON"))}
        with open(log, "wb") as errors:
            process = subprocess.Popen([*map(str, command), "mysite:app", "--bind", "127.0.0.1:0", "--workers", "2"],
                                       cwd=self.folder / "site", env=environment, stderr=errors, stdin=subprocess.DEVNULL)
        try:
            url = PythonServer.poll(lambda: re.search(r"^ *listen +(\S+)\n(.*\n)* *app +mysite:app", log.read_text(), re.M), 30,
                                    lambda: log.read_text()).group(1)
            self.assertEqual(urllib.request.urlopen(url, timeout=TIMEOUT).read(), b"wheel")
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
        self.assertEqual(status, 0, log.read_text())


if __name__ == "__main__":
    unittest.main(warnings="ignore")
