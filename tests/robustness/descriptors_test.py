# SPDX-License-Identifier: Apache-2.0
"""Out of descriptors: the server pauses accepting without spinning, and resumes afterwards."""
import resource
import socket
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import ONE_WORKER, TIMEOUT, Server, each_backend  # noqa: E402


def limit_to_64():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


class Descriptors(unittest.TestCase):
    @each_backend
    def test_exhaustion_neither_spins_nor_kills(self, backend):
        with Server("--backend", backend, *ONE_WORKER, preexec=limit_to_64) as server:
            server.get("/")  # starts a thread in a threads worker, because a new one would need descriptors
            clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(100)]
            server.wait_for_log("raise the limit of open files")
            used = server.cpu_seconds()
            time.sleep(1.5)
            self.assertLess(server.cpu_seconds() - used, 0.3)
            # An accepted connection is served.
            clients[0].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertIn(b"200 OK", clients[0].recv(4096))
            # A static file needs a descriptor: only that request fails.
            clients[1].sendall(b"GET /static/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertRegex(clients[1].recv(4096), rb"^HTTP/1.1 (500|503|200) ")
            for c in clients[:60]:
                c.close()
            # The connections that waited are accepted.
            clients[-1].sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            clients[-1].settimeout(TIMEOUT)
            self.assertIn(b"200 OK", clients[-1].recv(4096))
            for c in clients[60:]:
                c.close()
            self.assertEqual(server.get("/static/hello.txt")[2], b"hello static\n")
            self.assertLess(server.log.count("accept paused"), 5)

    @each_backend
    def test_max_connections(self, backend):
        with Server("--backend", backend, "--max-connections", "10", *ONE_WORKER) as server:
            clients = [server.connect() for _ in range(10)]
            for c in clients:
                c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b"200 OK", c.recv(4096))
            with server.connect() as more:
                self.assertEqual(more.recv(10), b"")
            clients.pop().close()
            server.wait_until(lambda: self.responds(server), what="the connection to be released")
            for c in clients:
                c.close()

    @staticmethod
    def responds(server):
        try:
            return server.get("/")[0] == 200
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main(warnings="ignore")
