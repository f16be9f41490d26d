# SPDX-License-Identifier: Apache-2.0
"""Starts and stops the testbed (or another program built with Rondo) for a test.

    with Server("--backend", "epoll", "--max-body", "1MiB") as server:
        server.get("/")

The environment sets the workers for tests that do not set them (./dev test-matrix runs all combinations):

    TESTBED_CLASS=async|threads|sync   TESTBED_WORKERS=0|1|4 (0: no arbiter)   TESTBED_BACKENDS="epoll io_uring"
"""
import errno
import functools
import http.client
import os
import pwd
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path

SOURCE = Path(os.environ.get("RONDO_SOURCE", Path(__file__).resolve().parents[2]))
BIN = Path(os.environ.get("RONDO_BIN", SOURCE / "build/release/bin"))
CLASS = os.environ.get("TESTBED_CLASS", "async")
WORKERS = int(os.environ.get("TESTBED_WORKERS", "0"))
BACKENDS = tuple(os.environ.get("TESTBED_BACKENDS", "epoll io_uring").split())
# From linux/netlink.h, linux/sock_diag.h and net/tcp_states.h.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR, TCP_LISTEN = 4, 20, 1, 2, 10
START_SECONDS = 60
# Seconds to wait for something that must happen; only a failing test waits that long.
TIMEOUT = 30

# Workers run as this user in tests that drop privileges.
UNPRIVILEGED = pwd.getpwuid(65534)
# For tests whose numbers apply to one process.
ONE_WORKER = ("--workers", str(min(WORKERS, 1)))
# The most requests to waiting probes that run at the same time; in an async worker a waiting request occupies no thread.
CONCURRENCY = {"async": 1000, "threads": 32, "sync": 1}[CLASS]


class Server:
    """A running program. It uses the workers of the environment unless the options set them. `log` is the text written to
    standard error (or to the given file), `output` the text written to standard output."""

    def __init__(self, *options, program="testbed", bind="127.0.0.1:0", preexec=None, env=None, pass_fds=(), log=None, cwd=None):
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        errors_file = Path(self.folder.name) / "log"
        self.log_file = log or errors_file
        self.output_file = Path(self.folder.name) / "output"
        arguments = [str(BIN / program), "serve"]
        if bind:
            arguments += ["--bind", bind]
        arguments += [str(o) for o in options]
        for option, value in (("--workers", WORKERS), ("--worker-class", CLASS)):
            if option not in arguments:
                arguments += [option, str(value)]
        if len(BACKENDS) == 1 and "--backend" not in arguments and "RONDO_BACKEND" not in (env or {}):
            arguments += ["--backend", BACKENDS[0]]
        self.counters_file = Path(self.folder.name) / "counters"
        # A probe that is requested with `while=` and this path waits until the file is removed.
        self.gate = Path(self.folder.name) / "gate"
        self.gate.touch()
        environment = dict(os.environ, TMPDIR=self.folder.name, TESTBED_COUNTERS=str(self.counters_file), **(env or {}))
        with open(errors_file, "wb") as errors, open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(arguments, stdout=output, stderr=errors, stdin=subprocess.DEVNULL,
                                            preexec_fn=preexec, env=environment, pass_fds=pass_fds, cwd=cwd)
        self.pid = self.process.pid
        self.urls = self._wait_for_start()
        self.sockets_at_start = self._sockets()
        self.port = next((int(u.rsplit(":", 1)[1]) for u in self.urls if u.startswith("http://")), 0)

    def _wait_for_start(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            # A JSON log escapes line breaks.
            log = self.log.replace("\\n", "\n")
            if re.search(r"^ *threads ", log, re.M):
                return re.findall(r"^ *listen +(\S+)", log, re.M)
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

    def wait_for_log(self, pattern, seconds=TIMEOUT):
        """Waits until the regular expression matches the log, and returns the match."""
        return self.poll(lambda: re.search(pattern, self.log, re.M | re.S), seconds,
                         lambda: f"no match for {pattern!r} in the log:\n{self.log}")

    def wait_for_output(self, pattern, seconds=TIMEOUT):
        return self.poll(lambda: re.search(pattern, self.output, re.M | re.S), seconds,
                         lambda: f"no match for {pattern!r} in standard output:\n{self.output}")

    @staticmethod
    def poll(condition, seconds, message):
        """Calls `condition` until it returns a true value, and returns that; fails with `message` after the timeout."""
        end = time.monotonic() + seconds
        while True:
            if value := condition():
                return value
            assert time.monotonic() < end, message()
            time.sleep(0.01)

    def wait_until(self, condition, what="the condition", seconds=TIMEOUT):
        """Waits until the condition is true, and returns its value. `what` completes "timed out waiting for ..."."""
        return self.poll(condition, seconds, lambda: f"timed out waiting for {what}\n{self.describe()}")

    def describe(self):
        """What a failure message includes."""
        return f"the log:\n{self.log}"

    def open_gate(self):
        """Lets all probes that wait for the gate continue."""
        self.gate.unlink(missing_ok=True)

    def wait_for_started(self, count, what="the views to start"):
        """Waits until `count` of the probes that count themselves have started."""
        self.wait_until(lambda: self.counters()["started"] >= count, what=what)

    def wait_until_read(self, *clients):
        """Waits until the server has read everything these sockets sent."""
        for s in clients:
            ours, theirs = s.getsockname(), s.getpeername()
            self.wait_until(lambda: not unsent_and_unread(ours, theirs)[0] and not unsent_and_unread(theirs, ours)[1],
                            what="the server to read everything that was sent")

    def wait_until_full(self, *clients):
        """Waits until the server cannot send more to one of these sockets, which do not read."""
        self.wait_until(lambda: any(unsent_and_unread(s.getpeername(), s.getsockname())[0] for s in clients),
                        what="a full connection")

    def wait_until_closed(self, path, *pids):
        """Waits until none of these processes has the file open."""
        self.wait_until(lambda: not any(link_of(pid, fd) == str(path) for pid in pids for fd in descriptors_of(pid)),
                        what=f"{path} to be closed")

    def connect(self, timeout=TIMEOUT):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def exchange(self, data, timeout=TIMEOUT, half_close=False):
        """Sends these bytes and returns everything received until the server closes the connection."""
        with self.connect(timeout) as s:
            s.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return read_all(s)

    def get(self, path="/", **fields):
        return self.request("GET", path, **fields)

    def request(self, method, path="/", body=None, timeout=TIMEOUT, **fields):
        """(status, fields in lower case, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in fields.items()})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def counters(self):
        """The counters of the testbed's views, summed over its processes. Sends no request, so it works on a blocked server too."""
        return dict(zip(("started", "finished", "cancelled", "cleaned"), struct.unpack("4i", self.counters_file.read_bytes())))

    # ---- processes ----

    def serving(self):
        """Process ids of the workers, or of the only process without an arbiter."""
        return list(self.workers().values()) or [self.pid]

    def children(self):
        """Process ids of its children, without zombies."""
        listing = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(p) for p in listing if is_alive(int(p))]

    def workers(self):
        """Process ids of the workers, by slot."""
        found = {}
        for pid in self.children():
            name = name_of(pid)
            if name.startswith("worker "):
                found[int(name.split()[1])] = pid
        return found

    def _sum_of_status(self, name):
        texts = (Path(f"/proc/{pid}/status").read_text() for pid in self.serving())
        return sum(int(re.search(rf"^{name}:\s*(\d+)", text, re.M).group(1)) for text in texts)

    def memory(self):
        """Resident bytes of the serving processes."""
        return self._sum_of_status("VmRSS") * 1024

    def threads(self):
        return self._sum_of_status("Threads")

    def descriptors(self):
        """Open descriptors of the serving process that has the most."""
        return max(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.serving())

    def _sockets(self):
        links = (link_of(pid, fd) for pid in self.serving() for fd in descriptors_of(pid))
        return sum(link.startswith("socket:") for link in links)

    def connections(self):
        """Number of open connections."""
        return self._sockets() - self.sockets_at_start

    def wait_for_no_connections(self, seconds=TIMEOUT):
        self.wait_until(lambda: self.connections() <= 0, "the connections to close", seconds)

    def cpu_seconds(self):
        """CPU time of all its processes."""
        total = 0
        for pid in {self.pid, *self.serving()}:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def alive(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=TIMEOUT):
        """Waits until the server exits, and returns its exit status."""
        return self.process.wait(seconds)

    def stop(self):
        """Stops the server with SIGINT; returns True when it exited cleanly."""
        self.open_gate()
        if self.alive():
            self.signal(signal.SIGINT)
        try:
            status = self.process.wait(TIMEOUT)
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
        clean = self.stop()
        if kind is None and was_alive:
            assert clean, "the server did not exit cleanly:\n" + log
        if "Sanitizer" in log or "bug:" in log:
            raise AssertionError(log)


def read_all(s):
    """Reads until the server closes or resets the connection."""
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


def free_port():
    """Below the range of ephemeral ports (ip_local_port_range), so that it is still free when a server restarts."""
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no free port")


def is_alive(pid):
    """False for a zombie."""
    return state_of(pid) not in ("Z", None)


def state_of(pid):
    """The state letter of proc(5); None when the process does not exist."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def name_of(pid):
    """Empty when the process does not exist."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def link_of(pid, fd):
    try:
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:  # closed in the meantime
        return ""


def unsent_and_unread(here, there):
    """Bytes that the peer has not acknowledged, and bytes to read, of the local socket between two IPv4 addresses; zeros
    when there is none. Uses sock_diag(7), because reading the table of all sockets can take a second."""
    ports = struct.pack("!HH", here[1], there[1])
    addresses = [socket.inet_aton(address) for address, _ in (here, there)]
    query = struct.pack("=BBBxI4s4s12x4s12xI8s", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF, ports, *addresses, 0, b"\xff" * 8)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as s:
        s.send(struct.pack("=IHHII", 16 + len(query), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + query)
        reply = s.recv(4096)
    if struct.unpack_from("=H", reply, 4)[0] == NLMSG_ERROR:
        error = -struct.unpack_from("=i", reply, 16)[0]
        if error == errno.ENOENT:
            return 0, 0
        raise OSError(error, os.strerror(error))
    if reply[17] == TCP_LISTEN:  # the listener that would accept the connection
        return 0, 0
    unread, unsent = struct.unpack_from("=II", reply, 72)
    return unsent, unread


def descriptors_of(pid):
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:  # the process has exited
        return []


def each_backend(test):
    """Runs a unittest test once per backend, with the backend's name as an additional argument."""
    @functools.wraps(test)
    def both(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                test(self, backend)
    return both


def run(*arguments, program="testbed", timeout=60, env=None):
    """Runs a program until it exits: (exit status, standard output, standard error)."""
    done = subprocess.run([str(BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout, done.stderr

