# SPDX-License-Identifier: Apache-2.0
"""Workers that crash, hang or fail to start; the crash of the arbiter."""
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
from load import REQUEST, Arbiter, LoadGenerator, read_response  # noqa: E402
from server import BIN, TIMEOUT, each_backend, is_alive, read_all, run, state_of  # noqa: E402


class Killed(unittest.TestCase):
    @each_backend
    def test_a_worker_is_replaced_immediately_and_its_backlog_is_served(self, backend):
        with Arbiter("--backend", backend) as server:
            for pid in server.workers().values():  # so that connections wait in the backlog
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
            print(backend, f"two workers replaced and ten waiting connections served after {time.monotonic() - began:.3f} s")
            self.assertNotIn("crashes in a row", server.log)  # no back-off of a second or more

    @each_backend
    def test_only_the_requests_of_the_killed_worker_fail(self, backend):
        with Arbiter("--backend", backend) as server, LoadGenerator(server.port, persistent=100, short=100, pause=0.05) as load:
            load.wait_for_responses(500)
            victim = next(iter(server.workers().values()))
            os.kill(victim, signal.SIGSTOP)  # so that they can be counted
            server.wait_until(lambda: state_of(victim) == "T", what="the worker to stop")
            connections = server.connections_of(victim)
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            server.wait_for_workers(2, [victim])
            took = time.monotonic() - began
            load.wait_for_responses(500)
            load.stop()
            print(f"{backend}: killed a worker with {connections} connections, replaced after {took:.3f} s, {load}", flush=True)
            self.assertNotIn("crashes in a row", server.log)  # no back-off of a second or more
            self.assertLessEqual(len(load.failures), connections, collections.Counter(load.failures))
            for failure in load.failures:
                self.assertRegex(failure, "(request|response): ")  # no connection was refused

    def test_the_replacement_has_the_same_slot(self):
        with Arbiter(workers=1) as server:
            for _ in range(5):
                server.get("/")
            pid = server.workers()[0]
            os.kill(pid, signal.SIGKILL)
            server.wait_for_workers(1, [pid])
            self.assertEqual(server.get("/")[0], 200)
            self.assertIn(0, server.workers())

    def test_repeated_crashes_are_restarted_with_back_off(self):
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

    def test_workers_exit_with_a_killed_arbiter(self):
        server = Arbiter(workers=3)
        workers = server.workers()
        server.signal(signal.SIGKILL)
        server.wait()
        server.wait_until(lambda: not any(is_alive(pid) for pid in workers.values()), what="the workers to exit")
        server.folder.cleanup()


class UntrustedViews(unittest.TestCase):
    def test_an_isolated_view_that_overwrites_shared_memory_harms_no_other_process(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            admin = f"unix:{folder}/admin"
            options = ("--admin", admin, "--compute-workers", "model=2")
            with Arbiter(*options, env={"TESTBED_ISOLATED": "overwrite"}) as server:
                workers = server.workers()
                for _ in range(5):
                    status, _, body = server.get("/isolated/overwrite")
                    self.assertEqual(status, 200)
                    found = re.fullmatch(rb"(\d+) descriptors, (\d+) bytes", body)
                    self.assertEqual(int(found.group(1)), 0)
                    self.assertLess(int(found.group(2)), 64 << 10)  # its own slot, and no stats of other processes
                    self.assertEqual(server.get("/")[0], 200)
                    status, output, errors = run("status", "--admin", admin)
                    self.assertEqual(status, 0, errors)
                    self.assertIn("worker", output)
                    time.sleep(0.5)  # the arbiter checks its children at least once a second
                self.assertTrue(server.alive(), server.log)
                self.assertEqual(server.workers(), workers)
                # The slots of exited processes are reused, whatever was written there.
                self.assertNotRegex(server.log, r"compute:model \d\d")
                server.wait_until(lambda: server.get("/isolated/text?text=yes")[2] == b"yes", what="a response")
                # The exit status would report a process that is killed during the shutdown.
                server.wait_until(lambda: self.is_stable(server), what="the last replacement")

    @staticmethod
    def is_stable(server):
        before = server.children()
        time.sleep(1.5)  # longer than the interval of the arbiter's checks
        return server.children() == before


class FailedStart(unittest.TestCase):
    def test_at_the_first_start_the_exit_status_is_3(self):
        with tempfile.NamedTemporaryFile() as file:
            status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "2", env={"TESTBED_FAILS": file.name})
        self.assertEqual(status, 3, errors)
        self.assertIn("the start fails on purpose", errors)
        self.assertIn("failed to start; shutting down", errors)

    def test_after_a_crash_the_start_is_retried(self):
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


class Blocked(unittest.TestCase):
    @each_backend
    def test_a_worker_blocked_for_too_long_logs_its_stacks_and_is_killed(self, backend):
        with Arbiter("--backend", backend, "--timeout", "2s", "--access-log", "-", "--threads", "4") as server:
            self.assertEqual(server.get("/slow-sync")[0], 200)  # starts a pool thread
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

    def test_the_stacks_of_blocked_pool_threads_are_logged_too(self):
        with Arbiter("--timeout", "2s", "--worker-class", "async", "--threads", "4", workers=1) as server:
            clients = [server.connect() for _ in range(3)]
            for s in clients[:2]:
                s.sendall(REQUEST % (b"/_test/block-thread?ms=60000", b""))
            server.wait_for_started(2)
            clients[2].sendall(REQUEST % (b"/_test/block?ms=60000", b""))
            server.wait_for_log("has logged its thread stacks; killing it")
            stacks = re.split(r"(?m)^ *thread \d+ ", server.log)
            blocked = [stack for stack in stacks if stack.startswith("(blocking):") and "testbed::" in stack]
            self.assertEqual(len(blocked), 2, server.log)
            self.assertNotIn("cannot be interrupted", server.log)
            for s in clients:
                s.close()

    @each_backend
    def test_a_worker_that_recovers_in_time_survives(self, backend):
        with Arbiter("--backend", backend, "--timeout", "30s") as server:
            before = server.workers()
            s = server.connect(30)
            s.sendall(REQUEST % (b"/_test/block?while=%s" % bytes(server.gate), b""))
            server.wait_for_log("event loop blocked by /_test/block")
            for _ in range(10):
                self.assertEqual(server.get("/")[0], 200)
            self.assertEqual(server.counters()["finished"], 0)
            server.open_gate()
            self.assertEqual(read_response(s)[0], 200)
            self.assertEqual(server.workers(), before)
            s.close()

    def test_a_stopped_worker_is_replaced(self):
        with Arbiter("--timeout", "2s") as server:
            victim = server.workers()[0]
            os.kill(victim, signal.SIGSTOP)
            server.wait_for_log(rf"\(process {victim}\) has sent no heartbeat for 2 s")
            server.wait_for_workers(2, [victim])

    def test_a_worker_that_does_not_become_ready_fails_the_start(self):
        status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "1", "--boot-timeout", "1s",
                                env={"TESTBED_SLEEPS": "60"}, timeout=60)
        self.assertEqual(status, 3, errors)
        self.assertIn("did not become ready within 1 s", errors)


class ProcessOne(unittest.TestCase):
    def test_reaps_adopted_processes(self):
        inside = ("import os, subprocess, sys, time\n"
                  "os.execv(sys.argv[1], [sys.argv[1], 'serve', '--bind', '127.0.0.1:0', '--workers', '1'])\n")
        try:
            probe = subprocess.run(["unshare", "-pf", "--kill-child", "true"], capture_output=True, timeout=60)
        except OSError:
            self.skipTest("unshare is not installed")
        if probe.returncode:
            self.skipTest("a PID namespace cannot be created here")
        with tempfile.TemporaryFile() as log, tempfile.NamedTemporaryFile(delete=False) as gate:
            process = subprocess.Popen(["unshare", "-pf", "--kill-child", "--mount-proc", sys.executable, "-c", inside,
                                        str(BIN / "testbed")], stderr=log, stdout=log)
            try:
                def text():
                    log.seek(0)
                    return log.read().decode()
                Arbiter.poll(lambda: "threads" in text(), TIMEOUT, text)
                first = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

                def children():
                    return len(Path(f"/proc/{first}/task/{first}/children").read_text().split())
                self.assertEqual(children(), 1)
                # Its parent exits, so process 1 adopts it; then it exits too.
                adopted = f"(while [ -e {gate.name} ]; do sleep 0.05; done &) ; true"
                subprocess.run(["nsenter", "-t", str(first), "-p", "-m", "sh", "-c", adopted], check=True)
                Arbiter.poll(lambda: children() == 2, TIMEOUT, lambda: "process 1 did not adopt the process")
                os.unlink(gate.name)
                Arbiter.poll(lambda: children() == 1, TIMEOUT, lambda: "process 1 did not reap the adopted process")
                os.kill(first, signal.SIGTERM)
                process.wait(TIMEOUT)
                self.assertNotIn("error", text())
            finally:
                Path(gate.name).unlink(missing_ok=True)
                process.kill()
                process.wait()


if __name__ == "__main__":
    unittest.main(warnings="ignore")
