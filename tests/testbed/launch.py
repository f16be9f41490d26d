# SPDX-License-Identifier: Apache-2.0
"""Starts the testbed (or another program made with Rondo) for a test, and ends it.

    with Server("--backend", "epoll", "--max-body", "1MiB") as server:
        server.get("/")
"""
import functools
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(os.environ.get("RONDO_SOURCE", Path(__file__).resolve().parents[2]))
BIN = Path(os.environ.get("RONDO_BIN", SOURCE / "build/release/bin"))
BACKENDS = ("epoll", "io_uring")
START_SECONDS = 30


class Server:
    """A running program: one process, unless `--workers` is among the options. `log` is what it wrote to standard error (or the given file), `output` to standard output."""

    def __init__(self, *options, program="testbed", bind="127.0.0.1:0", preexec=None, env=None, pass_fds=(), log=None):
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        errors_file = Path(self.folder.name) / "log"
        self.log_file = log or errors_file
        self.output_file = Path(self.folder.name) / "output"
        arguments = [str(BIN / program), "serve"]
        if bind:
            arguments += ["--bind", bind]
        arguments += [str(o) for o in options]
        if not {"--workers", "-w"} & set(arguments):
            arguments += ["--workers", "0"]
        environment = dict(os.environ, TMPDIR=self.folder.name, **(env or {}))
        with open(errors_file, "wb") as errors, open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=errors, stdin=subprocess.DEVNULL,
                                            preexec_fn=preexec, env=environment, pass_fds=pass_fds)
        self.pid = self.process.pid
        self.urls = self._wait_for_start()
        self.port = next((int(u.rsplit(":", 1)[1]) for u in self.urls if u.startswith("http://")), 0)

    def _wait_for_start(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            # In a log of JSON lines the line ends are escaped.
            log = self.log.replace("\\n", "\n")
            if re.search(r"^ *threads ", log, re.M):
                return re.findall(r"^ *at +(\S+)", log, re.M)
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        self.process.kill()
        self.process.wait()
        raise RuntimeError("the server did not start: " + self.log)

    @property
    def log(self):
        return self.log_file.read_text(encoding="utf-8", errors="replace") if self.log_file.exists() else ""

    @property
    def output(self):
        return self.output_file.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, pattern, seconds=5):
        """The match of a regular expression in the log, as soon as it is there."""
        return self._wait_for(lambda: re.search(pattern, self.log, re.M | re.S), seconds,
                              lambda: f"the log has no {pattern!r}:\n{self.log}")

    def wait_for_output(self, pattern, seconds=5):
        return self._wait_for(lambda: re.search(pattern, self.output, re.M | re.S), seconds,
                              lambda: f"standard output has no {pattern!r}:\n{self.output}")

    @staticmethod
    def _wait_for(look, seconds, complaint):
        end = time.monotonic() + seconds
        while True:
            found = look()
            if found:
                return found
            assert time.monotonic() < end, complaint()
            time.sleep(0.01)

    def wait_until(self, true, seconds=5, what="it"):
        return self._wait_for(true, seconds, lambda: f"{what} did not happen; the log:\n{self.log}")

    def connect(self, timeout=10):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def exchange(self, data, timeout=10, shut=False):
        """Everything that comes back for these bytes, until the server closes."""
        with self.connect(timeout) as s:
            s.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
            if shut:
                s.shutdown(socket.SHUT_WR)
            return read_all(s)

    def get(self, path="/", **fields):
        return self.request("GET", path, **fields)

    def request(self, method, path="/", body=None, timeout=10, **fields):
        """(status, fields in lower case, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in fields.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def counters(self):
        return json.loads(self.get("/_test/counters")[2])

    # ---- the process ----

    def _status(self, name):
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{name}:\s*(\d+)", text, re.M).group(1))

    def memory(self):
        """Resident bytes."""
        return self._status("VmRSS") * 1024

    def threads(self):
        return self._status("Threads")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=10):
        """The exit status."""
        return self.process.wait(seconds)

    def end(self):
        """Ends it with SIGINT; True when it went in good order."""
        if self.alive():
            self.signal(signal.SIGINT)
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            status = -9
        self.folder.cleanup()
        return status == 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        was_alive = self.alive()
        log = self.log
        good = self.end()
        if kind is None and was_alive:
            assert good, "the server did not end in good order:\n" + log
        if "Sanitizer" in log or "bug:" in log:
            raise AssertionError(log)


def read_all(s):
    """Until the other side closes; an RST ends it as well."""
    parts = []
    while True:
        try:
            part = s.recv(1 << 18)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def each_backend(test):
    """A test of unittest that runs once per backend, with its name as a further argument."""
    @functools.wraps(test)
    def both(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                test(self, backend)
    return both


def run(*arguments, program="testbed", timeout=20, env=None):
    """Runs a program to its end: (exit status, standard output, standard error)."""
    done = subprocess.run([str(BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout, done.stderr

