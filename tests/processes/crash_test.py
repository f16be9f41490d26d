# SPDX-License-Identifier: Apache-2.0
"""Workers that die, hang, or do not start; the death of the arbiter."""
import collections
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import REQUEST, Arbiter, Traffic, read_answer, state_of  # noqa: E402
from server import BIN, TIMEOUT, each_backend, read_all, run  # noqa: E402


def gone(pid):
    return state_of(pid) in (None, "Z")


class Killed(unittest.TestCase):
    @each_backend
    def test_a_worker_is_replaced_at_once_and_its_queue_is_served(self, backend):
        with Arbiter("--backend", backend) as server:
            for pid in server.workers().values():  # so that connections wait in the queue
                os.kill(pid, signal.SIGSTOP)
            waiting = []
            for _ in range(10):
                s = server.connect()
                s.sendall(REQUEST % (b"/", b"Connection: close\r\n"))
                waiting.append(s)
            before = set(server.workers().values())
            began = time.monotonic()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            server.wait_for_workers(2, before)
            for s in waiting:
                self.assertIn(b"200 OK", read_all(s))
            print(backend, f"two workers replaced, ten waiting connections served after {time.monotonic() - began:.3f} s")
            self.assertNotIn("crashes in a row", server.log)  # no pause of a second or more

    @each_backend
    def test_only_what_ran_in_it_fails(self, backend):
        with Arbiter("--backend", backend) as server, Traffic(server.port, kept=100, short=100, pause=0.05) as traffic:
            traffic.wait_for(500)
            victim = next(iter(server.workers().values()))
            os.kill(victim, signal.SIGSTOP)  # so that they can be counted
            server.wait_until(lambda: state_of(victim) == "T", what="its stop")
            held = server.connections_of(victim)
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            server.wait_for_workers(2, [victim])
            took = time.monotonic() - began
            traffic.wait_for(500)
            traffic.end()
            print(f"{backend}: a worker with {held} connections killed, another one after {took:.3f} s, {traffic}", flush=True)
            self.assertNotIn("crashes in a row", server.log)  # no pause of a second or more
            self.assertLessEqual(len(traffic.failures), held, collections.Counter(traffic.failures))
            for failure in traffic.failures:
                self.assertRegex(failure, "(request|answer): ")  # nobody was refused

    def test_figures_outlive_it(self):
        with Arbiter(workers=1) as server:
            for _ in range(5):
                server.get("/")
            pid = server.workers()[0]
            os.kill(pid, signal.SIGKILL)
            server.wait_for_workers(1, [pid])
            self.assertEqual(server.get("/")[0], 200)
            self.assertIn(0, server.workers())  # it has the same slot

    def test_who_dies_again_and_again_is_not_started_without_pause(self):
        with Arbiter(workers=1) as server:
            end = time.monotonic() + 4
            killed = set()
            while time.monotonic() < end or ("crashes in a row" not in server.log and time.monotonic() < end + 60):
                for pid in server.workers().values():
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                time.sleep(0.01)
            self.assertLess(len(killed), 12)
            server.wait_for_log(r"crashes in a row; restarting in \d+ s")
            server.wait_for_workers(1)

    def test_the_arbiter_itself_leaves_no_orphan(self):
        server = Arbiter(workers=3)
        workers = server.workers()
        server.signal(signal.SIGKILL)
        server.wait()
        server.wait_until(lambda: all(gone(pid) for pid in workers.values()), what="the end of the workers")
        server.folder.cleanup()


class Untrusted(unittest.TestCase):
    def test_what_an_isolated_view_does_to_shared_memory_ends_nobody_else(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            admin = f"unix:{folder}/admin"
            options = ("--admin", admin, "--compute-workers", "model=2")
            with Arbiter(*options, env={"TESTBED_ISOLATED": "spoil"}) as server:
                workers = server.workers()
                for _ in range(5):
                    status, _, body = server.get("/isolated/spoil")
                    self.assertEqual(status, 200)
                    found = re.fullmatch(rb"(\d+) descriptors, (\d+) bytes", body)
                    self.assertEqual(int(found.group(1)), 0)
                    self.assertLess(int(found.group(2)), 64 << 10)  # its own slot, and nobody's figures
                    self.assertEqual(server.get("/")[0], 200)
                    status, output, errors = run("status", "--admin", admin)
                    self.assertEqual(status, 0, errors)
                    self.assertIn("worker", output)
                    time.sleep(0.5)  # the arbiter looks once a second at the latest
                self.assertTrue(server.alive(), server.log)
                self.assertEqual(server.workers(), workers)
                # The slots of processes that ended are used again, whatever was written there.
                self.assertNotRegex(server.log, r"compute:model \d\d")
                server.wait_until(lambda: server.get("/isolated/say?say=yes")[2] == b"yes", what="an answer")
                # A process that is killed while all end would be told by the exit status.
                server.wait_until(lambda: self.stays_as_it_is(server), what="the replacement of the last one")

    @staticmethod
    def stays_as_it_is(server):
        before = server.children()
        time.sleep(1.5)  # longer than the arbiter goes without looking
        return server.children() == before


class NotStarted(unittest.TestCase):
    def test_at_the_first_start_everything_ends_with_3(self):
        with tempfile.NamedTemporaryFile() as file:
            status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "2", env={"TESTBED_FAILS": file.name})
        self.assertEqual(status, 3, errors)
        self.assertIn("the start fails on purpose", errors)
        self.assertIn("failed to start; shutting down", errors)

    def test_later_it_is_tried_again(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            fail = Path(folder) / "fail"
            with Arbiter(env={"TESTBED_FAILS": str(fail)}) as server:
                fail.touch()
                victim = server.workers()[0]
                os.kill(victim, signal.SIGKILL)
                server.wait_for_log("crashes in a row")
                self.assertEqual(server.get("/")[0], 200)
                fail.unlink()
                server.wait_for_workers(2, [victim])


class Held(unittest.TestCase):
    @each_backend
    def test_a_worker_that_is_held_too_long_is_killed_with_its_stacks_logged(self, backend):
        with Arbiter("--backend", backend, "--timeout", "2s", "--access-log", "-", "--threads", "4") as server:
            self.assertEqual(server.get("/slow-sync")[0], 200)  # so that there are threads of the pool
            s = server.connect(30)
            s.sendall(REQUEST % (b"/_test/block?ms=60000", b""))
            found = server.wait_for_log(r"\(process (\d+)\) has been blocked for more than 2 s")
            server.wait_for_log(r"killed by the arbiter; thread stacks:.*testbed::.*block")
            server.wait_for_log("has logged its thread stacks; killing it")
            for thread in ("rondo-log", "rondo-stalls", "blocking"):
                self.assertRegex(server.log, rf"thread \d+ \({thread}\):")
            self.assertNotIn("cannot be interrupted", server.log)
            server.wait_for_workers(2, [int(found.group(1))])
            self.assertEqual(server.get("/")[0], 200)
            s.close()

    @each_backend
    def test_one_that_comes_back_in_time_lives(self, backend):
        with Arbiter("--backend", backend, "--timeout", "30s") as server:
            before = server.workers()
            s = server.connect(30)
            s.sendall(REQUEST % (b"/_test/block?while=%s" % bytes(server.gate), b""))
            server.wait_for_log("event loop blocked by /_test/block")
            for _ in range(10):
                self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            self.assertEqual(read_answer(s)[0], 200)
            self.assertEqual(server.workers(), before)
            s.close()

    def test_one_that_does_not_move_at_all(self):
        with Arbiter("--timeout", "2s") as server:
            victim = server.workers()[0]
            os.kill(victim, signal.SIGSTOP)
            server.wait_for_log(rf"\(process {victim}\) has sent no heartbeat for 2 s")
            server.wait_for_workers(2, [victim])

    def test_one_that_does_not_get_ready(self):
        status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "1", "--boot-timeout", "1s",
                                env={"TESTBED_SLEEPS": "60"}, timeout=60)
        self.assertEqual(status, 3, errors)
        self.assertIn("did not become ready within 1 s", errors)


class Alone(unittest.TestCase):
    def test_as_process_one_it_reaps_strangers(self):
        inside = ("import os, subprocess, sys, time\n"
                  "os.execv(sys.argv[1], [sys.argv[1], 'serve', '--bind', '127.0.0.1:0', '--workers', '1'])\n")
        try:
            probe = subprocess.run(["unshare", "-pf", "--kill-child", "true"], capture_output=True, timeout=60)
        except OSError:
            self.skipTest("no unshare here")
        if probe.returncode:
            self.skipTest("no name space of processes can be made here")
        with tempfile.TemporaryFile() as log, tempfile.NamedTemporaryFile(delete=False) as gate:
            process = subprocess.Popen(["unshare", "-pf", "--kill-child", "--mount-proc", sys.executable, "-c", inside,
                                        str(BIN / "testbed")], stderr=log, stdout=log)
            try:
                def text():
                    log.seek(0)
                    return log.read().decode()
                Arbiter._wait_for(lambda: "threads" in text(), TIMEOUT, text)
                first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

                def children():
                    return len(Path(f"/proc/{first}/task/{first}/children").read_text().split())
                self.assertEqual(children(), 1)
                # An orphan: its parent ends, it is given to process 1, and ends.
                orphan = f"(while [ -e {gate.name} ]; do sleep 0.05; done &) ; true"
                subprocess.run(["nsenter", "-t", str(first), "-p", "-m", "sh", "-c", orphan], check=True)
                Arbiter._wait_for(lambda: children() == 2, TIMEOUT, lambda: "the orphan did not come")
                os.unlink(gate.name)
                Arbiter._wait_for(lambda: children() == 1, TIMEOUT, lambda: "nobody reaped the orphan")
                os.kill(first, signal.SIGTERM)
                process.wait(TIMEOUT)
                self.assertNotIn("error", text())
            finally:
                Path(gate.name).unlink(missing_ok=True)
                process.kill()
                process.wait()


if __name__ == "__main__":
    unittest.main(warnings="ignore")
