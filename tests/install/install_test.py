#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs the build into an empty folder and builds a ten-line application against the installation."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BUILD = Path(os.environ["RONDO_BUILD"])
HERE = Path(__file__).resolve().parent
COMPILERS = [name for name in ("g++", "clang++-19") if shutil.which(name)]


def run(*command, **more):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=240, check=False, **more)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}\n{result.stdout}{result.stderr}")
    return result.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = Path(folder.name)
        cls.prefix = cls.work / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix)

    def check_program(self, program):
        self.assertIn("GET", run(program, "routes"))

    def test_find_package(self):
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                out = self.work / compiler
                run("cmake", "-S", HERE, "-B", out, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}",
                    f"-DCMAKE_CXX_COMPILER={compiler}", "-DCMAKE_BUILD_TYPE=Release")
                run("cmake", "--build", out)
                self.check_program(out / "app")

    def test_pkg_config(self):
        [file] = self.prefix.rglob("rondo.pc")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(file.parent)}
        flags = run("pkg-config", "--cflags", "--libs", "rondo", env=environment).split()
        for compiler in COMPILERS:
            with self.subTest(compiler=compiler):
                program = self.work / f"app-{compiler}"
                run(compiler, "-O1", HERE / "app.cpp", *flags, "-o", program)
                self.check_program(program)

    def test_headers_stand_alone(self):
        include = self.prefix / "include"
        headers = sorted(include.rglob("*.hpp"))
        self.assertTrue(headers)
        text = "".join(f"#include <{h.relative_to(include)}>\n" for h in reversed(headers))
        run(COMPILERS[-1], "-std=c++23", "-fsyntax-only", f"-I{include}", "-x", "c++", "-", input=text)

    def test_a_program_without_client_and_database_does_not_load_their_libraries(self):
        libraries = run("ldd", BUILD / "bin" / "view_kinds")
        self.assertIn("libstdc++", libraries)
        for name in ("libssl", "libpsl", "libbrotli", "libpq", "libsqlite3", "libhiredis"):
            self.assertNotIn(name, libraries, "it costs every worker memory")


if __name__ == "__main__":
    unittest.main()
