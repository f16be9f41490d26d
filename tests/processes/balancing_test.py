# SPDX-License-Identifier: Apache-2.0
"""Connections are balanced over the workers, and none waits for a blocked worker."""
import os
import re
import signal
import socket
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import REQUEST, Arbiter, read_response  # noqa: E402
from server import TIMEOUT, each_backend  # noqa: E402


def connect_all(server, count):
    clients = []
    for _ in range(count):
        s = server.connect()
        s.sendall(REQUEST % (b"/", b""))
        clients.append(s)
    for s in clients:
        assert read_response(s)[0] == 200
    return clients


def one_request(port):
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as s:
        s.sendall(REQUEST % (b"/", b"Connection: close\r\n"))
        assert read_response(s)[0] == 200


def times_woken(pid):
    """Number of voluntary context switches of the main thread of a process."""
    status = Path(f"/proc/{pid}/task/{pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M).group(1))


class Balancing(unittest.TestCase):
    def shares(self, server):
        return sorted(server.connections_of(pid) for pid in server.workers().values())

    @each_backend
    def test_64_persistent_connections_on_four_workers(self, backend):
        with Arbiter("--backend", backend, workers=4) as server:
            for _ in range(5):  # a worker that is scheduled late leaves its share to the others
                clients = connect_all(server, 64)
                shares = self.shares(server)
                print(backend, "64 connections on 4 workers:", shares)
                self.assertEqual(sum(shares), 64)
                for s in clients:
                    s.close()
                if shares[-1] <= 1.5 * 64 / 4:
                    return
                server.wait_for_no_connections()
            self.fail("a worker has more than 1.5 times its share")

    @each_backend
    def test_a_new_worker_gets_new_connections(self, backend):
        with Arbiter("--backend", backend, workers=1) as server:
            clients = connect_all(server, 20)
            old = set(server.workers().values())
            server.signal(signal.SIGTTIN)
            new, = server.wait_for_workers(2) - old
            # The first worker checks twice a second whether it is the only one.
            server.wait_until(lambda: all(self.accepts_one(server, new) for _ in range(5)), what="the workers to share connections")
            clients += connect_all(server, 20)
            shares = self.shares(server)
            self.assertEqual(sum(shares), 40)
            self.assertLessEqual(shares[-1], 24)
            for s in clients:
                s.close()

    @staticmethod
    def accepts_one(server, pid):
        """Opens and closes a connection; returns whether this worker accepted it."""
        before = server.connections_of(pid)
        client, = connect_all(server, 1)
        accepted = server.connections_of(pid) > before
        client.close()
        server.wait_until(lambda: server.connections_of(pid) == before, what="the connection to close")
        return accepted

    @each_backend
    def test_no_connection_waits_for_a_blocked_worker(self, backend):
        with Arbiter("--backend", backend, workers=2) as server:
            blocked = server.connect()
            blocked.sendall(REQUEST % (b"/_test/block?while=%s" % bytes(server.gate), b""))
            server.wait_for_started(1)
            for _ in range(30):
                one_request(server.port)
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            self.assertEqual(read_response(blocked)[0], 200)
            blocked.close()

    @each_backend
    def test_no_connection_waits_for_a_stopped_worker(self, backend):
        with Arbiter("--backend", backend, workers=3) as server:
            stopped = min(server.workers().values())
            os.kill(stopped, signal.SIGSTOP)
            try:
                for _ in range(30):
                    one_request(server.port)
            finally:
                os.kill(stopped, signal.SIGCONT)

    @each_backend
    def test_a_connection_wakes_one_worker(self, backend):
        with Arbiter("--backend", backend, workers=4) as server:
            workers = server.workers().values()
            before = sum(map(times_woken, workers))
            for _ in range(200):
                one_request(server.port)
            self.assertLess(sum(map(times_woken, workers)) - before, 200 * 3)

    @each_backend
    def test_no_connection_waits_for_a_worker_whose_threads_are_blocked(self, backend):
        for options in (["--worker-class", "sync"], ["--worker-class", "threads", "--threads", "1"]):
            with Arbiter("--backend", backend, *options, workers=2) as server:
                blocked = server.connect()
                blocked.sendall(REQUEST % (b"/_test/wait?ms=600000", b""))
                server.wait_for_started(1)
                time.sleep(0.3)  # after 100 ms it accepts no more connections
                began = time.monotonic()
                for _ in range(30):
                    one_request(server.port)
                print(backend, f"30 requests next to a worker without a free thread: {time.monotonic() - began:.3f} s", flush=True)
                blocked.close()


if __name__ == "__main__":
    unittest.main(warnings="ignore")
