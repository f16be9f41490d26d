# SPDX-License-Identifier: Apache-2.0
"""tools/check_text on small trees: it accepts correct files and reports errors with file and line."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ.get("RONDO_SOURCE", Path(__file__).resolve().parents[2]))
LICENCE = "// SPDX-License-Identifier: Apache-2.0\n"
PURPOSE = "// A sample.\n"


class CheckText(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        subprocess.run(["git", "init", "-q", folder.name], check=True)

    def put(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        purpose = PURPOSE if path.endswith(".hpp") else ""
        (self.root / path).write_text(LICENCE + purpose + text)
        header = (self.root / path).with_suffix(".hpp")
        if path.startswith("src/") and not path.endswith("_test.cpp") and not header.exists():
            header.write_text(LICENCE + PURPOSE)

    def run_it(self):
        return subprocess.run([sys.executable, str(SOURCE / "tools/check_text"), "--root", str(self.root)],
                              capture_output=True, text=True, timeout=60, check=False)

    def allowed(self):
        result = self.run_it()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def refused(self, *words):
        result = self.run_it()
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for word in words:
            self.assertIn(word, result.stdout)

    def test_licence_leftovers_and_white_space(self):
        self.put("src/rondo/loop/a.cpp", "int a = 1;\n")
        self.allowed()
        self.put("src/rondo/loop/a.cpp", "int a = 1; \n// TO" "DO\n")
        self.refused("a.cpp:2: trailing white space", "a.cpp:3: a leftover")
        (self.root / "src/rondo/loop/a.cpp").write_text("int a = 1;\n")
        self.refused("a.cpp:1: the first line")

    def test_rejects_threads_that_are_not_named_threads(self):
        for line in ("std::thread t([] {});", "std::jthread t;", "std::vector<std::thread> all;",
                     "pthread_create(&id, nullptr, run, nullptr);", "auto f = std::async(std::launch::async, run);"):
            with self.subTest(line=line):
                self.put("src/rondo/loop/a.cpp", f"int a;\n{line}\n")
                self.refused("src/rondo/loop/a.cpp:3: use named_thread (base/thread.hpp)")
                self.put("src/rondo/loop/a.cpp", "int a;\n")
                self.put("src/rondo/loop/a.hpp", f"{line}\n")
                self.refused("src/rondo/loop/a.hpp:3: use named_thread")
                self.put("src/rondo/loop/a.hpp", "")

    def test_rejects_coroutines_that_are_resumed_directly(self):
        for line in ("reader_.resume();", "std::exchange(h, {}).resume();", "node->resume();"):
            with self.subTest(line):
                self.put("src/rondo/net/a.cpp", "\n" + line + "\n")
                self.refused("src/rondo/net/a.cpp:3: resumes a coroutine inside its caller")
        self.put("src/rondo/net/a.cpp", "node.resume_within(turn);  // not resume()\nvoid await_resume() const;\n")
        for allowed in ("src/rondo/coro/ready_queue.cpp", "src/rondo/coro/generator.hpp", "src/rondo/net/a_test.cpp"):
            self.put(allowed, "handle.resume();\n")
        self.allowed()

    def test_a_header_says_what_it_is_for(self):
        self.put("src/rondo/loop/a.hpp", "#pragma once\n")
        self.allowed()
        (self.root / "src/rondo/loop/a.hpp").write_text(LICENCE + "#pragma once\n")
        self.refused("src/rondo/loop/a.hpp:2: say in one line what the header is for")

    def test_a_source_without_a_header_of_its_name_is_named_by_another(self):
        self.put("src/rondo/loop/a.cpp", "int a;\n")
        (self.root / "src/rondo/loop/a_read.cpp").write_text(LICENCE + "int b;\n")
        self.refused("src/rondo/loop/a_read.cpp:1: no header of this name")
        self.put("src/rondo/loop/a.hpp", "// Implemented in a.cpp and a_read.cpp.\n#pragma once\n")
        self.allowed()

    def test_allows_other_uses_of_std_thread(self):
        self.put("src/rondo/loop/a.cpp", "std::thread::id here = std::this_thread::get_id();\n"
                                         "auto n = std::thread::hardware_concurrency();\n// not a std::thread\n")
        for allowed in ("src/rondo/base/thread.cpp", "src/rondo/loop/a_test.cpp", "src/rondo/loop/a_fixture.hpp", "examples/a/a.cpp"):
            self.put(allowed, "std::thread t([] {});\n")
        self.allowed()


if __name__ == "__main__":
    unittest.main()
