# SPDX-License-Identifier: Apache-2.0
"""The figures of isolated views and their processes are what happened."""
import concurrent.futures
import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from isolated_test import Seen, answer_of, wait_for_note  # noqa: E402
from server import run  # noqa: E402


class Counted(unittest.TestCase):
    def do_a_bit_of_everything(self, server):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: self.assertEqual(server.get(f"/isolated/stay?ms=5&say={i}")[0], 200), range(12)))
        self.assertEqual(server.get("/isolated/fail")[0], 500)
        self.assertEqual(server.get("/isolated/die")[0], 502)
        self.assertEqual(server.get("/isolated/pieces?count=5")[0], 200)
        self.assertEqual(server.get("/isolated/stay?ms=60000")[0], 504)
        self.assertEqual(server.get("/isolated/stay?ms=60000&stubborn=1")[0], 504)
        notes = server.notes()
        s = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
        wait_for_note(server, notes, "begun")
        server.until(lambda: server.computer()["busy"] == 1, "one that is busy")
        s.close()
        wait_for_note(server, notes, "cancelled")

    def test_in_every_worker_class(self):
        for kind in ("async", "threads"):
            with self.subTest(kind=kind), \
                    Seen("--worker-class", kind, "--compute-timeout", "1s", "--compute-workers", "model=2") as server:
                before = server.wait_for_computers(2)
                self.do_a_bit_of_everything(server)
                server.until_jobs(done=14, lost=1, late=2, cancelled=1, refused=0)
                server.until(lambda: server.computer()["busy"] == 0 and len(server.computer()["processes"]) == 2, "quiet")
                m = server.metrics()
                self.assertEqual(m.get("rondo_compute_jobs_total", name="model", outcome="done"), 14)
                self.assertEqual(m.get("rondo_compute_jobs_total", name="model", outcome="lost"), 1)
                self.assertEqual(m.get("rondo_compute_processes", name="model"), 2)
                self.assertEqual(m.get("rondo_compute_starts_total", name="model"), 4)
                self.assertEqual(m.get("rondo_compute_crashes_total", name="model"), 2)  # died, stubborn
                self.assertEqual(m.get("rondo_compute_queue_wait_seconds_count", name="model"), 18)
                self.assertEqual(m.get("rondo_compute_run_seconds_count", name="model"), 17)  # the lost one has no end
                self.assertGreaterEqual(m.get("rondo_compute_run_seconds_sum", name="model"), 12 * 0.005 + 2)
                self.assertEqual(m.get("rondo_compute_cpu_seconds_count", name="model"), 17)
                self.assertEqual(m.get("rondo_compute_process_jobs_total", name="model"), 17)
                self.assertEqual((m.get("rondo_compute_waiting"), m.get("rondo_compute_running")), (0, 0))
                now = {p["process"]: p for p in server.computer()["processes"]}
                self.assertEqual(set(now), set(server.computers()))
                self.assertNotEqual(set(now), set(before))
                self.assertTrue(all(p["memory_bytes"] > 1 << 20 and p["state"] == "idle" for p in now.values()), now)

    def test_what_waits_and_what_is_refused(self):
        with Seen("--compute-queue", "2", workers=1) as server:
            notes = server.notes()
            running = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
            process, = wait_for_note(server, notes, "begun")
            waiting = [server.begin("/isolated/say?say=a") for _ in range(2)]
            server.until(lambda: server.computer()["waiting"] == 2, "two that wait")
            self.assertEqual(server.get("/isolated/say")[0], 503)
            computer = server.computer()
            self.assertEqual((computer["running"], computer["jobs"]["refused"]), (1, 1))
            one, = computer["processes"]
            self.assertEqual((one["process"], one["state"]), (process, "busy"))
            self.assertGreater(one["busy_ms"], 0)
            running.close()
            self.assertEqual([answer_of(s)[0] for s in waiting], [200, 200])
            server.until_jobs(done=2, refused=1, cancelled=1)
            # Processor time is that of the job: who waits has none.
            self.assertLess(server.metrics().get("rondo_compute_cpu_seconds_sum"), 2)

    def test_jobs_of_a_worker_that_died_are_cancelled_and_counts_survive(self):
        with Seen(workers=1) as server:
            self.assertEqual(server.get("/isolated/say")[0], 200)
            notes = server.notes()
            running = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
            wait_for_note(server, notes, "begun")
            waiting = server.begin("/isolated/say")
            server.until(lambda: server.computer()["waiting"] == 1, "one that waits")
            os.kill(list(server.told_to_serve().values())[0], signal.SIGKILL)
            server.until_jobs(done=1, cancelled=2)
            self.assertEqual((server.computer()["waiting"], server.computer()["running"]), (0, 0))
            for s in (running, waiting):
                s.close()
            server.signal(signal.SIGHUP)
            server.until(lambda: server.computer()["starts"] == 2 and len(server.computer()["processes"]) == 1, "the reload")
            self.assertEqual(server.jobs()["done"], 1)
            self.assertEqual(server.computer()["crashes"], 0)

    def test_status_prints_them(self):
        with Seen(workers=1) as server:
            self.assertEqual(server.get("/isolated/say")[0], 200)
            process, = server.computers()
            server.until_jobs(done=1)
            status, out, errors = run("status", "--admin", server.admin_url.removeprefix("http://"))
            self.assertEqual((status, errors), (0, ""))
            self.assertRegex(out, r"(?m)^model +0/1 +0 +1 ")
            self.assertRegex(out, rf"(?m)^model 0 +idle +{process} ")

    def test_without_an_arbiter_there_are_none(self):
        with Seen(workers=0) as server:
            self.assertEqual(server.get("/isolated/say")[0], 200)
            self.assertEqual(server.status()["computers"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
