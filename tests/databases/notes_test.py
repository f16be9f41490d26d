#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs examples/notes on SQLite and PostgreSQL, and lets PostgreSQL fail."""
import collections
import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from postgres_server import PostgresServer  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../testbed"))
from server import BIN, SOURCE, Server, free_port  # noqa: E402

PROGRAM = str(BIN / "notes")
MIGRATIONS = str(SOURCE / "examples/notes/migrations")


def run(*arguments, url):
    return subprocess.run([PROGRAM, *arguments, "--db-url", url, "--migrations", MIGRATIONS], capture_output=True,
                          text=True, timeout=60)


class Notes(Server):
    """The running program."""

    def __init__(self, url, *options):
        super().__init__("--db-url", url, "--migrations", MIGRATIONS, *options, program="notes")

    def send(self, method, path, body=None, headers=None):
        status, _, text = self.request(method, path, body, **(headers or {}))
        return status, text.decode()


def wait_until(condition, message, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(message() if callable(message) else message)
        time.sleep(0.02)


class OnEveryDatabase:
    """Tests that run on both databases."""

    def test_notes(self):
        json_type = {"Content-Type": "application/json"}
        form_type = {"Content-Type": "application/x-www-form-urlencoded"}
        with Notes(self.url, *self.more) as notes:
            self.assertEqual(notes.send("GET", "/notes/1")[0], 404)
            status, body = notes.send("POST", "/notes", json.dumps({"text": "it's \"first\"", "stars": 2}), json_type)
            self.assertEqual((status, json.loads(body)["id"]), (200, 1), body)
            self.assertEqual(json.loads(notes.send("GET", "/notes/1")[1]),
                             {"id": 1, "text": "it's \"first\"", "stars": 2})
            self.assertEqual(notes.send("POST", "/form", "text=second&stars=", form_type), (200, "note 2\n"))
            self.assertEqual(notes.send("POST", "/form", "stars=x", form_type), (200, "'text' is missing\n"))
            status, body = notes.send("POST", "/notes", '{"stars": 1}', json_type)
            self.assertEqual(status, 422)
            self.assertIn("'text' is missing", body)
            self.assertEqual(notes.send("GET", "/count"), (200, "2 notes, the last is 2\n"))
            self.assertEqual(notes.send("GET", "/stats"), (200, "1 0 1\n"))
            self.assertEqual(notes.send("GET", "/notes"), (200, "1,it's \"first\"\n2,second\n"))
            with concurrent.futures.ThreadPoolExecutor(16) as threads:
                made = list(threads.map(
                    lambda n: notes.send("POST", "/notes", json.dumps({"text": str(n)}), json_type), range(100)))
            self.assertEqual({status for status, _ in made}, {200}, made)
            self.assertEqual({json.loads(body)["id"] for _, body in made}, set(range(3, 103)))
            with concurrent.futures.ThreadPoolExecutor(16) as threads:
                counted = list(threads.map(lambda _: notes.send("GET", "/count"), range(50)))
            self.assertEqual(set(counted), {(200, "102 notes, the last is 102\n")})

    def test_migrate(self):
        status = run("migrate", "--status", url=self.url)
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("applied at 20", status.stdout)
        again = run("migrate", url=self.url)
        self.assertEqual((again.returncode, again.stdout), (0, "nothing to do: all 1 migrations are already applied\n"))


class OnSqlite(OnEveryDatabase, unittest.TestCase):
    more = ()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:{self.folder.name}/notes.db"
        done = run("migrate", url=self.url)
        self.assertEqual((done.returncode, done.stdout), (0, "applied 0001_notes.sql\n"), done.stderr)

    def tearDown(self):
        self.folder.cleanup()


class InThreads(OnSqlite):
    """Views run on threads, each with a loop of its own; the connections belong to one loop."""
    more = ("--worker-class", "threads")


class InOneThread(OnSqlite):
    more = ("--worker-class", "sync")


class InWorkers(OnSqlite):
    """Four processes, one file."""
    more = ("--workers", "4")


class OnPostgres(OnEveryDatabase, unittest.TestCase):
    more = ()

    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.server.sql("drop database if exists notes with (force)")
        self.server.sql("create database notes")
        self.url = self.server.url_of("notes")
        # Two machines start at the same time.
        both = [subprocess.Popen([PROGRAM, "migrate", "--db-url", self.url, "--migrations", MIGRATIONS],
                                 stdout=subprocess.PIPE, text=True) for _ in range(2)]
        outputs = sorted(p.communicate(timeout=60)[0] for p in both)
        self.assertEqual(outputs, ["applied 0001_notes.sql\n", "nothing to do: all 1 migrations are already applied\n"])

    def running(self):
        return int(self.server.sql("select count(*) from pg_stat_activity where state = 'active' and query like "
                                   "'select pg_sleep($1)%'"))

    def test_a_client_that_disconnects_cancels_its_query(self):
        with Notes(self.url) as notes:
            with socket.create_connection(("127.0.0.1", notes.port)) as s:
                s.sendall(b"GET /slow?seconds=60 HTTP/1.1\r\nHost: x\r\n\r\n")
                wait_until(lambda: self.running() == 1, "the query did not start")
            wait_until(lambda: self.running() == 0, "the query is still running")
            self.assertEqual(notes.send("GET", "/count")[0], 200)

    def test_survives_restarts_of_postgres(self):
        with Notes(self.url, "--db-connections", "5") as notes:
            statuses, stop = [], threading.Event()

            def send_requests():
                while not stop.is_set():
                    statuses.append(notes.send("GET", "/stats")[0])

            threads = [threading.Thread(target=send_requests) for _ in range(4)]
            for t in threads:
                t.start()
            for how in (signal.SIGINT, signal.SIGKILL):
                wait_until(lambda: statuses.count(200) > 50, lambda: f"before a restart: {collections.Counter(statuses)}")
                self.server.stop(how)
                self.server.start()
                statuses.clear()
            wait_until(lambda: statuses.count(200) > 50, lambda: f"after the restarts: {collections.Counter(statuses)}")
            stop.set()
            for t in threads:
                t.join()
            # Only requests in flight are lost: one per thread and restart.
            self.assertLessEqual(len(statuses) - statuses.count(200), 8)

    def test_more_connections_than_postgres_has_left(self):
        clients = [subprocess.Popen(["psql", "-XAtq", self.url, "-c", "select pg_sleep(600)"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) for _ in range(40)]
        try:
            wait_until(lambda: int(self.server.sql("select count(*) from pg_stat_activity where datname = 'notes'")) == 40,
                       "the other clients did not connect")
            with Notes(self.url, "--db-connections", "30") as notes:
                with concurrent.futures.ThreadPoolExecutor(40) as threads:
                    statuses = list(threads.map(lambda _: notes.send("GET", "/stats")[0], range(200)))
                self.assertEqual(set(statuses), {200})
        finally:
            for p in clients:
                p.terminate()
            for p in clients:
                p.wait()


class OnPostgresInThreads(unittest.TestCase):
    more = ("--worker-class", "threads", "--workers", "2")

    def test_notes(self):
        with PostgresServer() as server:
            self.url = server.url
            self.assertEqual(run("migrate", url=self.url).returncode, 0)
            OnEveryDatabase.test_notes(self)


class Errors(unittest.TestCase):
    def error_of(self, url):
        done = run("migrate", url=url)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_messages_say_what_to_correct(self):
        self.assertIn("unknown scheme", self.error_of("mysql://x"))
        self.assertIn("cannot open the SQLite file", self.error_of("sqlite:/nowhere/at/all.db"))
        self.assertIn("start PostgreSQL, or correct host and port", self.error_of(f"postgres://u:hush@127.0.0.1:{free_port()}/x"))
        self.assertNotIn("hush", self.error_of(f"postgres://u:hush@127.0.0.1:{free_port()}/x"))


if __name__ == "__main__":
    unittest.main()
