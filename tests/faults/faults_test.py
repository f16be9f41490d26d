# SPDX-License-Identifier: Apache-2.0
"""The machine runs out of memory for connections, epoll watches or disk space. The server neither spins nor crashes, and
continues when the shortage is over."""
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BIN, Server, each_backend, read_all  # noqa: E402

WORKERS = (0, 2)  # a single process accepts in another way than several workers


def send_request(server, path="/"):
    s = server.connect()
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    return s


def cpu_used_in_a_second(server):
    before = server.cpu_seconds()
    time.sleep(1)
    return server.cpu_seconds() - before


class Memory(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        self.fault = Path(folder.name) / "fault"

    def serve(self, *options, variable="ACCEPT_FAILS", **more):
        return Server(*options, **more, env={"LD_PRELOAD": str(BIN / "accept_preload.so"), variable: str(self.fault)})

    @each_backend
    def test_no_memory_for_connections(self, backend):
        if backend == "io_uring" and tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 9):
            self.skipTest("this kernel's io_uring cannot be made to fail")
        for workers in WORKERS:
            self.fault.touch()
            with self.serve("--backend", backend, "--workers", workers) as server:
                self.check_no_memory(server, f"{backend}, {workers} workers")

    def test_no_epoll_watches_for_connections(self):
        self.fault.touch()
        with self.serve("--backend", "epoll", "--workers", 2, variable="WATCH_FAILS") as server:
            server.wait_for_log("accept paused for 100 ms: No space left on device")
            workers = server.serving()
            self.assertLess(cpu_used_in_a_second(server), 0.2)
            self.fault.unlink()
            self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.serving(), workers, "a worker exited")

    def test_no_epoll_watches_for_another_worker(self):
        with self.serve("--workers", 2, variable="WATCH_FAILS", program="chat") as server:
            workers = server.serving()
            readers = [send_request(server, "/rooms/a") for _ in range(8)]
            for s in readers:
                self.assertTrue(s.recv(1000))
            os.kill(workers[0], signal.SIGSTOP)
            try:
                self.fault.touch()
                text = b"x" * 900_000
                post = (f"POST /rooms/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
                        .encode() + text)
                writers = []
                for _ in range(60):  # until messages for the stopped worker have to wait
                    if self.fault.stat().st_size:
                        break
                    s = server.connect()
                    s.settimeout(1)
                    try:
                        s.sendall(post)
                        writers.append(s)
                    except TimeoutError:  # the kernel gave the connection to the stopped worker
                        s.close()
                    time.sleep(0.2)
            finally:
                os.kill(workers[0], signal.SIGCONT)
            self.assertGreater(self.fault.stat().st_size, 0)
            self.fault.unlink()
            for s in writers:
                s.settimeout(60)
                self.assertIn(b" 200 ", read_all(s)[:20])
                s.close()
            for s in readers:
                s.close()
            self.assertEqual(server.serving(), workers, "a worker exited")

    def check_no_memory(self, server, setup):
        clients = [send_request(server) for _ in range(20)]
        server.wait_for_log("accept paused for 100 ms: Cannot allocate memory")
        failed = self.fault.stat().st_size
        used = cpu_used_in_a_second(server)
        failed = self.fault.stat().st_size - failed
        print(f"{setup}: ENOMEM {failed} times in a second, {used:.2f} s of CPU", flush=True)
        self.assertLess(used, 0.2)
        self.assertLess(failed, 50)
        self.assertGreater(failed, 0)
        self.fault.unlink()
        for s in clients:
            self.assertTrue(read_all(s).endswith(b"ok\n"))
            s.close()
        self.assertEqual(server.get("/")[0], 200)
        self.assertLessEqual(server.log.count("accept paused"), len(server.serving()))


class FullDisk(unittest.TestCase):
    """Both logs are on a separate file system of 256 KiB."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "rondo-test", folder.name], capture_output=True,
                              text=True)
        if done.returncode:
            print("NOT TESTED: a full disk, because no file system can be mounted:", done.stderr.strip(), flush=True)
            self.skipTest("no file system can be mounted")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", folder.name], check=True))
        self.access, self.errors, self.filler = (Path(folder.name) / name for name in ("access", "errors", "filler"))

    def fill(self):
        with open(self.filler, "wb", buffering=0) as file:
            for size in (4096, 64, 1):  # to the last byte
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    pass

    @each_backend
    def test_a_full_disk_loses_lines_but_no_requests(self, backend):
        for workers in WORKERS:
            for file in (self.access, self.errors, self.filler):
                file.unlink(missing_ok=True)
            with Server("--backend", backend, "--workers", workers, "--access-log", self.access, "--error-log", self.errors,
                        log=self.errors) as server:
                self.check_full_disk(server, f"{backend}, {workers} workers")

    def check_full_disk(self, server, setup):
        server.get("/?before")
        server.wait_until(lambda: "/?before" in self.access.read_text())
        self.fill()
        serving = server.serving()
        before = server.cpu_seconds()
        for i in range(300):  # more lines than fit into the last block of the file
            self.assertEqual(server.get(f"/?{'lost' * 20}{i}")[0], 200)
        self.assertEqual(server.get("/raise")[0], 500)  # it is logged in the error log
        busy, idle = server.cpu_seconds() - before, cpu_used_in_a_second(server)
        print(f"{setup}: a full disk, 301 requests in {busy:.2f} s of CPU, then {idle:.2f} s in a second", flush=True)
        self.assertLess(busy, 3)
        self.assertLess(idle, 0.2)
        self.filler.unlink()
        server.wait_until(self.log_written_again(server), what="a line in the access log")
        # The loss is reported when the logs close at the latest.
        server.signal(signal.SIGTERM)
        self.assertEqual(server.wait(), 0)
        lost = sum(int(n) for n in re.findall(r"(\d+) lines of '\S+access' were lost", self.errors.read_text()))
        kept = self.access.read_text().splitlines()
        self.assertGreater(lost, 0)
        sent = 1 + 301 + self.again
        complete = [line for line in kept if line.endswith('"-" "-"')]
        self.assertGreaterEqual(len(complete) + lost, sent)
        # A truncated line is terminated before the next line.
        self.assertLessEqual(len(kept) - len(complete), len(serving))

    def log_written_again(self, server):
        self.again = 0

        def written():
            self.again += 1
            server.get(f"/?again{self.again}")
            return "/?again" in self.access.read_text()
        return written


if __name__ == "__main__":
    unittest.main(warnings="ignore")
