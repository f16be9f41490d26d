# SPDX-License-Identifier: Apache-2.0
"""Threads for sync and cpu views: how many run, how many wait, and what the rest gets."""
import select
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CLASS, ONE_WORKER, Server, each_backend, read_all  # noqa: E402


def ask_at_once(server, path, count):
    """(status, seconds since the first) of each of `count` requests sent together."""
    answers = []
    began = time.monotonic()

    def ask():
        status, _, _ = server.get(path)
        answers.append((status, time.monotonic() - began))
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def ask(server, path):
    s = server.connect()
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return s


def answered(clients):
    """Those for whom there is something to read."""
    return select.select(clients, [], [], 0)[0]


def answers_of(clients):
    got = [read_all(s) for s in clients]
    for s in clients:
        s.close()
    return got


class Queues(unittest.TestCase):
    @each_backend
    def test_sync_views_over_the_limit_get_503_at_once(self, backend):
        with Server("--backend", backend, "--threads", "2", "--thread-queue", "2", *ONE_WORKER) as server:
            threads = 1 if CLASS == "sync" else 2  # it has one thread, whatever is set
            refused = self.look_at_the_refused(server, "/_test/wait-sync", 10, threads, threads + 2)
            for answer in refused:
                self.assertRegex(answer, rb"(?i)\r\nretry-after: [1-9]")
            # Async views do not care.
            self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.get("/slow-sync")[0], 200)

    def look_at_the_refused(self, server, path, count, running, taken):
        """The answers to those who are refused: they come while those who are taken wait, of whom some run."""
        clients = [ask(server, f"{path}?while={server.gate}") for _ in range(count)]
        server.wait_until(lambda: len(answered(clients)) == count - taken, what="the refusal of the others")
        server.wait_for_started(running)
        self.assertEqual((server.counters()["started"], server.counters()["finished"]), (running, 0))
        refused = answered(clients)
        waiting = [s for s in clients if s not in refused]
        answers = answers_of(refused)
        for answer in answers:
            self.assertRegex(answer, rb"^HTTP/1.1 503 ")
        self.assertEqual(answered(waiting), [])
        server.open_gate()
        for answer in answers_of(waiting):
            self.assertRegex(answer, rb"^HTTP/1.1 200 ")
        return answers

    @each_backend
    def test_cpu_views_over_the_limit_get_503_at_once(self, backend):
        with Server("--backend", backend, "--compute-threads", "1", "--compute-queue", "1", *ONE_WORKER) as server:
            if CLASS == "sync":  # which has no more than one under way
                self.assertEqual({status for status, _ in ask_at_once(server, "/_test/compute?ms=200", 6)}, {200})
                return
            for answer in self.look_at_the_refused(server, "/_test/compute", 6, 1, 2):
                self.assertRegex(answer, rb"(?i)\r\nretry-after: ")

    @unittest.skipIf(CLASS != "sync", "it is so there alone")
    @each_backend
    def test_a_sync_worker_runs_one_at_a_time(self, backend):
        for path in ("/slow-sync", "/slow"):
            with Server("--backend", backend, *ONE_WORKER) as server:
                answers = ask_at_once(server, path, 3)
                self.assertEqual([a[0] for a in answers], [200] * 3)
                for nth, taken in enumerate(sorted(seconds for _, seconds in answers), 1):
                    self.assertGreater(taken, nth - 0.1)

    @unittest.skipIf(CLASS == "sync", "it runs one at a time")
    @each_backend
    def test_sync_views_run_side_by_side_and_do_not_hold_the_loop(self, backend):
        # In a threads worker the others need one as well.
        with Server("--backend", backend, "--threads", "16" if CLASS == "async" else "17", *ONE_WORKER) as server:
            clients = [ask(server, f"/_test/wait-sync?while={server.gate}") for _ in range(16)]
            server.wait_for_started(16)
            for _ in range(20):
                self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            for answer in answers_of(clients):
                self.assertIn(b"200 OK", answer)

    @each_backend
    def test_a_slow_upload_takes_no_thread(self, backend):
        with Server("--backend", backend, "--threads", "1", "--thread-queue", "1", *ONE_WORKER) as server:
            with server.connect() as upload:
                upload.sendall(b"POST /_test/wait-sync?ms=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
                server.wait_until_read(upload)
                self.assertEqual(server.get("/_test/wait-sync?ms=1")[0], 200)
                upload.sendall(b"llo")
                self.assertIn(b"200 OK", upload.recv(4096))

    @unittest.skipIf(CLASS == "async", "there they wait on the loop")
    @each_backend
    def test_no_more_run_at_once_than_there_are_threads(self, backend):
        with Server("--backend", backend, "--threads", "4", *ONE_WORKER) as server:
            clients = [ask(server, f"/_test/wait?while={server.gate}") for _ in range(8)]
            threads = 1 if CLASS == "sync" else 4
            server.wait_for_started(threads)
            if CLASS == "threads":  # the other looks at one request at a time
                server.wait_until_read(*clients)
            most = 0
            while (counts := server.counters())["finished"] < 8:
                most = max(most, counts["started"] - counts["cleaned"])
                time.sleep(0.005)
                server.open_gate()
            self.assertEqual(most, threads)
            for answer in answers_of(clients):
                self.assertIn(b"200 OK", answer)

    @unittest.skipIf(CLASS != "async", "there each has a thread")
    @each_backend
    def test_waiting_async_views_take_no_threads(self, backend):
        with Server("--backend", backend) as server:
            server.get("/")
            before = server.threads()
            clients = [ask(server, f"/_test/wait?while={server.gate}") for _ in range(500)]
            server.wait_for_started(500)
            self.assertEqual(server.threads(), before)
            server.open_gate()
            for answer in answers_of(clients):
                self.assertIn(b"200 OK", answer)

    @each_backend
    def test_a_request_that_takes_too_long_gets_503(self, backend):
        with Server("--backend", backend, "--request-timeout", "300ms") as server:
            self.assertEqual(server.get("/_test/wait?ms=600000")[0], 503)  # or nothing within the client's patience
            server.wait_until(lambda: server.counters()["cleaned"] == 1, what="the end of the view")
            self.assertEqual(server.counters()["cancelled"], 1)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
