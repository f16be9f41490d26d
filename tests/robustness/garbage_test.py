# SPDX-License-Identifier: Apache-2.0
"""Garbage from a seeded generator: the server survives, serves other clients, and its memory stays bounded."""
import os
import random
import select
import socket
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BACKENDS, Server  # noqa: E402

SECONDS = float(os.environ.get("GARBAGE_SECONDS", "8"))
PIECES = [b"GET ", b"POST ", b"HEAD ", b"OPTIONS ", b"CONNECT ", b"/", b"/echo", b"/large", b"/stream", b"/static/range.bin",
          b"/form", b"/raise-mid", b"/slow", b"/short", b"*", b"http://a/", b"?a=b", b"%2e%2e/", b"%", b" HTTP/1.1\r\n",
          b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b"Host: a\r\n", b"Host: \r\n", b"Content-Length: 5\r\n", b"Content-Length: 99999\r\n",
          b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n",
          b"Expect: 100-continue\r\n", b"Range: bytes=0-1,5-\r\n", b"If-None-Match: *\r\n", b"Upgrade: h2c\r\n",
          b"Content-Type: multipart/form-data; boundary=X\r\n", b"Content-Type: application/x-www-form-urlencoded\r\n",
          b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", b"--X--\r\n", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0",
          b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n", b";a=\"b\r\n", b"a=1&b=2", b"X" * 5000, b": " * 50, b"\xff\xfe"]
WHOLE = [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
         b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
         b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /static/hello.txt HTTP/1.1\r\nHost: a\r\n\r\n"]


def make(rnd):
    kind = rnd.random()
    if kind < 0.2:
        return rnd.randbytes(rnd.randint(1, 3000))
    if kind < 0.6:
        return b"".join(rnd.choice(PIECES) for _ in range(rnd.randint(1, 30)))
    data = bytearray(b"".join(rnd.choice(WHOLE) for _ in range(rnd.randint(1, 4))))
    for _ in range(rnd.randint(0, 4)):  # valid requests with a few wrong bytes
        at = rnd.randrange(len(data))
        how = rnd.random()
        if how < 0.4:
            data[at] = rnd.randrange(256)
        elif how < 0.7:
            del data[at:at + rnd.randint(1, 5)]
        else:
            data[at:at] = rnd.choice(PIECES)
    return bytes(data)


def attack(server, rnd):
    try:
        with server.connect(timeout=2) as s:
            data = make(rnd)
            while data:
                n = rnd.choice((1, 7, 100, 10000, 10000))
                s.sendall(data[:n])
                data = data[n:]
            if rnd.random() < 0.3:
                s.shutdown(socket.SHUT_WR)
            s.setblocking(False)
            if rnd.random() < 0.7 and select.select([s], [], [], rnd.random() * 0.02)[0]:
                s.recv(rnd.choice((10, 100000)))
    except OSError:
        pass


class Garbage(unittest.TestCase):
    def attack_server(self, backend, seed, failures):
        try:
            with Server("--backend", backend, "--header-timeout", "1s", "--body-timeout", "1s", "--write-timeout", "1s") as server:
                server.get("/large")
                rnd = random.Random(seed)
                end = time.monotonic() + SECONDS
                count, peak = 0, 0
                while time.monotonic() < end or count <= 100:
                    attack(server, rnd)
                    count += 1
                    if count % 100 == 0:
                        self.assertEqual(server.get("/")[0], 200)
                        peak = max(peak, server.memory())
                self.assertLess(peak, 150 << 20)
                server.wait_for_no_connections()
                self.assertEqual(server.get("/static/hello.txt")[2], b"hello static\n")
                self.assertNotIn("bug:", server.log)
        except BaseException as e:  # noqa: B902 - a failure in a thread fails the test
            failures.append(f"{backend}, seed {seed}: {e!r}")

    def test_the_server_survives(self):
        failures = []
        threads = [threading.Thread(target=self.attack_server, args=(backend, seed, failures))
                   for seed, backend in enumerate(BACKENDS, int(os.environ.get("GARBAGE_SEED", "1")))]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(failures, [])


if __name__ == "__main__":
    unittest.main(warnings="ignore")
