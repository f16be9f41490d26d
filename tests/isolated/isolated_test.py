# SPDX-License-Identifier: Apache-2.0
"""Isolated views: how they respond, and how their processes crash, time out and are replaced."""
import concurrent.futures
import contextlib
import http.client
import os
import random
import re
import signal
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("processes", "admin")]
from load import Arbiter  # noqa: E402
from admin_client import AdminServer  # noqa: E402
from server import UNPRIVILEGED, Server, is_alive, name_of, run, state_of  # noqa: E402

ENVIRONMENT = {"TESTBED_ISOLATED": "1"}


def children_of(arbiter):
    return [int(p) for p in Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
            if is_alive(int(p))]


def compute_processes_of(arbiter):
    """{process id: name} of the compute processes of an arbiter."""
    names = {pid: name_of(pid) for pid in children_of(arbiter)}
    return {pid: name for pid, name in names.items() if name.startswith("compute:")}


class Isolated(Arbiter):
    def __init__(self, *options, **more):
        more.setdefault("env", ENVIRONMENT)
        super().__init__(*options, **more)

    def compute_processes(self):
        return compute_processes_of(self.pid)

    def wait_for_compute_processes(self, count, other_than=()):
        def expected_processes():
            now = list(self.compute_processes())
            return now if len(now) == count and not set(now) & set(other_than) else None
        return self.wait_until(expected_processes, f"{count} compute processes")

    def notes(self):
        return Path(self.folder.name) / f"notes-{random.getrandbits(60)}"

    def start_request(self, path):
        s = self.connect()
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return s

    def start_paused_job(self, query):
        """(connection, process id) of a job that has started and continues only after resume()."""
        while True:
            notes = self.notes()
            s = self.start_request(f"/isolated/wait?{query}&notes={notes}")
            process, = wait_for_note(self, notes, "started")
            os.kill(process, signal.SIGSTOP)
            self.wait_until(lambda: state_of(process) == "T", "the process to stop")
            if "finished" not in notes.read_text():
                return s, process
            self.resume(process)  # stopped too late
            s.close()

    @staticmethod
    def resume(process):
        os.kill(process, signal.SIGCONT)


class IsolatedAdmin(Isolated, AdminServer):
    """With an admin listener."""

    def __init__(self, *options, **more):
        AdminServer.__init__(self, *options, env=ENVIRONMENT, **more)

    def compute_pool(self):
        pool, = self.status()["compute_pools"]
        return pool

    def jobs(self):
        return self.compute_pool()["jobs"]

    def wait_for_jobs(self, **expected):
        self.wait_until(lambda: expected.items() <= self.jobs().items(), f"the jobs {expected}")

    def wait_for_pending_jobs(self, count):
        """Waits until `count` jobs wait or run."""
        self.wait_until(lambda: (c := self.compute_pool())["waiting"] + c["running"] == count, f"{count} jobs")


def wait_for_note(server, notes, word):
    def processes():
        return re.findall(rf"^{word} (\d+)\n", notes.read_text(), re.M) if notes.exists() else None
    return [int(p) for p in server.wait_until(processes, f"'{word}' in the notes")]


def read_response(s):
    """(status, body, whether the body is complete)"""
    response = http.client.HTTPResponse(s)
    response.begin()
    try:
        return response.status, response.read(), True
    except (http.client.IncompleteRead, ConnectionResetError) as e:
        return response.status, getattr(e, "partial", b""), False
    finally:
        s.close()


class Responses(unittest.TestCase):
    def check_responses(self, server):
        status, fields, body = server.get("/isolated/text?text=hello")
        self.assertEqual((status, body), (200, b"hello"))
        self.assertEqual(fields["x-process"], fields["x-loaded-by"])
        status, fields, body = server.get("/isolated/reflect/foo%20bar/-7?a=b", X_Note="n", X_Request_ID="q")
        self.assertEqual(status, 202)
        self.assertRegex(body.decode(), rf"^GET /isolated/reflect/foo%20bar/-7\?a=b foo bar -7 127.0.0.1:{server.port} "
                                        r"127.0.0.1 [0-9a-f]{32} n$")
        self.assertIn("a=b", fields["set-cookie"])
        self.assertEqual(server.get("/isolated/reflect/a/x")[0], 404)
        self.assertEqual(server.get("/isolated/fail?code=418")[::2], (418, b"as requested\n"))
        status, _, body = server.get("/isolated/fail")
        self.assertEqual(status, 500)
        self.assertNotIn(b"secret", body)
        server.wait_for_log(r"GET /isolated/fail \(route /isolated/fail, request [0-9a-f]{32}\): std::runtime_error: secret")
        status, fields, body = server.get("/isolated/fail?busy=7")
        self.assertEqual((status, fields["retry-after"]), (503, "7"))
        self.assertNotIn(b"card", body)
        self.assertEqual(server.log.count("error "), 1, server.log)
        for size in (0, 1, 16384, 16385, 65536, 65537, 9_000_000):
            self.assertEqual(server.get(f"/isolated/large?bytes={size}")[2], b"y" * size, size)
            body = random.randbytes(size)
            status, fields, echoed = server.request("POST", "/isolated/echo", body, Content_Type="x/y")
            self.assertEqual((status, echoed == body, fields["content-type"]), (200, True, "x/y"), size)
        status, fields, body = server.request("HEAD", "/isolated/large?bytes=9000000")
        self.assertEqual((status, fields["content-length"], body), (200, "9000000", b""))
        self.assertEqual(server.get("/isolated/pieces?count=1000")[2].split(), [b"%d" % i for i in range(1000)])
        status, fields, body = server.get("/isolated/file", Range="bytes=1-3")
        self.assertEqual((status, body), (206, b"ELF"))
        self.assertEqual(server.get("/isolated/file")[2][:4], b"\x7fELF")

    def test_in_every_worker_class(self):
        for kind in ("async", "threads", "sync"):
            with self.subTest(kind=kind), Isolated("--worker-class", kind, workers=1) as server:
                self.check_responses(server)
                self.assertIn(int(server.get("/isolated/text")[1]["x-process"]), server.compute_processes())

    def test_on_epoll(self):
        with Isolated("--backend", "epoll", workers=1) as server:
            self.check_responses(server)

    def test_without_an_arbiter_they_run_in_the_server_process(self):
        for kind in ("async", "threads"):
            with self.subTest(kind=kind), Server("--worker-class", kind, env=ENVIRONMENT) as server:
                self.check_responses(server)
                self.assertEqual(int(server.get("/isolated/text")[1]["x-process"]), server.pid)

    def test_routes_and_start_list_them(self):
        self.assertRegex(run("routes", env=ENVIRONMENT)[1], r"GET, HEAD +/isolated/text +isolated\n")
        with Isolated("--compute-workers", "model=3", workers=1) as server:
            self.assertRegex(server.log, r"views .*, 10 isolated")
            server.wait_for_compute_processes(3)


class Errors(unittest.TestCase):
    def test_rejects_an_unknown_pool(self):
        for command in ("check", "serve"):
            status, _, errors = run(command, "--compute-workers", "modle=2", env=ENVIRONMENT)
            self.assertNotEqual(status, 0)
            self.assertIn("compute-workers: unknown name 'modle'; isolated views are named 'model'", errors)
        self.assertIn("the application has no isolated views", run("check", "--compute-workers", "a=2")[2])

    def test_a_failing_factory_fails_the_start(self):
        status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "1",
                                env={"TESTBED_ISOLATED": "broken"})
        self.assertEqual(status, 3, errors)
        self.assertIn("isolated view 'broken' (/isolated/broken): the factory failed: the weights are not there",
                      errors)


class Crashes(unittest.TestCase):
    def test_waiting_jobs_are_served_by_the_next_process(self):
        with IsolatedAdmin(workers=1) as server:
            victim, = server.wait_for_compute_processes(1)
            os.kill(victim, signal.SIGSTOP)
            waiting = [server.start_request(f"/isolated/text?text={i}") for i in range(8)]
            server.wait_for_pending_jobs(8)
            os.kill(victim, signal.SIGKILL)
            self.assertEqual([read_response(s) for s in waiting], [(200, b"%d" % i, True) for i in range(8)])

    def test_only_the_running_job_fails(self):
        with Isolated(workers=1) as server:
            notes = server.notes()
            running = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
            victim, = wait_for_note(server, notes, "started")
            waiting = server.start_request("/isolated/text?text=next")
            os.kill(victim, signal.SIGKILL)
            self.assertEqual(read_response(running)[0], 502)
            self.assertEqual(read_response(waiting), (200, b"next", True))
            self.assertEqual(server.get("/isolated/crash")[0], 502)
            self.assertEqual(server.get("/isolated/text")[0], 200)

    def test_a_crash_in_the_middle_of_a_response_aborts_the_connection(self):
        with Isolated(workers=1) as server:
            status, body, complete = read_response(server.start_request("/isolated/pieces?count=9&crash-at=3&ms=5"))
            self.assertEqual((status, complete), (200, False))
            self.assertEqual(body, b"0\n1\n2\n")
            self.assertEqual(server.get("/isolated/text")[0], 200)

    def test_memory_limit(self):
        with Isolated("--compute-memory", "600MiB", workers=1) as server:
            before = server.wait_for_compute_processes(1)
            self.assertEqual(server.get("/isolated/grow?bytes=1000000")[2], b"1000000")
            self.assertEqual(server.get("/isolated/grow?bytes=800000000")[0], 500)
            server.wait_for_log("bad_alloc")
            self.assertEqual(server.get("/isolated/text")[0], 200)
            self.assertEqual(list(server.compute_processes()), before)

    def test_timeout(self):
        with Isolated("--compute-timeout", "2s", workers=1) as server:
            before = server.wait_for_compute_processes(1)
            self.assertEqual(server.get("/isolated/wait?ms=60000")[0], 504)  # the view notices and returns
            self.assertEqual(server.get("/isolated/text")[0], 200)
            self.assertEqual(list(server.compute_processes()), before)
            self.assertEqual(server.get("/isolated/wait?ms=60000&stubborn=1")[0], 504)
            self.assertEqual(server.get("/isolated/text?text=again")[2], b"again")
            server.wait_for_log(r"route /isolated/wait, request [0-9a-f]{32}\): timed out")
            server.wait_for_compute_processes(1, before)

    def test_without_a_timeout_of_its_own_a_job_has_that_of_the_request(self):
        with Isolated("--compute-timeout", "0", "--request-timeout", "2s", workers=1) as server:
            self.assertEqual(server.get("/isolated/wait?ms=50&text=done")[::2], (200, b"done"))
            self.assertEqual(server.get("/isolated/wait?ms=60000")[0], 504)
            # That timeout limits the start of a response, not its end.
            self.assertEqual(read_response(server.start_request("/isolated/pieces?count=30&ms=100"))[1:],
                             (b"".join(b"%d\n" % i for i in range(30)), True))

    def test_a_crash_of_the_worker_cancels_its_jobs(self):
        with IsolatedAdmin(workers=1) as server:
            notes, never = server.notes(), server.notes()
            process, = server.wait_for_compute_processes(1)
            running = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
            wait_for_note(server, notes, "started")
            waiting = [server.start_request(f"/isolated/wait?ms=60000&notes={never}") for _ in range(5)]
            server.wait_for_pending_jobs(6)
            worker, = server.workers().values()
            os.kill(worker, signal.SIGKILL)
            self.assertEqual(wait_for_note(server, notes, "cancelled"), [process])
            server.wait_for_workers(1, [worker])
            self.assertEqual(server.get("/isolated/text")[0], 200)
            self.assertFalse(never.exists())
            for s in [running, *waiting]:
                s.close()

    def test_a_closed_connection_cancels_its_job(self):
        for kind in ("async", "threads"):
            with self.subTest(kind=kind), Isolated("--worker-class", kind, workers=1) as server:
                notes = server.notes()
                s = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
                wait_for_note(server, notes, "started")
                s.close()
                wait_for_note(server, notes, "cancelled")
                self.assertEqual(server.get("/isolated/text")[0], 200)

    def test_a_process_that_crashes_while_it_loads_is_replaced(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            loads = Path(folder) / "loads"
            # The test decides how long the following processes load.
            with Isolated("--boot-timeout", "10m", env={**ENVIRONMENT, "TESTBED_LOADS_WHILE": str(loads)}, workers=1) as server:
                before = server.wait_for_compute_processes(1)
                loads.touch()
                os.kill(before[0], signal.SIGKILL)
                loading = server.wait_for_compute_processes(1, before)
                waiting = server.start_request("/isolated/text?text=a")
                server.wait_until_read(waiting)
                os.kill(loading[0], signal.SIGKILL)
                loads.unlink()
                self.assertEqual(read_response(waiting), (200, b"a", True))
                server.wait_for_compute_processes(1, before + loading)


class MissingHeartbeats(unittest.TestCase):
    def test_a_stopped_idle_process_is_killed_and_replaced(self):
        with Isolated("--timeout", "2s", workers=1) as server:
            stopped, = server.wait_for_compute_processes(1)
            os.kill(stopped, signal.SIGSTOP)
            self.assertEqual(server.get("/isolated/text?text=waited")[2], b"waited")
            server.wait_for_compute_processes(1, [stopped])
            self.assertIn(f"compute:model 0 (process {stopped}) has sent no heartbeat for 2 s (timeout)", server.log)

    def test_a_process_that_computes_has_until_the_deadline_of_its_job(self):
        with Isolated("--timeout", "2s", workers=1) as server:
            before = server.wait_for_compute_processes(1)
            self.assertEqual(server.get("/isolated/wait?ms=4000&text=done")[2], b"done")
            # A process that is stopped in a job also has until the job's deadline.
            running, process = server.start_paused_job("ms=500&text=resumed")
            self.assertEqual([process], before)
            time.sleep(4)
            server.resume(process)
            self.assertEqual(read_response(running), (200, b"resumed", True))
            self.assertEqual(list(server.compute_processes()), before)
            self.assertNotIn("no heartbeat", server.log)

    def test_a_process_stopped_in_a_job_is_killed_after_the_timeout(self):
        with Isolated("--timeout", "2s", "--compute-timeout", "2s", workers=1) as server:
            running, stopped = server.start_paused_job("ms=60000")
            self.assertEqual(read_response(running)[0], 504)
            server.wait_for_compute_processes(1, [stopped])
            self.assertEqual(server.get("/isolated/text")[0], 200)


class ManyJobs(unittest.TestCase):
    def test_a_full_queue_is_503(self):
        with IsolatedAdmin("--compute-queue", "2", workers=1) as server:
            notes = server.notes()
            running = server.start_request(f"/isolated/wait?ms=60000&notes={notes}")
            wait_for_note(server, notes, "started")
            waiting = [server.start_request(f"/isolated/text?text={i}") for i in range(2)]
            server.wait_until(lambda: server.compute_pool()["waiting"] == 2, "a full queue")
            status, fields, _ = server.get("/isolated/text?text=more")
            self.assertEqual((status, "retry-after" in fields), (503, True))
            self.assertEqual(server.get("/")[0], 200)
            running.close()
            self.assertEqual([read_response(s) for s in waiting], [(200, b"0", True), (200, b"1", True)])
            self.assertEqual(server.get("/isolated/text?text=more")[0], 200)

    def test_no_request_gets_the_response_of_another(self):
        with Isolated("--compute-workers", "model=2", "--compute-queue", "1000") as server:
            end, last_end = time.monotonic() + 3, time.monotonic() + 120
            wrong, statuses = [], {}

            def continues():
                return time.monotonic() < end or (statuses.get(200, 0) <= 100 and time.monotonic() < last_end)

            def send(number):
                """(status, whether the response matches the request): short and long texts, large bodies in both directions
                and streams, so that the kills hit every phase of a job."""
                word = f"{number}-" + "z" * random.choice((1, 100))
                what = random.choice(("text", "wait", "echo", "pieces"))
                if what == "echo":
                    sent = word.encode() * random.choice((1, 2000))
                    status, _, body = server.request("POST", "/isolated/echo", sent)
                    return status, body == sent
                if what == "pieces":
                    status, body, complete = read_response(server.start_request("/isolated/pieces?count=300"))
                    return (status, body == b"".join(b"%d\n" % i for i in range(300))) if complete or status != 200 else ("aborted", True)
                status, _, body = server.get(f"/isolated/{what}?ms=2&text={word}")
                return status, body == word.encode()

            def client(number):
                i = 0
                while continues():
                    i += 1
                    try:
                        status, correct = send(f"{number}-{i}")
                    except (http.client.IncompleteRead, ConnectionResetError):
                        status, correct = "aborted", True
                    statuses[status] = statuses.get(status, 0) + 1
                    if status == 200 and not correct:
                        wrong.append((number, i))

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                clients = [pool.submit(client, n) for n in range(8)]
                while continues():
                    time.sleep(random.uniform(0.05, 0.25))
                    for pid in list(server.compute_processes())[:1]:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                for c in clients:
                    c.result()
            self.assertEqual(wrong, [])
            self.assertLessEqual(set(statuses), {200, 502, "aborted"}, server.log)
            self.assertGreater(statuses[200], 100, statuses)
            print(statuses)


class ReloadsAndUpgrades(unittest.TestCase):
    """Another version of the program replaces the running one, or runs next to it."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="rondo-test-"))
        self.views = Path(self.folder) / "views"
        self.views.write_text("1")

    def isolated(self, *options, **more):
        return Isolated(*options, env={"TESTBED_ISOLATED": str(self.views)}, **more)

    def test_a_reload_loses_no_request(self):
        with Isolated(workers=2) as server:
            before = server.wait_for_compute_processes(1)
            ending, results = threading.Event(), []

            def client():
                while not ending.is_set():
                    results.append(server.get("/isolated/wait?ms=5&text=a")[::2])

            threads = [threading.Thread(target=client) for _ in range(3)]
            for t in threads:
                t.start()
            server.signal(signal.SIGHUP)
            server.wait_for_compute_processes(1, before)
            count = len(results)
            server.wait_until(lambda: len(results) > count + 20, "responses after the reload")
            ending.set()
            for t in threads:
                t.join()
            self.assertEqual(set(results), {(200, b"a")})

    def reload_while_a_job_runs(self, server, views):
        """The responses of /isolated/text from the reload until the old processes have exited."""
        old = list(server.compute_processes())
        running, process = server.start_paused_job("ms=500&text=old")
        self.views.write_text(views)
        before = set(server.workers().values())
        server.signal(signal.SIGHUP)
        resuming = threading.Thread(target=self.resume_after_the_reload, args=(server, process, before, old))
        resuming.start()
        responses = []
        while before & set(server.workers().values()) or set(old) & set(server.compute_processes()):
            responses.append(server.get("/isolated/text?text=a")[::2])
        resuming.join()
        self.assertEqual(read_response(running), (200, b"old", True))
        return responses

    @staticmethod
    def resume_after_the_reload(server, process, workers, compute_processes):
        """Resumes the paused job once there are new workers and new compute processes."""
        try:
            server.wait_until(lambda: set(server.workers().values()) - set(workers), "new workers")
            server.wait_until(lambda: set(server.compute_processes()) - set(compute_processes), "new compute processes")
        finally:
            server.resume(process)

    def test_a_pool_that_a_reload_removes_serves_the_old_workers(self):
        with self.isolated(workers=1) as server:
            server.wait_for_compute_processes(1)
            self.assertEqual(set(self.reload_while_a_job_runs(server, "renamed")), {(200, b"a")})
            self.assertEqual(list(server.compute_processes().values()), ["compute:other 0"])
            self.assertNotIn(" error ", server.log)

    def test_old_processes_get_no_jobs_of_a_view_that_a_reload_adds(self):
        with self.isolated("--compute-workers", "model=2", workers=1) as server:
            old = server.wait_for_compute_processes(2)
            running, process = server.start_paused_job("ms=500&text=old")
            workers = set(server.workers().values())
            self.views.write_text("more")
            server.signal(signal.SIGHUP)
            resuming = threading.Thread(target=self.resume_after_the_reload, args=(server, process, workers, old))
            resuming.start()
            statuses = []
            while set(old) & set(server.compute_processes()):
                statuses.append(server.get("/isolated/more")[0])
            resuming.join()
            self.assertEqual(read_response(running), (200, b"old", True))
            self.assertIn(200, statuses)
            self.assertLessEqual(set(statuses), {200, 404})  # 404: from the old workers

    def test_a_reload_with_a_failing_factory_changes_nothing(self):
        with self.isolated(workers=1) as server:
            before = set(server.children())
            self.views.write_text("broken")
            server.signal(signal.SIGHUP)
            server.wait_for_log("reload failed: the new compute:broken did not start; the old one keeps serving")
            self.assertIn("isolated view 'broken' (/isolated/broken): the factory failed: the weights are not there",
                          server.log)
            server.wait_until(lambda: set(server.children()) == before, "the new processes to exit")
            server.wait_for_log("reload rolled back; the previous workers keep serving")
            self.assertEqual(server.get("/isolated/text?text=still")[2], b"still")
            # A process that crashes now is replaced; the failed start is not repeated.
            os.kill(list(server.compute_processes())[0], signal.SIGKILL)
            server.wait_for_compute_processes(1, before)
            self.assertEqual(server.get("/isolated/text?text=still")[2], b"still")
            self.assertEqual(server.log.count("the factory failed"), 1, server.log)
            self.views.write_text("more")
            workers = set(server.workers().values())
            server.signal(signal.SIGHUP)
            server.wait_for_workers(1, workers)
            server.wait_until(lambda: server.get("/isolated/more")[0] == 200, "the new view")

    def test_a_second_arbiter_has_its_own_compute_processes(self):
        server = self.isolated("--compute-workers", "model=2", workers=1)
        try:
            old = server.wait_for_compute_processes(2)
            running, process = server.start_paused_job("ms=500&text=old")
            server.signal(signal.SIGUSR2)
            other = int(server.wait_for_log(r"started a second arbiter: process (\d+)")[1])
            server.wait_until(lambda: server.log.count("serving, pid") == 2, "the workers of the second arbiter")
            new = compute_processes_of(other)
            self.assertEqual(len(new), 2)
            server.signal(signal.SIGTERM)
            server.wait_for_log(r"worker 0\] .*drain: stopped accepting")
            processes = {int(server.get("/isolated/text")[1]["x-process"]) for _ in range(20)}
            self.assertLessEqual(processes, set(new))
            self.assertTrue(server.alive())
            server.resume(process)
            self.assertEqual(read_response(running), (200, b"old", True))
            self.assertEqual(server.wait(), 0)
            self.assertEqual([state_of(p) for p in old], [None, None])
            self.assertEqual(server.get("/isolated/text?text=a")[2], b"a")
            remaining = [other, *children_of(other)]
            os.kill(other, signal.SIGTERM)
            server.wait_until(lambda: not any(is_alive(p) for p in remaining), "all processes to exit")
        finally:
            server.stop()


class Shutdown(unittest.TestCase):
    def test_waits_for_running_jobs(self):
        with Isolated(workers=1) as server:
            running, process = server.start_paused_job("ms=500&text=done")
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            server.resume(process)
            self.assertEqual(read_response(running), (200, b"done", True))
            self.assertEqual(server.wait(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can run workers as another user")
    def test_as_another_user(self):
        with Isolated("--user", UNPRIVILEGED.pw_name, workers=1) as server:
            before = server.wait_for_compute_processes(1)
            self.assertEqual([os.stat(f"/proc/{p}").st_uid for p in server.children()], [UNPRIVILEGED.pw_uid] * 2)
            body = random.randbytes(100_000)
            self.assertEqual(server.request("POST", "/isolated/echo", body)[2], body)
            os.kill(before[0], signal.SIGKILL)
            self.assertEqual(server.get("/isolated/text?text=a")[2], b"a")
            after = server.wait_for_compute_processes(1, before)
            server.signal(signal.SIGHUP)
            server.wait_for_compute_processes(1, before + after)
            self.assertEqual(server.get("/isolated/text?text=a")[2], b"a")
            # They exit with the arbiter, even when it is killed.
            children = server.children()
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            server.wait_until(lambda: not any(is_alive(p) for p in children), "all processes to exit")


if __name__ == "__main__":
    unittest.main(verbosity=2)
