#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check_docs on small trees: it accepts correct pages and reports errors with file and line."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("RONDO_SOURCE", Path(__file__).resolve().parents[2]))
PROGRAM = Path(os.environ.get("RONDO_BIN", SOURCE / "build/release/bin")) / "samples"

PROGRAM_TEXT = """\
// [sample one]
int one() { return 1; }
// [end]
int main() {
    // [sample two]
    if (one())
        return 2;
    // [end]
}
"""
ONE = "<!-- sample: program.cpp one -->\n```cpp\nint one() { return 1; }\n```\n"
TWO = "<!-- sample: program.cpp two -->\n```cpp\nif (one())\n    return 2;\n```\n"
REFERENCE = """\
## Listening

| flag | variable | default | |
|---|---|---|---|
| `--bind ADDRESS`, `-b` | `RONDO_BIND` | `127.0.0.1:8000` | where |
"""
APPLICATION = "\n## Application\n\n| flag |\n"
PAGE = f"# Settings\n\n<!-- settings -->\n{REFERENCE}<!-- end of settings -->\n"


class CheckDocs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.put("program.cpp", PROGRAM_TEXT)
        self.put("docs/other.md", "# The other page\n\n## A `second`, part\n")

    def put(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def run_it(self, *flags):
        command = [sys.executable, str(SOURCE / "tools/check_docs"), "--root", str(self.root), *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def allowed(self, *flags):
        result = self.run_it(*flags)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def refused(self, *words, flags=()):
        result = self.run_it(*flags)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for word in words:
            self.assertIn(word, result.stdout)

    def test_accepts_equal_samples(self):
        self.put("docs/page.md", "# Page\n\n" + ONE + "\n" + TWO + "\n```\nplain\n```\n```sh\nls\n```\n")
        self.allowed()

    def test_rejects_a_sample_that_differs(self):
        self.put("docs/page.md", "text\n" + ONE.replace("return 1", "return 7"))
        self.refused("docs/page.md:3: differs from the sample one of program.cpp")

    def test_write_copies_the_samples(self):
        self.put("docs/page.md", "a\n" + ONE.replace("return 1", "return 7") + "b\n" + TWO.replace("if (one())\n", "") + "c\n")
        self.allowed("--write")
        self.assertEqual((self.root / "docs/page.md").read_text(), "a\n" + ONE + "b\n" + TWO + "c\n")

    def test_rejects_a_missing_sample(self):
        self.put("README.md", ONE.replace(" one ", " three "))
        self.refused("README.md:1: the sample three of program.cpp does not exist")
        self.put("README.md", ONE.replace("program.cpp", "missing.cpp"))
        self.refused("missing.cpp does not exist")

    def test_rejects_invalid_regions(self):
        self.put("README.md", ONE)
        self.put("program.cpp", PROGRAM_TEXT + "// [sample one]\nint x;\n// [end]\n")
        self.refused("is defined twice")
        self.put("program.cpp", "// [sample one]\nint one() { return 1; }\n")
        self.refused("has no // [end]")

    def test_rejects_code_that_is_not_a_sample(self):
        self.put("docs/page.md", "```cpp\nint x;\n```\n")
        self.refused("docs/page.md:1: a block of C++ that is not a sample")
        self.put("docs/page.md", ONE.splitlines()[0] + "\n\ntext\n")
        self.refused("docs/page.md:1: no code block follows this marker")

    def test_allows_any_code_outside_the_docs(self):
        self.put("tests/README.md", "```cpp\nint x;\n```\n")
        self.allowed()

    def test_accepts_valid_links(self):
        self.put("docs/page.md", "# Page\n[a](other.md) [b](../program.cpp) [c](other.md#a-second-part) [d](#page)\n"
                                 "[e](https://example.org/) [f](../docs)\n```\n[no](link)\n```\n`[no](link)`\n")
        self.allowed()

    def test_rejects_broken_links(self):
        self.put("docs/page.md", "# Page\n[a](others.md)\n[b](other.md#nothing)\n")
        self.refused("docs/page.md:2: broken link: others.md", "docs/page.md:3: no heading for the link")

    def settings_page(self, page):
        self.put("docs/settings.md", page)
        program = self.root / "app"
        program.write_text(f"#!{sys.executable}\nprint({REFERENCE + APPLICATION!r}, end='')\n")
        program.chmod(0o755)
        return ("--program", str(program))

    def test_accepts_equal_settings(self):
        self.allowed(*self.settings_page(PAGE))

    def test_rejects_settings_that_differ(self):
        self.refused("docs/settings.md:3: differs from the settings of the program", flags=self.settings_page(PAGE.replace("8000", "80")))
        self.refused("docs/settings.md:1: must contain <!-- settings -->", flags=self.settings_page("# Settings\n"))

    def test_write_copies_the_settings(self):
        self.allowed("--write", *self.settings_page(PAGE.replace("8000", "80")))
        self.assertEqual((self.root / "docs/settings.md").read_text(), PAGE)

    def test_this_tree(self):
        self.root = SOURCE
        self.allowed(*(("--program", str(PROGRAM)) if PROGRAM.exists() else ()))


if __name__ == "__main__":
    unittest.main()
