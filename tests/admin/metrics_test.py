#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the admin listener tells is what happened: exactly, over deaths and reloads, and while workers are stuck."""
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

from admin import Watched
from server import BIN, run


class Client:
    """Asks on connections of its own and counts what it got."""

    def __init__(self, server):
        self.port = server.port

    def many(self, path, times, method="GET", body=None, threads=4):
        def some(n):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            statuses = []
            for _ in range(n):
                connection.request(method, path, body)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            connection.close()
            return statuses
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(some, [times // threads] * threads), [])


def open_request(server, text):
    s = server.connect(timeout=60)
    s.sendall(text.encode())
    return s


class Exact(unittest.TestCase):
    def compare(self, server):
        client = Client(server)
        self.assertEqual(client.many("/", 400), [200] * 400)
        self.assertEqual(client.many("/raise", 20), [500] * 20)
        self.assertEqual(client.many("/nowhere", 12), [404] * 12)
        self.assertEqual(client.many("/_test/wait?ms=5", 40), [200] * 40)
        self.assertEqual(client.many("/_test/wait-sync?ms=5", 40), [200] * 40)
        self.assertEqual(client.many("/_test/compute?ms=5", 8), [200] * 8)
        self.assertEqual(client.many("/echo", 40, "POST", b"x" * 100_000), [200] * 40)
        server.until_quiet()
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

    def test_of_two_workers(self):
        with Watched() as server:
            m = self.compare(server)
            self.assertEqual(m.get("rondo_pool_jobs_total", pool="blocking"), 40)
            self.assertEqual(m.get("rondo_pool_jobs_total", pool="compute"), 8)
            self.assertGreaterEqual(m.get("rondo_view_thread_seconds_total", route="/_test/wait-sync"), 40 * 0.005)
            self.assertEqual(len(m.samples["rondo_worker_info"]), 2)
            self.assertGreater(m.get("rondo_worker_resident_bytes", worker="0"), 1 << 20)
            self.assertEqual(m.get("rondo_worker_starts_total"), 2)

    def test_of_one_process_without_an_arbiter(self):
        with Watched(workers=0) as server:
            self.compare(server)

    def test_of_a_threads_worker(self):
        with Watched("--worker-class", "threads", workers=1) as server:
            self.compare(server)

    def test_connections_and_bad_requests(self):
        with Watched(workers=1) as server:
            idle = [open_request(server, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(5)]
            silent = [server.connect() for _ in range(3)]
            bad = server.exchange("nonsense\r\n\r\n")
            self.assertIn(b" 400 ", bad)

            def metrics_then():
                m = server.metrics()
                return m if [m.get("rondo_connections", state=s) for s in ("idle", "head")] == [5, 3] else None
            m = server.until(metrics_then, "five idle ones, three without a head")
            self.assertEqual(m.get("rondo_connections_accepted_total"), 9)
            self.assertEqual(m.get("rondo_requests_refused_total"), 1)
            for s in idle + silent:
                s.close()
            server.until(lambda: server.metrics().get("rondo_connections") == 0, "the end of the connections")


class Surviving(unittest.TestCase):
    def test_counts_survive_a_killed_worker_and_its_requests_are_lost(self):
        with Watched(workers=1) as server:
            Client(server).many("/", 200)
            waiting = [open_request(server, "GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(3)]
            server.until(lambda: server.metrics().get("rondo_requests_waiting") == 3, "three that wait")
            (old,) = server.told_to_serve().values()
            os.kill(old, signal.SIGKILL)
            server.until(lambda: set(server.told_to_serve().values()) - {old}, "another worker")
            Client(server).many("/", 40)
            server.until_quiet()
            m = server.metrics()
            self.assertEqual(m.get("rondo_http_requests_total", route="/", status="2xx"), 240)
            self.assertEqual(m.get("rondo_requests_received_total"), 243)
            self.assertEqual(m.get("rondo_requests_lost_total"), 3)
            self.assertEqual(m.get("rondo_worker_crashes_total"), 1)
            self.assertEqual(m.get("rondo_worker_starts_total"), 2)
            for s in waiting:
                s.close()

    def test_counts_survive_a_reload(self):
        with Watched() as server:
            Client(server).many("/", 100)
            old = set(server.told_to_serve().values())
            admin = server.admin_url
            self.assertEqual(server.ask("POST", "/reload")[0], 202)
            server.until(lambda: len(server.told_to_serve()) == 2 and not old & set(server.told_to_serve().values()), "new workers")
            self.assertEqual(server.admin_url, admin)
            Client(server).many("/", 100)
            server.until_quiet()
            self.assertEqual(server.metrics().get("rondo_http_requests_total", route="/", status="2xx"), 200)
            self.assertEqual(server.metrics().get("rondo_worker_crashes_total"), 0)


class UsedByViews(unittest.TestCase):
    def test_channels_and_caches_of_all_workers_over_the_death_of_one(self):
        with Watched(program="chat") as server:
            for _ in range(10):
                self.assertEqual(server.request("POST", "/rooms/a", b"hello")[0], 200)
                self.assertEqual(server.get("/report")[0], 200)
            with open_request(server, "GET /rooms/a HTTP/1.1\r\nHost: a\r\n\r\n"):
                server.until(lambda: server.metrics().get("rondo_channels_subscriptions", of="memory:") == 1, "a subscription")
            server.until(lambda: server.metrics().get("rondo_channels_published_total", of="memory:") == 10, "ten messages")
            server.until(lambda: (m := server.metrics()).get("rondo_cache_hits_total") + m.get("rondo_cache_computed_total") == 10,
                         "ten values")
            self.assertGreater(server.metrics().get("rondo_cache_entries", of="memory:"), 0)
            server.until(lambda: server.metrics().get("rondo_channels_subscriptions", of="memory:") == 0, "no subscription")
            old = server.told_to_serve()
            os.kill(old["0"], signal.SIGKILL)
            server.until(lambda: server.told_to_serve().get("0") not in (None, old["0"]), "another worker")
            self.assertEqual(server.metrics().get("rondo_channels_published_total"), 10)
            self.assertEqual(server.request("POST", "/rooms/a", b"hello")[0], 200)
            server.until(lambda: server.metrics().get("rondo_channels_published_total") == 11, "one message more")
            out = run("status", "--admin", server.admin_url.removeprefix("http://"), program="chat")[1]
            self.assertRegex(out, r"(?m)^channels +memory: +.*published 11")


class Stuck(unittest.TestCase):
    def look_at_a_stuck_worker(self, server):
        with open_request(server, f"GET /_test/block?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n") as s:
            blocked = server.until(lambda: [w for w in server.status()["workers"] if w["state"] == "blocked"], "a stuck worker")
            self.assertGreater(blocked[0]["loop_delay_ms"], 1000)
            self.assertEqual(server.ask("GET", "/healthz")[0], 200)
            held = server.until(lambda: [r for r in server.running() if r["where"] == "holding the loop"], "what holds it")
            self.assertEqual((held[0]["pattern"], held[0]["worker"]), ("/_test/block", blocked[0]["name"]))
            server.open_gate()
            self.assertIn(b"blocked", s.recv(4096))
        server.until(lambda: all(w["state"] == "serving" for w in server.status()["workers"]), "its recovery")
        self.assertEqual(server.metrics().get("rondo_view_stalls_total", route="/_test/block"), 1)
        self.assertGreaterEqual(server.metrics().get("rondo_stalls_total"), 1)
        self.assertEqual([r for r in server.running() if r["where"] == "holding the loop"], [])

    def test_the_listener_answers_and_names_the_view(self):
        with Watched() as server:
            self.look_at_a_stuck_worker(server)

    def test_also_when_it_is_a_thread(self):
        with Watched(workers=0) as server:
            self.look_at_a_stuck_worker(server)


class Running(unittest.TestCase):
    def places(self, server):
        return sorted((r["pattern"], r["kind"], r["where"]) for r in server.running())

    def test_where_requests_wait(self):
        with Watched("--threads", 1, "--compute-threads", 1, workers=1) as server:
            texts = ["GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n"] + \
                [f"GET /_test/wait-sync?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n"] * 2 + \
                [f"GET /_test/compute?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n"] * 2 + \
                ["POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
                 "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"]
            all_of_them = [open_request(server, text) for text in texts]
            expected = [("/_test/compute", "cpu", "compute queue"), ("/_test/compute", "cpu", "compute thread"),
                        ("/_test/wait", "async", "loop"), ("/_test/wait-sync", "sync", "pool queue"),
                        ("/_test/wait-sync", "sync", "pool thread"), ("/echo", "async", "body"), ("/large", "async", "sending")]
            server.until(lambda: self.places(server) == expected, "each at its place")
            m = server.metrics()
            self.assertEqual(m.get("rondo_requests_waiting"), 7)
            self.assertEqual(m.get("rondo_requests_at", place="pool queue"), 1)
            self.assertEqual(m.get("rondo_view_running", route="/_test/compute"), 2)
            self.assertTrue(all(r["age_ms"] > 0 for r in server.running()))
            for s in all_of_them:
                s.close()
            server.open_gate()
            server.until(lambda: not server.running(), "the end of all")

    def test_advice_names_the_view_of_the_wrong_kind(self):
        with Watched(workers=1) as server:
            Client(server).many("/_test/wait-sync?ms=20", 24)
            Client(server).many("/_test/wait?ms=20", 24)
            server.until_quiet()
            views = {v["pattern"]: v["advice"] for v in server.status()["views"]}
            self.assertIn("make it async", views["/_test/wait-sync"])
            self.assertEqual(views["/_test/wait"], "")

    def test_advice_is_right_on_a_busy_machine(self):
        # Several times as many processes as cores: who computes waits for a core most of its time.
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4 * os.cpu_count())]
        try:
            with Watched("--threads", "4", workers=1) as server:
                Client(server).many("/_test/burn?ms=20", 24, threads=2)
                Client(server).many("/_test/wait-sync?ms=40", 24, threads=2)
                Client(server).many("/_test/compute?ms=40", 24, threads=1)
                server.until_quiet()
                views = {v["pattern"]: v["advice"] for v in server.status()["views"]}
        finally:
            for p in busy:
                p.kill()
                p.wait()
        self.assertIn("make it rondo::cpu(view)", views["/_test/burn"])
        self.assertIn("make it async", views["/_test/wait-sync"])
        self.assertNotIn("hardly computes", views["/_test/compute"])


class Orders(unittest.TestCase):
    def test_scale(self):
        with Watched(workers=1) as server:
            self.assertEqual(server.ask("POST", "/scale?workers=4")[0], 202)
            server.until(lambda: len(server.told_to_serve()) == 4, "four workers")
            self.assertEqual(server.ask("POST", "/scale?workers=2")[0], 202)
            server.until(lambda: len(server.told_to_serve()) == 2 and len(server.status()["workers"]) == 2, "two workers")
            self.assertEqual(server.metrics().get("rondo_worker_crashes_total"), 0)

    def test_drain_is_seen_in_readiness_until_the_last_request_is_answered(self):
        with Watched(workers=1) as server:
            self.assertEqual(server.ask("GET", "/readyz")[0], 200)
            with open_request(server, f"GET /_test/wait?while={server.gate} HTTP/1.1\r\nHost: a\r\n\r\n") as s:
                server.until(lambda: server.running(), "the request")
                self.assertEqual(server.ask("POST", "/drain")[0], 202)
                server.until(lambda: server.ask("GET", "/readyz")[0] == 503, "unreadiness")
                self.assertEqual(server.ask("GET", "/healthz")[0], 200)
                server.open_gate()
                self.assertIn(b"waited", s.recv(4096))
            self.assertEqual(server.wait(), 0)

    @unittest.skipIf(os.geteuid() != 0, "only the superuser may change users")
    def test_an_arbiter_that_runs_as_another_user_obeys_over_reloads_and_upgrades(self):
        with Watched("--user", "nobody", workers=1) as server:
            self.assertEqual(server.ask("POST", "/scale?workers=2")[0], 202)
            server.until(lambda: len(server.told_to_serve()) == 2, "two workers")
            for _ in range(2):
                old = set(server.told_to_serve().values())
                self.assertEqual(server.ask("POST", "/reload")[0], 202)
                server.until(lambda: len(server.told_to_serve()) == 1 and not old & set(server.told_to_serve().values()), "a new worker")
            self.assertEqual(os.stat(f"/proc/{server.told_to_serve().popitem()[1]}").st_uid, 65534)
            server.signal(signal.SIGUSR2)
            other = int(server.wait_for_log(r"started a second arbiter: process (\d+)")[1])
            server.wait_for_log(rf"serving, pid {other}")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            server.wait_for_log("the old arbiter has exited")
            self.assertEqual(server.ask("POST", "/scale?workers=2")[0], 202)
            server.until(lambda: len(server.told_to_serve()) == 2, "two workers of the new arbiter")
            self.assertEqual(server.ask("POST", "/drain")[0], 202)
            server.wait_until(lambda: not os.path.exists(f"/proc/{other}"), what="the end of the second arbiter")

    def test_one_process_cannot_reload_but_drains(self):
        with Watched(workers=0) as server:
            status, _, text = server.ask("POST", "/reload")
            self.assertEqual(status, 409)
            self.assertIn("--workers", text)
            self.assertEqual(server.ask("POST", "/scale?workers=2")[0], 409)
            self.assertEqual(server.ask("POST", "/drain")[0], 202)
            self.assertEqual(server.wait(), 0)

    def test_nothing_is_done_for_other_sites(self):
        with Watched(workers=1) as server:
            self.assertEqual(server.ask("POST", "/drain", Origin="http://evil.example")[0], 403)
            self.assertEqual(server.ask("GET", "/drain")[0], 405)
            self.assertEqual(server.ask("GET", "/metrics", Host="evil.example")[0], 421)
            self.assertEqual(server.ask("GET", "/readyz")[0], 200)


class Addresses(unittest.TestCase):
    def test_a_unix_socket_is_for_the_user_alone(self):
        with tempfile.TemporaryDirectory() as folder:
            path = folder + "/admin.sock"
            with Watched(admin="unix:" + path, workers=1) as server:
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
                self.assertEqual(server.ask("GET", "/readyz")[0], 200)
                status, out, _ = run("status", "--admin", "unix:" + path)
                self.assertEqual(status, 0)
                self.assertIn("1 workers", out)
            self.assertFalse(os.path.exists(path))

    def test_an_address_that_others_reach_must_be_allowed(self):
        for command in ("serve", "check"):
            status, _, errors = run(command, "--bind", "127.0.0.1:0", "--admin", "0.0.0.0:0")
            self.assertEqual(status, 1, command)
            self.assertIn("can be reached by other machines", errors)
        with Watched("--admin-remote", admin="0.0.0.0:0", workers=0) as server:
            self.assertIn("0.0.0.0", server.admin_url)


class Status(unittest.TestCase):
    def test_prints_what_the_listener_tells(self):
        with Watched() as server:
            Client(server).many("/", 40)
            address = server.admin_url.removeprefix("http://")
            status, out, errors = run("status", "--admin", address)
            self.assertEqual((status, errors), (0, ""))
            self.assertRegex(out, r"(?m)^Rondo \S+   2 workers   40 requests")
            self.assertRegex(out, r"(?m)^0 +serving")
            self.assertRegex(out, r"(?m)^GET, HEAD / +async +40")

    def test_watches_until_the_server_is_gone(self):
        server = Watched(workers=1)
        with server:
            address = server.admin_url.removeprefix("http://")
            with open(f"{server.folder.name}/watched", "w+", encoding="utf-8") as out:
                watching = subprocess.Popen([BIN / "testbed", "status", "--watch", "--admin", address], stdout=out,
                                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
                try:
                    server.until(lambda: Path(out.name).read_text().count("Rondo ") >= 2, "the second look")
                    server.signal(signal.SIGINT)
                    errors = watching.communicate(timeout=60)[1]
                finally:
                    watching.kill()
                    watching.wait()
            self.assertEqual(watching.returncode, 1)
            self.assertIn("does not respond", errors)
            server.wait()

    def test_says_what_is_missing(self):
        status, _, errors = run("status")
        self.assertEqual(status, 1)
        self.assertIn("--admin", errors)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        status, _, errors = run("status", "--admin", f"127.0.0.1:{port}")
        self.assertEqual(status, 1)
        self.assertIn("does not respond", errors)


if __name__ == "__main__":
    unittest.main()
