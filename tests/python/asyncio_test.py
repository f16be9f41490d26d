# SPDX-License-Identifier: Apache-2.0
"""A request is a task of asyncio's own loop, and everything that libraries do with that loop works."""
import os
import signal
import threading
import unittest

from python_server import (ALL_PYTHONS, NEWEST, PYTHONS, Client, Closed, PythonServer, SharedServers, each_server)

from server import BACKENDS, descriptors_of, is_alive, link_of


def loops(test):
    """Runs a test with asyncio's loop over each backend, and with uvloop."""
    def run_all(self):
        for python in PYTHONS:
            for options in (*(("--backend", b) for b in BACKENDS), ("--loop", "uvloop")):
                with self.subTest(python=python, options=options):
                    test(self, self.server_for(python, *options))
    run_all.__name__ = test.__name__
    return run_all


class LoopTest(SharedServers):
    app = "looping:app"

    def assert_all_true(self, found):
        self.assertTrue(found)
        self.assertEqual({k: v for k, v in found.items() if v is not True}, {})


class Tasks(LoopTest):
    @each_server(pythons=ALL_PYTHONS)
    def test_smoke(self, server):
        self.assert_all_true(server.get_json("/task"))
        self.assertEqual(server.get_json("/cancel")[:6], "enough")
        self.assertEqual(server.request("POST", "/echo", b"x" * 100_000)[2], b"x" * 100_000)

    @loops
    def test_a_request_is_a_task(self, server):
        self.assert_all_true(server.get_json("/task"))

    @loops
    def test_a_request_can_be_cancelled(self, server):
        self.assertRegex(server.get_json("/cancel"), "^enough( 1 0)?$")

    @loops
    def test_a_request_that_was_cancelled_and_does_not_catch_it_is_500(self, server):
        key = server.key()
        self.assertEqual(server.get(f"/cancelled-from-outside?id={key}")[0], 500)
        self.assert_serves(server)

    @loops
    def test_timeouts_groups_and_threads_of_asyncio(self, server):
        self.assert_all_true(server.get_json("/structured"))

    @loops
    def test_anyio(self, server):
        self.assert_all_true(server.get_json("/with-anyio"))

    @loops
    def test_each_request_has_a_copy_of_the_context(self, server):
        with Client(server) as client:
            for _ in range(3):
                client.request("GET", "/context")
                before, *after = client.response().json()
                self.assertNotEqual(before, "of a request")
                self.assertEqual(after, ["of a request"] * 3)

    @loops
    def test_a_request_starts_while_another_runs(self, server):
        keys = [server.key() for _ in range(50)]
        clients = [Client(server) for _ in keys]
        for key, client in zip(keys, clients):
            client.request("GET", f"/wait?id={key}")
        for key in keys:
            server.wait_for_event(key, "started")
        self.assert_serves(server)
        for key, client in reversed(list(zip(keys, clients))):
            server.open(key)
            self.assertEqual(client.response().body, b"waited")
            client.close()

    @loops
    def test_pipelined_requests_start_outside_of_other_tasks(self, server):
        key = server.key()
        with Client(server) as client:
            client.send("".join(f"GET /pipelined?id={key}&text=number{i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(200)))
            for i in range(200):
                self.assertEqual(client.response().body, b"number%d" % i)
        server.wait_until(lambda: len(server.events(key)) == 200, "200 notes")
        self.assertTrue(all(e[2] for e in server.events(key)))

    @loops
    def test_requests_leave_no_tasks(self, server):
        before = server.get_json("/count-tasks")
        for _ in range(20):
            self.assert_serves(server)
        server.wait_until(lambda: server.get_json("/count-tasks") <= before, "the tasks to end")

    @each_server(backends=BACKENDS[:1])
    def test_an_application_may_return_any_awaitable(self, server):
        with PythonServer("looping:awaitable_app", python=server.python) as other:
            self.assertEqual(other.get("/hello")[2], b"hello")
            self.assert_all_true(other.get_json("/structured"))


class Loop(LoopTest):
    @loops
    def test_readers_and_writers(self, server):
        self.assertEqual(server.get_json("/descriptors"), [True] * 21)

    @loops
    def test_timers(self, server):
        self.assertEqual(server.get_json("/timers"), [["first", "second", "third"], True])

    @loops
    def test_threads_call_the_loop(self, server):
        self.assertEqual(server.get_json("/threads"), ["from a thread", 1])

    @loops
    def test_subprocesses(self, server):
        found = server.get_json("/subprocesses")
        self.assertEqual(found, {"output": "through a pipe", "codes": [0, 7, -signal.SIGTERM, -signal.SIGUSR2], "sockets": 0})

    @loops
    def test_streams_and_names(self, server):
        self.assertEqual(server.get_json("/streams"), [True, "127.0.0.1"])

    @loops
    def test_a_request_to_the_own_server(self, server):
        self.assertIs(server.get_json("/self-request"), True)

    @loops
    def test_handlers_of_the_application_for_signals_run(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", f"/take-signals?id={key}")
            pid = server.wait_for_event(key)[1]
            os.kill(pid, signal.SIGUSR2)
            self.assertEqual(client.response().json(), [True])

    @loops
    def test_handlers_for_signals_run_in_an_idle_worker(self, server):
        before = len(server.get_json("/seen-signals"))
        server.wait_until(lambda: not sleeping_sockets(server), "an idle worker")
        os.kill(server.pid, signal.SIGUSR2)
        server.wait_until(lambda: len(server.get_json("/seen-signals")) == before + 1, "the handler")

    @loops
    def test_work_after_the_response_does_not_hold_the_connection(self, server):
        for target in ("/background", "/forgotten-task"):
            key = server.key()
            with Client(server) as client:
                client.request("GET", f"{target}?id={key}")
                self.assertEqual(client.response().body, b"answered")
                client.request("GET", "/hello")
                self.assertEqual(client.response().body, b"hello")
                self.assertFalse(server.events(key, "finished"))
            server.open(key)
            server.wait_for_event(key, "finished")


def sleeping_sockets(server):
    return server.connections() > 0


class Processes(LoopTest):
    @loops
    def test_a_forked_child_keeps_no_socket_and_does_not_disturb_the_worker(self, server):
        key = server.key()
        with Client(server) as idle:
            idle.request("GET", "/hello")
            idle.response()
            pid = server.get_json(f"/fork?id={key}")
            server.wait_for_event("child", pid)
            self.assertTrue(is_alive(pid))
            kept = tcp_sockets_of(pid)
            idle.request("GET", "/hello")
            self.assertEqual(idle.response().body, b"hello")
            self.assert_serves(server)
            server.open(key)
            self.assertEqual(server.wait_for_event(key), [key, "joined", 5])
            idle.request("GET", "/hello")
            self.assertEqual(idle.response().body, b"hello")
        self.assert_serves(server)
        self.assertEqual(server.get_json("/streams"), [True, "127.0.0.1"])
        self.assertEqual(kept, [])

    def test_systemexit_ends_the_worker_which_is_replaced(self):
        for python in PYTHONS:
            for kind in ("now", "later", "keyboard"):
                with self.subTest(python=python, kind=kind), PythonServer(self.app, "--workers", "1", python=python) as server:
                    pid = server.get_json("/pid")
                    try:
                        with Client(server) as client:
                            client.request("GET", f"/ends-the-process?kind={kind}&code=4")
                            client.response()
                    except Closed:
                        pass
                    server.wait_until(lambda: not is_alive(pid), "the end of the worker")
                    server.wait_until(lambda: pid not in server.workers().values() and server.workers(), "another worker")
                    self.assertNotEqual(server.get_json("/pid"), pid)

    def test_systemexit_without_an_arbiter_is_the_exit_status(self):
        for options in (("--backend", "epoll"), ("--loop", "uvloop")):
            with self.subTest(options=options), PythonServer(self.app, *options) as server:
                try:
                    with Client(server) as client:
                        client.request("GET", "/ends-the-process?code=7")
                        client.response()
                except Closed:
                    pass
                self.assertEqual(server.wait(), 7)

    def test_an_idle_worker_uses_no_processor_time(self):
        for options in (("--backend", "epoll"), ("--backend", "io_uring"), ("--loop", "uvloop")):
            with self.subTest(options=options), PythonServer(self.app, *options, python=NEWEST) as server:
                self.assertEqual(server.get("/hello")[0], 200)
                before = server.cpu_seconds()
                threading.Event().wait(0.5)
                self.assertLess(server.cpu_seconds() - before, 0.1)


def tcp_sockets_of(pid):
    """The lines of /proc/PID/net/tcp about the sockets that a process has open."""
    links = {link_of(pid, fd) for fd in descriptors_of(pid)}
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        return [line for line in table.readlines()[1:] if f"socket:[{line.split()[9]}]" in links]


if __name__ == "__main__":
    unittest.main(warnings="ignore")
