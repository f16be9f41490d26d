# SPDX-License-Identifier: Apache-2.0
"""The proxy view and the client, in all kinds of views, between clients that disconnect at any time and an upstream that
does everything wrong. No process crashes, and every client gets a response or a closed connection in time. The upstream
gets no request that no client sent, and no non-idempotent request twice. No client gets the response to another request.

    HOSTILE_SEED=N      seed of the run; it is printed (two runs still differ, because of the network)
    HOSTILE_SECONDS=N   duration for each combination of workers and backend
"""
import asyncio
import os
import random
import socket
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BACKENDS, Server  # noqa: E402
from upstream import Upstream  # noqa: E402

SEED = int(os.environ.get("HOSTILE_SEED", "1"))
SECONDS = float(os.environ.get("HOSTILE_SECONDS", "10"))
CLIENTS = 24
RESPONSE_TIMEOUT = 60
METHODS = ("GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
KINDS = ("proxied", "proxied", "proxied", "call", "call-sync", "call-in-pieces", "call-with-timeout")
# Part of most bodies: if the head of a request got lost, its body would be a request of its own.
HIDDEN = b"POST /hidden HTTP/1.1\r\nHost: inside\r\nX-Request-Name: hidden\r\nContent-Length: 0\r\n\r\n"


class Disconnected(Exception):
    """The client disconnected on purpose."""


class Client:
    """Sends one request after the other, on persistent and new connections."""

    def __init__(self, driver, seed):
        self.driver, self.random = driver, random.Random(seed)
        self.reader = self.writer = None

    def issue(self):
        method = self.random.choice(METHODS)
        name = f"{self.random.getrandbits(64):016x}"
        self.driver.upstream.issued[name] = method
        return method, name

    def body(self, method):
        if method not in ("POST", "PUT", "PATCH") and self.random.random() < 0.9:
            return b""
        return (HIDDEN * self.random.choice((0, 1, 1, 10, 1000, 10_000)))[self.random.choice((0, 0, 1)):]

    def request(self):
        method, name = self.issue()
        kind = self.random.choice(KINDS)
        target = f"/{kind}/{self.random.choice(('a', 'b/c', 'd%20e'))}"
        body = b""
        if kind == "proxied":
            body = self.body(method)
            chunked = body and self.random.random() < 0.4
        else:
            chunked = False
            sent = self.random.choice((0, 0, 1, 20_000, 400_000)) if method in ("POST", "PUT", "PATCH") else 0
            target += f"?sent={sent}&ms={self.random.choice((1, 5, 30, 200))}&pieces={self.random.choice((0, 1, 3, 1000))}"
        head = f"{method} {target} HTTP/1.1\r\nHost: a\r\nX-Request-Name: {name}\r\n"
        if self.random.random() < 0.3:
            head += "Connection: close\r\n"
        if chunked:
            head += "Transfer-Encoding: chunked\r\n"
            body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in self.cut(body)) + b"0\r\n\r\n"
        elif body or method in ("POST", "PUT", "PATCH"):
            head += f"Content-Length: {len(body)}\r\n"
        return method, name, (head + "\r\n").encode() + body

    def cut(self, data):
        size = self.random.choice((1000, 5000, 100_000))
        return [data[i:i + size] for i in range(0, len(data), size)]

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.driver.server.port, limit=1 << 20)

    def disconnect(self):
        if self.writer and self.random.random() < 0.5:
            sock = self.writer.get_extra_info("socket")
            if sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if self.writer:
            self.writer.transport.abort()
        self.reader = self.writer = None

    async def send(self, data):
        slowly = self.random.random() < 0.2
        for part in self.cut(data) if slowly else [data]:
            self.writer.write(part)
            await self.writer.drain()
            if slowly:
                await asyncio.sleep(0.001)
                if self.random.random() < 0.05:
                    raise Disconnected
        if self.random.random() < 0.1:
            await asyncio.sleep(self.random.choice((0, 0.005, 0.05)))
            raise Disconnected

    async def read_response(self, method):
        """(status, fields), or None when the connection was closed before the end of the response."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status = int(head.split(" ")[1])
            fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head.split("\r\n")[1:] if line)}
            if method == "HEAD" or status in (204, 304):
                return status, fields
            if fields.get("transfer-encoding") == "chunked":
                while size := int(await self.reader.readuntil(b"\r\n"), 16):
                    await self.reader.readexactly(size + 2)
                while await self.reader.readuntil(b"\r\n") != b"\r\n":
                    pass
            elif "content-length" in fields:
                await self.reader.readexactly(int(fields["content-length"]))
            else:
                await self.reader.read(-1)
            return status, fields
        except asyncio.IncompleteReadError:
            return None

    async def send_one(self):
        if self.writer is None:
            await self.connect()
        method, name, data = self.request()
        try:
            await self.send(data)
        except OSError:
            pass  # the server may have responded early
        response = await self.read_response(method)
        if response is None:
            self.driver.count("closed")
            return self.disconnect()
        status, fields = response
        self.driver.count(status)
        if fields.get("x-response-to", name) != name:
            self.driver.errors.append(f"{name} ({method}) got the response to {fields['x-response-to']}: {status}")
        if status >= 400 or fields.get("connection") == "close" or "content-length" not in fields:
            self.disconnect()

    async def run(self, end):
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            try:
                await asyncio.wait_for(self.send_one(), RESPONSE_TIMEOUT)
            except Disconnected:
                self.driver.count("disconnected")
                self.disconnect()
            except asyncio.TimeoutError:
                self.driver.errors.append(f"neither a response nor a closed connection within {RESPONSE_TIMEOUT} s")
                self.disconnect()
            except OSError:
                self.driver.count("reset")
                self.disconnect()
        self.disconnect()


class Driver:
    def __init__(self, upstream, server):
        self.upstream, self.server = upstream, server
        self.counts, self.errors = {}, []

    def count(self, outcome):
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    async def drive(self, seed):
        end = asyncio.get_running_loop().time() + SECONDS
        await asyncio.gather(*(Client(self, f"{seed} {i}").run(end) for i in range(CLIENTS)))

    async def check_recovery(self):
        """Every kind of view works again when the upstream behaves."""
        self.upstream.hostile = False
        await asyncio.sleep(0.2)
        for kind in (*sorted(set(KINDS) - {"call-with-timeout"}), "call-with-timeout"):
            client = Client(self, kind)
            await client.connect()
            name = f"recovery-{kind}"
            self.upstream.issued[name] = "GET"
            client.writer.write(f"GET /{kind}/a?ms=30000 HTTP/1.1\r\nHost: a\r\nX-Request-Name: {name}\r\n\r\n".encode())
            response = await asyncio.wait_for(client.read_response("GET"), RESPONSE_TIMEOUT)
            if response is None or response[0] != 200 or response[1].get("x-response-to") != name:
                self.errors.append(f"no recovery: {kind} got {response}")
            client.disconnect()


class Hostile(unittest.TestCase):
    def run_clients(self, worker_class, backend):
        seed = f"{SEED} {worker_class} {backend}"

        async def run():
            async with Upstream(seed) as upstream:
                with Server("--workers", 1, "--worker-class", worker_class, "--backend", backend, "--stall-threshold", "0",
                            env={"TESTBED_UPSTREAM": upstream.url}) as server:
                    workers = server.workers()
                    driver = Driver(upstream, server)
                    await driver.drive(seed)
                    await driver.check_recovery()
                    status = await asyncio.to_thread(server.get, "/")
                    log = server.log
                    print(f"seed {seed}: {sum(driver.counts.values())} requests, {len(upstream.seen)} seen by the upstream,",
                          dict(sorted(driver.counts.items(), key=str)), flush=True)
                    self.assertEqual(server.workers(), workers, log[-8000:])
                    self.assertEqual(status[0], 200)
                    self.assertNotRegex(log, r"was killed by signal|Sanitizer|runtime error:|bug:|std::terminate")
                    self.assertEqual(driver.errors + upstream.errors, [])
                    self.assertGreater(len(upstream.seen), 20)
        asyncio.run(run())

    def test_async_workers(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend, seed=SEED):
                self.run_clients("async", backend)

    def test_threads_workers(self):
        for backend in BACKENDS:
            with self.subTest(backend=backend, seed=SEED):
                self.run_clients("threads", backend)


if __name__ == "__main__":
    unittest.main()
