# SPDX-License-Identifier: Apache-2.0
"""bench/upstream_waits: views that wait for a database and for another service, with PostgreSQL and SQLite."""
import http.server
import json
import random
import socket
import socketserver
import struct
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("testbed", "databases")]
from server import BIN, Server  # noqa: E402
from postgres_server import PostgresServer  # noqa: E402


class BarrierService(socketserver.ThreadingTCPServer):
    """A service that responds when `parties` requests wait for it."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, parties):
        self.barrier = threading.Barrier(parties, timeout=60)
        super().__init__(("127.0.0.1", 0), BarrierHandler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class BarrierHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            self.server.barrier.wait()
            status, text = 200, b"met"
        except threading.BrokenBarrierError:
            status, text = 504, b"alone"
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class SilentService(socketserver.ThreadingTCPServer):
    """A service that never responds; counts the requests, and the clients that have disconnected."""
    daemon_threads = True

    def __init__(self):
        self.requests = self.disconnected = 0
        super().__init__(("127.0.0.1", 0), SilentHandler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class SilentHandler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(1 << 16)
        self.server.requests += 1
        while self.request.recv(1 << 16):
            pass
        self.server.disconnected += 1


class UpstreamWaits:
    """Tests for every database; `upstream_waits seed` has filled the one at `url`."""
    worker_class = "async"
    concurrency = 50

    @classmethod
    def setUpClass(cls):
        cls.upstream = Server("--workers", "1", program="hello")
        cls.addClassCleanup(cls.upstream.stop)
        cls.url = cls.database()
        seed = subprocess.run([BIN / "upstream_waits", "seed", "--db-url", cls.url], capture_output=True, text=True, timeout=60)
        if seed.returncode:
            raise RuntimeError(seed.stderr)
        cls.server = cls.serve(f"http://127.0.0.1:{cls.upstream.port}")
        cls.addClassCleanup(cls.server.stop)

    @classmethod
    def serve(cls, upstream, *options):
        return Server("--workers", "1", "--worker-class", cls.worker_class, "--db-url", cls.url, "--db-connections", "4",
                      "--upstream", upstream, "--upstream-connections", "100", *options, program="upstream_waits")

    def get(self, path):
        status, _, body = self.server.get(path)
        return status, body.decode()

    def test_one_row_by_its_key(self):
        for path in ("/db?id=7", "/db-sync?id=7"):
            status, body = self.get(path)
            self.assertEqual(status, 200, path)
            self.assertEqual(json.loads(body).keys(), {"id", "randomnumber"})
            self.assertEqual(json.loads(body)["id"], 7)

    def test_sync_and_async_views_see_the_same(self):
        self.assertEqual(self.get("/db?id=1234"), self.get("/db-sync?id=1234"))

    def test_a_missing_row_is_404(self):
        for path in ("/db?id=10001", "/db-sync?id=10001"):
            self.assertEqual(self.get(path)[0], 404)

    def test_an_invalid_id_is_400(self):
        self.assertEqual(self.get("/db?id=x")[0], 400)

    def test_many_rows(self):
        rows = json.loads(self.get("/queries?n=100")[1])
        self.assertEqual(len(rows), 100)
        for row in rows[:3]:
            self.assertEqual(json.loads(self.get(f"/db?id={row['id']}")[1]), row)

    def test_the_response_of_the_upstream(self):
        self.assertEqual(self.get("/upstream?path=/text%3Fn=5"), (200, "xxxxx"))
        self.assertEqual(self.get("/upstream?path=/nothing")[0], 404)

    def test_row_then_upstream(self):
        number = json.loads(self.get("/db?id=1")[1])["randomnumber"]
        self.assertEqual(self.get("/row-then-upstream?path=/"), (200, f"{number} Hello, World!"))

    def test_three_queries_and_two_calls(self):
        total = sum(json.loads(self.get(f"/db?id={i}")[1])["randomnumber"] for i in (1, 2, 3))
        self.assertEqual(self.get("/fan?path=/"), (200, f"{total} Hello, World!Hello, World!"))

    def test_both_calls_run_concurrently(self):
        # The service responds to neither call before both have arrived.
        with BarrierService(2) as service, self.serve(f"http://127.0.0.1:{service.port}") as server:
            status, _, body = server.get("/fan?path=/")
        self.assertEqual((status, body.decode().split()[1]), (200, "metmet"))

    def test_streamed_rows(self):
        lines = self.get("/rows?n=25000")[1].splitlines()
        self.assertEqual(lines[0], "id,randomnumber")
        self.assertEqual(len(lines), 25001)
        self.assertEqual(lines[1], lines[10001])

    def test_four_connections_serve_many_waiting_requests(self):
        # The service responds to none before all have arrived: a request that kept its connection would block the others.
        with BarrierService(self.concurrency) as service, self.serve(f"http://127.0.0.1:{service.port}") as server:
            responses = []
            threads = [threading.Thread(target=lambda: responses.append(server.get("/row-then-upstream?path=/", timeout=90)))
                       for _ in range(self.concurrency)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        self.assertEqual([status for status, _, _ in responses], [200] * self.concurrency)
        self.assertEqual({body.decode().split()[1] for _, _, body in responses}, {"met"})

    def disconnect_while_waiting(self, server, path, waits):
        """Sends a request and disconnects as soon as it waits."""
        with server.connect() as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            server.wait_until(waits, what=f"{path} to wait")


class OverPostgres(UpstreamWaits, unittest.TestCase):
    @classmethod
    def database(cls):
        cls.postgres = PostgresServer()
        cls.addClassCleanup(cls.postgres.close)
        return cls.postgres.url

    def sleeping(self):
        """Number of statements that sleep in the database."""
        return int(self.postgres.sql("select count(*) from pg_stat_activity where state = 'active' and "
                                     "query like 'select pg_sleep(%'"))

    def test_a_sleep_in_the_database(self):
        for path in ("/db-sleep?ms=20", "/db-sleep-sync?ms=20"):
            self.assertEqual(self.get(path), (200, "slept\n"))

    def test_a_client_that_disconnects_ends_the_statement_of_its_view(self):
        for path in ("/db-sleep?ms=60000", "/db-sleep-sync?ms=60000"):
            self.disconnect_while_waiting(self.server, path, lambda: self.sleeping() == 1)
            self.server.wait_until(lambda: self.sleeping() == 0, what=f"the statement of {path} to end")
            self.assertEqual(self.get("/db?id=7")[0], 200)

    def disconnect_at_random(self, seed):
        rnd = random.Random(seed)
        for _ in range(40):
            with self.server.connect() as s:
                path = rnd.choice(("/db?id=3", "/db-sync?id=3", "/db-sleep?ms=3", "/db-sleep-sync?ms=3", "/fan?path=/",
                                   "/upstream?path=/", "/upstream-sync?path=/", "/rows?n=20000", "/queries?n=50"))
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                time.sleep(rnd.random() * 0.004)
                if rnd.random() < 0.5:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset

    def test_clients_that_disconnect_at_any_time_leave_nothing_running(self):
        threads = [threading.Thread(target=self.disconnect_at_random, args=(seed,)) for seed in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        active = ("select count(*) from pg_stat_activity where application_name = 'rondo' and "
                  "(state = 'active' or state like 'idle in transaction%')")
        self.server.wait_until(lambda: self.postgres.sql(active) == "0", what="the abandoned statements to end")
        self.server.wait_until(lambda: self.get("/db-sync?id=7")[0] == 200, what="a response")
        self.assertLessEqual(int(self.postgres.sql("select count(*) from pg_stat_activity where "
                                                   "application_name = 'rondo'")), 4)

    def test_the_deadline_of_a_request_ends_the_statement_of_its_view(self):
        with self.serve("http://127.0.0.1:1", "--request-timeout", "2s") as server:
            for path in ("/db-sleep?ms=60000", "/db-sleep-sync?ms=60000"):
                self.assertGreaterEqual(server.get(path)[0], 500, path)
                server.wait_until(lambda: self.sleeping() == 0, what=f"the statement of {path} to end")
                self.assertEqual(server.get("/db?id=7")[0], 200)


class OverPostgresOnThreads(OverPostgres):
    worker_class = "threads"
    concurrency = 30


class OverPostgresOneAtATime(OverPostgres):
    worker_class = "sync"
    concurrency = 1


class OverSqlite(UpstreamWaits, unittest.TestCase):
    @classmethod
    def database(cls):
        return f"sqlite:{cls.upstream.folder.name}/upstream_waits.db"

    def test_a_client_that_disconnects_ends_the_call_of_its_view(self):
        with SilentService() as service, self.serve(f"http://127.0.0.1:{service.port}") as server:
            for n, path in enumerate(("/upstream?path=/", "/upstream-sync?path=/"), 1):
                self.disconnect_while_waiting(server, path, lambda: service.requests == n)
                server.wait_until(lambda: service.disconnected == n, what=f"the call of {path} to end")

    def test_the_deadline_of_a_request_ends_the_call_of_its_view(self):
        with SilentService() as service, self.serve(f"http://127.0.0.1:{service.port}", "--request-timeout", "300ms") as server:
            for path in ("/upstream?path=/", "/upstream-sync?path=/"):
                self.assertGreaterEqual(server.get(path)[0], 500, path)
                server.wait_until(lambda: service.disconnected == service.requests, what=f"the call of {path} to end")


class OverSqliteOnThreads(OverSqlite):
    worker_class = "threads"
    concurrency = 30


class OverSqliteOneAtATime(OverSqlite):
    worker_class = "sync"
    concurrency = 1


if __name__ == "__main__":
    unittest.main()
