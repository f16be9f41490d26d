# SPDX-License-Identifier: Apache-2.0
"""Processes that run Python: errors at the start, signals, reload and recycling, preload, blocked workers, metrics."""
import os
import re
import signal
import tempfile
import threading
import unittest
import urllib.request
from pathlib import Path

from python_server import PYTHONS, Client, Closed, PythonServer, each_python, run_rondo

from server import BACKENDS, TIMEOUT, free_port, is_alive

LONG = ("--graceful-timeout", "10m")


def each_loop(test):
    """Both backends, without an arbiter and with two workers; and uvloop."""
    def run_all(self):
        for python in PYTHONS:
            for options in (("--backend", BACKENDS[0], "--workers", "0"), ("--backend", BACKENDS[-1], "--workers", "2"),
                            ("--loop", "uvloop", "--workers", "1")):
                with self.subTest(python=python, options=options), PythonServer("processes:app", *options, *LONG, python=python) as server:
                    test(self, server)
    run_all.__name__ = test.__name__
    return run_all


class Errors(unittest.TestCase):
    def assert_refused(self, app, *patterns, python, workers, status=3, files=()):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            for name, text in dict(files).items():
                (Path(folder) / name).write_text(text)
            got, _, errors = run_rondo(app, "--bind", "127.0.0.1:0", "--workers", workers, python=python, folder=folder)
        self.assertEqual(got, status, errors)
        for pattern in patterns:
            self.assertRegex(errors, pattern)
        self.assertNotIn(" serving, pid", errors)
        self.assertLessEqual(len(re.findall("exited with status 3", errors)), int(workers), errors)
        return errors

    @each_python
    def test_an_import_that_does_not_end_is_shown_before_the_worker_is_killed(self, python):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            (Path(folder) / "endless.py").write_text("import time\ndef wait():\n    time.sleep(600)\nwait()\n")
            status, _, errors = run_rondo("endless:app", "--bind", "127.0.0.1:0", "--workers", "1", "--boot-timeout", "2s",
                                          python=python, folder=folder)
        self.assertEqual(status, 3, errors)
        self.assertRegex(errors, r'File ".*endless.py", line 3 in wait')

    @each_python
    def test_wrong_names_are_reported_in_a_sentence(self, python):
        for app, pattern in (("no_such_module_x:app", "cannot import module 'no_such_module_x': no module named 'no_such_module_x'"),
                             ("processes.inner:app", "cannot import module 'processes.inner'"),
                             ("processes:no_such_name", "module 'processes' .* has no attribute 'no_such_name'.*factory"),
                             ("processes", "expected MODULE:ATTRIBUTE"), (":app", "expected MODULE:ATTRIBUTE")):
            for workers in ("0", "2"):
                errors = self.assert_refused(app, pattern, python=python, workers=workers)
                self.assertNotIn("Traceback", errors)

    @each_python
    def test_callables_of_the_wrong_kind_are_reported_in_a_sentence(self, python):
        for app, pattern in (("processes:number", "is not callable but 'int'"), ("processes:wsgi", "WSGI"),
                             ("processes:ApplicationClass", "is a class"), ("processes:factory", r"write processes:factory\(\)")):
            errors = self.assert_refused(app, pattern, python=python, workers="0")
            self.assertNotIn("Traceback", errors)

    @each_python
    def test_errors_of_an_import_have_their_traceback(self, python):
        for workers in ("0", "2"):
            for text, pattern in (("1 / 0\n", "ZeroDivisionError"), ("import no_such_dependency\n", "No module named 'no_such_dependency'"),
                                  ("def app(:\n", "SyntaxError"), ("raise SystemExit('bad configuration')\n", "bad configuration")):
                self.assert_refused("broken:app", r"broken\.py", pattern, python=python, workers=workers, files={"broken.py": text})

    @each_python
    def test_a_failing_factory_has_its_traceback(self, python):
        self.assert_refused("processes:failing_factory()", "Traceback", "LookupError: the factory fails on purpose", python=python, workers="0")

    @each_python
    def test_a_missing_application_is_a_usage_error(self, python):
        status, _, errors = run_rondo("--workers", "0", python=python)
        self.assertEqual(status, 2, errors)
        self.assertIn("APP", errors)

    @each_python
    def test_a_reload_with_an_error_keeps_the_old_workers(self, python):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            module = Path(folder) / "changing.py"
            module.write_text("from processes import app\n")
            with PythonServer("changing:app", "--workers", "2", python=python, folder=folder) as server:
                before = server.workers()
                module.write_text("1 / 0\n")
                server.signal(signal.SIGHUP)
                server.wait_for_log("ZeroDivisionError")
                server.wait_for_log("(?i)reload")
                self.assertEqual(server.get("/hello")[2], b"hello")
                self.assertTrue(set(before.values()) & set(server.serving()))

    @each_python
    def test_factories_and_instances_are_applications(self, python):
        for app in ("processes:factory()", "processes:instance"):
            with PythonServer(app, python=python) as server:
                self.assertEqual(server.get("/hello")[2], b"hello")


class Signals(unittest.TestCase):
    @each_loop
    def test_sigterm_finishes_what_runs(self, server):
        keys = [server.key() for _ in range(5)]
        with Client(server) as idle:
            idle.request("GET", "/hello")
            idle.response()
            clients = [Client(server) for _ in keys]
            for key, client in zip(keys, clients):
                client.request("GET", f"/wait?id={key}")
                server.wait_for_event(key, "started")
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            self.assertEqual(idle.rest(), b"")
            for key, client in zip(keys, clients):
                server.open(key)
                r = client.response()
                self.assertEqual((r.body, r.field("connection")), (b"waited", "close"))
                client.close()
            self.assertEqual(server.wait(), 0)

    @each_loop
    def test_a_second_sigint_ends_at_once(self, server):
        for number in (signal.SIGTERM, signal.SIGINT):
            if not server.alive():
                break
            key = server.key()
            client = Client(server)
            client.request("GET", f"/wait?id={key}")
            server.wait_for_event(key, "started")
            server.signal(number)
            server.wait_for_log("shutting down")
            server.signal(signal.SIGINT)
            self.assertEqual(server.wait(), 0)
            client.close()

    @each_python
    def test_streams_end_within_the_grace(self, python):
        for backend in BACKENDS:
            with PythonServer("processes:app", "--graceful-timeout", "1s", "--backend", backend, python=python) as server:
                listening, deaf, waiting = (server.key() for _ in range(3))
                clients = [Client(server) for _ in range(3)]
                for client, target in zip(clients, (f"/stream?id={listening}", f"/deaf-stream?id={deaf}", f"/wait?id={waiting}")):
                    client.request("GET", target)
                for key in (listening, deaf, waiting):
                    server.wait_for_event(key, "started")
                server.signal(signal.SIGTERM)
                r = clients[0].response()
                self.assertTrue(r.complete)  # http.disconnect, half the grace later
                self.assertTrue(r.body.endswith(b"the end"))
                server.wait_for_event(listening, "disconnect")
                self.assertFalse(clients[1].response().complete)
                self.assertEqual(clients[2].response().status, 503)
                self.assertEqual(server.wait(), 0)
                self.assertEqual(server.wait_for_event(waiting)[1], "CancelledError")
                self.assertIn(server.wait_for_event(deaf)[1], ("CancelledError", "ClientDisconnected"))
                self.assertNotIn("Traceback", server.log)
                for client in clients:
                    client.close()

    @each_python
    def test_a_killed_worker_is_replaced(self, python):
        with PythonServer("processes:app", "--workers", "2", python=python) as server:
            killed = server.get_json("/pids")[0]
            os.kill(killed, signal.SIGKILL)
            server.wait_until(lambda: len(server.workers()) == 2 and killed not in server.workers().values(), "another worker")
            self.assertEqual(server.get("/hello")[2], b"hello")


class Load:
    """Sends requests on several connections until it is stopped; none of them may fail."""

    def __init__(self, server, clients=4):
        self.server = server
        self.failures, self.count, self.pids = [], 0, set()
        self.is_stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(i % 2 == 0,)) for i in range(clients)]

    def _run(self, keeps_open):
        client = None
        while not self.is_stopped.is_set():
            try:
                client = client or Client(self.server)
                client.request("GET", "/pids", *(() if keeps_open else ("Connection: close",)))
                r = client.response()
                self.pids.add(r.json()[0])
                self.count += 1
                if r.field("connection") == "close":
                    client.close()
                    client = None
            except Exception as error:
                self.failures.append(repr(error))
                client = None

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.is_stopped.set()
        for t in self.threads:
            t.join()


class Replacement(unittest.TestCase):
    @each_python
    def test_reload_under_load_loses_nothing(self, python):
        for backend in BACKENDS:
            with PythonServer("processes:app", "--workers", "2", "--backend", backend, python=python) as server:
                with Load(server) as load:
                    for _ in range(2):
                        before = set(server.workers().values())
                        count = load.count
                        server.signal(signal.SIGHUP)
                        server.wait_until(lambda b=before: len(server.workers()) == 2 and not b & set(server.workers().values()),
                                          "new workers")
                        server.wait_until(lambda c=count: load.count > c + 100, "requests")
                self.assertEqual(load.failures, [])
                self.assertEqual(server.log.count("Traceback"), 0)

    @each_python
    def test_reload_with_an_open_stream(self, python):
        with PythonServer("processes:app", "--workers", "1", "--graceful-timeout", "1s", python=python) as server:
            key = server.key()
            with Client(server) as client:
                client.request("GET", f"/stream?id={key}")
                server.wait_for_event(key, "started")
                old = set(server.workers().values())
                server.signal(signal.SIGHUP)
                server.wait_until(lambda: set(server.workers().values()) - old, "a new worker")
                self.assertEqual(server.get("/hello")[2], b"hello")
                self.assertTrue(client.response().complete)
            server.wait_until(lambda: not any(map(is_alive, old)), "the end of the old worker")

    @each_python
    def test_max_requests_under_load_loses_nothing(self, python):
        for backend in BACKENDS:
            with PythonServer("processes:app", "--workers", "2", "--max-requests", "50", "--backend", backend, python=python) as server:
                with Load(server) as load:
                    server.wait_until(lambda: len(load.pids) >= 6, "workers to be replaced")
                self.assertEqual(load.failures, [])

    @each_python
    def test_preload_imports_once(self, python):
        env = {"TEST_IMPORT_STARTS_THREAD": "1"}
        with PythonServer("processes:app", "--workers", "2", "--preload", python=python, env=env) as server:
            server.wait_until(lambda: {server.get_json("/pids")[1] for _ in range(20)} == {server.pid}, "answers")
            server.wait_for_log("preload: processes:app has started threads.*the-worker-thread.*sockets")
            killed = server.get_json("/pids")[0]
            os.kill(killed, signal.SIGKILL)
            server.wait_until(lambda: killed not in server.workers().values() and len(server.workers()) == 2, "another worker")
            self.assertEqual(server.get_json("/pids")[1], server.pid)
        with PythonServer("processes:app", "--workers", "2", python=python) as server:
            pid, imported_in = server.get_json("/pids")
            self.assertEqual(pid, imported_in)
            self.assertNotIn("preload", server.log)


class End(unittest.TestCase):
    @each_python
    def test_atexit_and_threads_run_at_the_end(self, python):
        for workers in ("0", "1"):
            with PythonServer("processes:app", "--workers", workers, python=python, env={"TEST_ATEXIT": "1"}) as server:
                pid = server.get_json("/pids")[0]
                self.assertEqual(server.get("/thread")[2], b"started")
                server.signal(signal.SIGTERM)
                server.wait_for_log("shutdown complete|shutting down")
                server.open("thread")
                self.assertEqual(server.wait(), 0)
                self.assertEqual([e for e in server.events() if e[0] in ("thread", "atexit")], [["thread", "finished"], ["atexit", pid]])

    @each_python
    def test_a_thread_that_never_ends_is_left_after_the_grace(self, python):
        with PythonServer("processes:app", "--graceful-timeout", "500ms", python=python) as server:
            self.assertEqual(server.get("/thread")[2], b"started")
            server.signal(signal.SIGTERM)
            server.wait()
            self.assertIn("threads of the application still run", server.log)

    @each_python
    def test_output_of_the_application_is_flushed(self, python):
        with PythonServer("processes:app", python=python) as server:
            server.get("/write")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertIn("printed by the application\n", server.output)


class Blocked(unittest.TestCase):
    @each_python
    def test_a_view_that_blocks_is_reported_and_killed_with_its_stacks(self, python):
        for backend in BACKENDS:
            with PythonServer("processes:app", "--workers", "1", "--timeout", "1s", "--backend", backend, python=python) as server:
                pid = server.get_json("/pids")[0]
                key = server.key()
                with Client(server) as client:
                    client.request("GET", f"/blocks?id={key}")
                    server.wait_for_event(key, "started")
                    with self.assertRaises(Closed):
                        client.response()
                self.assertIn("block_in_a_function", server.wait_for_log("Python stacks:.*block_in_a_function").group())
                self.assertRegex(server.log, "/blocks")
                server.wait_until(lambda: not is_alive(pid) and server.workers(), "another worker")
                self.assertNotEqual(server.get_json("/pids")[0], pid)

    @each_python
    def test_a_stall_is_logged_with_its_route(self, python):
        with PythonServer("processes:app", python=python) as server:
            key = server.key()
            with Client(server) as client:
                client.request("GET", f"/blocks?id={key}")
                server.wait_for_event(key, "started")
                threading.Event().wait(0.3)  # longer than the threshold
                server.open(key)
                self.assertEqual(client.response().body, b"blocked")
            server.wait_for_log("(?i)(stall|block)[^\n]*/blocks|/blocks[^\n]*(stall|block)")

    @each_python
    def test_metrics_and_status_show_the_routes(self, python):
        admin = free_port()
        with PythonServer("processes:app", "--workers", "2", "--admin", f"127.0.0.1:{admin}", python=python) as server:
            for _ in range(10):
                server.get("/pids?a=1")
            server.get("/pids/more")
            server.get("/unknown")

            def metrics():
                with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=TIMEOUT) as response:
                    return response.read().decode()

            server.wait_until(lambda: re.search(r'^rondo_http_requests_total\{route="/pids",[^\n]* 11$', metrics(), re.M), "the count of a view")
            self.assertRegex(metrics(), r"(?m)^rondo_[a-z_]*gil[a-z_]*")
            status, output, errors = run_rondo("status", "--admin", f"127.0.0.1:{admin}", python=python)
            self.assertEqual(status, 0, errors)
            self.assertIn("/pids", output)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
