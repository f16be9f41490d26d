# SPDX-License-Identifier: Apache-2.0
"""Clients for tests of processes, and what a test asks of an arbiter and its children.

Every answer that does not come, or is not the whole of what was asked for, counts as a failure. A client that keeps its
connection goes on with a new one after `Connection: close`, as every client does.
"""
import asyncio
import re
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server, descriptors_of, link_of, state_of  # noqa: E402

LONGEST_REST = 0.3  # seconds; a server that ends waits for 0.5 s for who asked a moment ago
REQUEST = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"


class Failure(Exception):
    pass


def whole_answer(data):
    """(status, fields in lower case, body, what came after it) of an answer with a length; None when more is to come."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))
    if len(rest) < length:
        return None
    return int(head.split(b" ")[1]), fields, rest[:length], rest[length:]


def read_answer(s):
    data = b""
    while not (answer := whole_answer(data)):
        part = s.recv(65536)
        if not part:
            raise Failure(f"ended after {len(data)} bytes")
        data += part
    return answer


class Traffic:
    """Some clients with kept connections and some with one connection per request, in one thread of their own, until the
    end of `with`. `pause` is what each waits between two requests. `failures` has a line for each request without its
    whole answer, `resets` are those of them that an RST ended. Not among them, but `late`: who let a kept connection rest
    for so long that a server which ends may have closed it, as on a busy machine; it asks again on another one."""

    def __init__(self, port, kept=8, short=8, path="/", pause=0.01):
        self.port, self.path, self.pause = port, path.encode(), pause
        self.answered, self.failures, self.resets, self.late = 0, [], 0, 0
        self.ending = False
        self.refused_is_fine = False  # nobody listens any more
        self.thread = threading.Thread(target=lambda: asyncio.run(self._clients(kept, short)), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        self.ending = True
        self.thread.join(60)

    def wait_for(self, answers, seconds=60):
        """Until so many more were answered."""
        wanted, end = self.answered + answers, time.monotonic() + seconds
        while self.answered < wanted and time.monotonic() < end:
            time.sleep(0.01)
        assert self.answered >= wanted, f"{self.answered} answers, {self.failures[:5]}"

    def __str__(self):
        return f"{self.answered} answers, {len(self.failures)} failures, {self.resets} resets, {self.late} late"

    async def _clients(self, kept, short):
        await asyncio.gather(*(self._client(i < kept) for i in range(kept + short)))

    async def _client(self, keep):
        connection = Connection(self.port)
        request = REQUEST % (self.path, b"" if keep else b"Connection: close\r\n")
        while not self.ending:
            try:
                async with asyncio.timeout(TIMEOUT):
                    fields = await connection.exchange(request)
                self.answered += 1
                if not keep or fields.get(b"connection") == b"close":
                    connection.close()
            except (OSError, Failure) as e:
                if connection.step == "connect" and self.refused_is_fine:
                    break
                if connection.came_late(e):
                    self.late += 1
                    connection.close()
                    continue
                self.failures.append(f"{'kept' if keep else 'short'}: {connection.step}: {e!r}")
                self.resets += isinstance(e, (ConnectionResetError, BrokenPipeError))
                connection.close()
            await asyncio.sleep(self.pause)
        connection.close()


class Connection:
    """One client's; opened when there is something to ask."""

    def __init__(self, port):
        self.port, self.socket, self.step = port, None, ""
        self.asked = self.rested = self.got = 0

    async def exchange(self, request):
        """The fields of the answer, when it is good and whole."""
        loop = asyncio.get_running_loop()
        self.step = "connect"
        if self.socket is None:
            self.socket = socket.socket()
            self.socket.setblocking(False)
            await loop.sock_connect(self.socket, ("127.0.0.1", self.port))
            self.asked = loop.time()
        self.step = "request"
        # No less than the time since the answer before, as the server knows it.
        self.rested, self.asked, self.got = loop.time() - self.asked, loop.time(), 0
        await loop.sock_sendall(self.socket, request)
        self.step = "answer"
        data = b""
        while not (answer := whole_answer(data)):
            part = await loop.sock_recv(self.socket, 65536)
            if not part:
                raise Failure(f"ended after {len(data)} bytes")
            data += part
            self.got = len(data)
        if answer[0] != 200:
            raise Failure(f"status {answer[0]}")
        return answer[1]

    def came_late(self, error):
        """Whether nothing of an answer came to a request after a rest for which a server that ends does not wait."""
        ended = isinstance(error, (Failure, ConnectionResetError, BrokenPipeError))
        return ended and self.step != "connect" and self.got == 0 and self.rested > LONGEST_REST

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


class Arbiter(Server):
    """A server with workers."""

    def __init__(self, *options, workers=2, **more):
        super().__init__("--workers", workers, *options, **more)

    def wait_for_workers(self, count, other_than=(), seconds=TIMEOUT):
        """Until there are so many workers, none of them among these; their processes."""
        def look():
            now = set(self.workers().values())
            return now if len(now) == count and not now & set(other_than) else None
        return self.wait_until(look, seconds, f"{count} workers")

    def connections_of(self, pid):
        """Established connections of a process, by its descriptors."""
        return len(established(self.port) & sockets_of(pid))


def sockets_of(pid):
    links = [link_of(pid, fd) for fd in descriptors_of(pid)]
    return {int(link[8:-1]) for link in links if link.startswith("socket:[")}


def established(port):
    """Inodes of the server's ends of connections to this port."""
    wanted = re.compile(rf"^\s*\d+: [0-9A-F]{{8}}:{port:04X} [0-9A-F]{{8}}:[0-9A-F]{{4}} 01 ")
    rows = Path("/proc/net/tcp").read_text().splitlines()
    return {int(row.split()[9]) for row in rows if wanted.match(row)}
