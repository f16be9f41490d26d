# SPDX-License-Identifier: Apache-2.0
"""A start while an earlier server is still running or was just killed: addresses and PID files."""
import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter  # noqa: E402
from server import BIN, each_backend, free_port, is_alive, run  # noqa: E402


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="rondo-test-")


def refused(*options, program=BIN / "testbed"):
    """The error output of a start that fails."""
    status, _, errors = run("serve", "--workers", "1", *options, program=program)
    assert status == 1, (status, errors)
    return errors


class Addresses(unittest.TestCase):
    @each_backend
    def test_are_free_right_after_a_kill(self, backend):
        with temporary_folder() as folder:
            for bind in (f"unix:{folder}/s", f"127.0.0.1:{free_port()}"):
                for _ in range(3):
                    options = ("--backend", backend, "--pid", f"{folder}/pid")
                    killed = Arbiter(*options, bind=bind)
                    killed.signal(signal.SIGKILL)
                    with Arbiter(*options, bind=bind) as server:
                        server.wait_for_workers(2)
                    killed.stop()

    def test_the_start_waits_for_a_listener_that_closes_soon(self):
        with temporary_folder() as folder, contextlib.ExitStack() as timers:
            path, port = f"{folder}/s", free_port()
            for family, address in ((socket.AF_UNIX, path), (socket.AF_INET, ("127.0.0.1", port))):
                listener = socket.socket(family)
                listener.bind(address)
                listener.listen()
                # Later than the start tries to bind.
                timer = threading.Timer(0.7, listener.close)
                timer.start()
                timers.callback(timer.join)
                with Arbiter(bind=f"unix:{path}" if family == socket.AF_UNIX else f"127.0.0.1:{port}"):
                    pass

    def test_a_listener_with_a_full_backlog_blocks_neither_start_nor_check(self):
        with temporary_folder() as folder, socket.socket(socket.AF_UNIX) as stuck, contextlib.ExitStack() as clients:
            stuck.bind(f"{folder}/s")
            stuck.listen(0)
            with self.assertRaises(BlockingIOError):
                while True:
                    s = clients.enter_context(socket.socket(socket.AF_UNIX))
                    s.setblocking(False)
                    s.connect(f"{folder}/s")
            self.assertIn("in use by another process", refused("--bind", f"unix:{folder}/s"))
            status, output, errors = run("check", "--bind", f"unix:{folder}/s")
            self.assertIn("in use", output + errors, status)


class PidFiles(unittest.TestCase):
    def assert_running(self, server, pid_file, **more):
        errors = refused("--bind", "127.0.0.1:0", "--pid", str(pid_file), **more)
        self.assertIn(f"process {server} is already running", errors)

    def test_a_running_server_is_recognised_whatever_the_time_of_its_file(self):
        with temporary_folder() as folder:
            pid_file = Path(folder) / "pid"
            with Arbiter("--pid", pid_file) as server:
                def check():
                    os.utime(pid_file, (0, 0))
                    self.assert_running(server.pid, pid_file)
                    self.assertEqual(pid_file.read_text(), f"{server.pid}\n")
                check()
                old = server.workers().values()
                server.signal(signal.SIGHUP)
                server.wait_for_workers(2, old)
                check()

    def test_a_second_arbiter_is_recognised_too(self):
        with temporary_folder() as folder:
            pid_file = Path(folder) / "pid"
            server = Arbiter("--pid", pid_file)
            try:
                server.signal(signal.SIGUSR2)
                second = Path(f"{pid_file}.2")
                server.wait_until(second.exists, what="the second arbiter")
                other = int(second.read_text())
                os.utime(second, (0, 0))
                self.assert_running(other, second)
                self.assert_running(server.pid, pid_file)
                server.wait_for_log("Rondo .* serving.*Rondo .* serving")
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait(), 0)
                server.wait_until(lambda: pid_file.exists() and int(pid_file.read_text()) == other, what="the PID file to be renamed")
                os.utime(pid_file, (0, 0))
                self.assert_running(other, pid_file)
                os.kill(other, signal.SIGTERM)
                server.wait_until(lambda: not is_alive(other), what="the second arbiter to exit")
            finally:
                server.stop()

    def test_no_child_has_the_file_open(self):
        with temporary_folder() as folder:
            pid_file = Path(folder) / "pid"
            with Arbiter("--pid", pid_file) as server:
                server.wait_until_closed(pid_file, *server.wait_for_workers(2))

    def test_the_file_of_another_program_is_replaced(self):
        with temporary_folder() as folder:
            pid_file = Path(folder) / "pid"
            pid_file.write_text(f"{os.getpid()}\n")
            with Arbiter("--pid", pid_file) as server:
                self.assertEqual(pid_file.read_text(), f"{server.pid}\n")

    def test_a_program_that_was_replaced_on_disk_is_recognised(self):
        with temporary_folder() as folder:
            program, copy = Path(folder) / "server", Path(folder) / "copy"
            shutil.copy(BIN / "testbed", program)
            with Arbiter(program=program) as server:
                shutil.copy(program, copy)
                copy.rename(program)
                pid_file = Path(folder) / "pid"
                pid_file.write_text(f"{server.pid}\n")  # not locked: only the program identifies the server
                self.assert_running(server.pid, pid_file, program=program)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
