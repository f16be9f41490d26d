# SPDX-License-Identifier: Apache-2.0
"""What receive() returns: bodies of all kinds, 100-continue, limits, the end of the connection, and cancelled calls."""
import hashlib
import os
import threading
import time
import unittest

from python_server import Client, Closed, SharedServers, each_server

MIB = 1 << 20
CHUNKED = "Transfer-Encoding: chunked"


def chunks(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n\r\n"


class ReceiveTest(SharedServers):
    app = "receiving:app"

    def chunked(self, server, target, data):
        with Client(server) as client:
            client.request("POST", target, CHUNKED)
            client.send(data)
            return client.response()

    def assert_digest(self, response, content, *more):
        self.assertEqual(response.json(), [len(content), hashlib.sha256(content).hexdigest(), *more])


class Bodies(ReceiveTest):
    @each_server()
    def test_no_body_is_one_empty_message(self, server):
        for method, body in (("GET", None), ("POST", None), ("POST", b"")):
            r = self.get(server, "/messages", method=method, body=body)
            self.assertEqual(r.json(), [["http.request", "", False]], (method, body))

    @each_server()
    def test_a_small_body_is_one_message(self, server):
        for size in (1, 100, 3000):
            r = self.get(server, "/messages", method="POST", body=b"a" * size)
            self.assertEqual(r.json(), [["http.request", "a" * size, False]], size)

    @each_server()
    def test_chunks_are_joined(self, server):
        r = self.chunked(server, "/messages", b"5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n")
        self.assertEqual(r.json(), [["http.request", "hello world", False]])
        r = self.chunked(server, "/messages", chunks())
        self.assertEqual("".join(m[1] for m in r.json()), "")
        self.assertEqual([m[2] for m in r.json()][-1], False)

    @each_server()
    def test_thousands_of_small_chunks_are_few_messages(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("POST", f"/sizes?id={key}", CHUNKED)
            client.send(chunks(*[b"x"] * 5000))
            server.open(key)
            sizes = client.response().json()
        self.assertEqual(sum(sizes), 5000)
        self.assertLess(len(sizes), 100)

    @each_server()
    def test_a_large_upload_arrives_whole(self, server):
        content = os.urandom(MIB) * 20 + b"end"
        self.assert_digest(self.get(server, "/digest", method="POST", body=content), content)
        parts = [content[i:i + 300_000] for i in range(0, len(content), 300_000)]
        self.assert_digest(self.chunked(server, "/digest", chunks(*parts)), content)

    @each_server()
    def test_a_body_that_arrives_byte_by_byte(self, server):
        with Client(server) as client:
            client.request("POST", "/echo", "Content-Length: 20")
            for i in range(20):
                client.send(bytes([65 + i]))
                time.sleep(0.001)
            self.assertEqual(client.response().body, b"ABCDEFGHIJKLMNOPQRST")
            client.request("GET", "/hello")
            self.assertEqual(client.response().body, b"hello")

    @each_server()
    def test_a_body_is_sent_back_while_it_arrives(self, server):
        with Client(server) as client:
            client.request("POST", "/duplex", CHUNKED)
            for part in (b"first", b"second", b"third"):
                client.send(b"%x\r\n%s\r\n" % (len(part), part))
                client.wait_for(part)
            client.send(b"0\r\n\r\n")
            client.wait_for(b"0\r\n\r\n")

    @each_server()
    def test_an_application_that_does_not_read_stops_the_client(self, server):
        key = server.key()
        before = server.tree_memory()
        content = b"u" * (48 * MIB)
        with Client(server) as client:
            sender = threading.Thread(target=client.request, args=("POST", f"/late?id={key}"), kwargs={"body": content})
            sender.start()
            server.wait_for_event(key, "started")
            sender.join(0.3)
            self.assertTrue(sender.is_alive())
            self.assertLess(server.tree_memory() - before, 16 * MIB)
            self.assert_serves(server)
            server.open(key)
            sender.join()
            self.assertEqual(len(client.response().body), len(content))

    @each_server()
    def test_an_unread_body_is_no_next_request(self, server):
        smuggled = b"GET /messages HTTP/1.1\r\nHost: x\r\n\r\n"
        for late in (False, True):
            with Client(server) as client:
                client.request("POST", "/ignores", f"Content-Length: {len(smuggled)}")
                if not late:
                    client.send(smuggled)
                self.assertEqual(client.response().body, b"ignored")
                try:
                    if late:
                        client.send(smuggled)
                    client.request("GET", "/hello")
                    r = client.response()
                except (OSError, Closed):
                    continue
                self.assertEqual(r.body, b"hello")


class Continue(ReceiveTest):
    @each_server()
    def test_100_is_sent_when_the_application_receives(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("POST", f"/late?id={key}", "Expect: 100-continue", "Content-Length: 3")
            server.wait_for_event(key, "started")
            client.socket.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                client.head()
            client.socket.settimeout(30)
            server.open(key)
            self.assertEqual(client.head().status, 100)
            client.send(b"abc")
            r = client.response()
            self.assertEqual((r.body, r.informational), (b"abc", []))

    @each_server()
    def test_100_is_not_sent_for_a_body_that_is_not_read(self, server):
        with Client(server) as client:
            client.request("POST", "/ignores", "Expect: 100-continue", "Content-Length: 3")
            r = client.response()
            self.assertEqual((r.status, r.informational, r.body), (200, [], b"ignored"))


class Disconnect(ReceiveTest):
    def assert_disconnect(self, server, key):
        """The last messages are http.disconnect, and nothing looks like a complete body before unless it was."""
        server.wait_for_event(key, "http.disconnect")
        self.assertEqual(server.wait_for_event(key, "again"), [key, "again", "http.disconnect"])
        return [e[1:] for e in server.events(key)[1:-1]]

    def leave_while_the_application_waits(self, server, respond, reset):
        key = server.key()
        client = Client(server)
        client.request("POST", f"/until-disconnect?id={key}&respond={respond}", body=b"body")
        server.wait_for_event(key, "http.request", "body")
        if respond:
            client.wait_for(b"started\r\n")
        (client.reset if reset else client.close)()
        self.assertEqual(self.assert_disconnect(server, key), [["http.request", "body", False], ["http.disconnect", None, None]])

    @each_server()
    def test_while_the_application_waits(self, server):
        for reset in (False, True):
            self.leave_while_the_application_waits(server, "", reset)

    @each_server()
    def test_a_reset_while_a_stream_waits(self, server):
        self.leave_while_the_application_waits(server, "1", True)

    @each_server()
    def test_a_close_while_a_stream_waits(self, server):
        self.leave_while_the_application_waits(server, "1", False)

    @each_server()
    def test_in_the_middle_of_a_body(self, server):
        for fields, data in (("Content-Length: 1000", b"x" * 400), (CHUNKED, b"190\r\n" + b"x" * 400 + b"\r\n"),
                             (CHUNKED, b"3e8\r\n" + b"x" * 400), ("Content-Length: 1000", b""), (CHUNKED, b"")):
            for reset in (False, True):
                key = server.key()
                client = Client(server)
                client.request("POST", f"/until-disconnect?id={key}", fields)
                client.send(data)
                server.wait_until(lambda k=key, n=len(data) and 400: sum(len(e[2] or "") for e in server.events(k, "http.request")) == n and
                                  server.events(k, "started"), "the part of the body")
                (client.reset if reset else client.close)()
                received = self.assert_disconnect(server, key)
                self.assertTrue(all(m[2] for m in received if m[0] == "http.request"), received)
                self.assertEqual(sum(len(m[1] or "") for m in received), 400 if data else 0)

    @each_server()
    def test_before_the_application_asks(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("POST", f"/late?id={key}", "Content-Length: 10")
            client.send(b"12345")
            server.wait_for_event(key, "started")
        server.open(key)
        self.assertEqual(server.wait_for_event(key, "received")[2], "http.disconnect")
        self.assert_serves(server)

    @each_server()
    def test_receive_after_the_body_waits_and_after_the_response_is_disconnect(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", f"/twice?id={key}")
            self.assertEqual(client.response().body, b"answered")
            self.assertEqual(server.wait_for_event(key, "after the response")[2:], ["http.disconnect"] * 3)
            client.request("GET", "/hello")
            self.assertEqual(client.response().body, b"hello")
        self.assertEqual([e[1] for e in server.events(key)], ["is waiting", "still waits", "after the response"])
        self.assertTrue(server.events(key, "is waiting", True))

    @each_server()
    def test_receive_after_the_response_is_disconnect_although_a_body_is_unread(self, server):
        key = server.key()
        r = self.get(server, f"/answers-first?id={key}", method="POST", body=b"unread")
        self.assertEqual(r.body, b"answered")
        self.assertEqual(server.wait_for_event(key), [key, "http.disconnect"])

    @each_server()
    def test_a_half_closed_client_gets_its_answer(self, server):
        for target in ("/messages", "/is-disconnected"):
            with Client(server) as client:
                client.request("POST", target, body=b"all")
                client.socket.shutdown(1)
                self.assertEqual(client.response().status, 200, target)

    @each_server()
    def test_a_half_closed_client_in_the_middle_of_a_body_is_disconnected(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("POST", f"/until-disconnect?id={key}", "Content-Length: 10")
            client.send(b"12345")
            server.wait_for_event(key, "http.request", "12345")
            client.socket.shutdown(1)
            self.assertEqual(self.assert_disconnect(server, key)[-1][0], "http.disconnect")


class Tasks(ReceiveTest):
    @each_server()
    def test_cancelled_receives_lose_nothing(self, server):
        content = os.urandom(200_000)
        for is_chunked in (False, True):
            key = server.key()
            with Client(server) as client:
                client.request("POST", f"/cancels?id={key}", CHUNKED if is_chunked else f"Content-Length: {len(content)}")
                for i in range(0, len(content), 8000):
                    part = content[i:i + 8000]
                    client.send(b"%x\r\n%s\r\n" % (len(part), part) if is_chunked else part)
                    if i % 40_000 == 0:  # until receive() has been cancelled a few times more
                        cancelled = len(server.events(key))
                        server.wait_until(lambda k=key, n=cancelled: len(server.events(k)) > n, "cancelled receives")
                if is_chunked:
                    client.send(b"0\r\n\r\n")
                got = client.response().json()
            self.assertEqual(got[:2], [len(content), hashlib.sha256(content).hexdigest()])
            self.assertGreaterEqual(got[2], 50)

    @each_server()
    def test_two_tasks_receive_at_once(self, server):
        content = os.urandom(300_000)
        key = server.key()
        with Client(server) as client:
            client.request("POST", f"/two-at-once?id={key}", f"Content-Length: {len(content)}")
            server.wait_for_event(key, "both wait")
            for i in range(0, len(content), 10_000):
                client.send(content[i:i + 10_000])
            self.assert_digest(client.response(), content, [True])
            server.wait_for_event(key, "both ended")

    @each_server()
    def test_a_receive_can_be_awaited_later_but_only_once(self, server):
        r = self.get(server, "/stored-receive", method="POST", body=b"abc")
        self.assertEqual(r.json(), [["http.request", "abc", False], "RuntimeError", True])

    @each_server()
    def test_asking_whether_the_client_has_gone_has_no_effect(self, server):
        with Client(server) as client:
            for body in (None, b"abc"):
                client.request("POST", "/is-disconnected", body=body)
                self.assertEqual(client.response().json(), ["cancelled"] * 3)


class Refusals(ReceiveTest):
    @each_server()
    def test_an_invalid_chunk_is_400(self, server):
        for target, status in (("/echo", 400), ("/handles-invalid", 400)):
            key = server.key()
            r = self.chunked(server, f"{target}?id={key}", b"5\r\nhello\r\nzz\r\n")
            self.assertEqual(r.status, status, target)
        received = server.wait_for_event(key)
        self.assertNotIn(False, [m[2] for m in received[1] if isinstance(m, list)], received)
        self.assert_serves(server)

    @each_server("--max-body", "10KiB")
    def test_a_body_above_the_limit_is_413(self, server):
        self.assertEqual(len(self.get(server, "/echo", method="POST", body=b"x" * 10240).body), 10240)
        with Client(server) as client:
            client.request("POST", "/echo", "Content-Length: 10241")
            self.assertEqual(client.response().status, 413)
        with Client(server) as client:
            client.request("POST", "/echo", CHUNKED)
            client.send(b"2000\r\n" + b"x" * 0x2000 + b"\r\n2000\r\n")
            client.send(b"x" * 0x2000 + b"\r\n")
            self.assertEqual(client.response().status, 413)
        self.assert_serves(server)

    @each_server()
    def test_there_is_no_limit_by_default(self, server):
        content = b"y" * (3 * MIB)
        self.assert_digest(self.get(server, "/digest", method="POST", body=content), content)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
