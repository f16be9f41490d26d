#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check_words on small trees: it accepts the vocabulary and reports other words with file and line."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("RONDO_SOURCE", Path(__file__).resolve().parents[2]))


class CheckWords(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-check-words-")
        self.root = Path(self.folder.name)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)

    def tearDown(self):
        self.folder.cleanup()

    def check(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        done = subprocess.run([sys.executable, str(SOURCE / "tools/check_words"), "--root", str(self.root)],
                              capture_output=True, text=True)
        path.unlink()
        return done.returncode, done.stdout

    def refused(self, name, text, finding):
        status, output = self.check(name, text)
        self.assertEqual(status, 1, output)
        self.assertIn(finding, output)

    def allowed(self, name, text):
        self.assertEqual(self.check(name, text)[0], 0, self.check(name, text)[1])

    def test_rejects_a_name_outside_the_vocabulary(self):
        self.refused("src/a.cpp", "int x;\nvoid settle_in();\n", "src/a.cpp:2: 'settle_in': write apply_process_settings")
        self.refused("src/a.hpp", "    kept_socket figures_;\n", "src/a.hpp:1: 'figures': write stats")

    def test_rejects_a_word_in_a_name_and_in_text(self):
        self.refused("src/a.cpp", "bool lent_connection;\n", "'lent': write leased")
        self.refused("src/a.cpp", "// Nobody waits here.\n", "'nobody'")
        self.refused("docs/a.md", "The task is begun.\n", "docs/a.md:1: 'begun': write started")
        self.refused("tests/a.py", "# run it once more\n", "'once more': write again")

    def test_rejects_a_phrase_in_a_message(self):
        self.refused("src/a.cpp", 'throw error("\'x\' is no port");\n', "'is no'")
        self.allowed("src/a.cpp", 'throw error("the socket is no longer open");\n')

    def test_rejects_a_file_name(self):
        self.refused("src/rehearsal.cpp", "int x;\n", "src/rehearsal.cpp:0: 'rehearsal': write config_check")

    def test_allows_names_in_prose(self):
        self.allowed("docs/a.md", "The figures of the benchmark; a request goes to the loop.\n")
        self.allowed("src/a.cpp", "int x;  // what goes to the loop, and how patience is spent\n")

    def test_the_changelog_is_not_checked(self):
        self.allowed("CHANGELOG.md", "- `kept_socket` is `managed_listener`\n")


if __name__ == "__main__":
    unittest.main()
