#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check_layers on small trees: it accepts allowed includes and reports others with file and line."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("RONDO_SOURCE", Path(__file__).resolve().parents[2]))

LAYERS = """
[[everywhere]]
headers = ["fmt/"]
files = ["*.cpp"]
package = "fmt"
[headers]
banned = ["iostream"]
[system]
folders = ["sys/"]
files = ["unistd.h"]
[folders.base]
layer = 0
includes = []
holds = "bytes"
[folders.codec]
layer = 1
includes = ["base"]
holds = "transforms"
foreign = [{ headers = ["zlib.h"], files = ["*gzip*.cpp"], package = "zlib" }]
[folders.web]
layer = 4
includes = ["base"]
holds = "views"
[folders.server]
layer = 4
includes = ["base", "codec"]
holds = "connections"
[folders.module]
layer = 5
private = true
includes = ["base"]
holds = "a module"
foreign = [{ headers = ["Python.h"], files = ["*.hpp", "*.cpp"] }]
"""


def run(root, *flags):
    command = [sys.executable, str(SOURCE / "tools/check_layers"), "--root", str(root), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "layers.toml").write_text(LAYERS)
        self.put("base/bytes.hpp", "#pragma once")
        self.put("codec/hex.hpp", "#pragma once")
        self.put("web/app.hpp", "#pragma once")

    def put(self, path, text):
        file = self.root / "src" / "rondo" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")

    def refused(self, path, text, *words):
        self.put(path, text)
        result = run(self.root)
        self.assertEqual(result.returncode, 1, result.stdout)
        for word in (f"src/rondo/{path}:", *words):
            self.assertIn(word, result.stdout)

    def allowed(self, path, text):
        self.put(path, text)
        result = run(self.root)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_lower_listed_folder(self):
        self.allowed("codec/hex.cpp", "#include <rondo/base/bytes.hpp>\n#include <vector>\n#include <sys/uio.h>")

    def test_higher_folder(self):
        self.refused("base/bytes.cpp", "\n#include <rondo/codec/hex.hpp>", "bytes.cpp:2:", "base (layer 0) must not include codec")

    def test_same_layer(self):
        self.refused("server/a.cpp", "#include <rondo/web/app.hpp>", "server (layer 4) must not include web (layer 4)")

    def test_lower_but_not_listed(self):
        self.refused("web/app.cpp", "#include <rondo/codec/hex.hpp>", "it may include: base")

    def test_umbrella_is_for_applications(self):
        self.allowed("web.hpp", "#pragma once\n#include <rondo/web/app.hpp>")
        self.refused("web/app.cpp", "#include <rondo/web.hpp>", "umbrella")

    def test_unknown_folder(self):
        self.refused("extras/a.cpp", "", "the folder extras is not in layers.toml")

    def test_missing_header(self):
        self.refused("web/app.cpp", "#include <rondo/base/nothing.hpp>", "does not exist")

    def test_quotes(self):
        self.refused("web/app.cpp", '#include "app.hpp"', "include root")

    def test_source(self):
        self.put("web/other.cpp", "")
        self.refused("web/app.cpp", "#include <rondo/web/other.cpp>", "is a source")

    def test_foreign_header_in_its_file(self):
        self.allowed("codec/gzip.cpp", "#include <zlib.h>\n#include <fmt/format.h>")

    def test_foreign_header_elsewhere(self):
        self.refused("codec/hex.cpp", "#include <zlib.h>", "allowed only in codec: *gzip*.cpp")
        self.refused("web/gzip.cpp", "#include <zlib.h>", "allowed only in codec: *gzip*.cpp")

    def test_foreign_header_in_a_header(self):
        self.refused("codec/gzip.hpp", "#pragma once\n#include <zlib.h>", "must not be in a .hpp")
        self.refused("web/text.hpp", "#pragma once\n#include <fmt/format.h>", "must not be in a .hpp")

    def test_foreign_header_in_a_private_header(self):
        self.allowed("module/object.hpp", "#pragma once\n#include <Python.h>")
        self.refused("module/text.hpp", "#pragma once\n#include <fmt/format.h>", "allowed only in any folder: *.cpp")
        self.refused("web/app.cpp", "#include <rondo/module/object.hpp>", "must not include module")

    def test_headers_of_tests(self):
        self.allowed("web/views_fixture.hpp", "#pragma once\n#include <iostream>\n#include <rondo/base/bytes.hpp>")
        self.allowed("web/app_test.cpp", "#include <rondo/web/views_fixture.hpp>")
        self.refused("web/app.cpp", "#include <rondo/web/views_fixture.hpp>", "for tests only")

    def test_unknown_header(self):
        self.refused("web/app.cpp", "#include <boost/asio.hpp>", "is not in layers.toml")

    def test_heavy_standard_header(self):
        self.refused("web/text.hpp", "#pragma once\n#include <iostream>", "too heavy")
        self.put("web/text.hpp", "#pragma once")
        self.allowed("web/text.cpp", "#include <iostream>")

    def test_header_without_pragma(self):
        self.refused("web/text.hpp", "", "#pragma once")

    def test_headers_that_include_each_other(self):
        self.put("web/a.hpp", "#pragma once\n#include <rondo/web/b.hpp>")
        self.put("web/b.hpp", "#pragma once\n#include <rondo/web/a.hpp>")
        result = run(self.root)
        self.assertEqual(result.returncode, 1)
        self.assertIn("rondo/web/a.hpp -> rondo/web/b.hpp -> rondo/web/a.hpp", result.stdout)

    def test_layers_that_contradict_themselves(self):
        (self.root / "layers.toml").write_text(LAYERS.replace('includes = []', 'includes = ["web"]', 1))
        result = run(self.root)
        self.assertEqual(result.returncode, 1)
        self.assertIn("only lower layers", result.stdout)

    def test_packages_come_with_the_files(self):
        self.assertIn("rondo_folder(codec INCLUDES base PACKAGES )", run(self.root, "--cmake").stdout)
        self.put("codec/gzip.cpp", "")
        self.assertIn("rondo_folder(codec INCLUDES base PACKAGES fmt zlib)", run(self.root, "--cmake").stdout)

    def test_private_folder_has_no_target(self):
        self.put("module/object.cpp", "")
        output = run(self.root, "--cmake").stdout
        self.assertIn("rondo_private_folder(module INCLUDES base PACKAGES fmt)", output)
        self.assertNotIn("rondo_folder(module", output)

    def test_table(self):
        self.assertIn("| 1 | `codec` | transforms | base | `zlib.h` in `*gzip*.cpp` |", run(self.root, "--table").stdout)

    def test_stale_table_in_the_docs(self):
        page = self.root / "docs" / "architecture.md"
        page.parent.mkdir()
        page.write_text("a\n<!-- tools/check_layers --table -->\n| old |\n<!-- end of table -->\nb\n")
        self.assertIn("run tools/check_layers --docs", run(self.root).stdout)
        run(self.root, "--docs")
        self.assertEqual(run(self.root).returncode, 0)
        self.assertIn("`codec`", page.read_text())
        self.assertTrue(page.read_text().endswith("<!-- end of table -->\nb\n"))

    def test_this_tree(self):
        result = run(SOURCE)
        self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    unittest.main()
