# SPDX-License-Identifier: Apache-2.0
"""Threads for sync and cpu views: how many run, how many wait, and what the rest gets."""
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from launch import CLASS, ONE_WORKER, Server, each_backend  # noqa: E402


def ask_at_once(server, path, count):
    """(status, fields, body, seconds) of each of `count` requests sent together."""
    answers = []

    def ask():
        began = time.monotonic()
        answers.append((*server.get(path), time.monotonic() - began))
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def ask(server, path):
    s = server.connect()
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return s


class Queues(unittest.TestCase):
    @each_backend
    def test_sync_views_over_the_limit_get_503_at_once(self, backend):
        with Server("--backend", backend, "--threads", "2", "--thread-queue", "2", *ONE_WORKER) as server:
            answers = ask_at_once(server, "/slow-sync", 10)
            good = [a for a in answers if a[0] == 200]
            refused = [a for a in answers if a[0] == 503]
            taken = 3 if CLASS == "sync" else 4  # it has one thread, whatever is set
            self.assertEqual((len(good), len(refused)), (taken, 10 - taken), answers)
            for _, fields, _, seconds in refused:
                self.assertGreaterEqual(int(fields["retry-after"]), 1)
                self.assertLess(seconds, 0.9)
            # Async views do not care.
            self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.get("/slow-sync")[0], 200)

    @each_backend
    def test_cpu_views_over_the_limit_get_503_at_once(self, backend):
        with Server("--backend", backend, "--compute-threads", "1", "--compute-queue", "1", *ONE_WORKER) as server:
            answers = ask_at_once(server, "/_test/compute?ms=800", 6)
            if CLASS == "sync":  # which has no more than one under way
                self.assertEqual({a[0] for a in answers}, {200})
                return
            self.assertEqual(sorted(a[0] for a in answers), [200, 200, 503, 503, 503, 503])
            self.assertTrue(all("retry-after" in a[1] for a in answers if a[0] == 503))

    @unittest.skipIf(CLASS != "sync", "it is so there alone")
    @each_backend
    def test_a_sync_worker_runs_one_at_a_time(self, backend):
        for path in ("/slow-sync", "/slow"):
            with Server("--backend", backend, *ONE_WORKER) as server:
                answers = ask_at_once(server, path, 3)
                self.assertEqual([a[0] for a in answers], [200] * 3)
                for nth, taken in enumerate(sorted(a[3] for a in answers), 1):
                    self.assertGreater(taken, nth - 0.1)

    @unittest.skipIf(CLASS == "sync", "it runs one at a time")
    @each_backend
    def test_sync_views_run_side_by_side_and_do_not_hold_the_loop(self, backend):
        # In a threads worker the others need one as well.
        with Server("--backend", backend, "--threads", "16" if CLASS == "async" else "17", *ONE_WORKER) as server:
            began = time.monotonic()
            worker = threading.Thread(target=ask_at_once, args=(server, "/slow-sync", 16))
            worker.start()
            fast = 0
            while worker.is_alive():
                before = time.monotonic()
                self.assertEqual(server.get("/")[0], 200)
                fast = max(fast, time.monotonic() - before)
            worker.join()
            self.assertLess(time.monotonic() - began, 4)
            self.assertLess(fast, 0.8)

    @each_backend
    def test_a_slow_upload_takes_no_thread(self, backend):
        with Server("--backend", backend, "--threads", "1", "--thread-queue", "1", *ONE_WORKER) as server:
            with server.connect() as upload:
                upload.sendall(b"POST /_test/wait-sync?ms=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
                time.sleep(0.2)
                self.assertEqual(server.get("/_test/wait-sync?ms=1")[0], 200)
                upload.sendall(b"llo")
                self.assertIn(b"200 OK", upload.recv(4096))

    @unittest.skipIf(CLASS == "async", "there they wait on the loop")
    @each_backend
    def test_no_more_run_at_once_than_there_are_threads(self, backend):
        with Server("--backend", backend, "--threads", "4", *ONE_WORKER) as server:
            clients = [ask(server, "/_test/wait?ms=600") for _ in range(8)]
            most, threads = 0, 1 if CLASS == "sync" else 4
            while (counts := server.counters())["finished"] < 8:
                most = max(most, counts["started"] - counts["cleaned"])
                time.sleep(0.005)
            self.assertEqual(most, threads)
            for s in clients:
                self.assertIn(b"200 OK", s.recv(4096))
                s.close()

    @unittest.skipIf(CLASS != "async", "there each has a thread")
    @each_backend
    def test_waiting_async_views_take_no_threads(self, backend):
        with Server("--backend", backend) as server:
            server.get("/")
            before = server.threads()
            clients = [ask(server, "/slow") for _ in range(500)]
            self.assertEqual(server.threads(), before)
            for s in clients:
                self.assertIn(b"200 OK", s.recv(4096))
                s.close()

    @each_backend
    def test_a_request_that_takes_too_long_gets_503(self, backend):
        with Server("--backend", backend, "--request-timeout", "300ms") as server:
            began = time.monotonic()
            status, _, _ = server.get("/_test/wait?ms=60000")
            self.assertEqual(status, 503)
            self.assertLess(time.monotonic() - began, 3)
            counts = server.counters()
            self.assertEqual((counts["cancelled"], counts["cleaned"]), (1, 1))


if __name__ == "__main__":
    unittest.main(warnings="ignore")
