# SPDX-License-Identifier: Apache-2.0
"""A client that disconnects cancels its requests; a client that only half-closes its connection does not."""
import socket
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CONCURRENCY, Server, each_backend, read_all  # noqa: E402

LONG = "/_test/wait?ms=60000"


def send_request(server, path, method="GET"):
    s = server.connect()
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class CountingTest(unittest.TestCase):
    def wait_for_counts(self, server, **expected):
        def reached():
            counts = server.counters()
            return all(counts[k] == v for k, v in expected.items())
        server.wait_until(reached, what=f"the counters {expected}, starting from {server.counters()}")


class Disconnect(CountingTest):
    @each_backend
    def test_a_close_cancels_an_async_view_and_destroys_its_objects(self, backend):
        with Server("--backend", backend) as server:
            count = min(20, CONCURRENCY)
            clients = [send_request(server, LONG) for _ in range(count)]
            self.wait_for_counts(server, started=count)
            for c in clients:
                c.close()
            self.wait_for_counts(server, cancelled=count, cleaned=count, finished=0)

    @each_backend
    def test_a_reset_cancels_an_async_view(self, backend):
        with Server("--backend", backend) as server:
            client = send_request(server, LONG)
            self.wait_for_counts(server, started=1)
            reset(client)
            self.wait_for_counts(server, cancelled=1, cleaned=1)

    @each_backend
    def test_a_close_cancels_behind_unread_pipelined_requests(self, backend):
        with Server("--backend", backend) as server:
            client = send_request(server, LONG)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
            self.wait_for_counts(server, started=1)
            client.close()
            self.wait_for_counts(server, cancelled=1, cleaned=1)

    @each_backend
    def test_a_close_ends_a_stream(self, backend):
        with Server("--backend", backend) as server:
            client = send_request(server, "/_test/ticks")
            received = b""
            while b"tick" not in received:
                part = client.recv(4096)
                self.assertTrue(part, received)
                received += part
            client.close()
            server.wait_until(lambda: server.counters()["cleaned"] == 1, what="the stream to end")

    @each_backend
    def test_a_sync_view_can_check_for_cancellation(self, backend):
        with Server("--backend", backend) as server:
            client = send_request(server, "/_test/wait-sync?ms=60000")
            self.wait_for_counts(server, started=1)
            reset(client)
            self.wait_for_counts(server, cancelled=1, cleaned=1)

    @each_backend
    def test_a_close_while_the_body_is_read(self, backend):
        with Server("--backend", backend) as server:
            client = server.connect()
            client.sendall(b"POST /_test/read-late?ms=0 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
            server.wait_until_read(client)
            client.close()
            server.wait_for_no_connections()
            self.assertEqual(server.get("/")[0], 200)

    @each_backend
    def test_thousands_of_reset_requests_leave_no_connections_or_views(self, backend):
        with Server("--backend", backend) as server:
            for _ in range(20):
                clients = [send_request(server, LONG) for _ in range(100)]
                for c in clients:
                    reset(c)
            server.wait_for_no_connections()
            server.wait_until(lambda: server.counters()["started"] == server.counters()["cleaned"], what="the views to end")
            self.assertEqual(server.counters()["finished"], 0)


class HalfClose(CountingTest):
    def response_after_half_close(self, server, path, version="1.1"):
        with server.connect() as s:
            s.sendall(f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode())
            s.shutdown(socket.SHUT_WR)
            return read_all(s)

    @each_backend
    def test_the_response_still_arrives(self, backend):
        with Server("--backend", backend) as server:
            for path, end in (("/", b"ok\n"), ("/slow", b"slow\n"), ("/slow-sync", b"slow\n"), ("/stream", b"0\r\n\r\n"),
                              ("/_test/wait?ms=300", b"waited\n"), ("/_test/wait-sync?ms=300", b"waited\n")):
                for version in ("1.0", "1.1"):
                    response = self.response_after_half_close(server, path, version)
                    self.assertIn(b"HTTP/1.1 200 OK\r\n", response, path)
                    if version == "1.1":
                        self.assertTrue(response.endswith(end), (path, response))

    @each_backend
    def test_a_large_response_still_arrives(self, backend):
        with Server("--backend", backend) as server:
            self.assertGreater(len(self.response_after_half_close(server, "/large")), 16 << 20)

    @each_backend
    def test_half_close_while_the_view_waits(self, backend):
        with Server("--backend", backend) as server:
            with send_request(server, f"/_test/wait?ms=400&while={server.gate}") as s:
                self.wait_for_counts(server, started=1)
                s.shutdown(socket.SHUT_WR)
                server.open_gate()
                self.assertTrue(read_all(s).endswith(b"waited\n"))
            self.assertEqual(server.counters()["cancelled"], 0)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
