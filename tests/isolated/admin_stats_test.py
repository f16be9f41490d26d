# SPDX-License-Identifier: Apache-2.0
"""The stats of isolated views and their processes are exact."""
import concurrent.futures
import os
import signal
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from isolated_test import IsolatedAdmin, read_response, wait_for_note  # noqa: E402
from server import run  # noqa: E402


class ComputeStats(unittest.TestCase):
    def run_jobs_of_every_outcome(self, server):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: self.assertEqual(server.get(f"/isolated/wait?ms=5&text={i}")[0], 200), range(12)))
        self.assertEqual(server.get("/isolated/fail")[0], 500)
        self.assertEqual(server.get("/isolated/crash")[0], 502)
        self.assertEqual(server.get("/isolated/pieces?count=5")[0], 200)
        self.assertEqual(server.get("/isolated/wait?ms=60000")[0], 504)
        self.assertEqual(server.get("/isolated/wait?ms=60000&stubborn=1")[0], 504)
        notes = server.notes()
        s = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
        wait_for_note(server, notes, "started")
        server.wait_until(lambda: server.compute_pool()["busy"] == 1, "a busy process")
        s.close()
        wait_for_note(server, notes, "cancelled")

    def test_in_every_worker_class(self):
        for kind in ("async", "threads"):
            with self.subTest(kind=kind), \
                    IsolatedAdmin("--worker-class", kind, "--compute-timeout", "1s", "--compute-workers", "model=2") as server:
                before = server.wait_for_compute_processes(2)
                self.run_jobs_of_every_outcome(server)
                server.wait_for_jobs(done=14, lost=1, timed_out=2, cancelled=1, refused=0)
                # The crashed and the stubborn process are replaced a moment after their jobs have ended.
                server.wait_until(lambda: server.compute_pool()["starts"] >= 4, "two replacements")
                server.wait_until(lambda: server.compute_pool()["busy"] == 0 and len(server.compute_pool()["processes"]) == 2,
                                  "two idle processes")
                m = server.metrics()
                self.assertEqual(m.get("rondo_compute_jobs_total", name="model", outcome="done"), 14)
                self.assertEqual(m.get("rondo_compute_jobs_total", name="model", outcome="lost"), 1)
                self.assertEqual(m.get("rondo_compute_processes", name="model"), 2)
                self.assertEqual(m.get("rondo_compute_starts_total", name="model"), 4)
                self.assertEqual(m.get("rondo_compute_crashes_total", name="model"), 2)  # the crashed and the stubborn one
                self.assertEqual(m.get("rondo_compute_queue_wait_seconds_count", name="model"), 18)
                self.assertEqual(m.get("rondo_compute_run_seconds_count", name="model"), 17)  # a lost job has no end
                self.assertGreaterEqual(m.get("rondo_compute_run_seconds_sum", name="model"), 12 * 0.005 + 2)
                self.assertEqual(m.get("rondo_compute_cpu_seconds_count", name="model"), 17)
                self.assertEqual(m.get("rondo_compute_process_jobs_total", name="model"), 17)
                self.assertEqual((m.get("rondo_compute_waiting"), m.get("rondo_compute_running")), (0, 0))
                now = {p["pid"]: p for p in server.compute_pool()["processes"]}
                self.assertEqual(set(now), set(server.compute_processes()))
                self.assertNotEqual(set(now), set(before))
                self.assertTrue(all(p["memory_bytes"] > 1 << 20 and p["state"] == "idle" for p in now.values()), now)

    def test_waiting_and_refused_jobs(self):
        with IsolatedAdmin("--compute-queue", "2", workers=1) as server:
            notes = server.notes()
            running = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
            process, = wait_for_note(server, notes, "started")
            waiting = [server.start_request("/isolated/text?text=a") for _ in range(2)]
            server.wait_until(lambda: server.compute_pool()["waiting"] == 2, "two waiting jobs")
            self.assertEqual(server.get("/isolated/text")[0], 503)
            pool = server.compute_pool()
            self.assertEqual((pool["running"], pool["jobs"]["refused"]), (1, 1))
            only, = pool["processes"]
            self.assertEqual((only["pid"], only["state"]), (process, "busy"))
            self.assertGreater(only["busy_ms"], 0)
            running.close()
            self.assertEqual([read_response(s)[0] for s in waiting], [200, 200])
            server.wait_for_jobs(done=2, refused=1, cancelled=1)
            # CPU time is that of the job: a job that waits uses none.
            self.assertLess(server.metrics().get("rondo_compute_cpu_seconds_sum"), 2)

    def test_jobs_of_a_crashed_worker_are_cancelled_and_counts_survive(self):
        with IsolatedAdmin(workers=1) as server:
            self.assertEqual(server.get("/isolated/text")[0], 200)
            notes = server.notes()
            running = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
            wait_for_note(server, notes, "started")
            waiting = server.start_request("/isolated/text")
            server.wait_until(lambda: server.compute_pool()["waiting"] == 1, "a waiting job")
            os.kill(list(server.serving_workers().values())[0], signal.SIGKILL)
            server.wait_for_jobs(done=1, cancelled=2)
            self.assertEqual((server.compute_pool()["waiting"], server.compute_pool()["running"]), (0, 0))
            for s in (running, waiting):
                s.close()
            server.signal(signal.SIGHUP)
            server.wait_until(lambda: server.compute_pool()["starts"] == 2 and len(server.compute_pool()["processes"]) == 1, "the reload")
            self.assertEqual(server.jobs()["done"], 1)
            self.assertEqual(server.compute_pool()["crashes"], 0)

    def test_status_prints_the_stats(self):
        with IsolatedAdmin(workers=1) as server:
            self.assertEqual(server.get("/isolated/text")[0], 200)
            process, = server.compute_processes()
            server.wait_for_jobs(done=1)
            status, out, errors = run("status", "--admin", server.admin_url.removeprefix("http://"))
            self.assertEqual((status, errors), (0, ""))
            self.assertRegex(out, r"(?m)^model +0/1 +0 +1 ")
            self.assertRegex(out, rf"(?m)^model 0 +idle +{process} ")

    def test_no_stats_without_an_arbiter(self):
        with IsolatedAdmin(workers=0) as server:
            self.assertEqual(server.get("/isolated/text")[0], 200)
            self.assertEqual(server.status()["compute_pools"], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
