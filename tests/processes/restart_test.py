# SPDX-License-Identifier: Apache-2.0
"""A start while an earlier server still is there, or has just been killed: addresses and pid files."""
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
from load import Arbiter, state_of  # noqa: E402
from server import BIN, TIMEOUT, each_backend, free_port, run  # noqa: E402


def folder():
    return tempfile.TemporaryDirectory(prefix="rondo-test-")


def answer_of(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(TIMEOUT)
        s.connect(str(path))
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return s.recv(65536)


def refused(*options, program=BIN / "testbed"):
    """What a start says that does not succeed."""
    status, _, errors = run("serve", "--workers", "1", *options, program=program)
    assert status == 1, (status, errors)
    return errors


class Addresses(unittest.TestCase):
    @each_backend
    def test_a_start_right_after_a_kill_finds_them_free(self, backend):
        with folder() as place:
            for bind in (f"unix:{place}/s", f"127.0.0.1:{free_port()}"):
                for _ in range(3):
                    options = ("--backend", backend, "--pid", f"{place}/pid")
                    killed = Arbiter(*options, bind=bind)
                    killed.signal(signal.SIGKILL)
                    with Arbiter(*options, bind=bind) as server:
                        server.wait_for_workers(2)
                    killed.end()

    def test_who_listens_for_a_moment_longer_is_waited_for(self):
        with folder() as place, contextlib.ExitStack() as ends:
            path, port = f"{place}/s", free_port()
            for made in ((socket.AF_UNIX, path), (socket.AF_INET, ("127.0.0.1", port))):
                listener = socket.socket(made[0])
                listener.bind(made[1])
                listener.listen()
                # Longer than the start takes to get there.
                end = threading.Timer(0.7, listener.close)
                end.start()
                ends.callback(end.join)
                with Arbiter(bind=f"unix:{path}" if made[0] == socket.AF_UNIX else f"127.0.0.1:{port}"):
                    pass

    def test_a_server_whose_queue_is_full_holds_up_neither_start_nor_check(self):
        with folder() as place, socket.socket(socket.AF_UNIX) as stuck, contextlib.ExitStack() as clients:
            stuck.bind(f"{place}/s")
            stuck.listen(0)
            with self.assertRaises(BlockingIOError):
                while True:
                    s = clients.enter_context(socket.socket(socket.AF_UNIX))
                    s.setblocking(False)
                    s.connect(f"{place}/s")
            self.assertIn("in use by another process", refused("--bind", f"unix:{place}/s"))
            status, output, errors = run("check", "--bind", f"unix:{place}/s")
            self.assertIn("in use", output + errors, status)


class PidFiles(unittest.TestCase):
    def refused(self, server, pid_file, **more):
        errors = refused("--bind", "127.0.0.1:0", "--pid", str(pid_file), **more)
        self.assertIn(f"process {server} is already running", errors)

    def test_a_server_that_runs_is_recognised_whatever_the_time_of_its_file_is(self):
        with folder() as place:
            pid_file = Path(place) / "pid"
            with Arbiter("--pid", pid_file) as server:
                def look():
                    os.utime(pid_file, (0, 0))
                    self.refused(server.pid, pid_file)
                    self.assertEqual(pid_file.read_text(), f"{server.pid}\n")
                look()
                old = server.workers().values()
                server.signal(signal.SIGHUP)
                server.wait_for_workers(2, old)
                look()

    def test_so_is_the_one_that_another_gave_way_to(self):
        with folder() as place:
            pid_file = Path(place) / "pid"
            server = Arbiter("--pid", pid_file)
            try:
                server.signal(signal.SIGUSR2)
                second = Path(f"{pid_file}.2")
                server.wait_until(second.exists, what="the second arbiter")
                other = int(second.read_text())
                os.utime(second, (0, 0))
                self.refused(other, second)
                self.refused(server.pid, pid_file)
                server.wait_for_log("Rondo .* serving.*Rondo .* serving")
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait(), 0)
                server.wait_until(lambda: pid_file.exists() and int(pid_file.read_text()) == other, what="its name")
                os.utime(pid_file, (0, 0))
                self.refused(other, pid_file)
                os.kill(other, signal.SIGTERM)
                server.wait_until(lambda: state_of(other) in ("Z", None), what="its end")
            finally:
                server.end()

    def test_no_child_has_it_open(self):
        with folder() as place:
            pid_file = Path(place) / "pid"
            with Arbiter("--pid", pid_file) as server:
                server.wait_until_closed(pid_file, *server.wait_for_workers(2))

    def test_of_another_program_it_is_left_over(self):
        with folder() as place:
            pid_file = Path(place) / "pid"
            pid_file.write_text(f"{os.getpid()}\n")
            with Arbiter("--pid", pid_file) as server:
                self.assertEqual(pid_file.read_text(), f"{server.pid}\n")

    def test_a_program_that_was_replaced_on_disk_is_the_same(self):
        with folder() as place:
            program, copy = Path(place) / "server", Path(place) / "copy"
            shutil.copy(BIN / "testbed", program)
            with Arbiter(program=program) as server:
                shutil.copy(program, copy)
                copy.rename(program)
                pid_file = Path(place) / "pid"
                pid_file.write_text(f"{server.pid}\n")  # not locked: the program decides
                self.refused(server.pid, pid_file, program=program)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
