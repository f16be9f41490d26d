# SPDX-License-Identifier: Apache-2.0
"""What an application gives to send(): framing, errors, and clients that read slowly or leave."""
import re
import time
import unittest
from urllib.parse import quote

from python_server import Client, Closed, SharedServers, each_server

MIB = 1 << 20


def start(status=200, headers=(), **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(content=b"", more_body=False):
    return {"type": "http.response.body", "body": content, "more_body": more_body}


def length(n):
    return (b"content-length", str(n).encode())


class SendTest(SharedServers):
    app = "sending:app"

    def target(self, server, messages, key=None):
        return f"/play?id={key or server.key()}&script={quote(repr(messages))}"

    def play(self, server, *messages, method="GET", version="1.1", fields=()):
        """(response, what send() did for each message); the response is None if the connection ended before its head."""
        key = server.key()
        try:
            response = self.get(server, self.target(server, messages, key), *fields, method=method, version=version)
        except Closed:
            response = None
        return response, server.wait_for_event(key)[1]

    def assert_next_request_works(self, server, messages, method="GET"):
        """No byte of the response follows it on its connection, or the connection is closed."""
        with Client(server) as client:
            client.request(method, self.target(server, messages))
            response = client.response(method)
            try:
                client.request("GET", "/hello")
                self.assertEqual(client.response().body, b"hello")
            except (Closed, OSError):
                pass
        return response


class Framing(SendTest):
    @each_server()
    def test_a_declared_length_frames_the_response(self, server):
        r, outcomes = self.play(server, start(200, [length(5)]), body(b"he", True), body(b"llo"))
        self.assertEqual((r.body, r.field("content-length"), r.field("transfer-encoding"), r.complete), (b"hello", "5", None, True))
        self.assertEqual(outcomes, ["sent"] * 3)

    @each_server()
    def test_a_single_message_gets_a_length(self, server):
        for content in (b"whole", b"", b"x" * (2 * MIB)):
            r, _ = self.play(server, start(), body(content)) if len(content) < 100 else (self.get(server, "/flood?id=f"), None)
            self.assertTrue(r.complete)
            self.assertIsNone(r.field("transfer-encoding"))
            self.assertEqual(r.field("content-length"), str(len(r.body)))

    @each_server()
    def test_parts_without_a_length_are_chunks(self, server):
        messages = (start(), body(b"one,", True), body(b"", True), body(b"two", True), body())
        r, _ = self.play(server, *messages)
        self.assertEqual((r.field("transfer-encoding"), r.body, r.complete), ("chunked", b"one,two", True))
        r, _ = self.play(server, *messages, version="1.0")
        self.assertEqual((r.field("transfer-encoding"), r.body, r.complete), (None, b"one,two", True))

    @each_server()
    def test_parts_leave_at_once(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", f"/prompt?id={key}")
            client.wait_for(b"first;")
            server.open(key)
            client.wait_for(b"second;")

    @each_server()
    def test_a_longer_body_than_declared_raises_and_never_leaks(self, server):
        for messages in ((start(200, [length(5)]), body(b"12345MORE")),
                         (start(200, [length(5)]), body(b"12345MORE", True), body()),
                         (start(200, [length(5)]), body(b"12345", True), body(b"MORE"))):
            with Client(server) as client:
                key = server.key()
                client.request("GET", self.target(server, messages, key))
                received = client.rest()
                self.assertNotIn(b"MORE", received)
                outcomes = server.wait_for_event(key)[1]
                self.assertTrue(any(o != "sent" for o in outcomes), (messages, outcomes))

    @each_server()
    def test_a_shorter_body_than_declared_aborts(self, server):
        for messages in ((start(200, [length(50)]), body(b"short")),
                         (start(200, [length(50)]), body(b"short", True), body())):
            for version in ("1.1", "1.0"):
                r, outcomes = self.play(server, *messages, version=version)
                self.assertTrue(r is None or r.status == 500 or not r.complete, r)
                self.assertNotEqual(outcomes[-1], "sent", messages)

    @each_server()
    def test_an_unfinished_or_failed_stream_never_looks_complete(self, server):
        for end in ([], ["raise"]):
            for version in ("1.1", "1.0"):
                r, _ = self.play(server, start(), body(b"started", True), *end, version=version)
                self.assertTrue(r is None or r.status == 500 or not r.complete, (end, version, r))
        server.wait_for_log("returned without completing its response")

    @each_server()
    def test_head_204_and_304_have_no_body(self, server):
        for messages, method in (((start(200, [length(13)]), body(b"Hello, World!")), "HEAD"),
                                 ((start(200, [length(13)]), body()), "HEAD"),
                                 ((start(), body(b"one", True), body(b"two")), "HEAD"),
                                 ((start(204), body(b"must not be sent")), "GET"),
                                 ((start(204), body()), "GET"),
                                 ((start(304, [(b"etag", b'"a"')]), body(b"must not be sent")), "GET"),
                                 ((start(304, [length(13)]), body()), "GET")):
            r = self.assert_next_request_works(server, messages, method)
            self.assertEqual(r.status, messages[0]["status"], messages)
            if r.status == 204:
                self.assertEqual((r.field("content-length"), r.field("transfer-encoding")), (None, None))
            if method == "HEAD" and messages[0]["headers"]:
                self.assertEqual(r.field("content-length"), "13", messages)

    @each_server()
    def test_transfer_encoding_of_the_application_does_no_harm(self, server):
        r = self.assert_next_request_works(server, (start(200, [(b"transfer-encoding", b"chunked")]), body(b"plain")))
        self.assertEqual((r.body, r.complete, len(r.all("transfer-encoding"))), (b"plain", True, 1))

    @each_server()
    def test_connection_close_of_the_application_closes(self, server):
        with Client(server) as client:
            client.request("GET", self.target(server, (start(200, [(b"Connection", b"close"), length(3)]), body(b"bye"))))
            r = client.response()
            self.assertEqual((r.body, r.field("connection").lower()), (b"bye", "close"))
            self.assertEqual(client.rest(), b"")


class Headers(SendTest):
    @each_server()
    def test_names_of_any_case_and_any_iterable(self, server):
        for kind in ("generator", "lists", "bytearrays", "tuple"):
            r = self.get(server, f"/headers?kind={kind}")
            self.assertEqual((r.body, r.field("content-length"), r.field("x-first"), r.field("x-second"), r.field("transfer-encoding")),
                             (b"ok", "2", "1", "2", None), kind)

    @each_server()
    def test_headers_may_be_missing(self, server):
        r, _ = self.play(server, {"type": "http.response.start", "status": 200}, {"type": "http.response.body"})
        self.assertEqual((r.status, r.body, r.complete), (200, b"", True))

    @each_server()
    def test_cookies_stay_apart_and_in_order(self, server):
        pairs = [(b"set-cookie", b"a=1"), (b"x-middle", b"m"), (b"set-cookie", b"b=2; Path=/")]
        r, _ = self.play(server, start(200, pairs), body(b"ok"))
        self.assertEqual([(n, v) for n, v in r.fields if n in ("set-cookie", "x-middle")],
                         [(n.decode(), v.decode()) for n, v in pairs])

    @each_server()
    def test_values_are_latin_1(self, server):
        r, _ = self.play(server, start(200, [(b"x-place", "caf\xe9".encode("latin-1"))]), body(b"ok"))
        self.assertEqual(r.field("x-place"), "caf\xe9")

    @each_server()
    def test_one_date_and_those_of_the_application_win(self, server):
        r, _ = self.play(server, start(), body(b"ok"))
        self.assertEqual(len(r.all("date")), 1)
        r, _ = self.play(server, start(200, [(b"DATE", b"Thu, 01 Jan 1970 00:00:00 GMT"), (b"Server", b"mine")]), body(b"ok"))
        self.assertEqual((r.all("date"), r.all("server")), (["Thu, 01 Jan 1970 00:00:00 GMT"], ["mine"]))

    @each_server()
    def test_line_breaks_do_not_become_fields(self, server):
        for name, value in ((b"x-a", b"1\r\nx-injected: yes"), (b"x-a", b"1\nx-injected: yes"), (b"x-a\r\nx-injected", b"yes"),
                            (b"x-a: 1\r\nx-injected", b"yes"), (b"x a", b"1"), (b"", b"1"), (b"x-a", b"a\0b")):
            r, outcomes = self.play(server, start(200, [(name, value)]), body(b"ok"))
            if r is not None:
                self.assertIsNone(r.field("x-injected"), (name, value))
                self.assertNotEqual(r.status, 200, (name, value, r))
            self.assertTrue(any(o != "sent" for o in outcomes), (name, value, outcomes))


class Errors(SendTest):
    def assert_raises(self, server, bad, *, before=(), after=(start(), body(b"ok"))):
        """send(bad) raises in the application, which can still send its response."""
        r, outcomes = self.play(server, *before, bad, *after)
        outcome = outcomes[len(before)]
        self.assertRegex(outcome, "^(RuntimeError|ValueError|TypeError|KeyError): .", bad)
        self.assertEqual([o for i, o in enumerate(outcomes) if i != len(before)], ["sent"] * (len(before) + len(after)), bad)
        self.assertEqual((r.status, r.body), (200, b"ok"), bad)
        return outcome

    @each_server()
    def test_a_wrong_order_raises(self, server):
        trailers = {"type": "http.response.trailers", "headers": []}
        self.assertIn("http.response.body", self.assert_raises(server, body(b"no head yet")))
        self.assertIn("http.response.start", self.assert_raises(server, start(201), before=[start()], after=[body(b"ok")]))
        self.assert_raises(server, trailers)
        self.assert_raises(server, {"type": "http.response.pathsend", "path": __file__})
        self.assert_raises(server, {"type": "http.response.early_hint", "links": []}, before=[start()], after=[body(b"ok")])
        self.assert_raises(server, body(b"more"), before=[start(), body(b"ok")], after=())
        self.assert_raises(server, start(), before=[start(), body(b"ok")], after=())

    @each_server()
    def test_unknown_and_malformed_messages_raise(self, server):
        for bad in ({"type": "http.response.nonsense"}, {"type": "websocket.accept"}, {"type": "lifespan.startup.complete"},
                    {"type": None}, {"type": b"http.response.start"}, {}, None, "http.response.start", [1]):
            self.assert_raises(server, bad)

    @each_server()
    def test_wrong_statuses_and_headers_raise(self, server):
        for bad in ({"type": "http.response.start"}, start("200"), start(None), start(99), start(1000), start(103), start(2**70),
                    start(200, [(b"a",)]), start(200, [(b"a", b"b", b"c")]), start(200, [("text", b"b")]), start(200, [(b"a", "text")]),
                    start(200, [None]), {"type": "http.response.start", "status": 200, "headers": 5},
                    start(200, [(b"content-length", b"many")]), start(200, [(b"content-length", b"-1")]),
                    start(200, [length(1), length(2)])):
            self.assert_raises(server, bad)

    @each_server()
    def test_wrong_bodies_raise(self, server):
        for bad in (body("text"), body(5), body([b"list"])):
            self.assert_raises(server, bad, before=[start()], after=[body(b"ok")])
        for bad in ({"type": "http.response.pathsend"}, {"type": "http.response.pathsend", "path": 5.5},
                    {"type": "http.response.zerocopysend"}, {"type": "http.response.zerocopysend", "file": "name"}):
            self.assert_raises(server, bad, before=[start()], after=[body(b"ok")])

    @each_server()
    def test_a_missing_file_raises_oserror(self, server):
        for path in ("/nonexistent/file", "/proc/self"):
            r, outcomes = self.play(server, start(), {"type": "http.response.pathsend", "path": path}, body(b"fallback"))
            self.assertRegex(outcomes[1], "^(FileNotFoundError|OSError|ValueError|IsADirectoryError)", path)
            self.assertEqual((r.status, r.body), (200, b"fallback"))

    @each_server()
    def test_an_exception_before_the_start_is_500_with_a_traceback_in_the_log(self, server):
        for messages in (["raise"], [start(), "raise"]):
            key = server.key()
            self.assertEqual(self.get(server, self.target(server, messages, key)).status, 500)
            match = server.wait_for_log(rf"Traceback[^\n]*\n(?:(?!Traceback).)*ValueError: on purpose {key}\n")
            self.assertIn("sending.py", match.group())
        self.assert_serves(server)

    @each_server()
    def test_an_exception_after_the_start_is_logged(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", self.target(server, [start(), body(b"started", True), "gate", "raise"], key))
            r = client.head()
            server.open(key)
            client.body_of(r)
            self.assertEqual((r.status, r.body, r.complete), (200, b"started", False))
        server.wait_for_log(rf"ValueError: on purpose {key}\n")

    @each_server()
    def test_an_exception_after_the_response_is_logged_and_harms_nothing(self, server):
        key = server.key()
        r = self.get(server, self.target(server, [start(), body(b"whole"), "raise"], key))
        self.assertEqual((r.status, r.body, r.complete), (200, b"whole", True))
        server.wait_for_log(rf"ValueError: on purpose {key}\n")

    @each_server()
    def test_return_without_a_response_is_500(self, server):
        self.assertEqual(self.get(server, "/nothing").status, 500)
        server.wait_for_log("GET /nothing: the ASGI application returned without sending a response")


class Tasks(SendTest):
    @each_server()
    def test_bytes_like_bodies_are_copied(self, server):
        r = self.get(server, "/buffers")
        self.assertEqual((r.body, r.complete), (b"bytearray memoryview unchanged", True))
        r = self.get(server, "/overwritten")
        self.assertEqual((len(r.body), r.body.count(b"b")), (8 * MIB, 0))

    @each_server()
    def test_send_can_be_given_to_tasks(self, server):
        key = server.key()
        r = self.get(server, f"/as-tasks?id={key}")
        self.assertEqual((r.body, r.complete), (b"one," + b"x" * 100, True))
        self.assertEqual(server.wait_for_event(key), [key, True])

    @each_server()
    def test_a_cancelled_send_still_sends_its_bytes(self, server):
        key = server.key()
        with Client(server, receive_buffer=65536) as client:
            client.request("GET", f"/cancelled-send?id={key}")
            server.wait_for_event(key, "is waiting", True)
            server.wait_for_event(key, "cancelled", True)
            r = client.response()
        self.assertTrue(r.complete)
        self.assertEqual((len(r.body), r.body[-8:]), (32 * MIB + 7, b"athe end"))

    @each_server()
    def test_concurrent_sends_keep_their_order(self, server):
        with Client(server, receive_buffer=65536) as client:
            client.request("GET", "/concurrent")
            server.wait_until_full(client.socket)
            r = client.response()
        self.assertTrue(r.complete)
        self.assertEqual(re.sub(rb"(.)\1*", rb"\1", r.body), b"abcdefghend")
        self.assertEqual(len(r.body), 8 * MIB + 3)

    @each_server()
    def test_a_send_left_to_a_task_completes_the_response(self, server):
        with Client(server, receive_buffer=65536) as client:
            client.request("GET", "/unawaited-end")
            server.wait_until_full(client.socket)
            r = client.response()
        self.assertEqual((len(r.body), r.complete), (16 * MIB, True))


class SlowClients(SendTest):
    @each_server()
    def test_a_client_that_does_not_read_stops_the_application(self, server):
        key = server.key()
        before = server.tree_memory()
        with Client(server, receive_buffer=65536) as client:
            client.request("GET", f"/flood?id={key}")
            server.wait_for_event(key)
            server.wait_until_full(client.socket)
            count = -1
            while count != (now := server.wait_for_event(key)[1]):  # the kernel may still enlarge its buffers
                count = now
                time.sleep(0.1)
            self.assertLess(count, 512)
            self.assertLess(server.tree_memory() - before, 24 * MIB)
            self.assert_serves(server)
            r = client.response()
        self.assertEqual((len(r.body), r.complete), (64 * MIB, True))
        server.wait_for_event(key, "end")
        self.assertLess(server.tree_memory() - before, 24 * MIB)

    @each_server()
    def test_a_client_that_leaves_a_stream_is_an_oserror_and_not_logged(self, server):
        for reset in (False, True):
            key = server.key()
            client = Client(server)
            client.request("GET", f"/stream?id={key}")
            client.wait_for(b"tick")
            (client.reset if reset else client.close)()
            server.wait_until(lambda k=key: len(server.events(k)) == 2, "the end of the stream")
            self.assertTrue(server.events(key)[1][2], server.events(key))
        self.assert_serves(server)
        self.assertNotRegex(server.log, "(?s)GET /stream: exception|ClientDisconnected")

    @each_server()
    def test_another_exception_after_a_disconnect_is_logged(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", f"/stream?id={key}&wrap=1")
            client.wait_for(b"tick")
        server.wait_for_log(f"RuntimeError: caused by the client {key}")

    @each_server()
    def test_send_after_disconnect_raises_oserror_and_is_not_logged(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", f"/after-disconnect?id={key}")
            server.wait_for_event(key, "waiting")
        self.assertEqual(server.wait_until(lambda: server.events(key)[1:], "the second note")[0], [key, "ClientDisconnected", True])
        self.assert_serves(server)
        self.assertNotIn("/after-disconnect", server.log)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
