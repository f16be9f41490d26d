#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The message board with several workers and on several machines: a message posted to one appears on all."""
import contextlib
import json
import os
import signal
import threading
import time
import unittest

from redis_server import Redis, wait_until
from board_server import TIMEOUT, Events, Board


@contextlib.contextmanager
def only(board, worker):
    """Stops the other workers, so that this one accepts all connections in the `with` block."""
    others = [pid for pid in board.workers() if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def listen(board, after=None, worker=None, last=None):
    path = "/events" if after is None else f"/events?after={after}"
    with only(board, worker) if worker else contextlib.nullcontext():
        events = Events(board.open("GET", path, fields={"Last-Event-ID": str(last)} if last is not None else {}))
        hello = next(events)
    assert hello["event"] == "hello", hello
    return events


def ids_of(events, count):
    return [int(next(events)["id"]) for _ in range(count)]


class TwoWorkers(unittest.TestCase):
    def setUp(self):
        # With io_uring the kernel may give a connection to a stopped process, see only().
        self.board = self.enterContext(Board("--workers", "2", "--backend", "epoll"))
        # A worker that is still starting may hold the lock of the database, so it must not be stopped.
        wait_until(lambda: "threads  up to" in self.board.log())

    def test_all_listeners_get_all_messages_in_order(self):
        listeners = [listen(self.board, worker=worker) for worker in self.board.workers() for _ in range(8)]
        said = [self.board.say(f"number {n}")["id"] for n in range(30)]
        self.assertEqual(said, list(range(1, 31)))
        for events in listeners:
            self.assertEqual(ids_of(events, 30), said)
            events.close()

    # The other worker is stopped while one stores the message, so no notification has reached it.
    def test_a_message_posted_to_one_worker_is_shown_by_the_other_immediately(self):
        for n in range(10):
            one, other = self.board.workers()[::1 if n % 2 else -1]
            with only(self.board, one):
                self.board.say(f"number {n}")
            with only(self.board, other):
                self.assertIn(f"number {n}", self.board.get("/")[2].decode())
                self.assertEqual(len(self.board.texts()), n + 1)

    def test_a_listener_that_resumes_on_another_worker_misses_and_repeats_nothing(self):
        for n in range(1, 11):
            one, other = self.board.workers()[::1 if n % 2 else -1]
            with only(self.board, one):
                said = self.board.say(f"number {n}")["id"]
            events = listen(self.board, worker=other, last=said - 1)
            self.assertEqual(int(next(events)["id"]), said)
            events.close()
            events = listen(self.board, worker=other, last=said)
            with only(self.board, one):
                following = self.board.say("and the next")["id"]
            self.assertEqual(int(next(events)["id"]), following)
            events.close()

    def test_polls_return_messages_posted_to_another_worker(self):
        last = self.board.say("first")["id"]
        results = []
        polls = [threading.Thread(target=lambda: results.append(self.board.get_json(f"/poll?after={last}&wait=20")))
                 for _ in range(8)]
        for poll in polls:
            poll.start()
        said = self.board.say("news")
        for poll in polls:
            poll.join()
        self.assertEqual(results, [{"messages": [said], "last": said["id"]}] * 8)

    def test_a_killed_worker_loses_nothing(self):
        acknowledged, posting, received = [], threading.Event(), {}
        posting.set()

        def post():
            n = 0
            while posting.is_set():
                n += 1
                try:
                    acknowledged.append(self.board.say(f"number {n}")["id"])
                except Exception:  # the worker was killed before it responded
                    time.sleep(0.01)

        def receive(name):
            last = 0
            while True:
                try:
                    events = listen(self.board, last=last)
                except (OSError, StopIteration):
                    continue
                try:
                    for event in events:
                        if "event" in event:
                            continue
                        last = int(event["id"])
                        received.setdefault(name, []).append(last)
                        if event["data"].find('"the end"') >= 0:
                            return
                except OSError:
                    pass
                finally:
                    events.close()
        listeners = [threading.Thread(target=receive, args=(name,)) for name in range(4)]
        poster = threading.Thread(target=post)
        for thread in (*listeners, poster):
            thread.start()
        for _ in range(3):
            enough = len(acknowledged) + 20
            wait_until(lambda: len(acknowledged) >= enough)
            os.kill(self.board.workers()[0], signal.SIGKILL)
        wait_until(lambda: len(acknowledged) >= enough + 20)
        posting.clear()
        poster.join()
        wait_until(lambda: self.posted("the end"))
        for listener in listeners:
            listener.join(TIMEOUT)
            self.assertFalse(listener.is_alive())
        kept = self.all_ids()
        self.assertEqual(set(acknowledged) - set(kept), set())
        for ids in received.values():
            self.assertEqual(ids, kept[:len(ids)])
            self.assertEqual(ids[-1], kept[-1])

    def posted(self, text):
        try:
            return self.board.say(text)
        except Exception:  # as above
            return None

    def all_ids(self):
        ids = []
        while batch := self.board.get_json(f"/messages?after={ids[-1] if ids else 0}")["messages"]:
            ids += [message["id"] for message in batch]
        return ids

    def test_a_reload_loses_nothing_for_a_listener_that_resumes(self):
        before = set(self.board.workers())
        last = self.board.say("before")["id"]
        events = listen(self.board, last)
        self.board.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(self.board.workers()))
        said = self.board.say("after")["id"]
        received = [int(e["id"]) for e in events if "event" not in e]  # the old worker ends the stream
        events.close()
        again = listen(self.board, last=(received or [last])[-1])
        if not received:
            self.assertEqual(int(next(again)["id"]), said)
        again.close()


class OtherWorkerClasses(unittest.TestCase):
    """Listeners occupy threads in these workers, and receive all messages too."""

    def test_threads(self):
        for backend in ("epoll", "io_uring"):
            with Board("--workers", "2", "--worker-class", "threads", "--backend", backend) as board:
                listeners = [listen(board) for _ in range(8)]  # both workers have some
                said = [board.say(f"number {n}")["id"] for n in range(10)]
                for events in listeners:
                    self.assertEqual(ids_of(events, 10), said)
                    events.close()
                self.assertEqual(len(board.texts()), 10)

    def test_sync(self):
        with Board("--workers", "2", "--worker-class", "sync", "--backend", "epoll") as board:
            wait_until(lambda: "threads  1" in board.log())
            one, other = board.workers()
            # The listener occupies the only thread of its worker.
            events = listen(board, worker=one)
            with only(board, other):
                said = [board.say(f"number {n}")["id"] for n in range(10)]
                self.assertEqual(len(board.texts()), 10)
            self.assertEqual(ids_of(events, 10), said)
            events.close()


class TwoMachines(unittest.TestCase):
    def test_a_message_appears_on_both(self):
        with Redis() as redis, Board("--channels-url", redis.url, "--workers", "2") as here, \
                Board("--channels-url", redis.url) as there:
            ours, theirs = listen(here), listen(there)
            wait_until(lambda: redis.subscribers("message_board") == 3)
            here.say("from here")
            there.say("from there")
            for events in (ours, theirs):
                texts = {json.loads(next(events)["data"])["text"] for _ in range(2)}
                self.assertEqual(texts, {"from here", "from there"})
                events.close()
            for board in (here, there):
                wait_until(lambda w=board: sorted(w.texts()) == ["from here", "from there"])
            redis.kill()
            said = here.say("while Redis is away")
            self.assertEqual(said["text"], "while Redis is away")
            redis.start()
            wait_until(lambda: redis.subscribers("message_board") == 3)
            here.say("back")
            wait_until(lambda: "back" in there.texts())


if __name__ == "__main__":
    unittest.main()
