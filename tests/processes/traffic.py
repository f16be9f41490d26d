# SPDX-License-Identifier: Apache-2.0
"""Clients for tests of processes, and what a test asks of an arbiter and its children.

Every answer that does not come, or is not the whole of what was asked for, counts as a failure. A client that keeps its
connection goes on with a new one after `Connection: close`, as every client does.
"""
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from launch import Server  # noqa: E402

REQUEST = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"


class Failure(Exception):
    pass


def read_answer(s, kept=b""):
    """(status, fields in lower case, body, what came after it)"""
    data = kept
    while b"\r\n\r\n" not in data:
        part = s.recv(65536)
        if not part:
            raise Failure(f"ended after {len(data)} bytes of a head")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))
    while len(rest) < length:
        part = s.recv(65536)
        if not part:
            raise Failure(f"ended after {len(rest)} of {length} bytes of a body")
        rest += part
    return int(head.split(b" ")[1]), fields, rest[:length], rest[length:]


class Traffic:
    """Some clients with kept connections and some with one connection per request, in threads, until the end of `with`.
    `pause` is what each waits between two requests."""

    def __init__(self, port, kept=8, short=8, path="/", pause=0.01):
        self.port, self.path, self.pause = port, path.encode(), pause
        self.answered, self.failures = 0, []
        self.ending = threading.Event()
        self.refused_is_fine = False  # nobody listens any more
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._client, args=(i < kept,), daemon=True)
                        for i in range(kept + short)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.ending.set()
        for t in self.threads:
            t.join(30)

    def wait_for(self, answers, seconds=20):
        """Until so many more were answered."""
        wanted, end = self.answered + answers, time.monotonic() + seconds
        while self.answered < wanted and time.monotonic() < end:
            time.sleep(0.01)
        assert self.answered >= wanted, f"{self.answered} answers, {self.failures[:5]}"

    def _client(self, keep):
        s = None
        while not self.ending.is_set():
            step = "connect"
            try:
                if s is None:
                    s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
                step = "request"
                s.sendall(REQUEST % (self.path, b"" if keep else b"Connection: close\r\n"))
                step = "answer"
                status, fields, _, _ = read_answer(s)
                if status != 200:
                    raise Failure(f"status {status}")
                with self.lock:
                    self.answered += 1
                if not keep or fields.get(b"connection") == b"close":
                    s.close()
                    s = None
            except (OSError, Failure) as e:
                if step == "connect" and self.refused_is_fine:
                    return
                with self.lock:
                    self.failures.append(f"{'kept' if keep else 'short'}: {step}: {e!r}")
                if s is not None:
                    s.close()
                s = None
            time.sleep(self.pause)
        if s is not None:
            s.close()


class Arbiter(Server):
    """A server with workers."""

    def __init__(self, *options, workers=2, **more):
        super().__init__("--workers", workers, *options, **more)

    def children(self):
        """Process ids of its children, the zombies left out."""
        listing = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [int(p) for p in listing if state_of(int(p)) not in ("Z", None)]

    def workers(self):
        """Process id by slot."""
        found = {}
        for pid in self.children():
            try:
                name = Path(f"/proc/{pid}/comm").read_text().strip()
            except OSError:
                continue
            if name.startswith("worker "):
                found[int(name.split()[1])] = pid
        return found

    def wait_for_workers(self, count, other_than=(), seconds=20):
        """Until there are so many workers, none of them among these."""
        def look():
            now = set(self.workers().values())
            return len(now) == count and not now & set(other_than)
        self.wait_until(look, seconds, f"{count} workers")
        return set(self.workers().values())

    def connections_of(self, pid):
        """Established connections of a process, by its descriptors."""
        return len(established(self.port) & sockets_of(pid))


def state_of(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def sockets_of(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if link.startswith("socket:["):
            found.add(int(link[8:-1]))
    return found


def established(port):
    """Inodes of the server's ends of connections to this port."""
    wanted = re.compile(rf"^\s*\d+: [0-9A-F]{{8}}:{port:04X} [0-9A-F]{{8}}:[0-9A-F]{{4}} 01 ")
    rows = Path("/proc/net/tcp").read_text().splitlines()
    return {int(row.split()[9]) for row in rows if wanted.match(row)}
