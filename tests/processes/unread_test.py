# SPDX-License-Identifier: Apache-2.0
"""Standard error and output that nobody reads any more: a full pipe, a terminal that was stopped, a log program that
hangs. Nothing waits for them: not the arbiter, nor an end, nor a replacement. What is lost is counted and told."""
import fcntl
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BIN, CLASS, TIMEOUT, each_backend, free_port, name_of, read_all, state_of  # noqa: E402

ENOUGH = 3000  # lines: more than a pipe, a socket or a terminal holds, less than what waits in the process
TOO_MUCH = 20_000


class Pipe:
    """The reading end stays open and is not read until read_until()."""

    def __init__(self):
        self.reading, self.writing = os.pipe()

    def drain(self):
        ready, _, _ = select.select([self.reading], [], [], 0.2)
        return os.read(self.reading, 65536) if ready else b""


class Socket(Pipe):
    """As the one of a journal."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.reading, self.writing = ours.detach(), theirs.detach()


class Terminal(Pipe):
    """With its output stopped, as by Ctrl-S."""

    def __init__(self):
        self.reading, self.writing = pty.openpty()
        termios.tcflow(self.writing, termios.TCOOFF)
        self.kept = os.dup(self.writing)

    def drain(self):
        termios.tcflow(self.kept, termios.TCOON)
        return super().drain()


class Unread:
    """A testbed whose standard error (or standard output) is one of these."""

    def __init__(self, unread, *options, workers=1, stream="error", backend="epoll", user=None, env=None):
        self.unread, self.port = unread, free_port()
        self.said = b""
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        # No lines but those that a test causes.
        command = [str(BIN / "testbed"), "serve", "--bind", f"127.0.0.1:{self.port}", "--workers", str(workers), "--backend",
                   backend, "--worker-class", CLASS, "--graceful-timeout", "2s", "--stall-threshold", "0", *options]
        if stream == "output":
            command += ["--access-log", "-", "--error-log", str(Path(self.folder.name) / "errors")]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        streams["stderr" if stream == "error" else "stdout"] = unread.writing
        if user:
            os.chmod(self.folder.name, 0o777)
            streams["user"] = user
        environment = dict(os.environ, TMPDIR=self.folder.name, **(env or {}))
        self.flags = fcntl.fcntl(unread.writing, fcntl.F_GETFL)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, **streams)
        self.wait_for(lambda: self.get("/") == 200, "an answer")

    def get(self, path, seconds=TIMEOUT):
        try:
            with socket.create_connection(("127.0.0.1", self.port), seconds) as s:
                s.settimeout(seconds)
                s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
                return int(read_all(s).split(b" ", 2)[1])
        except (OSError, IndexError):
            return 0

    @staticmethod
    def wait_for(true, what, seconds=TIMEOUT):
        end = time.monotonic() + seconds
        while not (found := true()):
            assert time.monotonic() < end, f"{what} did not come"
            time.sleep(0.02)
        return found

    def children(self):
        pids = map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())
        return {pid: name_of(pid) for pid in pids if state_of(pid) not in ("Z", None)}

    def workers(self):
        return [pid for pid, name in self.children().items() if name.startswith("worker ")]

    def other_workers(self, than, count=1):
        return self.wait_for(lambda: len(now := self.workers()) == count and not set(now) & set(than) and now, "another worker")

    def fill(self, lines=ENOUGH):
        for _ in range(0, lines, 500):
            assert self.get("/_test/say?lines=500") == 200

    def read_until(self, pattern, seconds=TIMEOUT):
        """Someone reads again."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.said)):
            assert time.monotonic() < end, self.said[-3000:]
            self.said += self.unread.drain()
        return found

    def end(self, number=signal.SIGTERM, seconds=TIMEOUT):
        """How long it took, and the status."""
        began = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(seconds)
        return time.monotonic() - began, status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in [self.process.pid, *self.children()] if self.process.poll() is None else []:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.folder.cleanup()
        for fd in (self.unread.reading, self.unread.writing):
            os.close(fd)


class ErrorLog(unittest.TestCase):
    def test_everything_goes_on(self):
        for kind in (Pipe, Socket, Terminal):
            with self.subTest(kind=kind.__name__), Unread(kind()) as server:
                server.fill()
                before = server.workers()
                os.kill(before[0], signal.SIGKILL)
                before += server.other_workers(before)
                self.assertEqual(server.get("/"), 200)
                server.process.send_signal(signal.SIGUSR1)
                server.process.send_signal(signal.SIGTTIN)
                server.wait_for(lambda: len(server.workers()) == 2, "a second worker")
                server.process.send_signal(signal.SIGTTOU)
                server.wait_for(lambda: len(server.workers()) == 1, "the end of one")
                server.process.send_signal(signal.SIGHUP)
                server.other_workers(server.workers())
                self.assertEqual(server.get("/"), 200)
                took, status = server.end()
                self.assertEqual(status, 0)
                self.assertLess(took, 4.5)
                # What others have of the same file is as it was.
                self.assertEqual(fcntl.fcntl(server.unread.writing, fcntl.F_GETFL), server.flags)

    def test_every_way_to_end(self):
        for workers in (0, 1):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                with self.subTest(workers=workers, number=number), Unread(Pipe(), workers=workers) as server:
                    server.fill()
                    took, status = server.end(number)
                    self.assertEqual(status, 0)
                    self.assertLess(took, 4.5)

    @each_backend
    def test_a_worker_that_hangs_is_killed_and_replaced(self, backend):
        with Unread(Pipe(), "--timeout", "2s", backend=backend) as server:
            server.fill()
            before = server.workers()
            with socket.create_connection(("127.0.0.1", server.port)) as held:
                held.sendall(b"GET /_test/block?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                server.other_workers(before)
            self.assertEqual(server.get("/"), 200)

    def test_a_worker_that_cannot_go_on_ends(self):
        with Unread(Pipe()) as server:
            server.fill()
            before = server.workers()
            self.assertEqual(server.get("/_test/give-up"), 0)
            server.other_workers(before)
            server.read_until(rb"was killed by signal 6")
            server.said = b""
            self.assertEqual(server.get("/_test/give-up"), 0)
            server.read_until(rb"std::terminate was called for an uncaught exception: given up on purpose")

    def test_lost_lines_are_counted_and_told_when_somebody_reads_again(self):
        for kind in (Pipe, Socket, Terminal):
            with self.subTest(kind=kind.__name__), Unread(kind(), workers=0) as server:
                server.fill(TOO_MUCH)
                found = server.read_until(rb"(\d+) lines of standard error were lost, \1 since the start")
                lost = int(found.group(1))
                self.assertGreater(lost, TOO_MUCH - 2 * 8192 - 1500)
                end = time.monotonic() + TIMEOUT
                while server.said.count(b" said ") < TOO_MUCH - lost and time.monotonic() < end:
                    server.said += server.unread.drain()
                self.assertEqual(server.said.count(b" said "), TOO_MUCH - lost)
                for line in server.said.replace(b"\r\n", b"\n").split(b"\n")[:-1]:
                    self.assertRegex(line, rb"^(20|    )")

    def test_they_are_in_the_metrics(self):
        path = Path(tempfile.mkdtemp(prefix="rondo-test-")) / "admin"
        with Unread(Pipe(), "--admin", f"unix:{path}", workers=1) as server:
            server.fill(TOO_MUCH)

            def lost():
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(path))
                    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    found = re.search(rb"^rondo_error_log_lines_lost_total (\d+)", read_all(s), re.M)
                    return int(found.group(1))
            server.wait_for(lambda: lost() > TOO_MUCH - 2 * 8192 - 1500, "lost lines in the metrics")

    def test_the_pipe_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        with Unread(Pipe(), user=65534) as server:
            server.fill()
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.other_workers(before)
            server.read_until(rb"was killed by signal 9")
            self.assertEqual(server.end()[1], 0)

    def test_rights_that_are_given_up(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        with Unread(Pipe(), "--user", "nobody") as server:
            server.fill()
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.other_workers(before)
            self.assertEqual(server.end()[1], 0)

    def test_a_reader_that_is_gone(self):
        with Unread(Pipe()) as server:
            os.close(server.unread.reading)
            server.unread.reading = os.open(os.devnull, os.O_RDONLY)
            server.fill()
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.other_workers(before)
            self.assertEqual(server.end()[1], 0)

    def test_a_log_program_that_is_stopped(self):
        log_program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        unread = Pipe()
        os.dup2(log_program.stdin.fileno(), unread.writing)
        try:
            os.kill(log_program.pid, signal.SIGSTOP)
            with Unread(unread) as server:
                server.fill()
                before = server.workers()
                os.kill(before[0], signal.SIGKILL)
                server.other_workers(before)
                self.assertEqual(server.end()[1], 0)
        finally:
            log_program.kill()
            log_program.communicate()


class Arbiters(unittest.TestCase):
    def test_one_beside_another(self):
        with Unread(Pipe()) as server:
            server.fill()
            server.process.send_signal(signal.SIGUSR2)
            beside = server.wait_for(lambda: [p for p, n in server.children().items() if n.startswith("testbed")], "the other")[0]
            children = Path(f"/proc/{beside}/task/{beside}/children")
            server.wait_for(lambda: children.read_text(), "its worker")
            os.kill(beside, signal.SIGTERM)
            server.wait_for(lambda: state_of(beside) in ("Z", None), "its end")
            self.assertEqual(server.get("/"), 200)
            self.assertEqual(server.end()[1], 0)

    def test_its_own_lines_fill_the_pipe(self):
        with Unread(Pipe(), "--log-level", "debug") as server:
            end = time.monotonic() + 30
            while os.get_blocking(server.unread.reading) and self.waiting(server) < 65000 and time.monotonic() < end:
                for _ in range(40):
                    server.process.send_signal(signal.SIGTTIN)
                    server.process.send_signal(signal.SIGTTOU)
                    time.sleep(0.001)
                server.fill(500)
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.wait_for(lambda: before[0] not in server.workers(), "its end")
            self.assertEqual(server.end()[1], 0)

    @staticmethod
    def waiting(server):
        count = fcntl.ioctl(server.unread.reading, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(count, sys.byteorder)


class AccessLog(unittest.TestCase):
    def test_the_end_does_not_wait(self):
        for kind in (Pipe, Socket, Terminal):
            for workers in (0, 1):
                with self.subTest(kind=kind.__name__, workers=workers), Unread(kind(), workers=workers, stream="output") as server:
                    self.ask(server, ENOUGH)
                    took, status = server.end()
                    self.assertEqual(status, 0)
                    self.assertLess(took, 4.5)

    def test_lost_lines_are_counted_and_told(self):
        with Unread(Pipe(), workers=0, stream="output") as server:
            self.ask(server, TOO_MUCH)
            errors = Path(server.folder.name) / "errors"
            server.read_until(rb"GET /\?")
            ending = threading.Event()
            reading = threading.Thread(target=self.read_on, args=(server, ending))
            reading.start()
            try:
                server.wait_for(lambda: re.search(r"\d+ lines of standard output were lost", errors.read_text()), "the news")
            finally:
                ending.set()  # before the number of its descriptor is another one's
                reading.join()

    @staticmethod
    def read_on(server, ending):
        while not ending.is_set():
            server.unread.drain()

    @staticmethod
    def ask(server, count):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.settimeout(TIMEOUT)
            for _ in range(0, count, 100):
                s.sendall(b"GET /?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
                got = 0
                while got < 100:
                    got += s.recv(1 << 16).count(b"HTTP/1.1 200")


class StandardStreams(unittest.TestCase):
    def test_what_the_program_itself_has_printed_holds_no_fork_and_no_end(self):
        full = Pipe()
        with open(f"/proc/self/fd/{full.writing}", "wb", buffering=0, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as own:
            while own.write(b"x" * 4096):
                pass
        with Unread(full, stream="output", env={"TESTBED_PRINTS": "1"}) as server:
            self.assertEqual(server.get("/"), 200)
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.other_workers(before)
            self.assertEqual(server.end()[1], 0)


if __name__ == "__main__":
    unittest.main()
