# SPDX-License-Identifier: Apache-2.0
"""The extensions of ASGI for responses: files, trailers and early hints."""
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote

from asgi_send_test import SendTest, body, length, start
from python_server import Client, each_server


class Extensions(SendTest):
    def setUp(self):
        file = tempfile.NamedTemporaryFile(prefix="rondo-test-")
        self.addCleanup(file.close)
        self.path = Path(file.name)
        self.content = b"".join(b"line %07d\n" % i for i in range(100_000))
        self.path.write_bytes(self.content)

    @each_server()
    def test_pathsend(self, server):
        message = {"type": "http.response.pathsend", "path": str(self.path)}
        r, _ = self.play(server, start(200, [length(len(self.content))]), message)
        self.assertTrue(r.complete and r.body == self.content)
        r, _ = self.play(server, start(), message)
        self.assertTrue(r.complete and r.body == self.content)
        self.assertEqual(r.field("content-length"), str(len(self.content)))
        self.assertEqual(self.assert_next_request_works(server, (start(), message), "HEAD").status, 200)

    @each_server()
    def test_zerocopysend_with_offset_and_count_between_other_messages(self, server):
        def send_file(script, **arguments):
            more = "".join(f"&{k}={v}" for k, v in arguments.items())
            r = self.get(server, f"/file?path={self.path}&script={quote(repr(script))}{more}")
            self.assertTrue(r.complete, r)
            return r.body

        zero = {"type": "http.response.zerocopysend"}
        self.assertEqual(send_file([zero]), self.content)
        self.assertEqual(send_file([zero], fileno=1, seek=100), self.content[100:])
        self.assertEqual(send_file([dict(zero, offset=26, count=13)], seek=100), self.content[26:39])
        self.assertEqual(send_file([body(b"<", True), dict(zero, offset=0, count=13, more_body=True), body(b"|", True),
                                    dict(zero, offset=1_299_987, more_body=True), body(b">")]),
                         b"<line 0000000\n|line 0099999\n>")
        self.assertEqual(send_file([dict(zero, offset=1_299_987, count=10**9)]), self.content[-13:])
        self.assertEqual(send_file([dict(zero, offset=13, count=0)]), b"")

    @each_server()
    def test_trailers(self, server):
        messages = (start(200, [(b"trailer", b"x-sum, x-other")], trailers=True), body(b"with ", True), body(b"trailers"),
                    {"type": "http.response.trailers", "headers": [(b"X-Sum", b"42")], "more_trailers": True},
                    {"type": "http.response.trailers", "headers": [(b"x-other", b"1")]})
        r, outcomes = self.play(server, *messages, fields=["TE: trailers", "Connection: TE"])
        self.assertEqual((r.body, r.complete, r.trailers), (b"with trailers", True, [("x-sum", "42"), ("x-other", "1")]))
        self.assertEqual(r.field("trailer"), "x-sum, x-other")
        self.assertEqual(outcomes, ["sent"] * 5)
        for fields, version in (((), "1.1"), (("TE: trailers",), "1.0")):
            r, outcomes = self.play(server, *messages, fields=fields, version=version)
            self.assertEqual((r.body, r.complete, r.trailers), (b"with trailers", True, []))

    @each_server()
    def test_early_hints(self, server):
        links = [b"</style.css>; rel=preload; as=style", b"</a.js>; rel=preload"]
        r, outcomes = self.play(server, {"type": "http.response.early_hint", "links": links}, start(), body(b"ok"))
        self.assertEqual(([i.status for i in r.informational], r.status, r.body), ([103], 200, b"ok"))
        self.assertEqual(", ".join(r.informational[0].all("link")), b", ".join(links).decode())
        key = server.key()
        with Client(server) as client:
            client.request("GET", self.target(server, [{"type": "http.response.early_hint", "links": links}, "gate", start(), body(b"ok")], key))
            self.assertEqual(client.head().status, 103)  # before the response
            server.open(key)
            self.assertEqual(client.response().body, b"ok")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
