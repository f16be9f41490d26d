# SPDX-License-Identifier: Apache-2.0
"""Log rotation while the server runs: files that belong to another user, and logs that cannot be opened."""
import os
import re
import signal
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter  # noqa: E402
from server import TIMEOUT, UNPRIVILEGED  # noqa: E402

as_root = unittest.skipIf(os.geteuid() != 0, "only the superuser may change users")


def text_of(url):
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        return response.read().decode()


class LoggingServer:
    """A server with both logs in a folder of their own."""

    def __init__(self, *options, owner=None, workers=2):
        self.parent = tempfile.TemporaryDirectory(prefix="rondo-test-")
        os.chmod(self.parent.name, 0o755)
        self.folder = Path(self.parent.name) / "logs"
        self.folder.mkdir(0o755)
        if owner is not None:
            os.chown(self.folder, owner, owner)
        self.access, self.errors = self.folder / "access.log", self.folder / "error.log"
        self.server = Arbiter("--access-log", self.access, "--error-log", self.errors, *options, workers=workers, log=self.errors)

    def __enter__(self):
        return self.server.__enter__() and self

    def __exit__(self, *what):
        self.server.__exit__(*what)
        self.parent.cleanup()

    @property
    def on_standard_error(self):
        return (Path(self.server.folder.name) / "log").read_text()

    def move_logs(self):
        for path in (self.access, self.errors):
            path.rename(f"{path}.1")

    def rotate(self):
        self.move_logs()
        self.server.signal(signal.SIGUSR1)
        self.server.wait_until(lambda: self.access.exists() and self.errors.exists(), what="new log files")

    def fail_in_every_worker(self, name):
        """Sends failing requests until each worker has logged one."""
        def all_logged():
            self.server.get(f"/raise?{name}")
            text = self.errors.read_text() if self.errors.exists() else ""
            return all(re.search(rf"\[{pid} .*secret-detail", text) for pid in self.server.serving())
        self.server.wait_until(all_logged, what="an error of each worker")

    def wait_for_line_in_access_log(self, name):
        self.server.get(f"/?{name}")
        self.server.wait_until(lambda: f"/?{name}" in self.access.read_text(), what=f"{name} in the access log")


class AsAnotherUser(unittest.TestCase):
    def check_new_files(self, logged):
        for path in (logged.access, logged.errors):
            self.assertEqual(os.stat(path).st_uid, UNPRIVILEGED.pw_uid)
            logged.server.wait_until_closed(f"{path}.1", *logged.server.serving(), logged.server.pid)
        logged.wait_for_line_in_access_log("after")
        logged.fail_in_every_worker("after")
        self.assertNotIn("cannot", logged.errors.read_text() + logged.on_standard_error)

    @as_root
    def test_in_a_folder_of_that_user(self):
        for workers in (1, 2):
            with LoggingServer("--user", UNPRIVILEGED.pw_name, owner=UNPRIVILEGED.pw_uid, workers=workers) as logged:
                logged.wait_for_line_in_access_log("before")
                logged.fail_in_every_worker("before")
                for _ in range(2):
                    logged.rotate()
                    self.check_new_files(logged)

    @as_root
    def test_before_the_workers_have_logged_anything(self):
        with LoggingServer("--user", UNPRIVILEGED.pw_name, owner=UNPRIVILEGED.pw_uid) as logged:
            logged.rotate()
            self.check_new_files(logged)

    @as_root
    def test_in_a_folder_of_root_with_a_replaced_worker(self):
        with LoggingServer("--user", UNPRIVILEGED.pw_name, "--admin", "127.0.0.1:0") as logged:
            logged.fail_in_every_worker("before")
            logged.rotate()
            self.check_new_files(logged)
            before = logged.server.workers()
            os.kill(before[0], signal.SIGKILL)
            logged.server.wait_until(lambda: logged.server.workers().get(0, before[0]) != before[0], what="the replacement worker")
            logged.server.wait_for_workers(2, [before[0]])
            logged.fail_in_every_worker("replaced")
            logged.wait_for_line_in_access_log("replaced")
            self.assertNotIn("exited with status", logged.errors.read_text())


class UnopenableLogs(unittest.TestCase):
    def test_workers_keep_serving_and_are_replaced(self):
        with LoggingServer("--admin", "127.0.0.1:0", workers=1) as logged:
            server = logged.server
            admin = re.search(r"^ +admin +(\S+)", server.log, re.M)[1]
            before, = server.workers().values()
            logged.fail_in_every_worker("before")
            moved = logged.folder.with_name("moved")
            logged.folder.rename(moved)
            server.signal(signal.SIGUSR1)
            old_errors = moved / "error.log"
            server.wait_until(lambda: re.search(rf"\[{before} .*access.log", old_errors.read_text()), what="an error about the access log")
            self.assertRegex(old_errors.read_text(), rf"\[{before} .*error.log")
            server.get("/?old-file")
            server.wait_until(lambda: "/?old-file" in (moved / "access.log").read_text(), what="a line in the old file")

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
