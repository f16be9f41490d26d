# SPDX-License-Identifier: Apache-2.0
"""Clients that read slowly, send slowly, pipeline many requests or crash: others are served and memory stays bounded."""
import multiprocessing
import os
import select
import signal
import socket
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CONCURRENCY, ONE_WORKER, Server, each_backend, read_all  # noqa: E402

MIB = 1 << 20


class SlowReader(unittest.TestCase):
    @each_backend
    def test_is_disconnected_and_uses_little_memory(self, backend):
        with Server("--backend", backend, "--write-timeout", "1s") as server:
            server.get("/large")
            before = server.memory()
            readers = []
            for _ in range(20 if CONCURRENCY > 20 else 2):  # each one occupies a thread until it is disconnected
                s = socket.socket()
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                s.connect(("127.0.0.1", server.port))
                s.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n" * 10)
                readers.append(s)
            server.wait_until_full(*readers)
            self.assertEqual(server.get("/")[0], 200)
            self.assertLess(server.memory() - before, (16 + 4 * len(server.serving())) * MIB)
            # The timeout resets the connection: the response must not look complete.
            for s in readers:
                server.wait_until(lambda s=s: self.has_error(s), what="a slow reader to be disconnected")
                s.close()
            server.wait_for_no_connections()

    @staticmethod
    def has_error(s):
        poll = select.poll()
        poll.register(s, 0)
        return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))

    @each_backend
    def test_a_slow_but_steady_reader_gets_everything(self, backend):
        with Server("--backend", backend, "--write-timeout", "2s") as server, server.connect() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            s.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            received, end = 0, time.monotonic() + 5
            while time.monotonic() < end:
                received += len(s.recv(65536))
                time.sleep(0.05)
            self.assertGreater(received + len(read_all(s)), 16 * MIB)

    @each_backend
    def test_pipelined_requests_are_not_read_without_limit(self, backend):
        with Server("--backend", backend) as server:
            before = server.memory()
            with server.connect() as s:
                s.sendall(f"GET /_test/wait?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                s.settimeout(1)
                sent = 0
                try:
                    while sent < 64 * MIB:
                        sent += s.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
                except TimeoutError:
                    pass
                self.assertLess(sent, 64 * MIB)
                self.assertLess(server.memory() - before, 8 * MIB)


class ManyRequests(unittest.TestCase):
    @each_backend
    def test_a_thousand_pipelined_requests_get_responses_in_order(self, backend):
        with Server("--backend", backend) as server:
            paths = [f"/reflect?n={i}" for i in range(999)]
            requests = "".join(f"GET {p} HTTP/1.1\r\nHost: a\r\n\r\n" for p in paths)
            responses = server.exchange(requests + "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(responses.count(b"HTTP/1.1 200 OK\r\n"), 1000)
            positions = [responses.index(f'"target":"{p}"'.encode()) for p in paths]
            self.assertEqual(positions, sorted(positions))

    @each_backend
    def test_two_thousand_connections_that_send_byte_by_byte(self, backend):
        with Server("--backend", backend, "--header-timeout", "5m", *ONE_WORKER) as server:
            request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
            clients, memory = [], []
            for _ in range(4):
                group = [server.connect() for _ in range(500)]
                clients += group
                for byte in request[:-1]:
                    for c in group:
                        c.send(bytes([byte]))
                    server.wait_until_read(*group)
                self.assertEqual(server.get("/")[0], 200)
                memory.append(server.memory())
            # The first group includes the fixed cost of reading from many connections.
            self.assertLess((memory[-1] - memory[0]) / 1500, 4096, memory)
            for first in range(0, len(clients), 500):  # at most as many as may wait for a thread
                for c in clients[first:first + 500]:
                    c.send(request[-1:])
                for c in clients[first:first + 500]:
                    self.assertIn(b"200 OK", c.recv(4096))
                    c.close()


def crash_with_connections(port, count):
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\nGET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        globals().setdefault("connections", []).append(s)
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    s.recv(1000)
    os.kill(os.getpid(), signal.SIGKILL)


class ManyClients(unittest.TestCase):
    @each_backend
    def test_killed_clients_leave_no_connections_or_views(self, backend):
        with Server("--backend", backend) as server:
            for _ in range(3):
                clients = [multiprocessing.Process(target=crash_with_connections, args=(server.port, min(100, CONCURRENCY // 5))) for _ in range(4)]
                for p in clients:
                    p.start()
                for p in clients:
                    p.join()
                self.assertEqual(server.get("/")[0], 200)
            server.wait_for_no_connections()
            server.wait_until(lambda: server.counters()["started"] == server.counters()["cleaned"], what="the views to end")

    @each_backend
    def test_connections_without_requests_use_no_memory(self, backend):
        with Server("--backend", backend) as server:
            server.get("/")
            before = server.memory()
            for _ in range(3000):
                server.connect().close()
            self.assertEqual(server.get("/")[0], 200)
            server.wait_for_no_connections()
            self.assertLess(server.memory() - before, 8 * MIB)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
