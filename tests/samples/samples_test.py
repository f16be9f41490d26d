#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs examples/samples and checks that it answers as the pages of docs/ say."""
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
        ended_well = cls.server.end()
        cls.folder.cleanup()
        assert ended_well

    def ask(self, method, path, body=None, headers=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        r.text = r.read().decode()
        c.close()
        return r

    def say(self, *sent, end=False):
        """What comes back for these bytes, up to the end of the connection; `end` shuts down the sending half."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT) as s:
            s.sendall("\r\n".join(sent).encode())
            if end:
                s.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: s.recv(65536), b"")).decode()

    def test_views_of_every_kind(self):
        self.assertEqual(self.ask("GET", "/waits").text, "waited\n")
        self.assertEqual(self.ask("GET", "/blocks").text, "blocked a thread, not the loop\n")
        self.assertEqual(self.ask("GET", "/computes?n=27").text, "111\n")
        self.assertEqual(self.ask("GET", "/report").text, "from a thread\n")

    def test_paths(self):
        self.assertEqual(self.ask("GET", "/articles/2024/a-name").text, "2024/a-name\n")
        self.assertEqual(self.ask("GET", "/articles/soon/a-name").status, 404)
        refused = self.ask("DELETE", "/waits")
        self.assertEqual((refused.status, refused.getheader("Allow")), (405, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.ask("OPTIONS", "/waits").status, 204)
        self.assertEqual(self.ask("TRACE", "/waits").status, 405)
        self.assertEqual(self.ask("OPTIONS", "*").status, 204)
        self.assertIn(" 501 ", self.say("CONNECT a:1 HTTP/1.1", "Host: a:1", "", ""))
        self.assertEqual(self.ask("GET", "/articles/2024/a%2Fb").status, 404)
        self.assertEqual(self.ask("GET", "/articles/99999999999/a").status, 404)
        self.assertEqual(self.ask("GET", "/waits%00").status, 400)
        head = self.ask("HEAD", "/waits")
        self.assertEqual((head.status, head.text, head.getheader("Content-Length")), (200, "", "7"))
        slash = self.ask("GET", "/waits/?q")
        self.assertEqual((slash.status, slash.getheader("Location")), (307, "/waits?q"))

    def test_requests_and_responses(self):
        r = self.ask("GET", "/greet?name=Ann&times=2")
        self.assertEqual((r.text, r.getheader("X-Greeted")), ("hello Ann\nhello Ann\n", "2"))
        self.assertTrue(r.getheader("Set-Cookie").startswith("last=Ann"))
        self.assertEqual(self.ask("GET", "/greet?times=many").status, 400)
        self.assertEqual(self.ask("GET", "/greet?times=11").status, 422)
        of_json = {"Content-Type": "application/json"}
        self.assertEqual(json.loads(self.ask("POST", "/add", '{"a":2,"b":3}', of_json).text), {"sum": 5})
        self.assertEqual(self.ask("POST", "/add", "{", of_json).status, 400)
        self.assertEqual(self.ask("POST", "/add", "a", {"Content-Type": "text/plain"}).status, 415)

    def test_bodies_and_forms(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(self.ask("POST", "/upload", "title=x", form).text, "title x\n")
        parts = ("--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nfiles\r\n"
                 "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.bin\"\r\n\r\n" + "z" * 200000 + "\r\n--b--\r\n")
        sent = self.ask("POST", "/upload", parts, {"Content-Type": "multipart/form-data; boundary=b"})
        self.assertEqual(sent.text, "title files\na.bin 200000 bytes\n")
        self.assertEqual(self.ask("POST", "/count", "x" * 100000).text, "100000\n")
        self.assertEqual(self.ask("POST", "/count", "x" * (1 << 21)).status, 413)

    def test_streams(self):
        r = self.ask("GET", "/launch")
        self.assertEqual((r.text, r.getheader("Transfer-Encoding")), ("3\n2\n1\nlift off\n", "chunked"))

        old = self.say("GET /launch HTTP/1.0", "", "")
        self.assertTrue(old.endswith("\r\n\r\n3\n2\n1\nlift off\n"), old)
        self.assertNotIn("chunked", old)

    def test_http1(self):
        self.assertIn(" 505 ", self.say("GET /waits HTTP/2.0", "Host: a", "", ""))
        self.assertIn(" 501 ", self.say("POST /count HTTP/1.1", "Host: a", "Transfer-Encoding: gzip, chunked", "", ""))
        self.assertIn(" 400 ", self.say("GET /waits HTTP/1.1", "Host : a", "", ""))
        expects = ("POST /count HTTP/1.1", "Host: a", "Connection: close", "Content-Length: 5")
        other = self.say(*expects, "Expect: more", "", "hello")
        self.assertTrue(other.startswith("HTTP/1.1 200 OK") and other.endswith("\r\n\r\n5\n"), other)
        asked = self.say(*expects, "Expect: 100-continue", "", "hello")
        self.assertTrue(asked.endswith("\r\n\r\n5\n"), asked)
        left = self.say("GET /waits HTTP/1.1", "Host: a", "", "", end=True)
        self.assertTrue(left.endswith("\r\n\r\nwaited\n"), left)

    def test_events_and_long_polling(self):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
        c.request("GET", "/events")
        r = c.getresponse()
        self.assertTrue(r.getheader("Content-Type").startswith("text/event-stream"))
        self.assertEqual(self.ask("POST", "/publish").status, 204)
        lines = []
        while "data: number 1" not in lines:
            lines.append(r.readline().decode().rstrip("\r\n"))
        self.assertIn("id: 1", lines + [r.readline().decode().rstrip("\r\n")])
        c.close()
        self.assertEqual(self.ask("GET", "/poll?after=0").text, "1\n")
        self.assertEqual(self.ask("GET", "/poll?after=1").status, 204)

    def test_events_end_with_the_server(self):
        with Server(program="samples", cwd=self.folder.name) as server:
            with server.connect() as s:
                s.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                got = s.recv(65536)
                server.signal(signal.SIGTERM)
                got += b"".join(iter(lambda: s.recv(65536), b""))
            self.assertTrue(got.endswith(b"\r\n0\r\n\r\n"), got)
            self.assertEqual(server.wait(), 0)

    def test_coroutines(self):
        began = time.monotonic()
        self.assertEqual(self.ask("GET", "/together").text, "6\n")
        self.assertGreaterEqual(time.monotonic() - began, 0.05)
        self.assertEqual(self.ask("GET", "/hurried").status, 504)

    def test_calls(self):
        self.assertEqual(self.ask("GET", "/calls/relay").text, "200 waited\n")
        self.assertEqual(self.ask("GET", "/calls/relay-sync").text, "waited\n")
        self.assertEqual(self.ask("GET", "/calls/ask").text, "6\n")
        self.assertEqual(self.ask("GET", "/calls/careful").text, "no answer (connect) for /calls/careful\n")
        self.assertEqual(self.ask("GET", "/calls/count").text, "3\n")
        self.assertEqual(self.ask("GET", "/calls/together").text, "waited\n111\n")
        self.assertEqual(self.ask("GET", "/calls/hedged").text, "waited\n")
        self.assertEqual(self.ask("GET", "/calls/spared").text, "busy\n")
        self.assertEqual(self.ask("GET", "/calls/proxied").text, "waited\n")

    def test_files(self):
        r = self.ask("GET", "/static/page.txt", headers={"Range": "bytes=2-4"})
        self.assertEqual((r.status, r.text), (206, "234"))
        several = self.ask("GET", "/static/page.txt", headers={"Range": "bytes=0-1,4-5"})
        self.assertTrue(several.getheader("Content-Type").startswith("multipart/byteranges"))
        self.assertEqual(self.ask("GET", "/static/page.txt", headers={"Range": "bytes=10-"}).status, 416)
        self.assertEqual(self.ask("GET", "/static/page.txt", headers={"Range": "lines=1"}).text, "0123456789")
        self.assertEqual(self.ask("GET", "/static/page.txt", headers={"If-Match": '"x"'}).status, 412)
        tag = self.ask("GET", "/static/page.txt").getheader("ETag")
        self.assertEqual(self.ask("GET", "/static/page.txt", headers={"If-None-Match": tag}).status, 304)
        for name in (".secret", "../etc/passwd", "%2e%2e/etc/passwd", "a%2fb"):
            self.assertEqual(self.ask("GET", "/static/" + name).status, 404)

    def test_middleware_and_errors(self):
        self.assertTrue(self.ask("GET", "/waits").getheader("X-Time-Us").isdigit())
        self.assertEqual(self.ask("GET", "/admin/users").status, 401)
        self.assertEqual(self.ask("GET", "/admin/users", headers={"X-Key": "open sesame"}).text, "you\n")
        broken = self.ask("GET", "/broken")
        self.assertEqual(broken.status, 500)
        self.assertNotIn("never reaches", broken.text)
        missing = self.ask("GET", "/no<where")
        self.assertEqual((missing.status, missing.text), (404, "<h1>Nothing at /no&lt;where</h1>"))
        missing = self.ask("GET", "/nowhere")
        self.assertEqual((missing.status, missing.text), (404, "<h1>Nothing at /nowhere</h1>"))


if __name__ == "__main__":
    unittest.main()
