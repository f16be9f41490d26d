# SPDX-License-Identifier: Apache-2.0
"""Isolated views: what their processes do to the requests, and what becomes of the processes."""
import concurrent.futures
import contextlib
import http.client
import os
import pwd
import random
import re
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("processes", "seeing")]
from load import Arbiter, state_of  # noqa: E402
from admin import Watched  # noqa: E402
from server import Server, name_of, run  # noqa: E402

ENVIRONMENT = {"TESTBED_ISOLATED": "1"}


def children_of(arbiter):
    return [int(p) for p in Path(f"/proc/{arbiter}/task/{arbiter}/children").read_text().split()
            if state_of(int(p)) not in ("Z", None)]


def computers_of(arbiter):
    """{process: name} of the compute processes of an arbiter."""
    names = {pid: name_of(pid) for pid in children_of(arbiter)}
    return {pid: name for pid, name in names.items() if name.startswith("compute:")}


class Isolated(Arbiter):
    def __init__(self, *options, **more):
        more.setdefault("env", ENVIRONMENT)
        super().__init__(*options, **more)

    def computers(self):
        return computers_of(self.pid)

    def wait_for_computers(self, count, other_than=()):
        def look():
            now = list(self.computers())
            return now if len(now) == count and not set(now) & set(other_than) else None
        return self.wait_until(look, what=f"{count} compute processes")

    def notes(self):
        return Path(self.folder.name) / f"notes-{random.getrandbits(60)}"

    def begin(self, path):
        s = self.connect()
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return s

    def hold(self, query):
        """(connection, the process) of a job that has begun and goes on only with release()."""
        while True:
            notes = self.notes()
            s = self.begin(f"/isolated/stay?{query}&notes={notes}")
            process, = wait_for_note(self, notes, "begun")
            os.kill(process, signal.SIGSTOP)
            self.wait_until(lambda: state_of(process) == "T", what="the stop")
            if "finished" not in notes.read_text():
                return s, process
            self.release(process)  # too late
            s.close()

    @staticmethod
    def release(process):
        os.kill(process, signal.SIGCONT)


class Seen(Isolated, Watched):
    """With an admin listener."""

    def __init__(self, *options, **more):
        Watched.__init__(self, *options, env=ENVIRONMENT, **more)

    def computer(self):
        computer, = self.status()["computers"]
        return computer

    def jobs(self):
        return self.computer()["jobs"]

    def until_jobs(self, **wanted):
        self.until(lambda: wanted.items() <= self.jobs().items(), f"{wanted}, but {self.jobs()},")

    def until_asked(self, count):
        """Until so many jobs wait or run."""
        self.until(lambda: (c := self.computer())["waiting"] + c["running"] == count, f"{count} jobs")


def wait_for_note(server, notes, word):
    def look():
        return re.findall(rf"^{word} (\d+)\n", notes.read_text(), re.M) if notes.exists() else None
    return [int(p) for p in server.wait_until(look, what=f"'{word}' in the notes")]


def answer_of(s):
    """(status, body, whether it came to its end)"""
    answer = http.client.HTTPResponse(s)
    answer.begin()
    try:
        return answer.status, answer.read(), True
    except (http.client.IncompleteRead, ConnectionResetError) as e:
        return answer.status, getattr(e, "partial", b""), False
    finally:
        s.close()


class Answers(unittest.TestCase):
    def look_at_all(self, server):
        status, fields, body = server.get("/isolated/say?say=hello")
        self.assertEqual((status, body), (200, b"hello"))
        self.assertEqual(fields["x-process"], fields["x-loaded-by"])
        status, fields, body = server.get("/isolated/seen/foo%20bar/-7?a=b", X_Note="n", X_Request_ID="q")
        self.assertEqual(status, 202)
        self.assertRegex(body.decode(), rf"^GET /isolated/seen/foo%20bar/-7\?a=b foo bar -7 127.0.0.1:{server.port} "
                                        r"127.0.0.1 [0-9a-f]{32} n$")
        self.assertIn("a=b", fields["set-cookie"])
        self.assertEqual(server.get("/isolated/seen/a/x")[0], 404)
        self.assertEqual(server.get("/isolated/fail?code=418")[::2], (418, b"as it was asked for\n"))
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
            status, fields, back = server.request("POST", "/isolated/echo", body, Content_Type="x/y")
            self.assertEqual((status, back == body, fields["content-type"]), (200, True, "x/y"), size)
        status, fields, body = server.request("HEAD", "/isolated/large?bytes=9000000")
        self.assertEqual((status, fields["content-length"], body), (200, "9000000", b""))
        self.assertEqual(server.get("/isolated/pieces?count=1000")[2].split(), [b"%d" % i for i in range(1000)])
        status, fields, body = server.get("/isolated/file", Range="bytes=1-3")
        self.assertEqual((status, body), (206, b"ELF"))
        self.assertEqual(server.get("/isolated/file")[2][:4], b"\x7fELF")

    def test_in_every_worker_class(self):
        for kind in ("async", "threads", "sync"):
            with self.subTest(kind=kind), Isolated("--worker-class", kind, workers=1) as server:
                self.look_at_all(server)
                self.assertIn(int(server.get("/isolated/say")[1]["x-process"]), server.computers())

    def test_with_epoll(self):
        with Isolated("--backend", "epoll", workers=1) as server:
            self.look_at_all(server)

    def test_without_an_arbiter_in_the_process_itself(self):
        for kind in ("async", "threads"):
            with self.subTest(kind=kind), Server("--worker-class", kind, env=ENVIRONMENT) as server:
                self.look_at_all(server)
                self.assertEqual(int(server.get("/isolated/say")[1]["x-process"]), server.pid)

    def test_the_program_tells_of_them(self):
        self.assertRegex(run("routes", env=ENVIRONMENT)[1], r"GET, HEAD +/isolated/say +isolated\n")
        with Isolated("--compute-workers", "model=3", workers=1) as server:
            self.assertRegex(server.log, r"views .*, 10 isolated")
            server.wait_for_computers(3)


class Mistakes(unittest.TestCase):
    def test_a_name_that_no_view_has(self):
        for command in ("check", "serve"):
            status, _, errors = run(command, "--compute-workers", "modle=2", env=ENVIRONMENT)
            self.assertNotEqual(status, 0)
            self.assertIn("compute-workers: unknown name 'modle'; isolated views are named 'model'", errors)
        self.assertIn("the application has no isolated views", run("check", "--compute-workers", "a=2")[2])

    def test_a_factory_that_fails_fails_the_start(self):
        status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "1",
                                env={"TESTBED_ISOLATED": "broken"})
        self.assertEqual(status, 3, errors)
        self.assertIn("isolated view 'broken' (/isolated/broken): the factory failed: the weights are not there",
                      errors)


class Deaths(unittest.TestCase):
    def test_who_waits_is_served_by_the_next_process(self):
        with Seen(workers=1) as server:
            victim, = server.wait_for_computers(1)
            os.kill(victim, signal.SIGSTOP)
            waiting = [server.begin(f"/isolated/say?say={i}") for i in range(8)]
            server.until_asked(8)
            os.kill(victim, signal.SIGKILL)
            self.assertEqual([answer_of(s) for s in waiting], [(200, b"%d" % i, True) for i in range(8)])

    def test_what_has_begun_fails_alone(self):
        with Isolated(workers=1) as server:
            notes = server.notes()
            running = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
            victim, = wait_for_note(server, notes, "begun")
            waiting = server.begin("/isolated/say?say=next")
            os.kill(victim, signal.SIGKILL)
            self.assertEqual(answer_of(running)[0], 502)
            self.assertEqual(answer_of(waiting), (200, b"next", True))
            self.assertEqual(server.get("/isolated/die")[0], 502)
            self.assertEqual(server.get("/isolated/say")[0], 200)

    def test_in_the_middle_of_an_answer_the_connection_is_aborted(self):
        with Isolated(workers=1) as server:
            status, body, whole = answer_of(server.begin("/isolated/pieces?count=9&dies-at=3&ms=5"))
            self.assertEqual((status, whole), (200, False))
            self.assertEqual(body, b"0\n1\n2\n")
            self.assertEqual(server.get("/isolated/say")[0], 200)

    def test_the_limit_of_memory(self):
        with Isolated("--compute-memory", "600MiB", workers=1) as server:
            before = server.wait_for_computers(1)
            self.assertEqual(server.get("/isolated/grow?bytes=1000000")[2], b"1000000")
            self.assertEqual(server.get("/isolated/grow?bytes=800000000")[0], 500)
            server.wait_for_log("bad_alloc")
            self.assertEqual(server.get("/isolated/say")[0], 200)
            self.assertEqual(list(server.computers()), before)

    def test_over_its_time(self):
        with Isolated("--compute-timeout", "2s", workers=1) as server:
            before = server.wait_for_computers(1)
            self.assertEqual(server.get("/isolated/stay?ms=60000")[0], 504)  # it sees that and returns
            self.assertEqual(server.get("/isolated/say")[0], 200)
            self.assertEqual(list(server.computers()), before)
            self.assertEqual(server.get("/isolated/stay?ms=60000&stubborn=1")[0], 504)
            self.assertEqual(server.get("/isolated/say?say=again")[2], b"again")
            server.wait_for_log(r"route /isolated/stay, request [0-9a-f]{32}\): timed out")
            server.wait_for_computers(1, before)

    def test_without_a_time_of_their_own_jobs_have_that_of_the_request(self):
        with Isolated("--compute-timeout", "0", "--request-timeout", "2s", workers=1) as server:
            self.assertEqual(server.get("/isolated/stay?ms=50&say=done")[::2], (200, b"done"))
            self.assertEqual(server.get("/isolated/stay?ms=60000")[0], 504)
            # Which is for the beginning of a response, not for its end.
            self.assertEqual(answer_of(server.begin("/isolated/pieces?count=30&ms=100"))[1:],
                             (b"".join(b"%d\n" % i for i in range(30)), True))

    def test_a_worker_dies(self):
        with Seen(workers=1) as server:
            notes, never = server.notes(), server.notes()
            process, = server.wait_for_computers(1)
            running = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
            wait_for_note(server, notes, "begun")
            waiting = [server.begin(f"/isolated/stay?ms=60000&notes={never}") for _ in range(5)]
            server.until_asked(6)
            worker, = server.workers().values()
            os.kill(worker, signal.SIGKILL)
            self.assertEqual(wait_for_note(server, notes, "cancelled"), [process])
            server.wait_for_workers(1, [worker])
            self.assertEqual(server.get("/isolated/say")[0], 200)
            self.assertFalse(never.exists())
            for s in [running, *waiting]:
                s.close()

    def test_a_client_goes(self):
        for kind in ("async", "threads"):
            with self.subTest(kind=kind), Isolated("--worker-class", kind, workers=1) as server:
                notes = server.notes()
                s = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
                wait_for_note(server, notes, "begun")
                s.close()
                wait_for_note(server, notes, "cancelled")
                self.assertEqual(server.get("/isolated/say")[0], 200)

    def test_one_that_dies_while_it_loads_is_replaced(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            loads = Path(folder) / "loads"
            # Of those that load for long, it is the test that decides how long.
            with Isolated("--boot-timeout", "10m", env={**ENVIRONMENT, "TESTBED_LOADS_WHILE": str(loads)}, workers=1) as server:
                before = server.wait_for_computers(1)
                loads.touch()
                os.kill(before[0], signal.SIGKILL)
                loading = server.wait_for_computers(1, before)
                waiting = server.begin("/isolated/say?say=a")
                server.wait_until_read(waiting)
                os.kill(loading[0], signal.SIGKILL)
                loads.unlink()
                self.assertEqual(answer_of(waiting), (200, b"a", True))
                server.wait_for_computers(1, before + loading)


class Silence(unittest.TestCase):
    def test_an_idle_one_that_is_frozen_is_killed_and_replaced(self):
        with Isolated("--timeout", "2s", workers=1) as server:
            frozen, = server.wait_for_computers(1)
            os.kill(frozen, signal.SIGSTOP)
            self.assertEqual(server.get("/isolated/say?say=waited")[2], b"waited")
            server.wait_for_computers(1, [frozen])
            self.assertIn(f"compute:model 0 (process {frozen}) has sent no heartbeat for 2 s (timeout)", server.log)

    def test_one_that_computes_is_left_to_its_deadline(self):
        with Isolated("--timeout", "2s", workers=1) as server:
            before = server.wait_for_computers(1)
            self.assertEqual(server.get("/isolated/stay?ms=4000&say=done")[2], b"done")
            # Frozen in a job, too: it has until the end of the job's time.
            running, process = server.hold("ms=500&say=thawed")
            self.assertEqual([process], before)
            time.sleep(4)
            server.release(process)
            self.assertEqual(answer_of(running), (200, b"thawed", True))
            self.assertEqual(list(server.computers()), before)
            self.assertNotIn("no heartbeat", server.log)

    def test_one_that_is_frozen_in_a_job_is_killed_after_its_time(self):
        with Isolated("--timeout", "2s", "--compute-timeout", "2s", workers=1) as server:
            running, frozen = server.hold("ms=60000")
            self.assertEqual(answer_of(running)[0], 504)
            server.wait_for_computers(1, [frozen])
            self.assertEqual(server.get("/isolated/say")[0], 200)


class Crowds(unittest.TestCase):
    def test_more_than_may_wait(self):
        with Seen("--compute-queue", "2", workers=1) as server:
            notes = server.notes()
            running = server.begin(f"/isolated/stay?ms=60000&notes={notes}")
            wait_for_note(server, notes, "begun")
            waiting = [server.begin(f"/isolated/say?say={i}") for i in range(2)]
            server.until(lambda: server.computer()["waiting"] == 2, "a full queue")
            status, fields, _ = server.get("/isolated/say?say=more")
            self.assertEqual((status, "retry-after" in fields), (503, True))
            self.assertEqual(server.get("/")[0], 200)
            running.close()
            self.assertEqual([answer_of(s) for s in waiting], [(200, b"0", True), (200, b"1", True)])
            self.assertEqual(server.get("/isolated/say?say=more")[0], 200)

    def test_nobody_gets_the_answer_of_another(self):
        with Isolated("--compute-workers", "model=2", "--compute-queue", "1000") as server:
            end, latest = time.monotonic() + 3, time.monotonic() + 120
            wrong, statuses = [], {}

            def goes_on():
                return time.monotonic() < end or (statuses.get(200, 0) <= 100 and time.monotonic() < latest)

            def ask(number):
                """(status, whether the answer is that of what was asked for): short and long ones, with large bodies
                there and back, and in pieces, so that the kills come in every phase of a job."""
                word = f"{number}-" + "z" * random.choice((1, 100))
                what = random.choice(("say", "stay", "echo", "pieces"))
                if what == "echo":
                    sent = word.encode() * random.choice((1, 2000))
                    status, _, body = server.request("POST", "/isolated/echo", sent)
                    return status, body == sent
                if what == "pieces":
                    status, body, whole = answer_of(server.begin("/isolated/pieces?count=300"))
                    return (status, body == b"".join(b"%d\n" % i for i in range(300))) if whole or status != 200 else ("aborted", True)
                status, _, body = server.get(f"/isolated/{what}?ms=2&say={word}")
                return status, body == word.encode()

            def client(number):
                i = 0
                while goes_on():
                    i += 1
                    try:
                        status, right = ask(f"{number}-{i}")
                    except (http.client.IncompleteRead, ConnectionResetError):
                        status, right = "aborted", True
                    statuses[status] = statuses.get(status, 0) + 1
                    if status == 200 and not right:
                        wrong.append((number, i))

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                clients = [pool.submit(client, n) for n in range(8)]
                while goes_on():
                    time.sleep(random.uniform(0.05, 0.25))
                    for pid in list(server.computers())[:1]:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                for c in clients:
                    c.result()
            self.assertEqual(wrong, [])
            self.assertLessEqual(set(statuses), {200, 502, "aborted"}, server.log)
            self.assertGreater(statuses[200], 100, statuses)
            print(statuses)


class Images(unittest.TestCase):
    """Another image of the program in place of the one that serves, or beside it."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="rondo-test-"))
        self.views = Path(self.folder) / "views"
        self.views.write_text("1")

    def isolated(self, *options, **more):
        return Isolated(*options, env={"TESTBED_ISOLATED": str(self.views)}, **more)

    def test_a_reload_loses_nothing(self):
        with Isolated(workers=2) as server:
            before = server.wait_for_computers(1)
            ending, results = threading.Event(), []

            def client():
                while not ending.is_set():
                    results.append(server.get("/isolated/stay?ms=5&say=a")[::2])

            threads = [threading.Thread(target=client) for _ in range(3)]
            for t in threads:
                t.start()
            server.signal(signal.SIGHUP)
            server.wait_for_computers(1, before)
            count = len(results)
            server.wait_until(lambda: len(results) > count + 20, what="an answer after the reload")
            ending.set()
            for t in threads:
                t.join()
            self.assertEqual(set(results), {(200, b"a")})

    def reload_while_a_job_runs(self, server, views):
        """The answers of /isolated/say from a reload to the end of the old processes."""
        old = list(server.computers())
        running, process = server.hold("ms=500&say=old")
        self.views.write_text(views)
        before = set(server.workers().values())
        server.signal(signal.SIGHUP)
        freeing = threading.Thread(target=self.release_after_the_reload, args=(server, process, before, old))
        freeing.start()
        answers = []
        while before & set(server.workers().values()) or set(old) & set(server.computers()):
            answers.append(server.get("/isolated/say?say=a")[::2])
        freeing.join()
        self.assertEqual(answer_of(running), (200, b"old", True))
        return answers

    @staticmethod
    def release_after_the_reload(server, process, workers, computers):
        """Lets a job that is held go on when there are other workers and other compute processes."""
        try:
            server.wait_until(lambda: set(server.workers().values()) - set(workers), what="new workers")
            server.wait_until(lambda: set(server.computers()) - set(computers), what="new compute processes")
        finally:
            server.release(process)

    def test_a_name_that_a_reload_takes_away_serves_the_old_workers(self):
        with self.isolated(workers=1) as server:
            server.wait_for_computers(1)
            self.assertEqual(set(self.reload_while_a_job_runs(server, "renamed")), {(200, b"a")})
            self.assertEqual(list(server.computers().values()), ["compute:other 0"])
            self.assertNotIn(" error ", server.log)

    def test_a_view_that_a_reload_brings_is_not_asked_of_old_processes(self):
        with self.isolated("--compute-workers", "model=2", workers=1) as server:
            old = server.wait_for_computers(2)
            running, process = server.hold("ms=500&say=old")
            workers = set(server.workers().values())
            self.views.write_text("more")
            server.signal(signal.SIGHUP)
            freeing = threading.Thread(target=self.release_after_the_reload, args=(server, process, workers, old))
            freeing.start()
            statuses = []
            while set(old) & set(server.computers()):
                statuses.append(server.get("/isolated/more")[0])
            freeing.join()
            self.assertEqual(answer_of(running), (200, b"old", True))
            self.assertIn(200, statuses)
            self.assertLessEqual(set(statuses), {200, 404})  # 404: of the old workers

    def test_a_factory_that_fails_at_a_reload_leaves_everything_as_it_was(self):
        with self.isolated(workers=1) as server:
            before = set(server.children())
            self.views.write_text("broken")
            server.signal(signal.SIGHUP)
            server.wait_for_log("reload failed: the new compute:broken did not start; the old one keeps serving")
            self.assertIn("isolated view 'broken' (/isolated/broken): the factory failed: the weights are not there",
                          server.log)
            server.wait_until(lambda: set(server.children()) == before, what="the end of the new processes")
            server.wait_for_log("reload rolled back; the previous workers keep serving")
            self.assertEqual(server.get("/isolated/say?say=still")[2], b"still")
            # What dies now is replaced, what did not start is not tried again.
            os.kill(list(server.computers())[0], signal.SIGKILL)
            server.wait_for_computers(1, before)
            self.assertEqual(server.get("/isolated/say?say=still")[2], b"still")
            self.assertEqual(server.log.count("the factory failed"), 1, server.log)
            self.views.write_text("more")
            workers = set(server.workers().values())
            server.signal(signal.SIGHUP)
            server.wait_for_workers(1, workers)
            server.wait_until(lambda: server.get("/isolated/more")[0] == 200, what="the new view")

    def test_a_second_arbiter_has_compute_processes_of_its_own(self):
        server = self.isolated("--compute-workers", "model=2", workers=1)
        try:
            old = server.wait_for_computers(2)
            running, process = server.hold("ms=500&say=old")
            server.signal(signal.SIGUSR2)
            other = int(server.wait_for_log(r"started a second arbiter: process (\d+)")[1])
            server.wait_until(lambda: server.log.count("serving, pid") == 2, what="its workers")
            new = computers_of(other)
            self.assertEqual(len(new), 2)
            server.signal(signal.SIGTERM)
            server.wait_for_log(r"worker 0\] .*drain: stopped accepting")
            processes = {int(server.get("/isolated/say")[1]["x-process"]) for _ in range(20)}
            self.assertLessEqual(processes, set(new))
            self.assertTrue(server.alive())
            server.release(process)
            self.assertEqual(answer_of(running), (200, b"old", True))
            self.assertEqual(server.wait(), 0)
            self.assertEqual([state_of(p) for p in old], [None, None])
            self.assertEqual(server.get("/isolated/say?say=a")[2], b"a")
            everybody = [other, *children_of(other)]
            os.kill(other, signal.SIGTERM)
            server.wait_until(lambda: all(state_of(p) in (None, "Z") for p in everybody), what="the end of all")
        finally:
            server.end()


class Ends(unittest.TestCase):
    def test_the_end_waits_for_what_runs(self):
        with Isolated(workers=1) as server:
            running, process = server.hold("ms=500&say=done")
            server.signal(signal.SIGTERM)
            server.wait_for_log("shutting down: ")
            server.release(process)
            self.assertEqual(answer_of(running), (200, b"done", True))
            self.assertEqual(server.wait(), 0)

    @unittest.skipUnless(os.geteuid() == 0, "only root can give its children another user")
    def test_as_another_user(self):
        nobody = pwd.getpwnam("nobody").pw_uid
        with Isolated("--user", "nobody", workers=1) as server:
            before = server.wait_for_computers(1)
            self.assertEqual([os.stat(f"/proc/{p}").st_uid for p in server.children()], [nobody] * 2)
            body = random.randbytes(100_000)
            self.assertEqual(server.request("POST", "/isolated/echo", body)[2], body)
            os.kill(before[0], signal.SIGKILL)
            self.assertEqual(server.get("/isolated/say?say=a")[2], b"a")
            after = server.wait_for_computers(1, before)
            server.signal(signal.SIGHUP)
            server.wait_for_computers(1, before + after)
            self.assertEqual(server.get("/isolated/say?say=a")[2], b"a")
            # They end with the arbiter, whatever it dies of.
            everybody = server.children()
            os.kill(server.pid, signal.SIGKILL)
            server.wait()
            server.wait_until(lambda: all(state_of(p) in (None, "Z") for p in everybody), what="the end of all")


if __name__ == "__main__":
    unittest.main(verbosity=2)
