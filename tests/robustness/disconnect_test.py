# SPDX-License-Identifier: Apache-2.0
"""A client that goes away cancels what it asked for; one that only ends its requests does not."""
import socket
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import AT_ONCE, Server, each_backend, read_all  # noqa: E402

LONG = "/_test/wait?ms=60000"


def ask(server, path, method="GET"):
    s = server.connect()
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return s


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Counted(unittest.TestCase):
    def wait_for_counts(self, server, **wanted):
        def there():
            counts = server.counters()
            return all(counts[k] == v for k, v in wanted.items())
        server.wait_until(there, what=f"{wanted} (there is {server.counters()})")


class Disconnect(Counted):
    @each_backend
    def test_a_close_cancels_an_async_view_and_its_objects_go(self, backend):
        with Server("--backend", backend) as server:
            count = min(20, AT_ONCE)
            clients = [ask(server, LONG) for _ in range(count)]
            self.wait_for_counts(server, started=count)
            for c in clients:
                c.close()
            self.wait_for_counts(server, cancelled=count, cleaned=count, finished=0)

    @each_backend
    def test_a_reset_cancels_an_async_view(self, backend):
        with Server("--backend", backend) as server:
            client = ask(server, LONG)
            self.wait_for_counts(server, started=1)
            reset(client)
            self.wait_for_counts(server, cancelled=1, cleaned=1)

    @each_backend
    def test_a_close_cancels_behind_unread_pipelined_requests(self, backend):
        with Server("--backend", backend) as server:
            client = ask(server, LONG)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
            self.wait_for_counts(server, started=1)
            client.close()
            self.wait_for_counts(server, cancelled=1, cleaned=1)

    @each_backend
    def test_a_close_ends_a_stream(self, backend):
        with Server("--backend", backend) as server:
            client = ask(server, "/_test/ticks")
            got = b""
            while b"tick" not in got:
                part = client.recv(4096)
                self.assertTrue(part, got)
                got += part
            client.close()
            server.wait_until(lambda: server.counters()["cleaned"] == 1, what="the end of the stream")

    @each_backend
    def test_a_sync_view_can_ask(self, backend):
        with Server("--backend", backend) as server:
            client = ask(server, "/_test/wait-sync?ms=60000")
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
    def test_thousands_of_requests_that_are_given_up_leave_nothing(self, backend):
        with Server("--backend", backend) as server:
            for _ in range(20):
                clients = [ask(server, LONG) for _ in range(100)]
                for c in clients:
                    reset(c)
            server.wait_for_no_connections()
            server.wait_until(lambda: server.counters()["started"] == server.counters()["cleaned"], what="the end of the views")
            self.assertEqual(server.counters()["finished"], 0)


class HalfClose(Counted):
    def answer(self, server, path, version="1.1"):
        with server.connect() as s:
            s.sendall(f"GET {path} HTTP/{version}\r\nHost: a\r\n\r\n".encode())
            s.shutdown(socket.SHUT_WR)
            return read_all(s)

    @each_backend
    def test_the_answer_still_arrives(self, backend):
        with Server("--backend", backend) as server:
            for path, end in (("/", b"ok\n"), ("/slow", b"slow\n"), ("/slow-sync", b"slow\n"), ("/stream", b"0\r\n\r\n"),
                              ("/_test/wait?ms=300", b"waited\n"), ("/_test/wait-sync?ms=300", b"waited\n")):
                for version in ("1.0", "1.1"):
                    got = self.answer(server, path, version)
                    self.assertIn(b"HTTP/1.1 200 OK\r\n", got, path)
                    if version == "1.1":
                        self.assertTrue(got.endswith(end), (path, got))

    @each_backend
    def test_a_large_answer_still_arrives(self, backend):
        with Server("--backend", backend) as server:
            self.assertGreater(len(self.answer(server, "/large")), 16 << 20)

    @each_backend
    def test_it_ends_later(self, backend):
        with Server("--backend", backend) as server:
            with ask(server, f"/_test/wait?ms=400&while={server.gate}") as s:
                self.wait_for_counts(server, started=1)
                s.shutdown(socket.SHUT_WR)
                server.open_gate()
                self.assertTrue(read_all(s).endswith(b"waited\n"))
            self.assertEqual(server.counters()["cancelled"], 0)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
