# SPDX-License-Identifier: Apache-2.0
"""A load generator for tests of processes, and a server with an arbiter.

Each missing or incomplete response counts as a failure. A client with a persistent connection opens a new one after
`Connection: close`, as every client does.
"""
import asyncio
import re
import socket
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server, descriptors_of, link_of  # noqa: E402

LONGEST_IDLE = 0.3  # seconds; a shutdown closes no connection earlier than 0.5 s after its last use
REQUEST = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"


class BadResponse(Exception):
    pass


def parse_response(data):
    """(status, fields in lower case, body, bytes after it) of a response with a length; None while it is incomplete."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    length = int(fields.get(b"content-length", 0))
    if len(rest) < length:
        return None
    return int(head.split(b" ")[1]), fields, rest[:length], rest[length:]


def read_response(s):
    data = b""
    while not (response := parse_response(data)):
        part = s.recv(65536)
        if not part:
            raise BadResponse(f"ended after {len(data)} bytes")
        data += part
    return response


class LoadGenerator:
    """Clients with persistent connections and clients with one connection per request, in a thread of their own, until the
    end of the `with` block. Each client waits `pause` seconds between two requests. `failures` has a line for each request
    without a complete response; `resets` counts those that an RST ended. `late` counts requests that are retried and are
    not failures: the connection was idle for so long, as on a busy machine, that a server that shuts down may close it."""

    def __init__(self, port, persistent=8, short=8, path="/", pause=0.01):
        self.port, self.path, self.pause = port, path.encode(), pause
        self.responses, self.failures, self.resets, self.late = 0, [], 0, 0
        self.stopping = False
        self.refusal_expected = False  # the listener is closed
        self.thread = threading.Thread(target=lambda: asyncio.run(self._clients(persistent, short)), daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping = True
        self.thread.join(60)

    def wait_for_responses(self, count, seconds=60):
        """Waits for `count` more responses."""
        target, end = self.responses + count, time.monotonic() + seconds
        while self.responses < target and time.monotonic() < end:
            time.sleep(0.01)
        assert self.responses >= target, f"{self.responses} responses, {self.failures[:5]}"

    def __str__(self):
        return f"{self.responses} responses, {len(self.failures)} failures, {self.resets} resets, {self.late} late"

    async def _clients(self, persistent, short):
        await asyncio.gather(*(self._client(i < persistent) for i in range(persistent + short)))

    async def _client(self, persistent):
        connection = Connection(self.port)
        request = REQUEST % (self.path, b"" if persistent else b"Connection: close\r\n")
        while not self.stopping:
            try:
                async with asyncio.timeout(TIMEOUT):
                    fields = await connection.exchange(request)
                self.responses += 1
                if not persistent or fields.get(b"connection") == b"close":
                    connection.close()
            except (OSError, BadResponse) as e:
                if connection.step == "connect" and self.refusal_expected:
                    break
                if connection.is_late(e):
                    self.late += 1
                    connection.close()
                    continue
                self.failures.append(f"{'persistent' if persistent else 'short'}: {connection.step}: {e!r}")
                self.resets += isinstance(e, (ConnectionResetError, BrokenPipeError))
                connection.close()
            await asyncio.sleep(self.pause)
        connection.close()


class Connection:
    """The connection of one client; opened by the first request."""

    def __init__(self, port):
        self.port, self.socket, self.step = port, None, ""
        self.used_at = self.idle = self.received = 0

    async def exchange(self, request):
        """Returns the fields of the response, which must be complete and 200."""
        loop = asyncio.get_running_loop()
        self.step = "connect"
        if self.socket is None:
            self.socket = socket.socket()
            self.socket.setblocking(False)
            await loop.sock_connect(self.socket, ("127.0.0.1", self.port))
            self.used_at = loop.time()
        self.step = "request"
        # At least the time since the previous response, as the server measures it.
        self.idle, self.used_at, self.received = loop.time() - self.used_at, loop.time(), 0
        await loop.sock_sendall(self.socket, request)
        self.step = "response"
        data = b""
        while not (response := parse_response(data)):
            part = await loop.sock_recv(self.socket, 65536)
            if not part:
                raise BadResponse(f"ended after {len(data)} bytes")
            data += part
            self.received = len(data)
        if response[0] != 200:
            raise BadResponse(f"status {response[0]}")
        return response[1]

    def is_late(self, error):
        """True when a request got no byte of a response, and its connection was idle for longer than a server that shuts
        down has to wait."""
        ended = isinstance(error, (BadResponse, ConnectionResetError, BrokenPipeError))
        return ended and self.step != "connect" and self.received == 0 and self.idle > LONGEST_IDLE

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


class Arbiter(Server):
    """A server with an arbiter and workers."""

    def __init__(self, *options, workers=2, **more):
        super().__init__("--workers", workers, *options, **more)

    def wait_for_workers(self, count, other_than=(), seconds=TIMEOUT):
        """Waits until there are `count` workers and none of them is in `other_than`; returns their process ids."""
        def expected_workers():
            now = set(self.workers().values())
            return now if len(now) == count and not now & set(other_than) else None
        return self.wait_until(expected_workers, f"{count} workers", seconds)

    def connections_of(self, pid):
        """Number of established connections of a process, from its descriptors."""
        return len(established(self.port) & sockets_of(pid))


def sockets_of(pid):
    links = [link_of(pid, fd) for fd in descriptors_of(pid)]
    return {int(link[8:-1]) for link in links if link.startswith("socket:[")}


def established(port):
    """Inodes of the server's sockets of the connections to this port."""
    server_end = re.compile(rf"^\s*\d+: [0-9A-F]{{8}}:{port:04X} [0-9A-F]{{8}}:[0-9A-F]{{4}} 01 ")
    rows = Path("/proc/net/tcp").read_text().splitlines()
    return {int(row.split()[9]) for row in rows if server_end.match(row)}
