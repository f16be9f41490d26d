#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The admin listener reports exact numbers, also after crashes and reloads and while workers are blocked."""
import concurrent.futures
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from admin_client import AdminServer
from server import BIN, UNPRIVILEGED, run


class Client:
    """Sends requests on its own connections and collects the statuses."""

    def __init__(self, server):
        self.port = server.port

    def send_many(self, path, count, method="GET", body=None, threads=4):
        def send(n):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            statuses = []
            for _ in range(n):
                connection.request(method, path, body)
                response = connection.getresponse()
                response.read()
                statuses.append(response.status)
            connection.close()
            return statuses
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(send, [count // threads] * threads), [])


def open_request(server, text):
    s = server.connect(timeout=60)
    s.sendall(text.encode())
    return s


class ExactCounts(unittest.TestCase):
    def check_counts(self, server):
        client = Client(server)
        self.assertEqual(client.send_many("/", 400), [200] * 400)
        self.assertEqual(client.send_many("/raise", 20), [500] * 20)
        self.assertEqual(client.send_many("/nowhere", 12), [404] * 12)
        self.assertEqual(client.send_many("/_test/wait?ms=5", 40), [200] * 40)
        self.assertEqual(client.send_many("/_test/wait-sync?ms=5", 40), [200] * 40)
        self.assertEqual(client.send_many("/_test/compute?ms=5", 8), [200] * 8)
        self.assertEqual(client.send_many("/echo", 40, "POST", b"x" * 100_000), [200] * 40)
        server.wait_until_idle()
        m = server.metrics()
        for route, kind, status, count in [("/", "async", "2xx", 400), ("/raise", "async", "5xx", 20),
                                           ("(none)", "none", "4xx", 12), ("/_test/wait", "async", "2xx", 40),
                                           ("/_test/wait-sync", "sync", "2xx", 40), ("/_test/compute", "cpu", "2xx", 8),
                                           ("/echo", "async", "2xx", 40)]:
            self.assertEqual(m.get("rondo_http_requests_total", route=route, kind=kind, status=status), count, route)
            self.assertEqual(m.get("rondo_http_requests_total", route=route), count, route)
            self.assertEqual(m.get("rondo_http_request_duration_seconds_count", route=route), count, route)
        self.assertEqual(m.get("rondo_requests_received_total"), 560)
        self.assertEqual(m.get("rondo_responses_total"), 560)
        self.assertEqual(m.get("rondo_worker_requests_received_total"), 560)
        self.assertEqual(m.get("rondo_requests_waiting"), 0)
        self.assertGreaterEqual(m.get("rondo_http_request_duration_seconds_sum", route="/_test/wait"), 40 * 0.005)
        self.assertEqual(m.get("rondo_http_request_duration_seconds_bucket", route="/_test/wait", le="0.004194304"), 0)
        return m

    def test_two_workers(self):
        with AdminServer() as server:
            m = self.check_counts(server)
            self.assertEqual(m.get("rondo_pool_jobs_total", pool="blocking"), 40)
            self.assertEqual(m.get("rondo_pool_jobs_total", pool="compute"), 8)
            self.assertGreaterEqual(m.get("rondo_view_thread_seconds_total", route="/_test/wait-sync"), 40 * 0.005)
            self.assertEqual(len(m.samples["rondo_worker_info"]), 2)
            self.assertGreater(m.get("rondo_worker_resident_bytes", worker="0"), 1 << 20)
            self.assertEqual(m.get("rondo_worker_starts_total"), 2)

    def test_one_process_without_an_arbiter(self):
        with AdminServer(workers=0) as server:
            self.check_counts(server)

    def test_a_threads_worker(self):
        with AdminServer("--worker-class", "threads", workers=1) as server:
            self.check_counts(server)

    def test_connections_and_bad_requests(self):
        with AdminServer(workers=1) as server:
            idle = [open_request(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(5)]
            silent = [server.connect() for _ in range(3)]
            bad = server.exchange("nonsense\r\n\r\n")
            self.assertIn(b" 400 ", bad)

            def metrics_with_all_connections():
                m = server.metrics()
                return m if [m.get("rondo_connections", state=s) for s in ("idle", "head")] == [5, 3] else None
            m = server.wait_until(metrics_with_all_connections, "five idle connections and three without a head")
            self.assertEqual(m.get("rondo_connections_accepted_total"), 9)
            self.assertEqual(m.get("rondo_requests_refused_total"), 1)
            for s in idle + silent:
                s.close()
            server.wait_until(lambda: server.metrics().get("rondo_connections") == 0, "the connections to close")


class CountsSurvive(unittest.TestCase):
    def test_a_killed_worker_whose_requests_are_counted_as_lost(self):
        with AdminServer(workers=1) as server:
            Client(server).send_many("/", 200)
            waiting = [open_request(server, "GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(3)]
            server.wait_until(lambda: server.metrics().get("rondo_requests_waiting") == 3, "three waiting requests")
            (old,) = server.serving_workers().values()
            os.kill(old, signal.SIGKILL)
            server.wait_until(lambda: set(server.serving_workers().values()) - {old}, "the replacement worker")
            Client(server).send_many("/", 40)
            server.wait_until_idle()
            m = server.metrics()
            self.assertEqual(m.get("rondo_http_requests_total", route="/", status="2xx"), 240)
            self.assertEqual(m.get("rondo_requests_received_total"), 243)
            self.assertEqual(m.get("rondo_requests_lost_total"), 3)
            self.assertEqual(m.get("rondo_worker_crashes_total"), 1)
            self.assertEqual(m.get("rondo_worker_starts_total"), 2)
            for s in waiting:
                s.close()

    def test_a_reload(self):
        with AdminServer() as server:
            Client(server).send_many("/", 100)
            old = set(server.serving_workers().values())
            admin = server.admin_url
            self.assertEqual(server.admin_request("POST", "/reload")[0], 202)
            server.wait_until(lambda: len(new := server.serving_workers()) == 2 and not old & set(new.values()), "new workers")
            self.assertEqual(server.admin_url, admin)
            Client(server).send_many("/", 100)
            server.wait_until_idle()
            self.assertEqual(server.metrics().get("rondo_http_requests_total", route="/", status="2xx"), 200)
            self.assertEqual(server.metrics().get("rondo_worker_crashes_total"), 0)


class ClientLibraryStats(unittest.TestCase):
    def test_channels_and_caches_of_all_workers_survive_the_crash_of_one(self):
        with AdminServer(program="chat") as server:
            for _ in range(10):
                self.assertEqual(server.request("POST", "/rooms/a", b"hello")[0], 200)
                self.assertEqual(server.get("/report")[0], 200)
            with open_request(server, "GET /rooms/a HTTP/1.1\r\nHost: a\r\n\r\n"):
                server.wait_until(lambda: server.metrics().get("rondo_channels_subscriptions", name="memory:") == 1,
                                  "one subscription")
            server.wait_until(lambda: server.metrics().get("rondo_channels_published_total", name="memory:") == 10,
                              "ten messages")
            server.wait_until(
                lambda: (m := server.metrics()).get("rondo_cache_hits_total") + m.get("rondo_cache_computed_total") == 10,
                "ten values")
            self.assertGreater(server.metrics().get("rondo_cache_entries", name="memory:"), 0)
            server.wait_until(lambda: server.metrics().get("rondo_channels_subscriptions", name="memory:") == 0,
                              "the end of the subscription")
            old = server.serving_workers()
            os.kill(old["0"], signal.SIGKILL)
            server.wait_until(lambda: server.serving_workers().get("0") not in (None, old["0"]), "the replacement worker")
            self.assertEqual(server.metrics().get("rondo_channels_published_total"), 10)
            self.assertEqual(server.request("POST", "/rooms/a", b"hello")[0], 200)
            server.wait_until(lambda: server.metrics().get("rondo_channels_published_total") == 11, "an eleventh message")
            out = run("status", "--admin", server.admin_url.removeprefix("http://"), program="chat")[1]
            self.assertRegex(out, r"(?m)^channels +memory: +.*published 11")


class BlockedWorker(unittest.TestCase):
    def check_a_blocked_worker(self, server):
        with open_request(server, f"GET /_test/block?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n") as s:
            blocked = server.wait_until(lambda: [w for w in server.status()["workers"] if w["state"] == "blocked"],
                                        "a blocked worker")
            self.assertGreater(blocked[0]["loop_delay_ms"], 1000)
            self.assertEqual(server.admin_request("GET", "/healthz")[0], 200)
            blocking = server.wait_until(lambda: [r for r in server.running_requests() if r["state"] == "blocking the loop"],
                                         "the request that blocks the loop")
            self.assertEqual((blocking[0]["pattern"], blocking[0]["worker"]), ("/_test/block", blocked[0]["name"]))
            server.open_gate()
            self.assertIn(b"blocked", s.recv(4096))
        server.wait_until(lambda: all(w["state"] == "serving" for w in server.status()["workers"]), "the worker to recover")
        self.assertEqual(server.metrics().get("rondo_view_stalls_total", route="/_test/block"), 1)
        self.assertGreaterEqual(server.metrics().get("rondo_stalls_total"), 1)
        self.assertEqual([r for r in server.running_requests() if r["state"] == "blocking the loop"], [])

    def test_the_listener_responds_and_names_the_view(self):
        with AdminServer() as server:
            self.check_a_blocked_worker(server)

    def test_without_an_arbiter(self):
        with AdminServer(workers=0) as server:
            self.check_a_blocked_worker(server)


class RunningRequests(unittest.TestCase):
    def states(self, server):
        return sorted((r["pattern"], r["kind"], r["state"]) for r in server.running_requests())

    def test_states_of_waiting_requests(self):
        with AdminServer("--threads", 1, "--compute-threads", 1, workers=1) as server:
            texts = ["GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n"] + \
                [f"GET /_test/wait-sync?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n"] * 2 + \
                [f"GET /_test/compute?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n"] * 2 + \
                ["POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
                 "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"]
            clients = [open_request(server, text) for text in texts]
            expected = [("/_test/compute", "cpu", "compute queue"), ("/_test/compute", "cpu", "compute thread"),
                        ("/_test/wait", "async", "loop"), ("/_test/wait-sync", "sync", "pool queue"),
                        ("/_test/wait-sync", "sync", "pool thread"), ("/echo", "async", "body"), ("/large", "async", "sending")]
            server.wait_until(lambda: self.states(server) == expected, "every request in its state")
            m = server.metrics()
            self.assertEqual(m.get("rondo_requests_waiting"), 7)
            self.assertEqual(m.get("rondo_requests_by_state", state="pool queue"), 1)
            self.assertEqual(m.get("rondo_view_running", route="/_test/compute"), 2)
            self.assertTrue(all(r["age_ms"] > 0 for r in server.running_requests()))
            for s in clients:
                s.close()
            server.open_gate()
            server.wait_until(lambda: not server.running_requests(), "all requests to finish")

    def test_advice_names_the_view_of_the_wrong_kind(self):
        with AdminServer(workers=1) as server:
            Client(server).send_many("/_test/wait-sync?ms=20", 24)
            Client(server).send_many("/_test/wait?ms=20", 24)
            server.wait_until_idle()
            views = {v["pattern"]: v["advice"] for v in server.status()["views"]}
            self.assertIn("make it async", views["/_test/wait-sync"])
            self.assertEqual(views["/_test/wait"], "")

    def test_advice_is_right_on_a_busy_machine(self):
        # Several times as many processes as cores: a view that computes waits for a core most of the time.
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * os.cpu_count())]
        try:
            with AdminServer("--threads", "4", workers=1) as server:
                Client(server).send_many("/_test/burn?ms=20", 24, threads=2)
                Client(server).send_many("/_test/wait-sync?ms=40", 24, threads=2)
                Client(server).send_many("/_test/compute?ms=40", 24, threads=1)
                server.wait_until_idle()
                views = {v["pattern"]: v["advice"] for v in server.status()["views"]}
        finally:
            for p in busy:
                p.kill()
                p.wait()
        self.assertIn("make it rondo::cpu(view)", views["/_test/burn"])
        self.assertIn("make it async", views["/_test/wait-sync"])
        self.assertNotIn("hardly computes", views["/_test/compute"])


class Commands(unittest.TestCase):
    def test_scale(self):
        with AdminServer(workers=1) as server:
            self.assertEqual(server.admin_request("POST", "/scale?workers=4")[0], 202)
            server.wait_until(lambda: len(server.serving_workers()) == 4, "four workers")
            self.assertEqual(server.admin_request("POST", "/scale?workers=2")[0], 202)
            server.wait_until(lambda: len(server.serving_workers()) == 2 and len(server.status()["workers"]) == 2, "two workers")
            self.assertEqual(server.metrics().get("rondo_worker_crashes_total"), 0)

    def test_drain_fails_readiness_until_the_last_request_is_finished(self):
        with AdminServer(workers=1) as server:
            self.assertEqual(server.admin_request("GET", "/readyz")[0], 200)
            with open_request(server, f"GET /_test/wait?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n") as s:
                server.wait_until(lambda: server.running_requests(), "the request to run")
                self.assertEqual(server.admin_request("POST", "/drain")[0], 202)
                server.wait_until(lambda: server.admin_request("GET", "/readyz")[0] == 503, "/readyz to fail")
                self.assertEqual(server.admin_request("GET", "/healthz")[0], 200)
                server.open_gate()
                self.assertIn(b"waited", s.recv(4096))
            self.assertEqual(server.wait(), 0)

    @unittest.skipIf(os.geteuid() != 0, "only the superuser may change users")
    def test_an_arbiter_running_as_another_user_accepts_commands_after_reloads_and_upgrades(self):
        with AdminServer("--user", UNPRIVILEGED.pw_name, workers=1) as server:
            self.assertEqual(server.admin_request("POST", "/scale?workers=2")[0], 202)
            server.wait_until(lambda: len(server.serving_workers()) == 2, "two workers")
            for _ in range(2):
                old = set(server.serving_workers().values())
                self.assertEqual(server.admin_request("POST", "/reload")[0], 202)
                server.wait_until(lambda: len(new := server.serving_workers()) == 1 and not old & set(new.values()), "a new worker")
            self.assertEqual(os.stat(f"/proc/{server.serving_workers().popitem()[1]}").st_uid, UNPRIVILEGED.pw_uid)
            server.signal(signal.SIGUSR2)
            other = int(server.wait_for_log(r"started a second arbiter: process (\d+)")[1])
            server.wait_for_log(rf"serving, pid {other}")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            server.wait_for_log("the old arbiter has exited")
            self.assertEqual(server.admin_request("POST", "/scale?workers=2")[0], 202)
            server.wait_until(lambda: len(server.serving_workers()) == 2, "two workers of the new arbiter")
            self.assertEqual(server.admin_request("POST", "/drain")[0], 202)
            server.wait_until(lambda: not os.path.exists(f"/proc/{other}"), "the second arbiter to exit")

    def test_a_process_without_an_arbiter_drains_but_does_not_reload_or_scale(self):
        with AdminServer(workers=0) as server:
            status, _, text = server.admin_request("POST", "/reload")
            self.assertEqual(status, 409)
            self.assertIn("--workers", text)
            self.assertEqual(server.admin_request("POST", "/scale?workers=2")[0], 409)
            self.assertEqual(server.admin_request("POST", "/drain")[0], 202)
            self.assertEqual(server.wait(), 0)

    def test_rejects_requests_from_other_sites(self):
        with AdminServer(workers=1) as server:
            self.assertEqual(server.admin_request("POST", "/drain", Origin="http://evil.example")[0], 403)
            self.assertEqual(server.admin_request("GET", "/drain")[0], 405)
            self.assertEqual(server.admin_request("GET", "/metrics", Host="evil.example")[0], 421)
            self.assertEqual(server.admin_request("GET", "/readyz")[0], 200)


class ListenAddresses(unittest.TestCase):
    def test_a_unix_socket_is_accessible_to_its_user_only(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/admin.sock"
            with AdminServer(admin="unix:" + path, workers=1) as server:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                self.assertEqual(server.admin_request("GET", "/readyz")[0], 200)
                status, out, _ = run("status", "--admin", "unix:" + path)
                self.assertEqual(status, 0)
                self.assertIn("1 workers", out)
            self.assertFalse(os.path.exists(path))

    def test_an_address_reachable_from_other_machines_needs_admin_remote(self):
        for command in ("serve", "check"):
            status, _, errors = run(command, "--bind", "127.0.0.1:0", "--admin", "0.0.0.0:0")
            self.assertEqual(status, 1, command)
            self.assertIn("can be reached by other machines", errors)
        with AdminServer("--admin-remote", admin="0.0.0.0:0", workers=0) as server:
            self.assertIn("0.0.0.0", server.admin_url)


class Status(unittest.TestCase):
    def test_prints_the_status_of_the_listener(self):
        with AdminServer() as server:
            Client(server).send_many("/", 40)
            address = server.admin_url.removeprefix("http://")
            status, out, errors = run("status", "--admin", address)
            self.assertEqual((status, errors), (0, ""))
            self.assertRegex(out, r"(?m)^Rondo \S+   2 workers   40 requests")
            self.assertRegex(out, r"(?m)^0 +serving")
            self.assertRegex(out, r"(?m)^GET, HEAD / +async +40")

    def test_watches_until_the_server_exits(self):
        server = AdminServer(workers=1)
        with server:
            address = server.admin_url.removeprefix("http://")
            with open(f"{server.folder.name}/watched", "w+", encoding="utf-8") as out:
                watching = subprocess.Popen([BIN / "testbed", "status", "--watch", "--admin", address], stdout=out,
                                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
                try:
                    server.wait_until(lambda: Path(out.name).read_text().count("Rondo ") >= 2, "the second screen")
                    server.signal(signal.SIGINT)
                    errors = watching.communicate(timeout=60)[1]
                finally:
                    watching.kill()
                    watching.wait()
            self.assertEqual(watching.returncode, 1)
            self.assertIn("does not respond", errors)
            server.wait()

    def test_reports_a_missing_address_and_a_server_that_does_not_respond(self):
        status, _, errors = run("status")
        self.assertEqual(status, 1)
        self.assertIn("--admin", errors)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        status, _, errors = run("status", "--admin", f"127.0.0.1:{port}")
        self.assertEqual(status, 1)
        self.assertIn("does not respond", errors)

    def test_rejects_a_unix_socket_path_that_is_too_long(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/{'a' * (108 - len(folder) - 1)}"
            self.assertEqual(len(path), 108)
            for options in ((), ("--watch",)):
                status, out, errors = run("status", *options, "--admin", "unix:" + path)
                self.assertEqual((status, out), (2, ""))
                self.assertIn(f"--admin: invalid listen address 'unix:{path}': path is longer than 107 bytes; expected", errors)
            # The longest path is accepted.
            status, _, errors = run("status", "--admin", "unix:" + path[:-1])
            self.assertEqual(status, 1)
            self.assertIn(f"the admin listener at unix:{path[:-1]} does not respond", errors)


if __name__ == "__main__":
    unittest.main()
