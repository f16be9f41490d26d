# SPDX-License-Identifier: Apache-2.0
"""Signals that come while a process is being made: each finds its handler, or is kept until there is one."""
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
from isolated_test import ENVIRONMENT, Isolated, answer_of, children_of  # noqa: E402
from server import name_of  # noqa: E402

# Those that tell a process something else than to end.
TOLD = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH, signal.SIGURG,
        signal.SIGPIPE, signal.SIGCHLD, signal.SIGCONT)

# What `pkill -USR1 app` and the like send to all.
TOLD_TO_BOTH = (signal.SIGUSR1, signal.SIGWINCH, signal.SIGURG, signal.SIGCHLD, signal.SIGCONT)


class Held:
    """A file of settings that holds the next program which reads it, before it knows any signal."""

    def __init__(self, folder):
        self.path = Path(folder) / "rondo.toml"
        self.path.touch()

    def hold(self):
        self.path.unlink()
        os.mkfifo(self.path)

    def wait(self, server):
        """Until it reads, and goes on when what this returns is closed."""
        def open_if_read():
            try:
                return open(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK), "w")
            except OSError as e:
                if e.errno != errno.ENXIO:
                    raise
                return None
        opened = server.wait_until(open_if_read, what="the new program")
        self.path.unlink()
        self.path.touch()
        return opened


class EarlySignals(unittest.TestCase):
    def start_under_fire(self, server, held, how):
        """What this signal starts gets signals before it can handle them."""
        before = set(children_of(server.pid))
        held.hold()
        server.signal(how)
        with held.wait(server):
            started, = set(children_of(server.pid)) - before
            for s in TOLD_TO_BOTH * 5:
                os.kill(started, s)
                time.sleep(0.005)
        return started

    def test_a_worker_that_is_starting(self):
        with Isolated(env={"TESTBED_SLEEPS": "2"}, workers=1) as server:
            before = set(children_of(server.pid))
            server.signal(signal.SIGTTIN)
            server.wait_until(lambda: set(children_of(server.pid)) - before, 20, "a second worker")
            second, = set(children_of(server.pid)) - before
            for s in TOLD * 20:
                os.kill(second, s)
                time.sleep(0.005)
            server.wait_for_workers(2)
            self.assertIn(second, server.workers().values())
            self.assertNotIn("was killed by signal", server.log)

    def test_a_compute_process_that_is_loading(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        hold = Path(folder.name) / "loads"
        with Isolated("--boot-timeout", "10m", env={**ENVIRONMENT, "TESTBED_LOADS_WHILE": str(hold)}, workers=1) as server:
            first = server.wait_for_computers(1)
            hold.touch()
            os.kill(first[0], signal.SIGKILL)
            loading, = server.wait_for_computers(1, first)
            for s in TOLD * 5:
                os.kill(loading, s)
                time.sleep(0.005)
            waiting = server.begin("/isolated/say?say=a")
            hold.unlink()
            self.assertEqual(answer_of(waiting), (200, b"a", True))
            self.assertEqual(list(server.computers()), [loading])

    def test_an_arbiter_that_executes_the_program_anew(self):
        with Isolated(env={}, workers=2) as server:
            ended = threading.Event()

            def hammer():
                while not ended.is_set():
                    for s in (signal.SIGUSR1, signal.SIGURG, signal.SIGPIPE, signal.SIGCONT):
                        os.kill(server.pid, s)
                    time.sleep(0.0005)
            thread = threading.Thread(target=hammer)
            thread.start()
            try:
                for _ in range(8):
                    old = sorted(server.workers().values())
                    server.signal(signal.SIGHUP)
                    server.wait_for_workers(2, old)
            finally:
                ended.set()
                thread.join()
            self.assertEqual(server.get("/")[0], 200)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)

    def test_an_arbiter_that_starts_beside_another(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            held = Held(folder)
            with Isolated("--config", held.path, env={}, workers=1) as server:
                other = self.start_under_fire(server, held, signal.SIGUSR2)
                server.wait_until(lambda: server.log.count("serving, pid") == 2, what="the second arbiter")
                self.assertNotIn("has exited", server.log)
                # What it starts has them unblocked.
                worker, = [p for p in children_of(other) if name_of(p).startswith("worker")]
                os.kill(worker, signal.SIGTERM)
                server.wait_until(lambda: worker not in children_of(other), what="the end of its worker")
                os.kill(other, signal.SIGTERM)
                server.wait_for_log(rf"process {other}\) has exited")

    def test_the_check_of_a_reload(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            held = Held(folder)
            with Isolated("--config", held.path, env={}, workers=1) as server:
                old = server.workers().values()
                self.start_under_fire(server, held, signal.SIGHUP)
                server.wait_for_workers(1, old)
                self.assertNotIn("reload failed", server.log)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
