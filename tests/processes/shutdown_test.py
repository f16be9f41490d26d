# SPDX-License-Identifier: Apache-2.0
"""Shutdown: no connection is lost, requests in flight finish, and those that do not finish are cancelled or killed."""
import signal
import re
import resource
import socket
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import REQUEST, Arbiter, LoadGenerator  # noqa: E402
from server import TIMEOUT, Server, each_backend, read_all  # noqa: E402


class Terminate(unittest.TestCase):
    def check_short_connections(self, server):
        with LoadGenerator(server.port, persistent=0, short=100, pause=0) as load:
            load.wait_for_responses(500)
            load.refusal_expected = True
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0, server.log)
        # Every connection that the kernel had completed got a response.
        self.assertEqual(load.failures, [], server.log)
        self.assertNotIn("still waiting to be accepted", server.log)

    @each_backend
    def test_no_connection_is_lost(self, backend):
        for workers in (1, 3):
            for _ in range(2):
                with Arbiter("--backend", backend, workers=workers) as server:
                    self.check_short_connections(server)

    @each_backend
    def test_no_connection_is_lost_without_an_arbiter(self, backend):
        for _ in range(2):
            with Server("--backend", backend) as server:
                self.check_short_connections(server)

    def test_a_sync_view_whose_client_has_disconnected_finishes(self):
        with Arbiter("--graceful-timeout", "2m", workers=1) as server:
            client = self.send_request(server, f"/_test/block-thread?while={server.gate}")
            server.wait_for_started(1)
            client.close()
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            server.open_gate()
            self.assertEqual(server.wait(), 0, server.log)
            self.assertEqual(server.counters()["finished"], 1)

    def test_background_tasks_end_although_a_view_does_not(self):
        with Arbiter("--graceful-timeout", "3s", workers=1) as server:
            self.assertEqual(server.get(f"/_test/background?while={server.gate}")[0], 200)
            self.assertEqual(server.get("/_test/background?ms=60000")[0], 200)
            blocked = self.send_request(server, "/_test/block-thread?ms=600000")
            server.wait_for_started(3)
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            server.open_gate()
            server.wait_for_log("exiting with 1 views still running")
            server.wait()
            self.assertEqual((server.counters()["finished"], server.counters()["cancelled"]), (1, 1), server.log)
            self.assertIn("background group 'waits': cancelling 1 tasks", server.log)
            blocked.close()

    @each_backend
    def test_requests_in_flight_finish(self, backend):
        with Arbiter("--backend", backend, "--graceful-timeout", "2m") as server:
            streams = [self.send_request(server, "/_test/events") for _ in range(100)]
            uploads = [self.start_upload(server) for _ in range(50)]
            for s in streams:
                self.assertIn(b"200 OK", s.recv(4096))
            slow = [self.send_request(server, f"/_test/wait?while={server.gate}") for _ in range(500)]
            server.wait_for_started(500)
            server.wait_until_read(*uploads)
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: .*shutting down: ")
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            for s in uploads:
                s.sendall(b"y" * 500)
            self.assertEqual([s for s in streams if not read_all(s).endswith(b"0\r\n\r\n")], [])
            self.assertEqual([s for s in uploads if not read_all(s).endswith(b"x" * 500 + b"y" * 500)], [])
            self.assertEqual([s for s in slow if not read_all(s).endswith(b"waited\n")], [])
            self.assertEqual(server.wait(), 0, server.log)
            print(f"{backend}: 500 slow requests, 100 streams and 50 uploads finished after {time.monotonic() - began:.1f} s",
                  flush=True)
            self.assertEqual(server.counters(), {"started": 500, "finished": 500, "cancelled": 0, "cleaned": 500})
            for s in [*streams, *uploads, *slow]:
                s.close()

    @staticmethod
    def start_upload(server):
        s = server.connect()
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
        return s

    @staticmethod
    def send_request(server, path):
        s = server.connect()
        s.sendall(REQUEST % (path.encode(), b""))
        return s

    @each_backend
    def test_the_steps_are_logged_and_the_grace_period_ends(self, backend):
        with Arbiter("--backend", backend, "--graceful-timeout", "500ms") as server:
            s = self.send_request(server, "/_test/wait?ms=600000")
            server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            self.assertRegex(read_all(s), rb"^HTTP/1.1 503 ")
            self.assertEqual(server.wait(), 0)
            for step in ("shutting down 2 processes", "shutting down: 1 connections open, 1 requests in flight",
                         "drain: stopped accepting; 1 connections", "cancelling 1 requests", "shutdown complete"):
                self.assertRegex(server.log, step)

    def test_a_worker_that_does_not_exit_is_killed(self):
        with Arbiter("--graceful-timeout", "500ms") as server:
            s = self.send_request(server, "/_test/block?ms=600000")
            server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 1)
            self.assertIn("did not exit in time; killing it", server.log)
            s.close()

    def test_the_admin_listener_responds_until_the_end(self):
        with Arbiter("--admin", "127.0.0.1:0") as server:
            port = int(re.search(r"^ +admin +http://127.0.0.1:(\d+)", server.log, re.M).group(1))
            s = self.send_request(server, f"/_test/wait?while={server.gate}")
            server.wait_for_started(1)
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            with socket.create_connection(("127.0.0.1", port), TIMEOUT) as admin:
                admin.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                self.assertIn(b" 200 ", read_all(admin))
            server.open_gate()
            self.assertTrue(read_all(s).endswith(b"waited\n"))
            self.assertEqual(server.wait(), 0, server.log)

    def test_a_second_signal_aborts_requests_in_flight(self):
        for first, second in ((signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)):
            with Arbiter("--graceful-timeout", "10m") as server:
                s = self.send_request(server, "/_test/wait?ms=600000")
                server.wait_for_started(1)
                server.signal(first)
                server.wait_for_log("shutting down: ")
                server.signal(second)
                self.assertEqual(server.wait(), 0)
                s.close()

    def test_interrupt_and_quit_abort_requests_in_flight(self):
        for number in (signal.SIGINT, signal.SIGQUIT):
            with Arbiter("--graceful-timeout", "10m") as server:
                s = self.send_request(server, "/_test/wait?ms=600000")
                server.wait_for_started(1)
                server.signal(number)
                self.assertEqual(server.wait(), 0)
                s.close()


class Descriptors(unittest.TestCase):
    @each_backend
    def test_exhaustion_neither_spins_nor_kills(self, backend):
        def limit_to_64():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        with Arbiter("--backend", backend, preexec=limit_to_64) as server:
            clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(150)]
            server.wait_for_log("raise the limit of open files")
            before = server.cpu_seconds()
            time.sleep(1)
            used = server.cpu_seconds() - before
            print(f"{backend}: no descriptors left in two workers, {used:.2f} s of CPU in a second", flush=True)
            self.assertLess(used, 0.4)
            for c in clients:
                c.close()
            server.wait_until(lambda: server.get("/")[0] == 200)
            self.assertEqual(len(server.workers()), 2)


class Logs(unittest.TestCase):
    def test_every_process_reopens_its_files(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            access, errors = Path(folder) / "access", Path(folder) / "errors"
            with Arbiter("--access-log", access, "--error-log", errors, log=errors) as server:
                server.get("/?first")
                server.wait_until(lambda: "/?first" in access.read_text())
                access.rename(Path(folder) / "access.old")
                errors.rename(Path(folder) / "errors.old")
                server.signal(signal.SIGUSR1)
                server.wait_until(lambda: access.exists() and errors.exists(), what="new log files")
                for old in ("access.old", "errors.old"):
                    server.wait_until_closed(Path(folder) / old, server.pid, *server.serving())
                for i in range(20):
                    server.get(f"/?second{i}")
                server.wait_until(lambda: access.read_text().count("second") == 20, what="the lines in the new file")
                server.signal(signal.SIGTTIN)
                server.wait_until(lambda: "scaled to 3" in errors.read_text(), what="a line in the new error log")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
