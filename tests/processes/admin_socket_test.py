# SPDX-License-Identifier: Apache-2.0
"""The admin listener's unix socket: its path exists while a process listens, and only its own file is removed."""
import os
import shutil
import signal
import socket
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter  # noqa: E402
from server import is_alive  # noqa: E402


class AdminSocket(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.inner = self.folder / "d"
        self.inner.mkdir()
        self.path = self.inner / "adm.sock"

    def terminate(self, server):
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0, server.log)

    def test_shutdown_removes_the_path(self):
        with Arbiter("--admin", f"unix:{self.path}", workers=1) as server:
            self.assertTrue(self.path.is_socket())
            self.terminate(server)
        self.assertFalse(self.path.exists())

    def test_shutdown_after_the_folder_was_removed(self):
        with Arbiter("--admin", f"unix:{self.path}", workers=1) as server:
            shutil.rmtree(self.inner)
            self.terminate(server)

    def test_shutdown_keeps_another_file_at_the_path(self):
        with Arbiter("--admin", f"unix:{self.path}", workers=1) as server:
            self.path.unlink()
            self.path.write_text("another file")
            self.terminate(server)
        self.assertEqual(self.path.read_text(), "another file")

    def test_shutdown_keeps_the_socket_of_another_server_at_the_path(self):
        with Arbiter("--admin", f"unix:{self.path}", workers=1) as server, socket.socket(socket.AF_UNIX) as other:
            self.path.rename(self.folder / "kept")  # so that its inode number is not reused
            other.bind(str(self.path))
            self.terminate(server)
        self.assertTrue(self.path.is_socket())

    def configured(self, path):
        return f'admin = "unix:{path}"\n'

    def test_reload_to_another_path(self):
        file, second = self.folder / "rondo.toml", self.folder / "adm2.sock"
        file.write_text(self.configured(self.path))
        with Arbiter("--config", file, workers=1) as server:
            old = server.workers().values()
            file.write_text(self.configured(second))
            server.signal(signal.SIGHUP)
            server.wait_for_workers(1, old)
            server.wait_until(lambda: not self.path.exists(), what="the old path to be removed")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(second))
            self.terminate(server)
        self.assertFalse(self.path.exists() or second.exists())

    def test_failed_reload_keeps_the_path(self):
        file, second, fails = self.folder / "rondo.toml", self.folder / "adm2.sock", self.folder / "fails"
        file.write_text(self.configured(self.path))
        with Arbiter("--config", file, workers=1, env={"TESTBED_FAILS": str(fails)}) as server:
            file.write_text(self.configured(second))
            fails.touch()
            server.signal(signal.SIGHUP)
            server.wait_for_log("reload rolled back; the previous workers keep serving")
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.path))
            fails.unlink()
            self.terminate(server)
        self.assertFalse(self.path.exists() or second.exists())

    def test_a_second_arbiter_on_the_path_keeps_it(self):
        pid_file = self.folder / "pid"
        with Arbiter("--admin", f"unix:{self.path}", "--pid", pid_file, workers=1) as server:
            server.signal(signal.SIGUSR2)
            server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the second arbiter")
            other = int(Path(f"{pid_file}.2").read_text())
            self.terminate(server)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(self.path))
            os.kill(other, signal.SIGTERM)
            server.wait_until(lambda: not is_alive(other), what="the second arbiter to exit")
        self.assertFalse(self.path.exists())


if __name__ == "__main__":
    unittest.main(warnings="ignore")
