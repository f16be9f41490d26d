# SPDX-License-Identifier: Apache-2.0
"""examples/proxy between real clients and upstreams of every kind: fields, sizes, backpressure, disconnects, failures."""
import hashlib
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server, each_backend, read_all  # noqa: E402

LARGE = 64 << 20
HEAD_DELAY = 1  # seconds that a head waits for the first byte of its body


class Upstream:
    """A listening socket; the test accepts and responds itself."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(TIMEOUT)
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]

    def accept(self):
        s, _ = self.listener.accept()
        s.settimeout(TIMEOUT)
        return s

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def read_head(s):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = s.recv(1)
        assert byte, head
        head += byte
    return head.decode()


def fields_of(head):
    lines = [line.split(": ", 1) for line in head.split("\r\n")[1:] if line]
    return {name.lower(): value for name, value in lines}


def proxy_to(url, *options, backend="epoll"):
    return Server("--upstream", url, "--backend", backend, *options, program="proxy")


def curl(*arguments):
    return subprocess.run(["curl", "-s", "--max-time", "120", *arguments], capture_output=True, check=False)


class Proxy(unittest.TestCase):
    @each_backend
    def test_forwards_requests_and_responses_completely(self, backend):
        with Server("--backend", backend, "--max-body", "1GiB") as up:
            with proxy_to(f"http://127.0.0.1:{up.port}", backend=backend) as proxy:
                self.assertEqual(proxy.get("/proxy/alive")[2], b"alive\n")
                status, fields, body = proxy.get("/")
                self.assertEqual((status, body), (200, b"ok\n"))
                self.assertEqual(fields["via"], "1.1 rondo")
                status, _, body = proxy.request("PATCH", "/reflect?a=%2F", "body", X_Mine="1")
                seen = json.loads(body)
                self.assertEqual((seen["method"], seen["target"], seen["body"]), ("PATCH", "/reflect?a=%2F", "body"))
                self.assertIn(["x-mine", "1"], seen["headers"])
                self.assertEqual(proxy.get("/stream")[2].count(b"line"), 5)
                self.assertEqual(proxy.get("/empty")[0], 204)
                self.assertEqual(proxy.get("/nothing")[0], 404)
                status, fields, body = proxy.request("HEAD", "/large")
                self.assertEqual((status, fields["content-length"], body), (200, str(16 << 20), b""))
                self.assertEqual(len(proxy.get("/large")[2]), 16 << 20)

    def test_connection_fields_are_not_forwarded(self):
        with Upstream() as up, proxy_to(up.url) as proxy:
            client = proxy.connect()
            client.sendall(b"GET /x HTTP/1.1\r\nHost: site:81\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\n"
                           b"TE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: a\r\nX-Forwarded-For: 10.0.0.1\r\n"
                           b"Via: 1.0 a\r\nX-Plain: 2\r\n\r\n")
            server = up.accept()
            seen = fields_of(read_head(server))
            for name in ("x-secret", "te", "upgrade", "proxy-authorization", "connection"):
                self.assertNotIn(name, seen)
            self.assertEqual(seen["host"], up.url[7:])
            self.assertEqual(seen["x-plain"], "2")
            self.assertEqual(seen["x-forwarded-for"], "10.0.0.1, 127.0.0.1")
            self.assertEqual(seen["x-forwarded-host"], "site:81")
            self.assertEqual(seen["x-forwarded-proto"], "http")
            self.assertEqual(seen["forwarded"], 'for=127.0.0.1;host="site:81";proto=http')
            self.assertEqual(seen["via"], "1.0 a, 1.1 rondo")
            server.sendall(b"HTTP/1.1 203 X\r\nContent-Length: 2\r\nConnection: X-Up\r\nX-Up: 1\r\nKeep-Alive: 5\r\n"
                           b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nhi")
            head = read_head(client)
            self.assertTrue(head.startswith("HTTP/1.1 203 "))
            self.assertNotIn("x-up", head.lower())
            self.assertNotIn("keep-alive", head.lower())
            self.assertEqual(head.count("Set-Cookie"), 2)
            self.assertEqual(client.recv(2), b"hi")
            client.close()
            server.close()

    def forwarded_head(self, proxy, up, request):
        """Sends a request through the proxy, and returns the head that the upstream receives."""
        with proxy.connect() as client:
            client.sendall(request)
            server = up.accept()
            head = read_head(server)
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            server.close()
            self.assertTrue(read_head(client).startswith("HTTP/1.1 200 "))
        return head

    def test_targets_are_forwarded_in_a_form_that_a_strict_upstream_accepts(self):
        with Upstream() as up, proxy_to(up.url + "/base/") as proxy:
            for sent, forwarded in ((b"/a/b?q=1", "/a/b?q=1"), (b"http://a/path?query=1", "/path?query=1"), (b"http://a?x=/y", "/?x=/y"),
                               (b"/a?", "/a?"), (b"/a??b", "/a??b"), (b"/a%2Fb", "/a%2Fb"), (b"/%252e%252e/x", "/%252e%252e/x"),
                               (b"/f/http://b/c", "/f/http://b/c"), (b"/...", "/..."), (b"/a?../..", "/a?../.."),
                               (b"/\xc3\xa9|^?{\xff}", "/%C3%A9%7C%5E?%7B%FF%7D"), (b"/a?100%", "/a?100%25"), (b"/x/*", "/x/*")):
                head = self.forwarded_head(proxy, up, b"GET " + sent + b" HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertEqual(head.split(" ")[1], "/base" + forwarded, sent)

    @each_backend
    def test_dot_segments_are_rejected(self, backend):
        with Upstream() as up, proxy_to(up.url, backend=backend) as proxy:
            up.listener.settimeout(0.2)
            for path in (b"/..", b"/../x", b"/x/../y", b"/./x", b"/x/.", b"/%2e%2e/x", b"/.%2E/x", b"/%2e./x", b"/x/%2e", b"/x%2f..%2fy",
                         b"/..%2fx", b"/x%5c..%5cy", b"/x\\..\\y", b"/..;/x", b"/..;a=b/x", b"/x//../y", b"/x/%2e%2e;a/y",
                         b"http://a/../x", b"http://a/x/%2e%2e"):
                response = proxy.exchange(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertRegex(response, rb"^HTTP/1.1 4", path)
            response = proxy.exchange(b"POST /%00 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx")
            self.assertTrue(response.startswith(b"HTTP/1.1 400 "), response)
            # The proxy itself serves another spelling of this path, so it must not forward it to the upstream.
            for path in (b"//proxy/alive", b"/proxy%2falive", b"/proxy\\alive", b"/proxy;a/alive", b"/%70roxy//alive"):
                response = proxy.exchange(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertTrue(response.startswith(b"HTTP/1.1 400 "), path)
            with self.assertRaises(socket.timeout):
                up.accept()

    def test_forwarding_fields_are_sanitised(self):
        with Upstream() as up, proxy_to(up.url) as proxy:
            for lines, forwarded_for, forwarded in (
                    (b"", "127.0.0.1", "for=127.0.0.1"),
                    (b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: [2001:db8::1]:5\r\n", "10.0.0.1, [2001:db8::1]:5, 127.0.0.1", "for=127.0.0.1"),
                    (b"X-Forwarded-For: 6.6.6.6, <x>, 10.0.0.1\r\n", "10.0.0.1, 127.0.0.1", "for=127.0.0.1"),
                    (b"X-Forwarded-For: \"\r\nForwarded: for=\"\r\n", "127.0.0.1", "for=127.0.0.1"),
                    (b"Forwarded: for=6.6.6.6;x=\"\r\n", "127.0.0.1", "for=127.0.0.1"),
                    (b"Forwarded: for=6.6.6.6;by=\"\\\r\nForwarded: for=_a;proto=https\r\n", "127.0.0.1", "for=_a;proto=https, for=127.0.0.1"),
                    (b"Connection: x-forwarded-for, forwarded, via\r\nForwarded: for=_a\r\n", "127.0.0.1", "for=_a, for=127.0.0.1"),
                    (b"X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\nX-Real-IP: 6.6.6.6\r\nx-real_ip: 6.6.6.6\r\nTransfer_Encoding: chunked\r\n"
                     b"X-Forwarded-Port: 1\r\nProxy: http://evil\r\nContent_Length: 5\r\nX_Mine: 1\r\n", "127.0.0.1", "for=127.0.0.1")):
                seen = fields_of(self.forwarded_head(proxy, up, b"GET /a HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n"))
                self.assertEqual(seen["x-forwarded-for"], forwarded_for, lines)
                self.assertEqual(seen["forwarded"], forwarded + ';host="a";proto=http', lines)
                for name in seen:
                    self.assertNotIn(name.replace("_", "-"), ("x-real-ip", "x-forwarded-port", "proxy", "transfer-encoding", "content-length"), lines)
                    self.assertFalse("_" in name and name != "x_mine", seen)

    def test_the_forwarded_address_is_that_of_the_connection(self):
        with Upstream() as up:
            with proxy_to(up.url, "--forwarded-allow-ips", "127.0.0.1") as proxy:
                seen = fields_of(self.forwarded_head(proxy, up, b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n"
                                             b"X-Forwarded-Proto: https\r\nX-Forwarded-Host: site\r\n\r\n"))
                self.assertEqual(seen["x-forwarded-for"], "203.0.113.7, 127.0.0.1")
                self.assertEqual(seen["forwarded"], 'for=127.0.0.1;host="site";proto=https')
                self.assertEqual((seen["x-forwarded-host"], seen["x-forwarded-proto"]), ("site", "https"))
            with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
                path = folder + "/s"
                with Server("--upstream", up.url, program="proxy", bind="unix:" + path), socket.socket(socket.AF_UNIX) as client:
                    client.connect(path)
                    client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    server = up.accept()
                    seen = fields_of(read_head(server))
                    server.close()
                    self.assertEqual(seen["x-forwarded-for"], "unknown")
                    self.assertEqual(seen["forwarded"], 'for=unknown;host="a";proto=http')

    @each_backend
    def test_a_failure_before_the_first_byte_of_the_body_is_502(self, backend):
        with Upstream() as up, proxy_to(up.url, backend=backend) as proxy:
            for answer in (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
                           b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"\x15\x03\x01\r\n\r\n", b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n"):
                for separately in (False, True):
                    took = HEAD_DELAY
                    while took >= HEAD_DELAY:  # too late: the proxy has sent the head alone
                        response, took = self.forward_response(proxy, up, answer, separately)
                    self.assertRegex(response, rb"^HTTP/1.1 502 ", (answer, separately))

    @each_backend
    def test_a_failure_before_anything_is_sent_is_502(self, backend):
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with Upstream() as up, proxy_to(up.url, backend=backend) as proxy:
            for answer in (chunked + b"2\r\nok\r\nzz\r\n", chunked + b"2\r\nok\r\n0\r\nX T: 1\r\n\r\n",
                           chunked + b"2\r\nokzz", chunked + b"2\r\nok\r\n0\r\n X: 1\r\n\r\n"):
                response, _ = self.forward_response(proxy, up, answer, False)
                self.assertRegex(response, rb"^HTTP/1.1 502 Bad Gateway\r\n", answer)
                self.assertTrue(response.endswith(b"\r\n\r\nBad Gateway\n"), response)

    @each_backend
    def test_responses_of_old_servers_are_accepted(self, backend):
        chunks = b"2\r\nok\r\n0\r\n"
        with Upstream() as up, proxy_to(up.url, backend=backend) as proxy:
            for answer in (b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunks + b"\r\n",
                           b"Transfer-Encoding:\r\n\tchunked\r\n\r\n" + chunks + b"\r\n", b"Content-Length:\r\n 2\r\n\r\nok",
                           b"Content-Length: 2\r\n \r\n\r\nok",
                           b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"X-T : 1\r\n\r\n",
                           b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"X-T: 1\r\n 2\r\n\r\n"):
                for separately in (False, True):
                    response, _ = self.forward_response(proxy, up, b"HTTP/1.1 200 OK\r\n" + answer, separately)
                    self.assertRegex(response, rb"^HTTP/1.1 200 ", answer)
                    self.assertRegex(response, rb"\r\n\r\n(ok|2\r\nok\r\n0\r\n\r\n)$", answer)

    @staticmethod
    def forward_response(proxy, up, answer, separately):
        """(the response that the client receives, seconds after the response of the upstream)"""
        with proxy.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            server = up.accept()
            read_head(server)
            began = time.monotonic()
            server.sendall(answer)
            if separately:
                proxy.wait_until_read(server)  # the proxy reads the head alone, in its own turn of the loop
            server.close()
            return read_all(client), time.monotonic() - began

    def test_loops_are_detected(self):
        with Upstream() as up, proxy_to(up.url) as proxy:
            seen = fields_of(self.forwarded_head(proxy, up, b"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 rondo, 1.1 other\r\n\r\n"))
            self.assertEqual(seen["via"], "1.1 rondo, 1.1 other, 1.1 rondo")
            self.assertEqual(proxy.get("/", Via=", ".join(["1.1 rondo"] * 10))[0], 508)
            # RFC 9110 section 7.6.2
            head = self.forwarded_head(proxy, up, b"OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n")
            self.assertEqual(fields_of(head)["max-forwards"], "2")
            self.assertEqual(proxy.request("OPTIONS", "/x", Max_Forwards="0")[0], 204)

    @each_backend
    def test_large_bodies_are_streamed_in_both_directions(self, backend):
        with tempfile.NamedTemporaryFile() as file, Upstream() as up, proxy_to(up.url, backend=backend) as proxy:
            block = bytes(range(256)) * 4096
            for _ in range(LARGE // len(block)):
                file.write(block)
            file.flush()
            before = proxy.memory()

            # Responds while it reads: both directions are active at the same time.
            def echo():
                s = up.accept()
                head = fields_of(read_head(s))
                remaining = int(head["content-length"])
                s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % remaining)
                while remaining:
                    part = s.recv(1 << 18)
                    remaining -= len(part)
                    s.sendall(part)
                s.close()

            server = threading.Thread(target=echo)
            server.start()
            result = curl("-T", file.name, f"http://127.0.0.1:{proxy.port}/up")
            server.join()
            self.assertEqual(result.returncode, 0)
            self.assertEqual(len(result.stdout), LARGE)
            self.assertEqual(hashlib.sha256(result.stdout).hexdigest(),
                             hashlib.sha256(Path(file.name).read_bytes()).hexdigest())
            self.assertLess(proxy.memory() - before, 16 << 20)

    def test_a_slow_client_slows_down_the_upstream(self):
        with Upstream() as up, proxy_to(up.url) as proxy:
            client = proxy.connect()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            server = up.accept()
            read_head(server)
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
            server.settimeout(1)
            sent = 0
            with self.assertRaises(socket.timeout):
                while True:
                    sent += server.send(b"x" * 65536)
            self.assertLess(sent, 64 << 20)
            self.assertLess(proxy.memory(), 128 << 20)
            client.close()
            server.close()

    @each_backend
    def test_a_disconnect_is_passed_on_to_the_other_side(self, backend):
        with Upstream() as up, proxy_to(up.url, backend=backend) as proxy:
            for before in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"):
                client = proxy.connect()
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                server = up.accept()
                read_head(server)
                server.sendall(before)
                if before:
                    read_head(client)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                client.close()
                self.assertEqual(read_all(server), b"")
                server.close()
            # In the other direction: a truncated body must not look complete.
            client = proxy.connect()
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            server = up.accept()
            read_head(server)
            server.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            head = read_head(client)
            self.assertIn("chunked", head)
            server.close()
            self.assertFalse(read_all(client).endswith(b"0\r\n\r\n"))
            client.close()

    def test_events_are_forwarded_immediately(self):
        with Upstream() as up, proxy_to(up.url) as proxy:
            client = proxy.connect()
            client.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n")
            server = up.accept()
            read_head(server)
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            self.assertIn("text/event-stream", read_head(client))
            for i in range(3):
                server.sendall(b"data: %d\n\n" % i)
                seen = b""
                while b"data: %d\n\n" % i not in seen:
                    seen += client.recv(4096)
            server.close()
            self.assertEqual(read_all_chunks(client), b"")
            client.close()

    def test_statuses_of_failures(self):
        with Upstream() as up:
            closed = up.url
        with proxy_to(closed) as proxy:
            self.assertEqual(proxy.get("/")[0], 502)
            proxy.wait_for_log("proxy: GET http://.*refused")
        with Upstream() as up, proxy_to(up.url, "--request-timeout", "3s") as proxy:
            for answer, status in ((b"nonsense\r\n\r\n", 502), (b"", 502), (None, 504)):
                statuses = []
                client = threading.Thread(target=lambda: statuses.append(proxy.get("/")[0]))
                client.start()
                server = up.accept()
                read_head(server)
                if answer is None:
                    client.join()
                else:
                    server.sendall(answer)
                server.close()
                client.join()
                self.assertIn(statuses[0], (status, 503) if answer is None else (status,))

    def test_an_upload_over_the_limit_is_413(self):
        with Server("--max-body", "1GiB") as up, proxy_to(f"http://127.0.0.1:{up.port}") as proxy:
            with proxy.connect() as client:
                client.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n")
                self.assertTrue(read_head(client).startswith("HTTP/1.1 413 "))


def read_all_chunks(s):
    """Reads until the last chunk, and returns the bytes before it."""
    return read_all_until(s, b"0\r\n\r\n")[:-5]


def read_all_until(s, mark):
    seen = b""
    while not seen.endswith(mark):
        part = s.recv(4096)
        assert part, seen
        seen += part
    return seen


if __name__ == "__main__":
    unittest.main()
