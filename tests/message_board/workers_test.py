#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The wall with several workers, and on several machines: a message posted to one appears everywhere."""
import contextlib
import json
import os
import signal
import threading
import time
import unittest

from redis_server import Redis, wait_until
from wall_server import PATIENCE, Events, Wall


@contextlib.contextmanager
def only(wall, worker):
    """Connections that begin meanwhile are this worker's: the others are stopped."""
    others = [pid for pid in wall.workers() if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def listen(wall, after=None, worker=None, last=None):
    path = "/events" if after is None else f"/events?after={after}"
    with only(wall, worker) if worker else contextlib.nullcontext():
        events = Events(wall.open("GET", path, fields={"Last-Event-ID": str(last)} if last is not None else {}))
        hello = next(events)
    assert hello["event"] == "hello", hello
    return events


def ids_of(events, count):
    return [int(next(events)["id"]) for _ in range(count)]


class TwoWorkers(unittest.TestCase):
    def setUp(self):
        # With io_uring a stopped process is still told of connections, see only().
        self.wall = self.enterContext(Wall("--workers", "2", "--backend", "epoll"))
        # A worker that only begins to serve may hold the lock of the file: it must not be stopped.
        wait_until(lambda: "threads  up to" in self.wall.log())

    def test_everybody_hears_everything_in_order_whoever_posted_it(self):
        listeners = [listen(self.wall, worker=worker) for worker in self.wall.workers() for _ in range(8)]
        said = [self.wall.say(f"number {n}")["id"] for n in range(30)]
        self.assertEqual(said, list(range(1, 31)))
        for events in listeners:
            self.assertEqual(ids_of(events, 30), said)
            events.close()

    # The other worker is stopped while one takes the message: it has not heard of it when it is asked.
    def test_what_was_said_to_one_is_shown_by_the_other_at_once(self):
        for n in range(10):
            one, other = self.wall.workers()[::1 if n % 2 else -1]
            with only(self.wall, one):
                self.wall.say(f"number {n}")
            with only(self.wall, other):
                self.assertIn(f"number {n}", self.wall.get("/")[2].decode())
                self.assertEqual(len(self.wall.texts()), n + 1)

    def test_who_resumes_elsewhere_misses_and_repeats_nothing(self):
        for n in range(1, 11):
            one, other = self.wall.workers()[::1 if n % 2 else -1]
            with only(self.wall, one):
                said = self.wall.say(f"number {n}")["id"]
            events = listen(self.wall, worker=other, last=said - 1)
            self.assertEqual(int(next(events)["id"]), said)
            events.close()
            events = listen(self.wall, worker=other, last=said)
            with only(self.wall, one):
                following = self.wall.say("and the next")["id"]
            self.assertEqual(int(next(events)["id"]), following)
            events.close()

    def test_polls_are_answered_by_news_of_another_worker(self):
        last = self.wall.say("first")["id"]
        answers = []
        polls = [threading.Thread(target=lambda: answers.append(self.wall.get_json(f"/poll?after={last}&wait=20")))
                 for _ in range(8)]
        for poll in polls:
            poll.start()
        said = self.wall.say("news")
        for poll in polls:
            poll.join()
        self.assertEqual(answers, [{"messages": [said], "last": said["id"]}] * 8)

    def test_a_killed_worker_takes_nothing_with_it(self):
        acknowledged, posting, heard = [], threading.Event(), {}
        posting.set()

        def post():
            n = 0
            while posting.is_set():
                n += 1
                try:
                    acknowledged.append(self.wall.say(f"number {n}")["id"])
                except Exception:  # the worker that would have answered is gone
                    time.sleep(0.01)

        def hear(name):
            last = 0
            while True:
                try:
                    events = listen(self.wall, last=last)
                except (OSError, StopIteration):
                    continue
                try:
                    for event in events:
                        if "event" in event:
                            continue
                        last = int(event["id"])
                        heard.setdefault(name, []).append(last)
                        if event["data"].find('"the end"') >= 0:
                            return
                except OSError:
                    pass
                finally:
                    events.close()
        listeners = [threading.Thread(target=hear, args=(name,)) for name in range(4)]
        poster = threading.Thread(target=post)
        for thread in (*listeners, poster):
            thread.start()
        for _ in range(3):
            enough = len(acknowledged) + 20
            wait_until(lambda: len(acknowledged) >= enough)
            os.kill(self.wall.workers()[0], signal.SIGKILL)
        wait_until(lambda: len(acknowledged) >= enough + 20)
        posting.clear()
        poster.join()
        wait_until(lambda: self.posted("the end"))
        for listener in listeners:
            listener.join(PATIENCE)
            self.assertFalse(listener.is_alive())
        kept = self.all_ids()
        self.assertEqual(set(acknowledged) - set(kept), set())
        for ids in heard.values():
            self.assertEqual(ids, kept[:len(ids)])
            self.assertEqual(ids[-1], kept[-1])

    def posted(self, text):
        try:
            return self.wall.say(text)
        except Exception:  # as above
            return None

    def all_ids(self):
        ids = []
        while batch := self.wall.get_json(f"/messages?after={ids[-1] if ids else 0}")["messages"]:
            ids += [message["id"] for message in batch]
        return ids

    def test_a_reload_is_not_noticed_by_who_resumes(self):
        before = set(self.wall.workers())
        last = self.wall.say("before")["id"]
        events = listen(self.wall, last)
        self.wall.process.send_signal(signal.SIGHUP)
        wait_until(lambda: not before & set(self.wall.workers()))
        said = self.wall.say("after")["id"]
        heard = [int(e["id"]) for e in events if "event" not in e]  # the old worker ends the stream
        events.close()
        again = listen(self.wall, last=(heard or [last])[-1])
        if not heard:
            self.assertEqual(int(next(again)["id"]), said)
        again.close()


class OtherKinds(unittest.TestCase):
    """Listeners hold threads there; they hear of it all the same."""

    def test_threads(self):
        for backend in ("epoll", "io_uring"):
            with Wall("--workers", "2", "--worker-class", "threads", "--backend", backend) as wall:
                listeners = [listen(wall) for _ in range(8)]  # some at each
                said = [wall.say(f"number {n}")["id"] for n in range(10)]
                for events in listeners:
                    self.assertEqual(ids_of(events, 10), said)
                    events.close()
                self.assertEqual(len(wall.texts()), 10)

    def test_sync(self):
        with Wall("--workers", "2", "--worker-class", "sync", "--backend", "epoll") as wall:
            wait_until(lambda: "threads  1" in wall.log())
            one, other = wall.workers()
            # The one thread of its worker is the listener's.
            events = listen(wall, worker=one)
            with only(wall, other):
                said = [wall.say(f"number {n}")["id"] for n in range(10)]
                self.assertEqual(len(wall.texts()), 10)
            self.assertEqual(ids_of(events, 10), said)
            events.close()


class TwoMachines(unittest.TestCase):
    def test_a_message_appears_on_both(self):
        with Redis() as redis, Wall("--channels-url", redis.url, "--workers", "2") as here, \
                Wall("--channels-url", redis.url) as there:
            ours, theirs = listen(here), listen(there)
            wait_until(lambda: redis.listeners("wall") == 3)
            here.say("from here")
            there.say("from there")
            for events in (ours, theirs):
                texts = {json.loads(next(events)["data"])["text"] for _ in range(2)}
                self.assertEqual(texts, {"from here", "from there"})
                events.close()
            for wall in (here, there):
                wait_until(lambda w=wall: sorted(w.texts()) == ["from here", "from there"])
            redis.kill()
            said = here.say("while Redis is away")
            self.assertEqual(said["text"], "while Redis is away")
            redis.start()
            wait_until(lambda: redis.listeners("wall") == 3)
            here.say("back")
            wait_until(lambda: "back" in there.texts())


if __name__ == "__main__":
    unittest.main()
