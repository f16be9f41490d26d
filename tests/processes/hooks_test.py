# SPDX-License-Identifier: Apache-2.0
"""The hooks of an application: each runs in the right process, at the right time, once."""
import signal
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter  # noqa: E402
from server import Server, each_backend  # noqa: E402


class Hooks(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        self.file = Path(folder.name) / "hooks"
        self.env = {"TESTBED_HOOKS": str(self.file)}

    def calls(self, *names):
        """[name, process id, arguments] of each call of a hook with one of the names."""
        lines = [line.split(" ", 2) for line in self.file.read_text().splitlines()]
        return [[name, int(pid), *more] for name, pid, *more in lines if name in names]

    def pids(self, name):
        return sorted(pid for _, pid in self.calls(name))

    def test_in_the_arbiter_and_in_every_worker(self):
        with Arbiter(env=self.env) as server:
            first = sorted(server.workers().values())
            self.assertEqual(self.calls("arbiter", "start")[0], ["arbiter", server.pid])
            self.assertEqual((self.pids("arbiter"), self.pids("start")), ([server.pid], first))
            server.signal(signal.SIGTTIN)
            server.wait_for_workers(3)
            third = next(iter(set(server.workers().values()) - set(first)))
            server.wait_until(lambda: self.pids("start") == sorted([*first, third]), what="the third worker to start")
            server.signal(signal.SIGTTOU)
            server.wait_for_workers(2)
            server.wait_until(lambda: len(self.pids("stop")) == 1, what="a worker to exit")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
        self.assertEqual(self.pids("stop"), self.pids("start"))
        self.assertEqual((self.pids("arbiter"), self.pids("reload")), ([server.pid], []))

    def test_reload(self):
        for env in (self.env, {**self.env, "TESTBED_RELOAD_FAILS": "1"}):
            self.file.unlink(missing_ok=True)
            with Arbiter(env=env) as server:
                old = sorted(server.workers().values())
                server.signal(signal.SIGHUP)
                new = sorted(server.wait_for_workers(2, old))
                server.wait_until(lambda: self.pids("stop") == old, what="the old workers to exit")
                server.wait_for_workers(2, old)
                # The config check runs no hooks; the new arbiter is the same process.
                self.assertEqual((self.pids("arbiter"), self.pids("reload")), ([server.pid], [server.pid]))
                self.assertEqual(self.pids("start"), sorted(old + new))
                names = [name for name, *_ in self.calls("arbiter", "reload", "start", "stop")]
                self.assertEqual(names[:4], ["arbiter", "start", "start", "reload"])
                self.assertEqual(names[4:6], ["start", "start"])  # ready before the old ones are terminated
                if "TESTBED_RELOAD_FAILS" in env:
                    self.assertIn("an on_reload() hook failed: on_reload fails on purpose", server.log)

    def test_a_failing_arbiter_hook_fails_the_start(self):
        with self.assertRaisesRegex(RuntimeError, "TESTBED_HOOKS cannot be written"):
            Arbiter(env={"TESTBED_HOOKS": "/no/such/folder/file"})

    @each_backend
    def test_before_and_after_each_request(self, backend):
        for kind in ("async", "threads", "sync"):
            self.file.unlink(missing_ok=True)
            with Arbiter("--backend", backend, "--worker-class", kind, env=self.env) as server:
                for n, (path, status, fields) in enumerate((
                        ("/?first", 200, {}), ("/no/such", 404, {}), ("/raise", 500, {}), ("/slow-sync", 200, {}),
                        ("/?thrown", 500, {"X_Before": "throw"})), 1):
                    self.assertEqual(server.get(path, **fields)[0], status)
                    # It runs after the response, and another worker may get the next request.
                    server.wait_until(lambda: len(self.calls("after")) == n, what="the hook after the request")
                with server.connect() as s:
                    s.sendall(b"GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                    server.wait_until(lambda: server.counters()["started"] == 1, what="the view to start")
                server.wait_until(lambda: len(self.calls("after")) == 6, what="the requests to finish")
                workers = set(server.workers().values())
            before, after = self.calls("before"), self.calls("after")
            self.assertEqual([arguments for _, _, arguments in before],
                             ["/?first", "/no/such", "/raise", "/slow-sync", "/?thrown", "/_test/wait?ms=60000"])
            self.assertEqual([arguments for _, _, arguments in after][:5],
                             ["/?first 200", "/no/such 404", "/raise 500", "/slow-sync 200", "/?thrown 500"], kind)
            self.assertRegex(after[5][2], r"^/_test/wait\?ms=60000 (0|499) aborted$")
            # Both run in the process that serves the request.
            self.assertEqual([pid for _, pid, _ in before], [pid for _, pid, _ in after])
            self.assertLessEqual({pid for _, pid, _ in before}, workers)

    def test_without_an_arbiter(self):
        with Server("--workers", "0", env=self.env) as server:
            self.assertEqual(self.calls("arbiter", "reload", "start"), [["start", server.pid]])
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
        self.assertEqual(self.pids("stop"), [server.pid])


if __name__ == "__main__":
    unittest.main(warnings="ignore")
