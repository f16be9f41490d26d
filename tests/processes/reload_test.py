# SPDX-License-Identifier: Apache-2.0
"""Reloads, scaling and recycling under load: no request fails."""
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
from load import Arbiter, LoadGenerator  # noqa: E402
from server import BIN, TIMEOUT, each_backend, is_alive  # noqa: E402


def reload(server):
    """Sends HUP and returns the new workers."""
    before = set(server.workers().values())
    server.signal(signal.SIGHUP)
    return server.wait_for_workers(len(before), before)


# Half of the connections are persistent, the others are for one request each.
LOAD = {"persistent": 100, "short": 100, "pause": 0.05}


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def number_in(file):
    """The number in a file; None while the file is missing or empty."""
    file = Path(file)
    return int(text) if file.exists() and (text := file.read_text().strip()) else None


def descriptor_count(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_of(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


class Reload(unittest.TestCase):
    @each_backend
    def test_twenty_reloads_under_load_half_with_a_new_binary(self, backend):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            program = Path(folder) / "testbed"
            shutil.copy(BIN / "testbed", program)
            with Arbiter("--backend", backend, program=program, workers=2) as server:
                idle = server.descriptors()
                with LoadGenerator(server.port, **LOAD) as load:
                    for i in range(20):
                        if i % 2:  # as an installation does
                            shutil.copy(BIN / "testbed", str(program) + ".new")
                            os.replace(str(program) + ".new", program)
                        reload(server)
                        load.wait_for_responses(200)
                        if i == 4:
                            server.wait_until(lambda: len(server.children()) == 2, what="the old workers to exit")
                            files, memory = descriptor_count(server.pid), memory_of(server.pid)
                self.assertEqual(load.failures, [], server.log)
                server.wait_until(lambda: len(server.children()) == 2, what="the old workers to exit")
                print(f"{backend}: 20 reloads, {load}; the arbiter's descriptors {files} -> {descriptor_count(server.pid)}, "
                      f"memory {memory} -> {memory_of(server.pid)} KiB", flush=True)
                self.assertLessEqual(descriptor_count(server.pid), files)
                self.assertLess(memory_of(server.pid), memory + 1024)
                # Without connections a worker has the descriptors it started with: a reload adds no inherited ones.
                server.wait_until(lambda: server.descriptors() <= idle, what="the connections to close")
                self.assertNotIn("(deleted)", os.readlink(f"/proc/{server.pid}/exe"))

    @each_backend
    def test_with_one_worker(self, backend):
        with Arbiter("--backend", backend, workers=1) as server:
            with LoadGenerator(server.port, persistent=4, short=8, pause=0) as load:
                for _ in range(5):
                    reload(server)
                    load.wait_for_responses(50)
            self.assertEqual(load.failures, [], server.log)

    def test_applies_the_changed_file(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            file.write_text("workers = 2\nmax-body = \"10\"\n")
            with Arbiter("--config", file, workers=2) as server:
                self.assertEqual(server.request("POST", "/echo", b"x" * 20)[0], 413)
                file.write_text("workers = 2\nmax-body = \"30\"\n")
                reload(server)
                self.assertEqual(server.request("POST", "/echo", b"x" * 20)[0], 200)

    def test_a_broken_file_changes_nothing(self):
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

    def test_a_binary_that_does_not_start_changes_nothing(self):
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
                    server.wait_until(lambda: server.log.count("reload failed") > lines, what="the reload to fail")
                    self.assertEqual(server.get("/")[0], 200)
                program.unlink()
                server.signal(signal.SIGHUP)
                server.wait_for_log("No such file")
                self.assertEqual(server.workers(), before)
                self.assertIn("broken on purpose", server.log)
                shutil.copy(BIN / "testbed", program)
                reload(server)

    def test_new_workers_that_do_not_start_leave_the_old_ones_running(self):
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
                    LoadGenerator(one, persistent=50, short=50) as old:
                old.wait_for_responses(200)
                bind(one, two)  # adds an address
                reload(server)
                with LoadGenerator(two, persistent=50, short=50) as new:
                    old.wait_for_responses(200)
                    new.wait_for_responses(200)
                    old.refusal_expected = True
                    bind(two)  # removes an address: its open connections are served to the end
                    reload(server)
                    old.thread.join(60)
                    self.assertFalse(old.thread.is_alive(), "the removed address is still served")
                    new.wait_for_responses(200)
                    new.stop()
                    print(f"{backend}: removed address: {old}; added address: {new}", flush=True)
                    self.assertEqual((old.failures, new.failures), ([], []), server.log)
                with self.assertRaises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", one), TIMEOUT)


class Scale(unittest.TestCase):
    @each_backend
    def test_adding_and_removing_workers_under_load(self, backend):
        with Arbiter("--backend", backend, workers=2) as server:
            files, memory = descriptor_count(server.pid), memory_of(server.pid)
            with LoadGenerator(server.port, **LOAD) as load:
                for _ in range(10):
                    server.signal(signal.SIGTTIN)
                    server.wait_for_workers(3)
                    load.wait_for_responses(100)
                    server.signal(signal.SIGTTOU)
                    server.wait_for_workers(2)
                    load.wait_for_responses(100)
            self.assertEqual(load.failures, [], server.log)
            print(f"{backend}: 10 workers added and removed, {load}; the arbiter's descriptors {files} -> "
                  f"{descriptor_count(server.pid)}, memory {memory} -> {memory_of(server.pid)} KiB", flush=True)
            self.assertLessEqual(descriptor_count(server.pid), files)
            self.assertLess(memory_of(server.pid), memory + 1024)

    def test_the_last_worker_is_not_removed(self):
        with Arbiter(workers=1) as server:
            server.signal(signal.SIGTTOU)
            server.wait_for_log("scaled to 1")
            self.assertEqual(len(server.workers()), 1)


class Recycle(unittest.TestCase):
    @each_backend
    def test_max_requests_under_load(self, backend):
        with Arbiter("--backend", backend, "--max-requests", "100", "--max-requests-jitter", "20") as server:
            files, memory = descriptor_count(server.pid), memory_of(server.pid)
            with LoadGenerator(server.port, **LOAD) as load:
                server.wait_until(lambda: server.log.count("reached max-requests") >= 20, "twenty replacements", seconds=120)
                self.assertGreaterEqual(len(server.workers()), 2)
            self.assertEqual(load.failures, [], server.log)
            server.wait_until(lambda: len(server.children()) == 2, what="the old workers to exit")
            print(f"{backend}: {server.log.count('reached max-requests')} replacements, {load}; the arbiter's "
                  f"descriptors {files} -> {descriptor_count(server.pid)}, memory {memory} -> {memory_of(server.pid)} KiB",
                  flush=True)
            self.assertLessEqual(descriptor_count(server.pid), files)
            self.assertLess(memory_of(server.pid), memory + 1024)

    def test_max_age_and_max_rss(self):
        for options, message in ((["--max-age", "1s"], "older than max-age"), (["--max-rss", "1MiB"], "memory above max-rss")):
            with Arbiter(*options) as server:
                before = set(server.workers().values())
                server.wait_for_workers(2, before)
                self.assertIn(message, server.log)
                self.assertEqual(server.get("/")[0], 200)


class Upgrade(unittest.TestCase):
    @each_backend
    def test_upgrade_and_rollback(self, backend):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            pid_file = Path(folder) / "pid"
            with Arbiter("--pid", pid_file, "--backend", backend) as server, LoadGenerator(server.port, **LOAD) as load:
                files = descriptor_count(server.pid)
                self.assertEqual(int(pid_file.read_text()), server.pid)
                old = set(server.workers().values())
                server.signal(signal.SIGUSR2)
                other = server.wait_until(lambda: number_in(f"{pid_file}.2"), what="the second arbiter")
                server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the new workers")
                server.signal(signal.SIGWINCH)
                server.wait_until(lambda: not server.workers(), what="the old workers to exit")
                load.wait_for_responses(500)
                server.signal(signal.SIGHUP)  # rolls back
                server.wait_for_workers(2, old)
                os.kill(other, signal.SIGTERM)
                server.wait_for_log("has exited")
                load.wait_for_responses(500)
                self.assertFalse(Path(f"{pid_file}.2").exists())
                load.stop()
                self.assertEqual(load.failures, [], server.log)
                print(f"{backend}: upgraded and rolled back, {load}; the arbiter's descriptors {files} -> "
                      f"{descriptor_count(server.pid)}", flush=True)
                self.assertLessEqual(descriptor_count(server.pid), files)

    @each_backend
    def test_a_process_that_cannot_accept_does_not_keep_the_wake_up_from_the_other(self, backend):
        """The kernel wakes one process per connection. With io_uring that can be a process that accepts nothing: a killed
        one that still exists or, as here, a stopped one."""
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            pid_file = Path(folder) / "pid"
            with Arbiter("--pid", pid_file, "--backend", backend, "--timeout", "0", workers=1) as server:
                first, = server.workers().values()
                os.kill(first, signal.SIGSTOP)
                server.signal(signal.SIGUSR2)
                other = server.wait_until(lambda: number_in(f"{pid_file}.2"), what="the second arbiter")
                try:
                    server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the new worker")
                    for _ in range(5):
                        self.assertEqual(server.get("/")[0], 200)
                finally:
                    os.kill(first, signal.SIGCONT)
                    os.kill(other, signal.SIGTERM)
                    server.wait_for_log("has exited")

    def test_upgrade(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            pid_file = Path(folder) / "pid"
            server = Arbiter("--pid", pid_file)
            try:
                with LoadGenerator(server.port, **LOAD) as load:
                    server.signal(signal.SIGUSR2)
                    server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the second arbiter")
                    other = int(Path(f"{pid_file}.2").read_text())
                    server.signal(signal.SIGTERM)
                    self.assertEqual(server.wait(), 0)
                    server.wait_until(lambda: number_in(pid_file) == other, what="the PID file to be renamed")
                    load.wait_for_responses(50)
                self.assertEqual(load.failures, [], server.log)
                os.kill(other, signal.SIGTERM)
                server.wait_until(lambda: not is_alive(other), what="the new arbiter to exit")
                self.assertFalse(pid_file.exists())
            finally:
                server.stop()


class ConfigCheck(unittest.TestCase):
    def test_an_address_in_use_fails_the_reload(self):
        with Arbiter() as other, tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            file.write_text('bind = ["127.0.0.1:0"]\n')
            with Arbiter("--config", file, bind=None) as server:
                file.write_text(f'bind = ["127.0.0.1:{other.port}"]\n')
                server.signal(signal.SIGHUP)
                server.wait_for_log("in use by another process")

    def test_a_log_that_cannot_be_opened_after_the_check_leaves_the_server_running(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            file = Path(folder) / "rondo.toml"
            os.mkfifo(file)  # the config check reads another text than the new image

            def write_texts():  # for the start, the config check and the new image
                for text in ("", "", 'error-log = "/no/such/folder/log"\n'):
                    with file.open("w") as f:  # a reader is there; the next one opens another pipe
                        file.unlink()
                        os.mkfifo(file)
                        f.write(text)
            writer = threading.Thread(target=write_texts)
            writer.start()
            with Arbiter("--config", file) as server:
                old = server.wait_for_workers(2)
                server.signal(signal.SIGHUP)
                writer.join(30)
                server.wait_for_log("error +cannot open directory '.*': No such file")
                server.wait_for_workers(2, old)
                self.assertEqual(server.get("/")[0], 200)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
