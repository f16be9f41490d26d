# SPDX-License-Identifier: Apache-2.0
"""Starts the testbed (or another program made with Rondo) for a test, and ends it.

    with Server("--backend", "epoll", "--max-body", "1MiB") as server:
        server.get("/")

The environment says with which workers, for a test that does not say it itself (./dev test-matrix goes through all):

    TESTBED_CLASS=async|threads|sync   TESTBED_WORKERS=0|1|4 (0: no arbiter)   TESTBED_BACKENDS="epoll io_uring"
"""
import errno
import functools
import http.client
import os
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
# Of linux/netlink.h, linux/sock_diag.h and net/tcp_states.h.
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, NLMSG_ERROR, TCP_LISTEN = 4, 20, 1, 2, 10
START_SECONDS = 60
# Seconds for what has to happen: they only bound a failure.
TIMEOUT = 30

# For a test whose numbers are those of one process.
ONE_WORKER = ("--workers", str(min(WORKERS, 1)))
# How many of the testbed's requests that wait run at once, at most: in an async worker a wait occupies nothing.
AT_ONCE = {"async": 1000, "threads": 32, "sync": 1}[CLASS]


class Server:
    """A running program, with the workers of the environment where the options do not name theirs. `log` is what it wrote
    to standard error (or the given file), `output` to standard output."""

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
        # The probes that are asked with `while=` and its name take as long as it is there.
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
            # In a log of JSON lines the line ends are escaped.
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
        """The match of a regular expression in the log, as soon as it is there."""
        return self._wait_for(lambda: re.search(pattern, self.log, re.M | re.S), seconds,
                              lambda: f"the log has no {pattern!r}:\n{self.log}")

    def wait_for_output(self, pattern, seconds=TIMEOUT):
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

    def wait_until(self, true, seconds=TIMEOUT, what="it"):
        return self._wait_for(true, seconds, lambda: f"{what} did not happen; the log:\n{self.log}")

    def open_gate(self):
        """What waits for it goes on."""
        self.gate.unlink(missing_ok=True)

    def wait_for_started(self, count, what="the views"):
        """Until so many of the testbed's probes that are counted have begun."""
        self.wait_until(lambda: self.counters()["started"] >= count, what=what)

    def wait_until_read(self, *clients):
        """Until the other side has taken what these sockets have sent."""
        for s in clients:
            ours, theirs = s.getsockname(), s.getpeername()
            self.wait_until(lambda: not unsent_and_unread(ours, theirs)[0] and not unsent_and_unread(theirs, ours)[1],
                            what="the reading of what was sent")

    def wait_until_full(self, *clients):
        """Until the server cannot send more to one of these sockets, which do not read."""
        self.wait_until(lambda: any(unsent_and_unread(s.getpeername(), s.getsockname())[0] for s in clients),
                        what="a full connection")

    def wait_until_closed(self, path, *pids):
        """Until these processes have the file open no more."""
        self.wait_until(lambda: not any(link_of(pid, fd) == str(path) for pid in pids for fd in descriptors_of(pid)),
                        what=f"the closing of {path}")

    def connect(self, timeout=TIMEOUT):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def exchange(self, data, timeout=TIMEOUT, shut=False):
        """Everything that comes back for these bytes, until the server closes."""
        with self.connect(timeout) as s:
            s.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
            if shut:
                s.shutdown(socket.SHUT_WR)
            return read_all(s)

    def get(self, path="/", **fields):
        return self.request("GET", path, **fields)

    def request(self, method, path="/", body=None, timeout=TIMEOUT, **fields):
        """(status, fields in lower case, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in fields.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def counters(self):
        """What the testbed's views of all its processes have counted: no request, so it tells also while none is answered."""
        return dict(zip(("started", "finished", "cancelled", "cleaned"), struct.unpack("4i", self.counters_file.read_bytes())))

    # ---- the processes ----

    def serving(self):
        """Process ids of those that serve: the workers, or the one process that there is."""
        return list(self.workers().values()) or [self.pid]

    def children(self):
        """Process ids of its children, the zombies left out."""
        listing = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(p) for p in listing if is_alive(int(p))]

    def workers(self):
        """Process id by slot."""
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
        """Resident bytes of those that serve."""
        return self._sum_of_status("VmRSS") * 1024

    def threads(self):
        return self._sum_of_status("Threads")

    def descriptors(self):
        """As many as the one of them with the most has open."""
        return max(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.serving())

    def _sockets(self):
        links = (link_of(pid, fd) for pid in self.serving() for fd in descriptors_of(pid))
        return sum(link.startswith("socket:") for link in links)

    def connections(self):
        """How many they hold open."""
        return self._sockets() - self.sockets_at_start

    def wait_for_no_connections(self, seconds=TIMEOUT):
        self.wait_until(lambda: self.connections() <= 0, seconds, "the end of the connections")

    def cpu_seconds(self):
        """Of all its processes."""
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
        """The exit status."""
        return self.process.wait(seconds)

    def end(self):
        """Ends it with SIGINT; True when it went in good order."""
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


def free_port():
    """Below the range of ephemeral ports (ip_local_port_range), so that a server that restarts finds it free again."""
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
    """The letter of proc(5); None when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def name_of(pid):
    """Empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def link_of(pid, fd):
    try:
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:  # closed meanwhile
        return ""


def unsent_and_unread(here, there):
    """Bytes that the other side has not got, and bytes to read, of this machine's socket from one address of IPv4 to
    another; zeros when there is none. By sock_diag(7): to read the table of all sockets can take a second."""
    ports = struct.pack("!HH", here[1], there[1])
    addresses = [socket.inet_aton(address) for address, _ in (here, there)]
    ask = struct.pack("=BBBxI4s4s12x4s12xI8s", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xFFFFFFFF, ports, *addresses, 0, b"\xff" * 8)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as s:
        s.send(struct.pack("=IHHII", 16 + len(ask), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + ask)
        got = s.recv(4096)
    if struct.unpack_from("=H", got, 4)[0] == NLMSG_ERROR:
        error = -struct.unpack_from("=i", got, 16)[0]
        if error == errno.ENOENT:
            return 0, 0
        raise OSError(error, os.strerror(error))
    if got[17] == TCP_LISTEN:  # the one that it would belong to
        return 0, 0
    unread, unsent = struct.unpack_from("=II", got, 72)
    return unsent, unread


def descriptors_of(pid):
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:  # it has ended
        return []


def each_backend(test):
    """A test of unittest that runs once per backend, with its name as a further argument."""
    @functools.wraps(test)
    def both(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend):
                test(self, backend)
    return both


def run(*arguments, program="testbed", timeout=60, env=None):
    """Runs a program to its end: (exit status, standard output, standard error)."""
    done = subprocess.run([str(BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, env=dict(os.environ, **(env or {})))
    return done.returncode, done.stdout, done.stderr

