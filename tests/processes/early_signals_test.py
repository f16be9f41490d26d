# SPDX-License-Identifier: Apache-2.0
"""Signals that arrive while a process starts: each one is handled, or stays pending until its handler is installed."""
import errno
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "isolated"))
from isolated_test import ENVIRONMENT, Isolated, children_of, read_response  # noqa: E402
from server import name_of  # noqa: E402

# All signals that do not mean "exit".
SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH, signal.SIGURG,
           signal.SIGPIPE, signal.SIGCHLD, signal.SIGCONT)

# Signals that an operator sends to all processes, as with `pkill -USR1 app`.
SIGNALS_TO_ALL = (signal.SIGUSR1, signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD, signal.SIGCONT)


class ConfigFile:
    """A configuration file that can block the next program that reads it, before it has installed signal handlers."""

    def __init__(self, folder):
        self.path = Path(folder) / "rondo.toml"
        self.path.touch()

    def block_next_reader(self):
        self.path.unlink()
        os.mkfifo(self.path)

    def wait_for_reader(self, server):
        """Waits until a program reads the file, and returns the pipe that blocks it until it is closed."""
        def open_if_read():
            try:
                return open(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK), "w")
            except OSError as e:
                if e.errno != errno.ENXIO:
                    raise
                return None
        opened = server.wait_until(open_if_read, what="the new program to read the file")
        self.path.unlink()
        self.path.touch()
        return opened


class EarlySignals(unittest.TestCase):
    def start_under_signals(self, server, config, start_signal):
        """Starts a process with a signal, sends it further signals before it can handle them, and returns it."""
        before = set(children_of(server.pid))
        config.block_next_reader()
        server.signal(start_signal)
        with config.wait_for_reader(server):
            started, = set(children_of(server.pid)) - before
            for s in SIGNALS_TO_ALL * 5:
                os.kill(started, s)
                time.sleep(0.005)
        return started

    def test_starting_worker(self):
        with Isolated(env={"TESTBED_SLEEPS": "2"}, workers=1) as server:
            before = set(children_of(server.pid))
            server.signal(signal.SIGTTIN)
            server.wait_until(lambda: set(children_of(server.pid)) - before, "a second worker", seconds=20)
            second, = set(children_of(server.pid)) - before
            for s in SIGNALS * 20:
                os.kill(second, s)
                time.sleep(0.005)
            server.wait_for_workers(2)
            self.assertIn(second, server.workers().values())
            self.assertNotIn("was killed by signal", server.log)

    def test_loading_compute_process(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        loads = Path(folder.name) / "loads"
        with Isolated("--boot-timeout", "10m", env={**ENVIRONMENT, "TESTBED_LOADS_WHILE": str(loads)}, workers=1) as server:
            first = server.wait_for_compute_processes(1)
            loads.touch()
            os.kill(first[0], signal.SIGKILL)
            loading, = server.wait_for_compute_processes(1, first)
            for s in SIGNALS * 5:
                os.kill(loading, s)
                time.sleep(0.005)
            waiting = server.start_request("/isolated/text?text=a")
            loads.unlink()
            self.assertEqual(read_response(waiting), (200, b"a", True))
            self.assertEqual(list(server.compute_processes()), [loading])

    def test_arbiter_during_reloads(self):
        with Isolated(env={}, workers=2) as server:
            stopping = threading.Event()

            def send_signals():
                while not stopping.is_set():
                    for s in (signal.SIGUSR1, signal.SIGURG, signal.SIGPIPE, signal.SIGCONT):
                        os.kill(server.pid, s)
                    time.sleep(0.0005)
            thread = threading.Thread(target=send_signals)
            thread.start()
            try:
                for _ in range(8):
                    old = sorted(server.workers().values())
                    server.signal(signal.SIGHUP)
                    server.wait_for_workers(2, old)
            finally:
                stopping.set()
                thread.join()
            self.assertEqual(server.get("/")[0], 200)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_starting_second_arbiter(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            config = ConfigFile(folder)
            with Isolated("--config", config.path, env={}, workers=1) as server:
                other = self.start_under_signals(server, config, signal.SIGUSR2)
                server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the second arbiter")
                self.assertNotIn("has exited", server.log)
                # Its children have the signals unblocked.
                worker, = [p for p in children_of(other) if name_of(p).startswith("worker")]
                os.kill(worker, signal.SIGTERM)
                server.wait_until(lambda: worker not in children_of(other), what="its worker to exit")
                os.kill(other, signal.SIGTERM)
                server.wait_for_log(rf"process {other}\) has exited")

    def test_config_check_of_a_reload(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            config = ConfigFile(folder)
            with Isolated("--config", config.path, env={}, workers=1) as server:
                old = server.workers().values()
                self.start_under_signals(server, config, signal.SIGHUP)
                server.wait_for_workers(1, old)
                self.assertNotIn("reload failed", server.log)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
