#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs examples/samples and checks that it responds as docs/ says."""
import http.client
import json
import os
import signal
import socket
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server  # noqa: E402


class Samples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        with open(os.path.join(cls.folder.name, "page.txt"), "w") as f:
            f.write("0123456789")
        with open(os.path.join(cls.folder.name, ".secret"), "w") as f:
            f.write("secret")
        cls.server = Server(program="samples", cwd=cls.folder.name)
        cls.port = cls.server.port

    @classmethod
    def tearDownClass(cls):
        clean = cls.server.stop()
        cls.folder.cleanup()
        assert clean

    def request(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        r.text = r.read().decode()
        c.close()
        return r

    def send_lines(self, *lines, half_close=False):
        """Sends these lines and returns everything received until the connection closes; `half_close` shuts down the sending
        half."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as s:
            s.sendall("\r\n".join(lines).encode())
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(65536), b"")).decode()

    def test_views_of_every_kind(self):
        self.assertEqual(self.request("GET", "/waits").text, "waited\n")
        self.assertEqual(self.request("GET", "/blocks").text, "blocked a thread, not the loop\n")
        self.assertEqual(self.request("GET", "/computes?n=27").text, "111\n")
        self.assertEqual(self.request("GET", "/report").text, "from a thread\n")

    def test_paths(self):
        self.assertEqual(self.request("GET", "/articles/2024/a-name").text, "2024/a-name\n")
        self.assertEqual(self.request("GET", "/articles/soon/a-name").status, 404)
        refused = self.request("DELETE", "/waits")
        self.assertEqual((refused.status, refused.getheader("Allow")), (405, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.request("OPTIONS", "/waits").status, 204)
        self.assertEqual(self.request("TRACE", "/waits").status, 405)
        self.assertEqual(self.request("OPTIONS", "*").status, 204)
        self.assertIn(" 501 ", self.send_lines("CONNECT a:1 HTTP/1.1", "Host: a:1", "", ""))
        self.assertEqual(self.request("GET", "/articles/2024/a%2Fb").status, 404)
        self.assertEqual(self.request("GET", "/articles/99999999999/a").status, 404)
        self.assertEqual(self.request("GET", "/waits%00").status, 400)
        head = self.request("HEAD", "/waits")
        self.assertEqual((head.status, head.text, head.getheader("Content-Length")), (200, "", "7"))
        slash = self.request("GET", "/waits/?q")
        self.assertEqual((slash.status, slash.getheader("Location")), (307, "/waits?q"))

    def test_requests_and_responses(self):
        r = self.request("GET", "/greet?name=Ann&times=2")
        self.assertEqual((r.text, r.getheader("X-Greeted")), ("hello Ann\nhello Ann\n", "2"))
        self.assertTrue(r.getheader("Set-Cookie").startswith("last=Ann"))
        self.assertEqual(self.request("GET", "/greet?times=many").status, 400)
        self.assertEqual(self.request("GET", "/greet?times=11").status, 422)
        json_type = {"Content-Type": "application/json"}
        self.assertEqual(json.loads(self.request("POST", "/add", '{"a":2,"b":3}', json_type).text), {"sum": 5})
        self.assertEqual(self.request("POST", "/add", "{", json_type).status, 400)
        self.assertEqual(self.request("POST", "/add", "a", {"Content-Type": "text/plain"}).status, 415)

    def test_bodies_and_forms(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(self.request("POST", "/upload", "title=x", form).text, "title x\n")
        parts = ("--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nfiles\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n" + "z" * 200000 + "\r\n--b--\r\n")
        sent = self.request("POST", "/upload", parts, {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(sent.text, "title files\na.bin 200000 bytes\n")
        self.assertEqual(self.request("POST", "/count", "x" * 100000).text, "100000\n")
        self.assertEqual(self.request("POST", "/count", "x" * (1 << 21)).status, 413)

    def test_streams(self):
        r = self.request("GET", "/launch")
        self.assertEqual((r.text, r.getheader("Transfer-Encoding")), ("3\n2\n1\nlift off\n", "chunked"))

        http10 = self.send_lines("GET /launch HTTP/1.0", "", "")
        self.assertTrue(http10.endswith("\r\n\r\n3\n2\n1\nlift off\n"), http10)
        self.assertNotIn("chunked", http10)

    def test_http1(self):
        self.assertIn(" 505 ", self.send_lines("GET /waits HTTP/2.0", "Host: a", "", ""))
        self.assertIn(" 501 ", self.send_lines("POST /count HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked", "", ""))
        self.assertIn(" 400 ", self.send_lines("GET /waits HTTP/1.1", "Host : a", "", ""))
        expects = ("POST /count HTTP/1.1", "Host: a", "Connection: close", "Content-Length: 5")
        other = self.send_lines(*expects, "Expect: more", "", "hello")
        self.assertTrue(other.startswith("HTTP/1.1 200 OK") and other.endswith("\r\n\r\n5\n"), other)
        continued = self.send_lines(*expects, "Expect: 100-continue", "", "hello")
        self.assertTrue(continued.endswith("\r\n\r\n5\n"), continued)
        half_closed = self.send_lines("GET /waits HTTP/1.1", "Host: a", "", "", half_close=True)
        self.assertTrue(half_closed.endswith("\r\n\r\nwaited\n"), half_closed)

    def test_events_and_long_polling(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        c.request("GET", "/events")
        r = c.getresponse()
        self.assertTrue(r.getheader("Content-Type").startswith("text/event-stream"))
        self.assertEqual(self.request("POST", "/publish").status, 204)
        lines = []
        while "data: number 1" not in lines:
            lines.append(r.readline().decode().rstrip("\r\n"))
        self.assertIn("id: 1", lines + [r.readline().decode().rstrip("\r\n")])
        c.close()
        self.assertEqual(self.request("GET", "/poll?after=0").text, "1\n")
        self.assertEqual(self.request("GET", "/poll?after=1").status, 204)

    def test_events_end_with_the_server(self):
        with Server(program="samples", cwd=self.folder.name) as server:
            with server.connect() as s:
                s.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                received = s.recv(65536)
                server.signal(signal.SIGTERM)
                received += b"".join(iter(lambda: s.recv(65536), b""))
            self.assertTrue(received.endswith(b"\r\n0\r\n\r\n"), received)
            self.assertEqual(server.wait(), 0)

    def test_coroutines(self):
        began = time.monotonic()
        self.assertEqual(self.request("GET", "/together").text, "6\n")
        self.assertGreaterEqual(time.monotonic() - began, 0.05)
        self.assertEqual(self.request("GET", "/limited").status, 504)

    def test_calls(self):
        self.assertEqual(self.request("GET", "/calls/relay").text, "200 waited\n")
        self.assertEqual(self.request("GET", "/calls/relay-sync").text, "waited\n")
        self.assertEqual(self.request("GET", "/calls/order").text, "6\n")
        self.assertEqual(self.request("GET", "/calls/errors").text, "no response (connect) for /calls/errors\n")
        self.assertEqual(self.request("GET", "/calls/count").text, "3\n")
        self.assertEqual(self.request("GET", "/calls/together").text, "waited\n111\n")
        self.assertEqual(self.request("GET", "/calls/hedged").text, "waited\n")
        self.assertEqual(self.request("GET", "/calls/circuit-breaker").text, "busy\n")
        self.assertEqual(self.request("GET", "/calls/proxied").text, "waited\n")

    def test_files(self):
        r = self.request("GET", "/static/page.txt", headers={"Range": "bytes=2-4"})
        self.assertEqual((r.status, r.text), (206, "234"))
        several = self.request("GET", "/static/page.txt", headers={"Range": "bytes=0-1,4-5"})
        self.assertTrue(several.getheader("Content-Type").startswith("multipart/byteranges"))
        self.assertEqual(self.request("GET", "/static/page.txt", headers={"Range": "bytes=10-"}).status, 416)
        self.assertEqual(self.request("GET", "/static/page.txt", headers={"Range": "lines=1"}).text, "0123456789")
        self.assertEqual(self.request("GET", "/static/page.txt", headers={"If-Match": '"x"'}).status, 412)
        tag = self.request("GET", "/static/page.txt").getheader("ETag")
        self.assertEqual(self.request("GET", "/static/page.txt", headers={"If-None-Match": tag}).status, 304)
        for name in (".secret", "../etc/passwd", "%2e%2e/etc/passwd", "a%2fb"):
            self.assertEqual(self.request("GET", "/static/" + name).status, 404)

    def test_middleware_and_errors(self):
        self.assertTrue(self.request("GET", "/waits").getheader("X-Time-Us").isdigit())
        self.assertEqual(self.request("GET", "/admin/users").status, 401)
        self.assertEqual(self.request("GET", "/admin/users", headers={"X-Key": "open sesame"}).text, "you\n")
        broken = self.request("GET", "/broken")
        self.assertEqual(broken.status, 500)
        self.assertNotIn("never reaches", broken.text)
        missing = self.request("GET", "/no<where")
        self.assertEqual((missing.status, missing.text), (404, "<h1>Nothing at /no&lt;where</h1>"))
        missing = self.request("GET", "/nowhere")
        self.assertEqual((missing.status, missing.text), (404, "<h1>Nothing at /nowhere</h1>"))


if __name__ == "__main__":
    unittest.main()
