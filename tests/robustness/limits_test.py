# SPDX-License-Identifier: Apache-2.0
"""Every size limit and timeout is a setting, and is enforced."""
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import Server, each_backend, read_all  # noqa: E402


def request(path="/", fields="", body="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}".encode("latin-1")


def post(size, body=""):
    return request("/echo", f"Content-Length: {size}\r\nConnection: close\r\n", body, "POST")


def chunked(*sizes):
    body = "".join(f"{n:x}\r\n{'z' * n}\r\n" for n in sizes) + "0\r\n\r\n"
    return request("/echo", "Transfer-Encoding: chunked\r\nConnection: close\r\n", body, "POST")


def status(response):
    return int(response.split(b" ", 2)[1]) if response else None


class Sizes(unittest.TestCase):
    @each_backend
    def test_body(self, backend):
        with Server("--backend", backend, "--max-body", "1000") as server:
            for data, expected in ((post(1000, "z" * 1000), 200), (post(1001, "z" * 1001), 413), (post(1001), 413),
                                   (post(10 ** 12), 413), (chunked(1000), 200), (chunked(500, 500), 200), (chunked(1001), 413),
                                   (chunked(500, 501), 413), (chunked(*[1] * 1001), 413)):
                self.assertEqual(status(server.exchange(data)), expected, data[:80])

    @each_backend
    def test_body_limit_of_zero(self, backend):
        with Server("--backend", backend, "--max-body", "0") as server:
            self.assertEqual(status(server.exchange(post(1, "z"))), 413)
            self.assertEqual(status(server.exchange(post(0))), 200)
            self.assertEqual(server.get("/")[0], 200)

    @each_backend
    def test_large_bodies_are_echoed_completely(self, backend):
        with Server("--backend", backend, "--max-body", "20MiB") as server:
            body = bytes(range(256)) * (1 << 16)  # 16 MiB
            code, _, echoed = server.request("POST", "/echo", body)
            self.assertEqual(code, 200)
            self.assertEqual(echoed, body)
            code, _, echoed = server.request("POST", "/echo", iter([body[i:i + 77777] for i in range(0, len(body), 77777)]))
            self.assertEqual((code, echoed == body), (200, True))

    @each_backend
    def test_head(self, backend):
        with Server("--backend", backend, "--max-request-line", "100", "--max-fields", "5", "--max-fields-size", "500") as server:
            for data, expected in ((request("/?" + "q" * (100 - len("GET /? HTTP/1.1")), "Connection: close\r\n"), 200),
                                   (request("/?" + "q" * (101 - len("GET /? HTTP/1.1"))), 414),
                                   (request("/", "A: b\r\n" * 3 + "Connection: close\r\n"), 200),
                                   (request("/", "A: b\r\n" * 5), 431), (request("/", "A: " + "b" * 500 + "\r\n"), 431)):
                self.assertEqual(status(server.exchange(data)), expected, data)


class Timeouts(unittest.TestCase):
    @staticmethod
    def serve(backend, *options, **times):
        """A server with these timeouts, and 10 minutes for the others."""
        for name in ("header", "body", "keepalive", "write", "request"):
            options += (f"--{name}-timeout", times.get(name, "10m"))
        return Server("--backend", backend, *options)

    def check_timeout(self, server, seconds, *data, expected=None):
        """Checks that the connection closes after `seconds`, before any other timeout, with the status `expected`."""
        began = time.monotonic()
        with server.connect() as s:
            for piece in data:
                s.sendall(piece)
            response = read_all(s)
            took = time.monotonic() - began
        self.assertGreater(took, seconds - 0.15)
        self.assertEqual(status(response), expected, response)

    @each_backend
    def test_header(self, backend):
        with self.serve(backend, header="600ms") as server:
            self.check_timeout(server, 0.6)
            self.check_timeout(server, 0.6, b"GET / HTTP/1.1\r\nHost:", expected=408)

    @each_backend
    def test_body(self, backend):
        with self.serve(backend, body="600ms") as server:
            self.check_timeout(server, 0.6, post(5, "he"), expected=408)

    @each_backend
    def test_keep_alive(self, backend):
        with self.serve(backend, keepalive="600ms") as server:
            self.check_timeout(server, 0.6, request(), expected=200)

    @each_backend
    def test_a_body_below_the_rate(self, backend):
        with self.serve(backend, "--body-rate", "1000", body="2s") as server:
            with server.connect() as s, self.assertRaises((ConnectionResetError, BrokenPipeError)):
                s.sendall(post(100000))
                for _ in range(300):
                    s.sendall(b"z" * 10)  # at most 100 bytes per second
                    time.sleep(0.1)

    @each_backend
    def test_a_body_at_the_rate(self, backend):
        with Server("--backend", backend, "--body-timeout", "1s", "--body-rate", "100") as server:
            with server.connect() as s:
                s.sendall(post(4000))
                for _ in range(20):
                    s.sendall(b"z" * 200)  # 2,000 bytes per second, for two seconds
                    time.sleep(0.1)
                self.assertEqual(status(read_all(s)), 200)

    @each_backend
    def test_none_of_them_applies_to_a_slow_view(self, backend):
        options = [w for n in ("header", "body", "keepalive", "write") for w in (f"--{n}-timeout", "600ms")]
        with Server("--backend", backend, *options) as server:
            self.assertEqual(server.get("/slow")[0], 200)
            self.assertEqual(server.get("/slow-sync")[0], 200)
            self.assertEqual(server.request("POST", "/_test/read-late?ms=1200", b"12345")[2], b"5\n")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
