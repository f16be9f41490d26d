#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The message board over HTTP: posted messages are stored and sent to all clients, also after restarts and crashes."""
import concurrent.futures
import json
import os
import signal
import struct
import subprocess
import tempfile
import threading
import time
import unittest
import zlib

from redis_server import wait_until
from board_server import PROGRAM, WORKERS, Board, Events, close
from server import CLASS


def wait_until_waiting(board, clients):
    if WORKERS > 1:  # the stats are those of one worker
        return wait_until(lambda: board.connections_read() >= clients)
    # The request for the stats is in flight too.
    wait_until(lambda: board.get_json("/stats.json")["waiting"] > clients)


class BoardTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.board = cls.enterClassContext(Board())


class Posting(BoardTest):
    def test_a_form_redirects_to_the_page(self):
        status, fields, _ = self.board.post_form(author="Ada", text="by form")
        self.assertEqual((status, fields["Location"]), (303, "/"))
        self.assertIn("by form", self.board.texts())

    def test_json_returns_the_message(self):
        status, fields, body = self.board.post_json({"author": "Grace", "text": "by JSON"})
        message = json.loads(body)
        self.assertEqual((status, fields["Content-Type"]), (201, "application/json"))
        self.assertEqual((message["author"], message["text"]), ("Grace", "by JSON"))
        self.assertRegex(message["created_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_ids_increase(self):
        ids = [self.board.say(f"number {n}")["id"] for n in range(3)]
        self.assertEqual(ids, list(range(ids[0], ids[0] + 3)))

    def test_without_a_name_the_author_is_anonymous(self):
        self.assertEqual(self.board.say("no name", author="")["author"], "Anonymous")

    def test_text_is_trimmed_and_line_breaks_are_normalised(self):
        self.assertEqual(self.board.say("\r\n  one\r\ntwo\rthree \n")["text"], "one\ntwo\nthree")

    def test_multipart_form(self):
        body = ("--x\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nin parts\r\n--x--\r\n")
        status, _, _ = self.board.request("POST", "/messages", body, {"Content-Type": "multipart/form-data; boundary=x"})
        self.assertEqual(status, 303)
        self.assertIn("in parts", self.board.texts())

    def test_messages_are_escaped(self):
        self.board.say("<script>alert('&amp;')</script>{{text}}", author="<b>\"Eve\"")
        _, fields, page = self.board.get("/")
        self.assertIn(b"&lt;script&gt;alert(&#39;&amp;amp;&#39;)&lt;/script&gt;{{text}}", page)
        self.assertIn(b"&lt;b&gt;&quot;Eve&quot;", page)
        self.assertNotIn(b"<script>", page)
        self.assertIn("default-src 'none'", fields["Content-Security-Policy"])
        self.assertNotIn("unsafe", fields["Content-Security-Policy"])


class Rejecting(BoardTest):
    def assert_rejected(self, value, status, message):
        actual, _, body = self.board.post_json(value)
        self.assertEqual(actual, status, body)
        self.assertIn(message, json.loads(body)["detail"])

    def tearDown(self):
        self.assertEqual(self.board.texts(), [], "a rejected message was stored")

    def test_rejects_an_empty_message(self):
        self.assert_rejected({"author": "Ada", "text": " \n\t "}, 422, "enter a message")
        self.assert_rejected({"author": "Ada"}, 422, "enter a message")

    def test_rejects_long_texts_and_names(self):
        self.assert_rejected({"text": "ä" * 1001}, 422, "at most 1000 characters; this one has 1001")
        self.assert_rejected({"text": "x", "author": "ä" * 41}, 422, "A name may have at most 40")
        self.assert_rejected({"text": "x\n" * 40 + "x"}, 422, "at most 40 lines")

    def test_rejects_control_characters(self):
        for text in ("a\0b", "a\x1b[31m", "a\x7f", "a\u0085b"):
            self.assert_rejected({"text": text}, 422, "Control characters")
        self.assert_rejected({"author": "two\nlines", "text": "x"}, 422, "Control characters")

    def test_rejects_invalid_utf8(self):
        self.assertEqual(self.board.request("POST", "/messages", "text=%FF%FE",
                                           {"Content-Type": "application/x-www-form-urlencoded"})[0], 400)

    def test_rejects_invalid_json(self):
        self.assertEqual(self.board.request("POST", "/messages", "{", {"Content-Type": "application/json"})[0], 400)
        for value in ({"text": 7}, {"text": ["x"]}, {"author": {}, "text": "x"}):
            self.assert_rejected(value, 422, "must be strings")
        for value in ([], "x", None):
            self.assert_rejected(value, 422, "enter a message")

    def test_rejects_other_media_types(self):
        self.assertEqual(self.board.request("POST", "/messages", "hello", {"Content-Type": "text/plain"})[0], 415)
        self.assertEqual(self.board.request("POST", "/messages", "hello")[0], 415)

    def test_rejects_large_bodies(self):
        self.assertEqual(self.board.post_form(text="x" * 70_000)[0], 413)

    def test_rejects_posts_from_other_sites(self):
        self.assertEqual(self.board.post_form({"Sec-Fetch-Site": "cross-site"}, text="not mine")[0], 403)

    def test_a_rejected_form_keeps_the_input(self):
        status, _, body = self.board.post_form(author="A & B", text="y" * 1001)
        self.assertEqual(status, 422)
        self.assertIn(b"at most 1000 characters", body)
        self.assertIn(b'value="A &amp; B"', body)
        self.assertIn(b"y" * 1001, body)

    def test_rejects_other_methods_and_paths(self):
        self.assertEqual(self.board.request("DELETE", "/messages")[0], 405)
        self.assertEqual(self.board.get("/static/../main.cpp")[0], 404)
        self.assertEqual(self.board.get("/static/none.css")[0], 404)
        for path in ("/messages?after=x", "/poll?after=", "/events?after=1.5", "/slow?ms=-1", "/race?kind=other",
                     "/mandelbrot.png?zoom=none", "/?before=99999999999999999999"):
            self.assertEqual(self.board.get(path)[0], 400, path)


class Reading(unittest.TestCase):
    def test_batches_forward_and_backward(self):
        with Board() as board:
            for n in range(1, 121):
                board.say(f"number {n}")
            first = board.get_json("/messages?after=0")
            self.assertEqual([m["id"] for m in first["messages"]], list(range(1, 101)))
            self.assertEqual(first["last"], 100)
            rest = board.get_json("/messages?after=100")
            self.assertEqual([m["id"] for m in rest["messages"]], list(range(101, 121)))
            self.assertEqual(board.get_json("/messages?before=3")["messages"][-1]["text"], "number 2")
            self.assertEqual(board.get_json("/messages?after=999"), {"messages": [], "last": 120})
            page = board.get("/?before=51")[2].decode()
            self.assertIn("number 50", page)
            self.assertNotIn("number 51", page)
            self.assertNotIn("Older messages</a>", page)


@unittest.skipIf(CLASS == "sync", "a listener occupies the only thread of a sync worker, see workers_test.py")
class Receiving(BoardTest):
    def events(self, path="/events", fields=None):
        response = self.board.open("GET", path, fields=fields)
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        events = Events(response)
        self.addCleanup(events.close)
        self.assertEqual(next(events)["event"], "hello")
        return events

    def test_events_deliver_new_messages(self):
        self.board.say("before")
        events = self.events()
        said = self.board.say("now")
        event = next(events)
        self.assertEqual(json.loads(event["data"]), said)
        self.assertEqual(event["id"], str(said["id"]))

    def test_events_resume_after_the_last_event_id(self):
        ids = [self.board.say(f"missed {n}")["id"] for n in range(3)]
        events = self.events(fields={"Last-Event-ID": str(ids[0])})
        self.assertEqual([int(next(events)["id"]) for _ in range(2)], ids[1:])

    def test_the_last_event_id_overrides_the_url(self):
        ids = [self.board.say(f"seen {n}")["id"] for n in range(2)]
        events = self.events("/events?after=0", {"Last-Event-ID": str(ids[1])})
        said = self.board.say("next")
        self.assertEqual(next(events)["id"], str(said["id"]))

    def test_an_invalid_last_event_id_gets_new_messages(self):
        for last in ("x", "-5x", "9" * 30):
            events = self.events(fields={"Last-Event-ID": last})
            said = self.board.say(f"after {last}")
            self.assertEqual(next(events)["id"], str(said["id"]))

    def test_all_listeners_get_all_messages_in_order(self):
        listeners = [self.events() for _ in range(20)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda n: self.board.say(f"at once {n}")["id"], range(40)))
        for events in listeners:
            self.assertEqual([int(next(events)["id"]) for _ in said], sorted(said))

    def test_a_poll_returns_when_a_message_arrives(self):
        last = self.board.say("polled")["id"]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            poll = pool.submit(self.board.get_json, f"/poll?after={last}")
            wait_until_waiting(self.board, 1)
            said = self.board.say("news")
            self.assertEqual(poll.result(), {"messages": [said], "last": said["id"]})

    def test_a_poll_times_out_without_messages(self):
        last = self.board.say("quiet")["id"]
        began = time.monotonic()
        self.assertEqual(self.board.get_json(f"/poll?after={last}&wait=1"), {"messages": [], "last": last})
        self.assertGreaterEqual(time.monotonic() - began, 0.99)

    def test_a_poll_returns_missed_messages_immediately(self):
        first, second = self.board.say("missed"), self.board.say("missed too")
        self.assertEqual(self.board.get_json(f"/poll?after={first['id']}")["messages"], [second])


class Stats(unittest.TestCase):
    """The stats are those of one worker, so the board has only one."""

    @classmethod
    def setUpClass(cls):
        cls.board = cls.enterClassContext(Board("--workers", "1"))

    def test_counters(self):
        before = self.board.get_json("/stats.json")
        self.board.get("/slow?ms=0")
        after = self.board.get_json("/stats.json")
        self.assertEqual(after["requests"] - before["requests"], 2)
        for name in ("threads", "memory_bytes", "connections", "waiting"):
            self.assertGreater(after[name], 0, name)
        events = Events(self.board.open("GET", "/stats/events"))
        self.assertGreaterEqual(json.loads(next(events)["data"])["requests"], after["requests"])
        events.close()

    @unittest.skipIf(CLASS != "async", "in the other workers each request has a thread")
    def test_waiting_requests_occupy_no_threads(self):
        threads = self.board.get_json("/stats.json")["threads"]
        waiting = [self.board.open("GET", "/events") for _ in range(200)]
        stats = self.board.get_json("/stats.json")
        for response in waiting:
            close(response)
        self.assertGreaterEqual(stats["waiting"], 200)
        self.assertEqual(stats["threads"], threads)


class Persistence(unittest.TestCase):
    def test_messages_survive_a_restart_and_listeners_resume(self):
        with Board() as board:
            said = board.say("to be kept")
            self.assertEqual(board.stop(signal.SIGINT), 0, board.log())
            board.start()
            self.assertEqual(board.texts(), ["to be kept"])
            after = board.say("after the restart")
            events = Events(board.open("GET", "/events", fields={"Last-Event-ID": str(said["id"])}))
            self.assertEqual(next(events)["event"], "hello")
            self.assertEqual(next(events)["id"], str(after["id"]))
            events.close()

    @unittest.skipIf(CLASS == "sync", "a sync worker runs one request at a time")
    def test_shutdown_does_not_wait_for_listeners_and_polls(self):
        with Board("--graceful-timeout", "10m") as board, concurrent.futures.ThreadPoolExecutor(1) as pool:
            said = board.say("the last one")
            events = Events(board.open("GET", f"/events?after={said['id']}"))
            next(events)
            poll = pool.submit(board.get_json, f"/poll?after={said['id']}")
            wait_until_waiting(board, 2)
            self.assertEqual(board.stop(signal.SIGTERM), 0, board.log())  # within the timeout of stop()
            self.assertEqual(poll.result(), {"messages": [], "last": said["id"]})
            self.assertEqual(list(events), [])
            events.close()

    def test_a_kill_loses_no_acknowledged_message(self):
        with Board() as board:
            for run in range(3):
                acknowledged = self.post_until_killed(board, run)
                self.assertGreater(len(acknowledged), 0)
                board.start()
                kept = self.all_texts(board)
                self.assertEqual(acknowledged - kept, set())

    def post_until_killed(self, board, run):
        acknowledged, enough = set(), threading.Event()

        def post(poster):
            n = 0
            while True:
                text = f"run {run}, poster {poster}, number {n}"
                try:
                    status, _, _ = board.post_form(text=text)
                except OSError:
                    return  # the server has exited: nothing was acknowledged
                except Exception as e:  # an incomplete response
                    self.assertIn("http.client", type(e).__module__)
                    return
                self.assertEqual(status, 303)
                acknowledged.add(text)
                if len(acknowledged) >= 60:
                    enough.set()
                n += 1

        posters = [threading.Thread(target=post, args=(poster,)) for poster in range(4)]
        for poster in posters:
            poster.start()
        self.assertTrue(enough.wait(60))
        board.stop(signal.SIGKILL)
        for poster in posters:
            poster.join()
        return acknowledged

    def all_texts(self, board):
        texts, last = set(), 0
        while batch := (news := board.get_json(f"/messages?after={last}"))["messages"]:
            texts |= {message["text"] for message in batch}
            last = news["last"]
        return texts

    def test_a_missing_folder_fails_the_start(self):
        with tempfile.TemporaryDirectory(prefix="rondo-board-") as folder:
            ended = subprocess.run([PROGRAM, "serve", "--bind", f"unix:{folder}/socket"], capture_output=True, text=True,
                                   timeout=60, env=dict(os.environ, MESSAGE_BOARD_DB=f"{folder}/none/messages.sqlite"))
        self.assertEqual(ended.returncode, 3, ended.stderr)
        self.assertIn("cannot open database", ended.stderr)
        self.assertIn("set by MESSAGE_BOARD_DB", ended.stderr)


class ViewKinds(BoardTest):
    def test_slow_views_wait(self):
        for path in ("/slow?ms=50", "/slow-sync?ms=50"):
            began = time.monotonic()
            status, _, body = self.board.get(path)
            self.assertEqual(status, 200)
            self.assertIn(b"50 ms", body)
            self.assertGreaterEqual(time.monotonic() - began, 0.05)

    def test_async_calls_wait_concurrently_and_sync_calls_queue(self):
        def race(kind):
            lines = self.board.get(f"/race?kind={kind}&calls=100&ms=100")[2].splitlines()
            ends = [json.loads(line) for line in lines]
            self.assertEqual(sorted(end["call"] for end in ends), list(range(100)))
            return [end["ms"] for end in ends]
        self.assertGreaterEqual(min(race("async")), 100)
        # 100 calls on 32 threads take four rounds of 100 ms.
        self.assertGreaterEqual(race("sync")[-1], 400)

    def test_the_stream_arrives_line_by_line(self):
        response = self.board.open("GET", "/drip")
        first = response.readline()
        seen = time.monotonic()
        self.assertTrue(first.startswith(b"A "))
        rest = response.read()
        close(response)
        self.assertIn(b"da capo", rest)
        self.assertGreater(time.monotonic() - seen, 1)

    def test_the_picture_is_a_png(self):
        status, fields, body = self.board.get("/mandelbrot.png?width=64&height=40")
        self.assertEqual((status, fields["Content-Type"]), (200, "image/png"))
        self.assertEqual(body[:8], b"\x89PNG\r\n\x1a\n")
        chunks, at = {}, 8
        while at < len(body):
            size, = struct.unpack_from(">I", body, at)
            kind, data = body[at + 4:at + 8], body[at + 8:at + 8 + size]
            self.assertEqual(struct.unpack_from(">I", body, at + 8 + size)[0], zlib.crc32(kind + data))
            chunks[kind] = data
            at += 12 + size
        self.assertEqual(struct.unpack(">IIBBBBB", chunks[b"IHDR"]), (64, 40, 8, 2, 0, 0, 0))
        rows = zlib.decompress(chunks[b"IDAT"])
        self.assertEqual(len(rows), 40 * (1 + 64 * 3))
        self.assertGreater(len(set(rows)), 50, "the picture has one colour only")

    def test_the_picture_parameters_are_limited(self):
        for query in ("width=99999&height=1", "width=8&height=8&zoom=99999999999999999", "width=8&height=8&x=99&y=-99",
                      "width=0&height=0"):
            self.assertEqual(self.board.get(f"/mandelbrot.png?{query}")[0], 200, query)

    @unittest.skipIf(CLASS == "sync", "a sync worker runs one request at a time")
    def test_messages_arrive_while_pictures_are_computed(self):
        deep = "/mandelbrot.png?x=-0.743643887037151&y=0.13182590420533&zoom=1000000&width=320&height=200"
        began = time.monotonic()
        self.assertEqual(self.board.get(deep)[0], 200)
        count = max(3, min(50, int(5 / (time.monotonic() - began))))  # work for some seconds
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            pictures = [pool.submit(self.board.get, deep) for _ in range(count)]
            said = self.board.say("in between")
            self.assertFalse(all(picture.done() for picture in pictures))
            self.assertEqual([picture.result()[0] for picture in pictures], [200] * count)
        self.assertIn(said["text"], self.board.texts())

    def test_static_files_are_revalidated_with_etags(self):
        status, fields, body = self.board.get("/static/style.css")
        self.assertEqual((status, fields["Content-Type"]), (200, "text/css; charset=utf-8"))
        self.assertGreater(len(body), 1000)
        self.assertEqual(self.board.get("/static/style.css", {"If-None-Match": fields["ETag"]})[0::2], (304, b""))

    def test_every_page_is_complete(self):
        for path in ("/", "/views", "/stats"):
            status, _, page = self.board.get(path)
            self.assertEqual(status, 200, path)
            self.assertTrue(page.startswith(b"<!doctype html>"))
            self.assertNotIn(b"{{", page)
            self.assertEqual(page.count(b'aria-current="page"'), 1)


if __name__ == "__main__":
    unittest.main()
