# SPDX-License-Identifier: Apache-2.0
"""FastAPI and Starlette, unchanged, and httpx as their client."""
import gzip
import json
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from python_server import ALL_PYTHONS, APPS, Client, PythonServer, SharedServers, each_server, python_of

MIB = 1 << 20


class FastApi(SharedServers):
    app = "fastapi_app:app"

    @each_server(pythons=ALL_PYTHONS)
    def test_parameters_dependencies_and_validation(self, server):
        self.assertEqual(server.get_json("/items/5?q=a%20b"), {"number": 5, "session": "a session", "q": "a b"})
        self.assertEqual(server.get("/items/404")[0], 404)
        self.assertEqual(server.get("/items/five")[0], 422)
        status, _, body = server.request("POST", "/items", json.dumps({"name": "a", "price": 2}), Content_Type="application/json")
        self.assertEqual((status, json.loads(body)), (201, {"name": "a", "price": 2.0}))
        self.assertEqual(server.request("POST", "/items", "{", Content_Type="application/json")[0], 422)
        opened = len(server.events("session", "opened"))
        server.wait_until(lambda: len(server.events("session", "closed")) == opened, "the dependencies to end")

    @each_server(pythons=ALL_PYTHONS)
    def test_sync_endpoints_run_in_threads_side_by_side(self, server):
        self.assertEqual(server.get_json("/sync"), [True, True])
        keys = [server.key() for _ in range(8)]
        clients = [Client(server) for _ in keys]
        for key, client in zip(keys, clients):
            client.request("GET", f"/sync-wait/{key}")
        for key in keys:
            server.wait_for_event(key, "waits")
        for key, client in zip(keys, clients):
            server.open(key)
            self.assertEqual(client.response().json(), "waited")
            client.close()

    @each_server()
    def test_background_tasks_do_not_hold_the_connection(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("GET", f"/background/{key}")
            self.assertEqual(client.response().json(), "answered")
            client.request("GET", "/items/1")
            self.assertEqual(client.response().status, 200)
            self.assertFalse(server.events(key))
        server.open(key)
        server.wait_for_event(key, "in a thread")
        self.assertEqual([e[1] for e in server.events(key)], ["async", "in a thread"])

    @each_server()
    def test_streams(self, server):
        for target, body in (("/stream", "".join(f"part {i};" for i in range(100))), ("/sync-stream", "".join(f"{i};" for i in range(100)))):
            r = self.get(server, target)
            self.assertEqual((r.body.decode(), r.complete, r.field("transfer-encoding")), (body, True, "chunked"))

    @each_server()
    def test_state_and_openapi(self, server):
        self.assertEqual(server.get_json("/state", Host="test"), ["connected", "127.0.0.1", "http://test/state", ""])
        self.assertEqual(server.get_json("/openapi.json")["info"]["title"], "Tests")
        self.assertIn(b"openapi.json", server.get("/docs")[2])

    @each_server()
    def test_uploads(self, server):
        content = b"f" * (3 * MIB)
        status, _, body = server.request("POST", "/upload", content, Content_Type="application/x-mine")
        self.assertEqual((status, json.loads(body)), (200, ["application/x-mine", len(content)]))

    @each_server()
    def test_an_exception_is_logged_once_and_ends_dependencies(self, server):
        before = server.log.count("ValueError: a view fails on purpose")
        self.assertEqual(server.get("/fails")[0], 500)
        server.wait_for_event("session", "closed", "/fails")
        server.wait_until(lambda: server.log.count("ValueError: a view fails on purpose") > before, "the log")
        self.assertEqual(server.get("/items/1")[0], 200)
        self.assertEqual(server.log.count("ValueError: a view fails on purpose"), before + 1)

    def test_lifespan(self):
        for python in ALL_PYTHONS:
            with self.subTest(python=python), PythonServer(self.app, "--workers", "2", python=python) as server:
                server.wait_until(lambda: len(server.events("startup")) == 2, "both workers")
                server.signal(signal.SIGTERM)
                self.assertEqual(server.wait(), 0)
                self.assertEqual(len(server.events("shutdown")), 2)

    @each_server()
    def test_httpx_is_a_client(self, server):
        code = ("import httpx, sys\nwith httpx.Client(base_url=sys.argv[1]) as c:\n"
                "    r = [c.get('/items/%d' % i).json()['number'] for i in range(20)]\n"
                "    assert r == list(range(20)), r\n"
                "    r = c.post('/upload', data={'a': 'x' * 100_000}).json()\n    assert r[1] == 100_002, r\n"
                "    with c.stream('GET', '/stream') as s: assert len(list(s.iter_text())) > 0\n")
        done = subprocess.run([python_of(server.python), "-c", code, f"http://127.0.0.1:{server.port}"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


class StarletteTest(SharedServers):
    app = "starlette_app:app"

    def leave(self, server, target, wait_for):
        client = Client(server)
        client.request("GET", target)
        wait_for(client)
        client.close()

    @each_server()
    def test_an_event_stream_ends_with_its_client(self, server):
        keys = [server.key() for _ in range(10)]
        for key in keys:
            self.leave(server, f"/events?id={key}", lambda c: c.wait_for(b"tick"))
        for key in keys:
            server.wait_for_event(key, "closed")
        self.assertNotIn("Traceback", server.log)

    @each_server()
    def test_long_polling_ends_with_its_client(self, server):
        key = server.key()
        self.leave(server, f"/poll?id={key}", lambda c: server.wait_for_event(key, "polls"))
        server.wait_for_event(key, "gone")
        self.assertNotIn("Traceback", server.log)

    @each_server()
    def test_a_client_that_leaves_its_upload_is_not_logged(self, server):
        key = server.key()
        with Client(server) as client:
            client.request("POST", f"/body?id={key}", "Content-Length: 1000000")
            client.send(b"x" * 1000)
            server.wait_for_event(key, "receives")
        self.assertEqual(server.request("POST", "/body", b"x" * 5000)[2], b"5000")
        server.wait_for_no_connections()
        self.assertNotIn("Traceback", server.log)

    @each_server()
    def test_files(self, server):
        content = (APPS / "starlette_app.py").read_bytes()
        self.assertEqual(server.get("/file")[2], content)
        status, fields, body = server.get("/file", Range="bytes=5-9")
        self.assertEqual((status, body), (206, content[5:10]))
        self.assertEqual(server.get("/hello")[2], b"hello")

    def test_static_files(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            (Path(folder) / "a.bin").write_bytes(b"s" * (2 * MIB))
            with PythonServer(self.app, folder=folder) as server:
                self.assertEqual(server.get("/static/a.bin")[2], b"s" * (2 * MIB))
                self.assertEqual(server.get("/static/none")[0], 404)


class Middleware(StarletteTest):
    """The same behaviours, through BaseHTTPMiddleware and gzip."""
    app = "starlette_app:with_middleware"
    # Request.is_disconnected() is always false behind a BaseHTTPMiddleware, with every server.
    test_long_polling_ends_with_its_client = None

    @each_server()
    def test_middleware_changes_the_response(self, server):
        r = self.get(server, "/long", "Accept-Encoding: gzip")
        self.assertEqual((r.field("x-marked"), r.field("content-encoding")), ("yes", "gzip"))
        self.assertEqual(gzip.decompress(r.body), b"a long text; " * 1000)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
