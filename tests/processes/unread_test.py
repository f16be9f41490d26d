# SPDX-License-Identifier: Apache-2.0
"""Standard error and output without a reader: a full pipe, a stopped terminal, a log program that hangs. No process waits
for them, neither at a shutdown nor when a worker is replaced. Lost lines are counted and reported."""
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
from server import BIN, CLASS, TIMEOUT, UNPRIVILEGED, each_backend, free_port, is_alive, name_of, read_all  # noqa: E402

FILL = 3000  # lines: more than a pipe, a socket or a terminal holds, less than the buffer of the process
OVERFLOW = 20_000


class Pipe:
    """Its read end stays open and is not read before read_until()."""

    def __init__(self):
        self.reading, self.writing = os.pipe()

    def drain(self):
        ready, _, _ = select.select([self.reading], [], [], 0.2)
        return os.read(self.reading, 65536) if ready else b""


class Socket(Pipe):
    """A socket, as systemd's journal uses."""

    def __init__(self):
        ours, theirs = socket.socketpair()
        self.reading, self.writing = ours.detach(), theirs.detach()


class Terminal(Pipe):
    """A terminal whose output is stopped, as with Ctrl-S."""

    def __init__(self):
        self.reading, self.writing = pty.openpty()
        termios.tcflow(self.writing, termios.TCOOFF)
        self.terminal = os.dup(self.writing)

    def drain(self):
        termios.tcflow(self.terminal, termios.TCOON)
        return super().drain()


class UnreadServer:
    """A testbed whose standard error (or standard output) is a Pipe, a Socket or a Terminal."""

    def __init__(self, unread, *options, workers=1, stream="error", backend="epoll", user=None, env=None):
        self.unread, self.port = unread, free_port()
        self.output = b""
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        # Logs only the lines that a test causes.
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
        self.wait_until(lambda: self.get("/") == 200, "a response")

    def get(self, path, seconds=TIMEOUT):
        try:
            with socket.create_connection(("127.0.0.1", self.port), seconds) as s:
                s.settimeout(seconds)
                s.sendall(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode())
                return int(read_all(s).split(b" ", 2)[1])
        except (OSError, IndexError):
            return 0

    @staticmethod
    def wait_until(condition, what, seconds=TIMEOUT):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"timed out waiting for {what}"
            time.sleep(0.02)
        return value

    def children(self):
        pids = map(int, Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split())
        return {pid: name_of(pid) for pid in pids if is_alive(pid)}

    def workers(self):
        return [pid for pid, name in self.children().items() if name.startswith("worker ")]

    def wait_for_replacement(self, old, count=1):
        return self.wait_until(lambda: len(now := self.workers()) == count and not set(now) & set(old) and now,
                               "the replacement worker")

    def fill(self, lines=FILL):
        for _ in range(0, lines, 500):
            assert self.get("/_test/log?lines=500") == 200

    def read_until(self, pattern, seconds=TIMEOUT):
        """Reads again, until the output matches."""
        end = time.monotonic() + seconds
        while not (found := re.search(pattern, self.output)):
            assert time.monotonic() < end, self.output[-3000:]
            self.output += self.unread.drain()
        return found

    def stop(self, number=signal.SIGTERM, seconds=TIMEOUT):
        """(seconds until the server exited, its exit status)"""
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
    def test_the_server_keeps_working(self):
        for kind in (Pipe, Socket, Terminal):
            with self.subTest(kind=kind.__name__), UnreadServer(kind()) as server:
                server.fill()
                before = server.workers()
                os.kill(before[0], signal.SIGKILL)
                before += server.wait_for_replacement(before)
                self.assertEqual(server.get("/"), 200)
                server.process.send_signal(signal.SIGUSR1)
                server.process.send_signal(signal.SIGTTIN)
                server.wait_until(lambda: len(server.workers()) == 2, "a second worker")
                server.process.send_signal(signal.SIGTTOU)
                server.wait_until(lambda: len(server.workers()) == 1, "one worker to exit")
                server.process.send_signal(signal.SIGHUP)
                server.wait_for_replacement(server.workers())
                self.assertEqual(server.get("/"), 200)
                took, status = server.stop()
                self.assertEqual(status, 0)
                self.assertLess(took, 4.5)
                # The flags that the file shares with other processes are unchanged.
                self.assertEqual(fcntl.fcntl(server.unread.writing, fcntl.F_GETFL), server.flags)

    def test_every_shutdown_signal(self):
        for workers in (0, 1):
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
                with self.subTest(workers=workers, number=number), UnreadServer(Pipe(), workers=workers) as server:
                    server.fill()
                    took, status = server.stop(number)
                    self.assertEqual(status, 0)
                    self.assertLess(took, 4.5)

    @each_backend
    def test_a_worker_that_hangs_is_killed_and_replaced(self, backend):
        with UnreadServer(Pipe(), "--timeout", "2s", backend=backend) as server:
            server.fill()
            before = server.workers()
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(b"GET /_test/block?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                server.wait_for_replacement(before)
            self.assertEqual(server.get("/"), 200)

    def test_a_worker_that_calls_terminate_exits(self):
        with UnreadServer(Pipe()) as server:
            server.fill()
            before = server.workers()
            self.assertEqual(server.get("/_test/terminate"), 0)
            server.wait_for_replacement(before)
            server.read_until(rb"was killed by signal 6")
            server.output = b""
            self.assertEqual(server.get("/_test/terminate"), 0)
            server.read_until(rb"std::terminate was called for an uncaught exception: terminated on purpose")

    def test_lost_lines_are_counted_and_reported_to_the_next_reader(self):
        for kind in (Pipe, Socket, Terminal):
            with self.subTest(kind=kind.__name__), UnreadServer(kind(), workers=0) as server:
                server.fill(OVERFLOW)
                found = server.read_until(rb"(\d+) lines of standard error were lost, \1 since the start")
                lost = int(found.group(1))
                self.assertGreater(lost, OVERFLOW - 2 * 8192 - 1500)
                end = time.monotonic() + TIMEOUT
                while server.output.count(b" line ") < OVERFLOW - lost and time.monotonic() < end:
                    server.output += server.unread.drain()
                self.assertEqual(server.output.count(b" line "), OVERFLOW - lost)
                for line in server.output.replace(b"\r\n", b"\n").split(b"\n")[:-1]:
                    self.assertRegex(line, rb"^(20|    )")

    def test_lost_lines_are_in_the_metrics(self):
        path = Path(tempfile.mkdtemp(prefix="rondo-test-")) / "admin"
        with UnreadServer(Pipe(), "--admin", f"unix:{path}", workers=1) as server:
            server.fill(OVERFLOW)

            def lost():
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(path))
                    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    found = re.search(rb"^rondo_error_log_lines_lost_total (\d+)", read_all(s), re.M)
                    return int(found.group(1))
            server.wait_until(lambda: lost() > OVERFLOW - 2 * 8192 - 1500, "lost lines in the metrics")

    def test_a_pipe_of_another_user(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        with UnreadServer(Pipe(), user=UNPRIVILEGED.pw_uid) as server:
            server.fill()
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.wait_for_replacement(before)
            server.read_until(rb"was killed by signal 9")
            self.assertEqual(server.stop()[1], 0)

    def test_dropped_privileges(self):
        if os.geteuid() != 0:
            self.skipTest("needs root")
        with UnreadServer(Pipe(), "--user", UNPRIVILEGED.pw_name) as server:
            server.fill()
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.wait_for_replacement(before)
            self.assertEqual(server.stop()[1], 0)

    def test_a_closed_reader(self):
        with UnreadServer(Pipe()) as server:
            os.close(server.unread.reading)
            server.unread.reading = os.open(os.devnull, os.O_RDONLY)
            server.fill()
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.wait_for_replacement(before)
            self.assertEqual(server.stop()[1], 0)

    def test_a_stopped_log_program(self):
        log_program = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        unread = Pipe()
        os.dup2(log_program.stdin.fileno(), unread.writing)
        try:
            os.kill(log_program.pid, signal.SIGSTOP)
            with UnreadServer(unread) as server:
                server.fill()
                before = server.workers()
                os.kill(before[0], signal.SIGKILL)
                server.wait_for_replacement(before)
                self.assertEqual(server.stop()[1], 0)
        finally:
            log_program.kill()
            log_program.communicate()


class Arbiters(unittest.TestCase):
    def test_a_second_arbiter(self):
        with UnreadServer(Pipe()) as server:
            server.fill()
            server.process.send_signal(signal.SIGUSR2)
            second = server.wait_until(lambda: [p for p, n in server.children().items() if n.startswith("testbed")],
                                       "the second arbiter")[0]
            children = Path(f"/proc/{second}/task/{second}/children")
            server.wait_until(lambda: children.read_text(), "its worker")
            os.kill(second, signal.SIGTERM)
            server.wait_until(lambda: not is_alive(second), "the second arbiter to exit")
            self.assertEqual(server.get("/"), 200)
            self.assertEqual(server.stop()[1], 0)

    def test_the_lines_of_the_arbiter_fill_the_pipe(self):
        with UnreadServer(Pipe(), "--log-level", "debug") as server:
            end = time.monotonic() + 30
            while os.get_blocking(server.unread.reading) and self.bytes_in_pipe(server) < 65000 and time.monotonic() < end:
                for _ in range(40):
                    server.process.send_signal(signal.SIGTTIN)
                    server.process.send_signal(signal.SIGTTOU)
                    time.sleep(0.001)
                server.fill(500)
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.wait_until(lambda: before[0] not in server.workers(), "the worker to exit")
            self.assertEqual(server.stop()[1], 0)

    @staticmethod
    def bytes_in_pipe(server):
        count = fcntl.ioctl(server.unread.reading, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(count, sys.byteorder)


class AccessLog(unittest.TestCase):
    def test_shutdown_does_not_wait(self):
        for kind in (Pipe, Socket, Terminal):
            for workers in (0, 1):
                with self.subTest(kind=kind.__name__, workers=workers), UnreadServer(kind(), workers=workers, stream="output") as server:
                    self.send_requests(server, FILL)
                    took, status = server.stop()
                    self.assertEqual(status, 0)
                    self.assertLess(took, 4.5)

    def test_lost_lines_are_counted_and_reported(self):
        with UnreadServer(Pipe(), workers=0, stream="output") as server:
            self.send_requests(server, OVERFLOW)
            errors = Path(server.folder.name) / "errors"
            server.read_until(rb"GET /\?")
            stopping = threading.Event()
            reader = threading.Thread(target=self.read_output, args=(server, stopping))
            reader.start()
            try:
                server.wait_until(lambda: re.search(r"\d+ lines of standard output were lost", errors.read_text()), "the report")
            finally:
                stopping.set()  # before its descriptor number is reused
                reader.join()

    @staticmethod
    def read_output(server, stopping):
        while not stopping.is_set():
            server.unread.drain()

    @staticmethod
    def send_requests(server, count):
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.settimeout(TIMEOUT)
            for _ in range(0, count, 100):
                s.sendall(b"GET /?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
                received = 0
                while received < 100:
                    received += s.recv(1 << 16).count(b"HTTP/1.1 200")


class StandardStreams(unittest.TestCase):
    def test_buffered_output_of_the_program_blocks_neither_fork_nor_shutdown(self):
        full = Pipe()
        with open(f"/proc/self/fd/{full.writing}", "wb", buffering=0,
                  opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK)) as pipe:
            while pipe.write(b"x" * 4096):
                pass
        with UnreadServer(full, stream="output", env={"TESTBED_PRINTS": "1"}) as server:
            self.assertEqual(server.get("/"), 200)
            before = server.workers()
            os.kill(before[0], signal.SIGKILL)
            server.wait_for_replacement(before)
            self.assertEqual(server.stop()[1], 0)


if __name__ == "__main__":
    unittest.main()
