# SPDX-License-Identifier: Apache-2.0
"""Reloads, more and fewer workers, and replacements under load: no request fails."""
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter, Traffic, state_of  # noqa: E402
from server import BIN, TIMEOUT, each_backend  # noqa: E402


def reload(server):
    """One HUP; the workers it led to."""
    before = set(server.workers().values())
    server.signal(signal.SIGHUP)
    return server.wait_for_workers(len(before), before)


# The connections of the load: half kept, half of one request each.
LOAD = {"kept": 100, "short": 100, "pause": 0.05}


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def number_in(file):
    """None as long as it is not there, or not written."""
    file = Path(file)
    return int(text) if file.exists() and (text := file.read_text().strip()) else None


def files_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Reload(unittest.TestCase):
    @each_backend
    def test_twenty_under_load_half_with_another_binary(self, backend):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            program = Path(folder) / "testbed"
            shutil.copy(BIN / "testbed", program)
            with Arbiter("--backend", backend, program=program, workers=2) as server:
                idle = server.descriptors()
                with Traffic(server.port, **LOAD) as traffic:
                    for i in range(20):
                        if i % 2:  # as an installation does it
                            shutil.copy(BIN / "testbed", str(program) + ".new")
                            os.replace(str(program) + ".new", program)
                        reload(server)
                        traffic.wait_for(200)
                        if i == 4:
                            server.wait_until(lambda: len(server.children()) == 2, what="the end of the old workers")
                            files, memory = files_of(server.pid), memory_of(server.pid)
                self.assertEqual(traffic.failures, [], server.log)
                server.wait_until(lambda: len(server.children()) == 2, what="the end of the old workers")
                print(f"{backend}: 20 reloads, {traffic}; the arbiter's descriptors {files} -> {files_of(server.pid)}, "
                      f"memory {memory} -> {memory_of(server.pid)} KiB", flush=True)
                self.assertLessEqual(files_of(server.pid), files)
                self.assertLess(memory_of(server.pid), memory + 1024)
                # What a worker was born with, once its connections are gone: nothing is handed down that was not before.
                server.wait_until(lambda: server.descriptors() <= idle, what="the end of the connections")
                self.assertNotIn("(deleted)", os.readlink(f"/proc/{server.pid}/exe"))

    @each_backend
    def test_one_worker_only(self, backend):
        with Arbiter("--backend", backend, workers=1) as server:
            with Traffic(server.port, kept=4, short=8, pause=0) as traffic:
                for _ in range(5):
                    reload(server)
                    traffic.wait_for(50)
            self.assertEqual(traffic.failures, [], server.log)

    def test_what_it_finds_then_counts(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            file.write_text("workers = 2\nmax-body = \"10\"\n")
            with Arbiter("--config", file, workers=2) as server:
                self.assertEqual(server.request("POST", "/echo", b"x" * 20)[0], 413)
                file.write_text("workers = 2\nmax-body = \"30\"\n")
                reload(server)
                self.assertEqual(server.request("POST", "/echo", b"x" * 20)[0], 200)

    def test_a_broken_file_leaves_everything_as_it_was(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            file.write_text("max-body = \"10\"\n")
            with Arbiter("--config", file) as server:
                before = server.workers()
                file.write_text("max-body = \"many\"\n")
                server.signal(signal.SIGHUP)
                server.wait_for_log("reload failed.*many")
                self.assertEqual(server.workers(), before)
                self.assertEqual(server.get("/")[0], 200)
                file.write_text("max-body = \"20\"\n")
                reload(server)

    def test_a_binary_that_does_not_start_leaves_everything_as_it_was(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            program = Path(folder) / "testbed"
            shutil.copy(BIN / "testbed", program)
            with Arbiter(program=program) as server:
                before = server.workers()
                for broken in (b"#!/bin/sh\necho broken on purpose >&2\nexit 7\n", b"\x7fELF nothing"):
                    program.unlink()
                    program.write_bytes(broken)
                    program.chmod(0o755)
                    lines = server.log.count("reload failed")
                    server.signal(signal.SIGHUP)
                    server.wait_until(lambda: server.log.count("reload failed") > lines, what="the end of the reload")
                    self.assertEqual(server.get("/")[0], 200)
                program.unlink()
                server.signal(signal.SIGHUP)
                server.wait_for_log("No such file")
                self.assertEqual(server.workers(), before)
                self.assertIn("broken on purpose", server.log)
                shutil.copy(BIN / "testbed", program)
                reload(server)

    def test_workers_that_do_not_start_leave_the_old_ones(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            with Arbiter(env={"TESTBED_FAILS": f"{folder}/fail"}) as server:
                before = server.workers()
                Path(folder, "fail").touch()
                server.signal(signal.SIGHUP)
                server.wait_for_log("reload failed: the new worker did not start")
                self.assertEqual(server.get("/")[0], 200)
                server.wait_for_workers(2)
                self.assertEqual(set(server.workers().values()), set(before.values()))
                Path(folder, "fail").unlink()
                reload(server)

    def test_another_address(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file, one, two = (Path(folder) / name for name in ("rondo.toml", "one", "two"))
            file.write_text(f'bind = ["unix:{one}"]\n')
            with Arbiter("--config", file, bind=None) as server:
                file.write_text(f'bind = ["unix:{two}"]\n')
                reload(server)
                self.assertTrue(two.exists())
                self.assertFalse(one.exists())
            self.assertFalse(two.exists())

    @each_backend
    def test_another_port_under_load(self, backend):
        one, two = free_ports(2)
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"

            def bind(*ports):
                file.write_text(f"bind = {[f'127.0.0.1:{port}' for port in ports]}\n")
            bind(one)
            with Arbiter("--config", file, "--backend", backend, bind=None) as server, \
                    Traffic(one, kept=50, short=50) as old:
                old.wait_for(200)
                bind(one, two)  # one more
                reload(server)
                with Traffic(two, kept=50, short=50) as new:
                    old.wait_for(200)
                    new.wait_for(200)
                    old.refused_is_fine = True
                    bind(two)  # and one fewer: who is connected to it is served to the end
                    reload(server)
                    old.thread.join(60)
                    self.assertFalse(old.thread.is_alive(), "the old address is still served")
                    new.wait_for(200)
                    new.end()
                    print(f"{backend}: the address that went {old}; the one that came {new}", flush=True)
                    self.assertEqual((old.failures, new.failures), ([], []), server.log)
                with self.assertRaises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", one), TIMEOUT)


class Scale(unittest.TestCase):
    @each_backend
    def test_more_and_fewer_under_load(self, backend):
        with Arbiter("--backend", backend, workers=2) as server:
            files, memory = files_of(server.pid), memory_of(server.pid)
            with Traffic(server.port, **LOAD) as traffic:
                for _ in range(10):
                    server.signal(signal.SIGTTIN)
                    server.wait_for_workers(3)
                    traffic.wait_for(100)
                    server.signal(signal.SIGTTOU)
                    server.wait_for_workers(2)
                    traffic.wait_for(100)
            self.assertEqual(traffic.failures, [], server.log)
            print(f"{backend}: 10 workers more and fewer, {traffic}; the arbiter's descriptors {files} -> "
                  f"{files_of(server.pid)}, memory {memory} -> {memory_of(server.pid)} KiB", flush=True)
            self.assertLessEqual(files_of(server.pid), files)
            self.assertLess(memory_of(server.pid), memory + 1024)

    def test_never_fewer_than_one(self):
        with Arbiter(workers=1) as server:
            server.signal(signal.SIGTTOU)
            server.wait_for_log("scaled to 1")
            self.assertEqual(len(server.workers()), 1)


class Recycle(unittest.TestCase):
    @each_backend
    def test_max_requests_under_load(self, backend):
        with Arbiter("--backend", backend, "--max-requests", "100", "--max-requests-jitter", "20") as server:
            files, memory = files_of(server.pid), memory_of(server.pid)
            with Traffic(server.port, **LOAD) as traffic:
                server.wait_until(lambda: server.log.count("reached max-requests") >= 20, 120, "twenty replacements")
                self.assertGreaterEqual(len(server.workers()), 2)
            self.assertEqual(traffic.failures, [], server.log)
            server.wait_until(lambda: len(server.children()) == 2, what="the end of the old workers")
            print(f"{backend}: {server.log.count('reached max-requests')} replacements, {traffic}; the arbiter's "
                  f"descriptors {files} -> {files_of(server.pid)}, memory {memory} -> {memory_of(server.pid)} KiB", flush=True)
            self.assertLessEqual(files_of(server.pid), files)
            self.assertLess(memory_of(server.pid), memory + 1024)

    def test_max_age_and_max_rss(self):
        for options, says in ((["--max-age", "1s"], "older than max-age"), (["--max-rss", "1MiB"], "memory above max-rss")):
            with Arbiter(*options) as server:
                before = set(server.workers().values())
                server.wait_for_workers(2, before)
                self.assertIn(says, server.log)
                self.assertEqual(server.get("/")[0], 200)


class Beside(unittest.TestCase):
    @each_backend
    def test_an_upgrade_and_back(self, backend):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            pid_file = Path(folder) / "pid"
            with Arbiter("--pid", pid_file, "--backend", backend) as server, Traffic(server.port, **LOAD) as traffic:
                files = files_of(server.pid)
                self.assertEqual(int(pid_file.read_text()), server.pid)
                old = set(server.workers().values())
                server.signal(signal.SIGUSR2)
                other = server.wait_until(lambda: number_in(f"{pid_file}.2"), what="the second arbiter")
                server.wait_until(lambda: server.log.count("serving, pid") == 2, what="its workers")
                server.signal(signal.SIGWINCH)
                server.wait_until(lambda: not server.workers(), what="the end of the old workers")
                traffic.wait_for(500)
                server.signal(signal.SIGHUP)  # back
                server.wait_for_workers(2, old)
                os.kill(other, signal.SIGTERM)
                server.wait_for_log("has exited")
                traffic.wait_for(500)
                self.assertFalse(Path(f"{pid_file}.2").exists())
                traffic.end()
                self.assertEqual(traffic.failures, [], server.log)
                print(f"{backend}: upgraded and back, {traffic}; the arbiter's descriptors {files} -> {files_of(server.pid)}",
                      flush=True)
                self.assertLessEqual(files_of(server.pid), files)

    @each_backend
    def test_who_cannot_take_a_connection_does_not_keep_the_wake_up_of_the_other(self, backend):
        """The kernel wakes one process for a connection. With io_uring that may be one that takes nothing: killed and not
        yet torn down or, as here, stopped."""
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            pid_file = Path(folder) / "pid"
            with Arbiter("--pid", pid_file, "--backend", backend, "--timeout", "0", workers=1) as server:
                first, = server.workers().values()
                os.kill(first, signal.SIGSTOP)
                server.signal(signal.SIGUSR2)
                other = server.wait_until(lambda: number_in(f"{pid_file}.2"), what="the second arbiter")
                try:
                    server.wait_until(lambda: server.log.count("serving, pid") == 2, what="its worker")
                    for _ in range(5):
                        self.assertEqual(server.get("/")[0], 200)
                finally:
                    os.kill(first, signal.SIGCONT)
                    os.kill(other, signal.SIGTERM)
                    server.wait_for_log("has exited")

    def test_an_upgrade(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            pid_file = Path(folder) / "pid"
            server = Arbiter("--pid", pid_file)
            try:
                with Traffic(server.port, **LOAD) as traffic:
                    server.signal(signal.SIGUSR2)
                    server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the second arbiter")
                    other = int(Path(f"{pid_file}.2").read_text())
                    server.signal(signal.SIGTERM)
                    self.assertEqual(server.wait(), 0)
                    server.wait_until(lambda: number_in(pid_file) == other, what="its name")
                    traffic.wait_for(50)
                self.assertEqual(traffic.failures, [], server.log)
                os.kill(other, signal.SIGTERM)
                server.wait_until(lambda: state_of(other) in ("Z", None), what="its end")
                self.assertFalse(pid_file.exists())
            finally:
                server.end()


class Check(unittest.TestCase):
    def test_an_address_in_use_by_somebody_else_stops_a_reload(self):
        with Arbiter() as other, tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            file.write_text('bind = ["127.0.0.1:0"]\n')
            with Arbiter("--config", file, bind=None) as server:
                file.write_text(f'bind = ["127.0.0.1:{other.port}"]\n')
                server.signal(signal.SIGHUP)
                server.wait_for_log("in use by another process")

    def test_a_log_that_cannot_be_opened_after_the_check_ends_nothing(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            os.mkfifo(file)  # so that the program that checks reads another text than the one that serves

            def give_all():  # to the start, to the check, to the new image
                for text in ("", "", 'error-log = "/no/such/folder/log"\n'):
                    with file.open("w") as f:  # there is a reader; the next one finds another pipe
                        file.unlink()
                        os.mkfifo(file)
                        f.write(text)
            giver = threading.Thread(target=give_all)
            giver.start()
            with Arbiter("--config", file) as server:
                old = server.wait_for_workers(2)
                server.signal(signal.SIGHUP)
                giver.join(30)
                server.wait_for_log("error +cannot open directory '.*': No such file")
                server.wait_for_workers(2, old)
                self.assertEqual(server.get("/")[0], 200)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
