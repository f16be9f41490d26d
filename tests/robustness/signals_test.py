# SPDX-License-Identifier: Apache-2.0
"""Signals: SIGTERM drains, SIGINT, SIGQUIT and a second SIGTERM abort requests in flight, SIGUSR1 reopens the logs."""
import signal
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CONCURRENCY, Server, each_backend, read_all  # noqa: E402


# Longer than a test waits for a shutdown.
LONG = ("--graceful-timeout", "10m", "--header-timeout", "10m", "--request-timeout", "10m")


def send_request(server, path):
    s = server.connect()
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return s


class Terminate(unittest.TestCase):
    @each_backend
    def test_requests_in_flight_finish(self, backend):
        with Server("--backend", backend) as server:
            idle = send_request(server, "/")
            self.assertIn(b"200 OK", idle.recv(4096))
            in_flight = [send_request(server, f"/_test/{view}?while={server.gate}") for view in ("wait", "wait-sync", "compute")]
            half = server.connect()
            half.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe")
            if CONCURRENCY > 1:
                server.wait_for_started(3)
                server.wait_until_read(half)
            else:
                server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            self.assertEqual(idle.recv(100), b"")  # closes immediately
            with self.assertRaises(ConnectionRefusedError):
                server.connect().close()
            half.sendall(b"llo")
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            for s, end in zip([*in_flight, half], (b"waited\n", b"waited\n", b"\n", b"hello")):
                response = read_all(s)
                self.assertTrue(response.startswith(b"HTTP/1.1 200 OK\r\n"), response)
                self.assertIn(b"connection: close\r\n", response.lower())
                self.assertTrue(response.endswith(end), response)
            self.assertEqual(server.wait(), 0)

    @each_backend
    def test_a_later_pipelined_request_is_not_lost_silently(self, backend):
        with Server("--backend", backend) as server:
            s = send_request(server, f"/_test/wait?while={server.gate}")
            server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            server.open_gate()
            response = read_all(s)
            # `Connection: close` announces that the server does not process the second request.
            self.assertEqual(response.count(b"HTTP/1.1 "), 1)
            self.assertIn(b"Connection: close\r\n", response)
            self.assertEqual(server.wait(), 0)

    @each_backend
    def test_connections_that_wait_to_be_accepted_are_served(self, backend):
        with Server("--backend", backend) as server:
            blocked = send_request(server, f"/_test/block?while={server.gate}")
            server.wait_for_started(1)
            waiting = [send_request(server, "/") for _ in range(20)]  # while the loop is blocked
            server.signal(signal.SIGTERM)
            server.open_gate()
            self.assertIn(b"blocked", read_all(blocked))
            for s in waiting:
                self.assertIn(b"200 OK", read_all(s))
            self.assertEqual(server.wait(), 0)

    @each_backend
    def test_a_new_connection_without_a_request_does_not_delay_the_shutdown(self, backend):
        with Server("--backend", backend, *LONG) as server:
            idle = server.connect()
            server.get("/")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(idle.recv(10), b"")

    @each_backend
    def test_the_grace_period_ends(self, backend):
        with Server("--backend", backend, "--graceful-timeout", "500ms") as server:
            s = send_request(server, "/_test/wait?ms=600000")
            stream = send_request(server, "/_test/ticks") if CONCURRENCY > 1 else None
            if stream:
                self.assertIn(b"200 OK", stream.recv(4096))
            server.wait_for_started(2 if stream else 1)
            server.signal(signal.SIGTERM)
            self.assertRegex(read_all(s), rb"^HTTP/1.1 503 ")
            if stream:
                self.assertFalse(read_all(stream).endswith(b"0\r\n\r\n"))
            self.assertEqual(server.wait(), 0)
            self.assertIn("cancelling", server.log)

    @each_backend
    def test_a_sync_view_that_does_not_return_is_abandoned(self, backend):
        with Server("--backend", backend, "--graceful-timeout", "300ms") as server:
            s = send_request(server, "/_test/block-thread?ms=600000")
            later = send_request(server, "/_test/block-thread?ms=600000")
            server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            server.wait()
            for c in (s, later):
                c.close()


class Quick(unittest.TestCase):
    @each_backend
    def test_interrupt_and_quit_do_not_wait(self, backend):
        for number in (signal.SIGINT, signal.SIGQUIT):
            with Server("--backend", backend, *LONG) as server:
                s = send_request(server, "/_test/wait?ms=600000")
                server.wait_for_started(1)
                server.signal(number)
                self.assertEqual(server.wait(), 0)
                s.close()

    @each_backend
    def test_a_second_signal_aborts_requests_in_flight(self, backend):
        with Server("--backend", backend, *LONG) as server:
            s = send_request(server, "/_test/wait?ms=600000")
            server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            self.assertTrue(server.alive())
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            s.close()

    def test_many_signals_at_once(self):
        with Server() as server:
            for _ in range(50):
                server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_sigpipe_is_ignored(self):
        with Server() as server:
            server.signal(signal.SIGPIPE)
            self.assertEqual(server.get("/")[0], 200)


class Reopen(unittest.TestCase):
    def test_logs_are_reopened(self):
        with tempfile.TemporaryDirectory() as folder:
            access, errors = Path(folder) / "access", Path(folder) / "errors"
            arguments = ["--access-log", access, "--error-log", errors]
            with Server(*arguments, log=errors) as server:
                server.get("/?first")
                server.wait_until(lambda: "/?first" in access.read_text())
                access.rename(Path(folder) / "access.old")
                errors.rename(Path(folder) / "errors.old")
                server.signal(signal.SIGUSR1)
                server.wait_until(lambda: access.exists() and errors.exists(), what="new log files")
                server.wait_until_closed(Path(folder) / "access.old", *server.serving())
                server.get("/?second")
                server.wait_until(lambda: "/?second" in access.read_text())
                self.assertNotIn("second", (Path(folder) / "access.old").read_text())


if __name__ == "__main__":
    unittest.main(warnings="ignore")
