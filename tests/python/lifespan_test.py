# SPDX-License-Identifier: Apache-2.0
"""Lifespan events: before the first request, after the last one, and what their errors do."""
import re
import signal
import threading
import unittest

from python_server import Client, PythonServer, each_python, run_rondo

APP = "lifespans:app"
LOOPS = (("--backend", "epoll"), ("--backend", "io_uring"), ("--loop", "uvloop"))


def serve(mode, *options, python):
    return PythonServer(APP, *options, python=python, env={"TEST_LIFESPAN": mode})


class Startup(unittest.TestCase):
    @each_python
    def test_before_the_first_request_on_the_same_loop(self, python):
        for options in LOOPS:
            for workers in ("0", "2"):
                with serve("good", *options, "--workers", workers, python=python) as server:
                    self.assertEqual(server.get_json("/state"), ["set in the startup", True])
                    self.assertEqual(server.events("startup")[0], ["startup", "lifespan.startup", True])
                    server.wait_until(lambda n=max(1, int(workers)): len(server.events("started")) == n, "all workers")

    @each_python
    def test_connections_wait_for_the_startup(self, python):
        with PythonServer(APP, "--workers", "2", python=python) as server:
            server.wait_until(lambda: len(server.events("started")) == 2, "the startup")
        # The server of this case is ready only when its gate is open.
        class Slow(PythonServer):
            def _wait_for_start(self):
                self.wait_until(lambda: self.events("startup"), "the startup to begin")
                assert "serving, pid" not in self.log and not self.events("started")
                self.open("startup")
                return super()._wait_for_start()

        with Slow(APP, python=python, env={"TEST_LIFESPAN": "slow"}) as server:
            self.assertEqual(server.get("/hello")[2], b"hello")

    @each_python
    def test_a_failed_startup_stops_the_server_with_its_message(self, python):
        for mode, message in (("failed", "the database is not there"), ("failed silently", "lifespan.startup.failed")):
            for workers in ("0", "2"):
                status, _, errors = run_rondo(APP, "--bind", "127.0.0.1:0", "--workers", workers, python=python,
                                              env={"TEST_LIFESPAN": mode, "TEST_EVENTS": "/dev/null", "TEST_GATES": "/nonexistent"})
                self.assertEqual(status, 3, errors)
                self.assertIn(message, errors)
                self.assertNotIn("Traceback", errors)
                self.assertNotIn("serving, pid", errors)
                self.assertLessEqual(len(re.findall("exited with status", errors)), int(workers))

    @each_python
    def test_an_exception_means_that_it_is_not_supported(self, python):
        for mode in ("unsupported", "returns", "raises"):
            for workers in ("0", "1"):
                with serve(mode, "--workers", workers, python=python) as server:
                    self.assertEqual(server.get("/hello")[2], b"hello")
                    self.assertNotIn("Traceback", server.log)
                    self.assertLessEqual(server.log.count("lifespan"), 2, server.log)  # the name of the module, and one line
                    if mode != "returns":
                        server.wait_for_log("does not support lifespan events")

    @each_python
    def test_lifespan_on_requires_it(self, python):
        for mode, text in (("unsupported", "only http on purpose"), ("raises", "no connection on purpose")):
            status, _, errors = run_rondo(APP, "--bind", "127.0.0.1:0", "--workers", "0", "--lifespan", "on", python=python,
                                          env={"TEST_LIFESPAN": mode, "TEST_EVENTS": "/dev/null", "TEST_GATES": "/nonexistent"})
            self.assertEqual(status, 3, errors)
            self.assertIn(text, errors)

    @each_python
    def test_lifespan_off_sends_no_events(self, python):
        with serve("failed", "--lifespan", "off", python=python) as server:
            self.assertEqual(server.get("/hello")[2], b"hello")
            self.assertEqual(server.events(), [])


class Shutdown(unittest.TestCase):
    @each_python
    def test_after_the_drain(self, python):
        for options in LOOPS:
            with serve("good", *options, python=python) as server, Client(server) as client:
                key = server.key()
                client.request("GET", f"/wait?id={key}")
                server.wait_for_event("request", "started")
                server.signal(signal.SIGTERM)
                server.wait_for_log("shutting down: ")
                threading.Event().wait(0.05)
                self.assertFalse(server.events("shutdown"))
                server.open(key)
                self.assertEqual(client.response().body, b"waited")
                self.assertEqual(server.wait(), 0)
                self.assertEqual([e[0] for e in server.events()], ["startup", "started", "request", "request", "shutdown", "ended"])
                self.assertEqual(server.events("shutdown"), [["shutdown", "lifespan.shutdown", True]])

    @each_python
    def test_in_each_worker(self, python):
        with serve("good", "--workers", "2", python=python) as server:
            server.wait_until(lambda: len(server.events("started")) == 2, "both workers")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertEqual(len(server.events("ended")), 2)

    @each_python
    def test_a_failure_is_logged(self, python):
        for mode, text in (("shutdown raises", "KeyError: 'shutdown on purpose'"), ("shutdown failed", "cannot flush on purpose")):
            with serve(mode, python=python) as server:
                server.signal(signal.SIGTERM)
                server.wait()
                self.assertIn(text, server.log)

    @each_python
    def test_no_longer_than_the_grace(self, python):
        with serve("shutdown hangs", "--graceful-timeout", "1s", python=python) as server:
            server.signal(signal.SIGTERM)
            server.wait()
            self.assertIn("grace", server.log)

    @each_python
    def test_an_application_without_lifespan_exits_cleanly(self, python):
        for mode in ("unsupported", "returns"):
            with serve(mode, python=python) as server:
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait(), 0)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
