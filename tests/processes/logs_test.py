# SPDX-License-Identifier: Apache-2.0
"""Log files that are put away while the server runs, as logrotate does: by which user whatever is written, and where a
log cannot be opened."""
import os
import pwd
import re
import signal
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter  # noqa: E402
from server import TIMEOUT  # noqa: E402

NOBODY = pwd.getpwnam("nobody").pw_uid
as_root = unittest.skipIf(os.geteuid() != 0, "only the superuser may change users")


def text_of(url):
    with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
        return answer.read().decode()


class Logged:
    """A server with both logs in a folder of their own."""

    def __init__(self, *options, owner=None, workers=2):
        self.above = tempfile.TemporaryDirectory(prefix="rondo-test-")
        os.chmod(self.above.name, 0o755)
        self.folder = Path(self.above.name) / "logs"
        self.folder.mkdir(0o755)
        if owner is not None:
            os.chown(self.folder, owner, owner)
        self.access, self.errors = self.folder / "access.log", self.folder / "error.log"
        self.server = Arbiter("--access-log", self.access, "--error-log", self.errors, *options, workers=workers, log=self.errors)

    def __enter__(self):
        return self.server.__enter__() and self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.above.cleanup()

    @property
    def on_standard_error(self):
        return (Path(self.server.folder.name) / "log").read_text()

    def put_away(self):
        for path in (self.access, self.errors):
            path.rename(f"{path}.1")

    def rotate(self):
        self.put_away()
        self.server.signal(signal.SIGUSR1)
        self.server.wait_until(lambda: self.access.exists() and self.errors.exists(), what="new log files")

    def fail_in_every_worker(self, name):
        """Until each has logged the failure of a view."""
        def all_have():
            self.server.get(f"/raise?{name}")
            text = self.errors.read_text() if self.errors.exists() else ""
            return all(re.search(rf"\[{pid} .*secret-detail", text) for pid in self.server.serving())
        self.server.wait_until(all_have, what="an error of each worker")

    def wait_for_line_in_access_log(self, name):
        self.server.get(f"/?{name}")
        self.server.wait_until(lambda: f"/?{name}" in self.access.read_text(), what=f"{name} in the access log")


class AsAnotherUser(unittest.TestCase):
    def check_new_files(self, logged):
        for path in (logged.access, logged.errors):
            self.assertEqual(os.stat(path).st_uid, NOBODY)
            logged.server.wait_until_closed(f"{path}.1", *logged.server.serving(), logged.server.pid)
        logged.wait_for_line_in_access_log("after")
        logged.fail_in_every_worker("after")
        self.assertNotIn("cannot", logged.errors.read_text() + logged.on_standard_error)

    @as_root
    def test_in_a_folder_of_that_user(self):
        for workers in (1, 2):
            with Logged("--user", "nobody", owner=NOBODY, workers=workers) as logged:
                logged.wait_for_line_in_access_log("before")
                logged.fail_in_every_worker("before")
                for _ in range(2):
                    logged.rotate()
                    self.check_new_files(logged)

    @as_root
    def test_when_the_workers_have_not_logged_anything(self):
        with Logged("--user", "nobody", owner=NOBODY) as logged:
            logged.rotate()
            self.check_new_files(logged)

    @as_root
    def test_in_a_folder_of_root_where_workers_are_replaced(self):
        with Logged("--user", "nobody", "--admin", "127.0.0.1:0") as logged:
            logged.fail_in_every_worker("before")
            logged.rotate()
            self.check_new_files(logged)
            before = logged.server.workers()
            os.kill(before[0], signal.SIGKILL)
            logged.server.wait_until(lambda: logged.server.workers().get(0, before[0]) != before[0], what="another worker")
            logged.server.wait_for_workers(2, [before[0]])
            logged.fail_in_every_worker("replaced")
            logged.wait_for_line_in_access_log("replaced")
            self.assertNotIn("exited with status", logged.errors.read_text())


class OutOfReach(unittest.TestCase):
    def test_workers_serve_on_and_are_replaced(self):
        with Logged("--admin", "127.0.0.1:0", workers=1) as logged:
            server = logged.server
            admin = re.search(r"^ +admin +(\S+)", server.log, re.M)[1]
            before, = server.workers().values()
            logged.fail_in_every_worker("before")
            away = logged.folder.with_name("away")
            logged.folder.rename(away)
            server.signal(signal.SIGUSR1)
            old_errors = away / "error.log"
            server.wait_until(lambda: re.search(rf"\[{before} .*access.log", old_errors.read_text()), what="what is wrong with both")
            self.assertRegex(old_errors.read_text(), rf"\[{before} .*error.log")
            server.get("/?kept")
            server.wait_until(lambda: "/?kept" in (away / "access.log").read_text(), what="a line in the old file")

            os.kill(before, signal.SIGKILL)
            server.wait_for_workers(1, [before])
            self.assertEqual(server.get("/raise")[0], 500)
            server.wait_until(lambda: "secret-detail" in logged.on_standard_error, what="an error on standard error")
            self.assertIn("go to standard error until USR1", logged.on_standard_error)
            self.assertIn("are lost until USR1", logged.on_standard_error)
            server.wait_until(lambda: re.search(r"^rondo_access_log_lines_lost_total [1-9]", text_of(f"{admin}/metrics"), re.M),
                              what="lost lines in the metrics")

            logged.folder.mkdir()
            server.signal(signal.SIGUSR1)
            server.wait_until(lambda: logged.access.exists() and logged.errors.exists(), what="new log files")
            logged.fail_in_every_worker("again")
            logged.wait_for_line_in_access_log("again")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
