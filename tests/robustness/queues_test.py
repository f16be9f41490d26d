# SPDX-License-Identifier: Apache-2.0
"""Threads for sync and cpu views: how many requests run, how many wait, and how the others are refused."""
import select
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CLASS, ONE_WORKER, Server, each_backend, read_all  # noqa: E402


def get_concurrently(server, path, count):
    """(status, seconds until the response) of each of `count` requests sent at the same time."""
    results = []
    began = time.monotonic()

    def get():
        status, _, _ = server.get(path)
        results.append((status, time.monotonic() - began))
    threads = [threading.Thread(target=get) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


def send_request(server, path):
    s = server.connect()
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return s


def readable(clients):
    """The clients that have something to read."""
    return select.select(clients, [], [], 0)[0]


def read_responses(clients):
    responses = [read_all(s) for s in clients]
    for s in clients:
        s.close()
    return responses


class Queues(unittest.TestCase):
    @each_backend
    def test_sync_requests_over_the_limit_get_503_immediately(self, backend):
        with Server("--backend", backend, "--threads", "2", "--thread-queue", "2", *ONE_WORKER) as server:
            threads = 1 if CLASS == "sync" else 2  # a sync worker has one thread, whatever the setting
            refused = self.check_refused(server, "/_test/wait-sync", 10, threads, threads + 2)
            for response in refused:
                self.assertRegex(response, rb"(?i)\r\nretry-after: [1-9]")
            # Async views are not affected.
            self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.get("/slow-sync")[0], 200)

    def check_refused(self, server, path, count, running, accepted):
        """Returns the responses to the refused requests. They arrive while the accepted requests wait or run."""
        clients = [send_request(server, f"{path}?while={server.gate}") for _ in range(count)]
        server.wait_until(lambda: len(readable(clients)) == count - accepted, what="the other requests to be refused")
        server.wait_for_started(running)
        self.assertEqual((server.counters()["started"], server.counters()["finished"]), (running, 0))
        refused = readable(clients)
        waiting = [s for s in clients if s not in refused]
        responses = read_responses(refused)
        for response in responses:
            self.assertRegex(response, rb"^HTTP/1.1 503 ")
        self.assertEqual(readable(waiting), [])
        server.open_gate()
        for response in read_responses(waiting):
            self.assertRegex(response, rb"^HTTP/1.1 200 ")
        return responses

    @each_backend
    def test_cpu_requests_over_the_limit_get_503_immediately(self, backend):
        with Server("--backend", backend, "--compute-threads", "1", "--compute-queue", "1", *ONE_WORKER) as server:
            if CLASS == "sync":  # it runs one request at a time
                self.assertEqual({status for status, _ in get_concurrently(server, "/_test/compute?ms=200", 6)}, {200})
                return
            for response in self.check_refused(server, "/_test/compute", 6, 1, 2):
                self.assertRegex(response, rb"(?i)\r\nretry-after: ")

    @unittest.skipIf(CLASS != "sync", "only for sync workers")
    @each_backend
    def test_a_sync_worker_runs_one_at_a_time(self, backend):
        for path in ("/slow-sync", "/slow"):
            with Server("--backend", backend, *ONE_WORKER) as server:
                results = get_concurrently(server, path, 3)
                self.assertEqual([status for status, _ in results], [200] * 3)
                for nth, took in enumerate(sorted(seconds for _, seconds in results), 1):
                    self.assertGreater(took, nth - 0.1)

    @unittest.skipIf(CLASS == "sync", "a sync worker runs one request at a time")
    @each_backend
    def test_sync_views_run_concurrently_and_do_not_block_the_loop(self, backend):
        # In a threads worker the other requests need a thread as well.
        with Server("--backend", backend, "--threads", "16" if CLASS == "async" else "17", *ONE_WORKER) as server:
            clients = [send_request(server, f"/_test/wait-sync?while={server.gate}") for _ in range(16)]
            server.wait_for_started(16)
            for _ in range(20):
                self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            for response in read_responses(clients):
                self.assertIn(b"200 OK", response)

    @each_backend
    def test_a_slow_upload_occupies_no_thread(self, backend):
        with Server("--backend", backend, "--threads", "1", "--thread-queue", "1", *ONE_WORKER) as server:
            with server.connect() as upload:
                upload.sendall(b"POST /_test/wait-sync?ms=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
                server.wait_until_read(upload)
                self.assertEqual(server.get("/_test/wait-sync?ms=1")[0], 200)
                upload.sendall(b"llo")
                self.assertIn(b"200 OK", upload.recv(4096))

    @unittest.skipIf(CLASS == "async", "in async workers they wait on the loop")
    @each_backend
    def test_at_most_one_request_runs_per_thread(self, backend):
        with Server("--backend", backend, "--threads", "4", *ONE_WORKER) as server:
            clients = [send_request(server, f"/_test/wait?while={server.gate}") for _ in range(8)]
            threads = 1 if CLASS == "sync" else 4
            server.wait_for_started(threads)
            if CLASS == "threads":  # a sync worker reads one request at a time
                server.wait_until_read(*clients)
            peak = 0
            while (counts := server.counters())["finished"] < 8:
                peak = max(peak, counts["started"] - counts["cleaned"])
                time.sleep(0.005)
                server.open_gate()
            self.assertEqual(peak, threads)
            for response in read_responses(clients):
                self.assertIn(b"200 OK", response)

    @unittest.skipIf(CLASS != "async", "in the other workers each request has a thread")
    @each_backend
    def test_waiting_async_views_occupy_no_threads(self, backend):
        with Server("--backend", backend) as server:
            server.get("/")
            before = server.threads()
            clients = [send_request(server, f"/_test/wait?while={server.gate}") for _ in range(500)]
            server.wait_for_started(500)
            self.assertEqual(server.threads(), before)
            server.open_gate()
            for response in read_responses(clients):
                self.assertIn(b"200 OK", response)

    @each_backend
    def test_a_request_that_takes_too_long_gets_503(self, backend):
        with Server("--backend", backend, "--request-timeout", "300ms") as server:
            self.assertEqual(server.get("/_test/wait?ms=600000")[0], 503)  # without the limit, the client would time out
            server.wait_until(lambda: server.counters()["cleaned"] == 1, what="the view to end")
            self.assertEqual(server.counters()["cancelled"], 1)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
