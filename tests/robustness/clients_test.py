# SPDX-License-Identifier: Apache-2.0
"""Real clients: Python's http.client and curl."""
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CLASS, TIMEOUT, Server, each_backend  # noqa: E402


class HttpClient(unittest.TestCase):
    @each_backend
    def test_one_connection_for_all_requests(self, backend):
        with Server("--backend", backend) as server:
            c = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT)
            local = None
            for method, path, body, expected in (
                    ("GET", "/", None, b"ok\n"), ("HEAD", "/", None, b""), ("POST", "/echo", b"x" * 100000, b"x" * 100000),
                    ("POST", "/echo", iter([b"a", b"b" * 70000, b"c"]), b"a" + b"b" * 70000 + b"c"),
                    ("GET", "/empty", None, b""), ("GET", "/notmodified", None, b""), ("GET", "/no", None, None),
                    ("GET", "/stream", None, b"line 1\nline 2\nline 3\nline 4\nline 5\n"), ("POST", "/", b"unread", None),
                    ("GET", "/static/hello.txt", None, b"hello static\n"), ("GET", "/raise", None, None),
                    ("DELETE", "/", None, None), ("OPTIONS", "/", None, b""), ("GET", "/slow-sync", None, b"slow\n"),
                    ("GET", "/_test/compute?ms=1", None, None), ("GET", "/large", None, b"x" * (16 << 20))):
                c.request(method, path, body)
                received = c.getresponse().read()
                if expected is not None:
                    self.assertEqual(received, expected, path)
                local = local or c.sock.getsockname()
                self.assertEqual(c.sock and c.sock.getsockname(), local, path)
            c.close()

    @each_backend
    def test_the_view_sees_the_request(self, backend):
        with Server("--backend", backend) as server:
            body = server.request("PUT", "/reflect?a=%20b", b"\x00\xff", X_One="1")[2]
            seen = json.loads(body)
            self.assertEqual((seen["method"], seen["target"], seen["path"], seen["body"]),
                             ("PUT", "/reflect?a=%20b", "/reflect", "\x00\xff"))
            self.assertEqual(seen["host"], f"127.0.0.1:{server.port}")
            self.assertIn(["x-one", "1"], seen["headers"])

    @each_backend
    def test_trailers_reach_the_view(self, backend):
        with Server("--backend", backend) as server:
            response = server.exchange(b"POST /_test/trailers HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       b"2\r\nhi\r\n0\r\nX-Sum: 42\r\nHost: evil\r\n\r\n")
            self.assertTrue(response.endswith(b"X-Sum=42\n"), response)


@unittest.skipUnless(shutil.which("curl"), "curl is not installed")
class Curl(unittest.TestCase):
    def curl(self, server, path, *options, code=0):
        done = subprocess.run(["curl", "-sS", "--max-time", "60", *map(str, options), f"http://127.0.0.1:{server.port}{path}"],
                              capture_output=True)
        self.assertIn(done.returncode, code if isinstance(code, tuple) else (code,), done.stderr)
        return done.stdout

    @each_backend
    def test_get_head_range(self, backend):
        with Server("--backend", backend) as server:
            self.assertEqual(self.curl(server, "/"), b"ok\n")
            self.assertEqual(self.curl(server, "/", "--http1.0"), b"ok\n")
            self.assertIn(b"200 OK", self.curl(server, "/", "-I"))
            self.assertEqual(self.curl(server, "/static/range.bin", "-r", "5-9"), b"56789")
            self.assertIn(b"multipart/byteranges", self.curl(server, "/static/range.bin", "-r", "0-1,5-6", "-i"))
            self.assertEqual(len(self.curl(server, "/large")), 16 << 20)
            self.assertEqual(self.curl(server, "/stream", "--raw", "--http1.0").count(b"line"), 5)
            self.assertEqual(self.curl(server, "/_test/wait?ms=1", "--compressed"), b"waited\n")

    @each_backend
    def test_uploads(self, backend):
        with Server("--backend", backend, "--max-body", "8MiB") as server, tempfile.NamedTemporaryFile() as file:
            content = bytes(range(256)) * 16384  # 4 MiB
            file.write(content)
            file.flush()
            for options in (["-T", file.name], ["-T", file.name, "-H", "Transfer-Encoding: chunked"],
                            ["--data-binary", "@" + file.name, "-H", "Expect: 100-continue"]):
                self.assertEqual(self.curl(server, "/echo", *options), content)
            self.assertEqual(self.curl(server, "/form", "-F", "a=1", "-F", f"f=@{file.name}"), b"2\n")
            self.assertEqual(self.curl(server, "/form", "-d", "a=1&b=2&c=3"), b"3\n")

    @each_backend
    def test_continue_is_sent_when_the_view_reads(self, backend):
        with Server("--backend", backend) as server:
            output = self.curl(server, "/echo", "-i", "-d", "x" * 10, "-H", "Expect: 100-continue")
            self.assertTrue(output.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), output)
            output = self.curl(server, "/_test/read-nothing", "-i", "-d", "x" * 10, "-H", "Expect: 100-continue")
            # The other workers read the body before the view runs on a thread, so the view cannot skip it.
            self.assertTrue(output.startswith(b"HTTP/1.1 200 OK" if CLASS == "async" else b"HTTP/1.1 100 Continue"), output)

    @each_backend
    def test_the_client_detects_incomplete_responses(self, backend):
        with Server("--backend", backend) as server:
            self.assertIn(b"first", self.curl(server, "/raise-mid", code=18))
            if CLASS == "async":
                self.assertIn(b"500", self.curl(server, "/short", "-i"))
            else:  # a response from a thread may be sent while it is written: then it has started already
                self.assertRegex(self.curl(server, "/short", "-i", code=(0, 18)), rb"(?s)^HTTP/1.1 (500 |200 .*\r\n\r\n0123456789$)")
            # Without chunks only an RST shows that the response is incomplete.
            self.curl(server, "/raise-mid", "--http1.0", code=56)

    @each_backend
    def test_one_connection_for_many_requests(self, backend):
        with Server("--backend", backend) as server:
            url = f"http://127.0.0.1:{server.port}/"
            done = subprocess.run(["curl", "-sS", "-w", "%{num_connects} "] + [url] * 20, capture_output=True, text=True)
            connects = [int(w) for w in done.stdout.replace("ok\n", " ").split()]
            self.assertEqual((len(connects), sum(connects)), (20, 1))


if __name__ == "__main__":
    unittest.main(warnings="ignore")
