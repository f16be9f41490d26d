# SPDX-License-Identifier: Apache-2.0
"""The access log in all formats, the error log, and the reports about views that block the loop."""
import json
import re
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import CLASS, ONE_WORKER, Server, each_backend, read_all, run  # noqa: E402

COMBINED = re.compile(r'^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "(.*)" (\d{3}) (\d+) "(.*)" "(.*)"$')


def send_raw(server, text):
    return server.exchange(text.encode("latin-1"))


class AccessLog(unittest.TestCase):
    @each_backend
    def test_combined(self, backend):
        with Server("--backend", backend, "--access-log", "-") as server:
            server.get("/?a=1", Referer="http://x/", User_Agent="test/1.0")
            server.request("POST", "/echo", b"12345")
            server.get("/no/such")
            server.get("/raise")
            send_raw(server, 'GET /empty HTTP/1.0\r\nUser-Agent: a"b\\c\xe9\x80\r\n\r\n')
            server.wait_for_output(r"/empty.*\n")
            server.wait_until(lambda: server.output.count("\n") == 5, what="all lines")
            lines = [COMBINED.match(line) for line in server.output.splitlines()]
            self.assertTrue(all(lines), server.output)
            self.assertEqual({m.groups() for m in lines}, {
                ("GET /?a=1 HTTP/1.1", "200", "3", "http://x/", "test/1.0"), ("POST /echo HTTP/1.1", "200", "5", "-", "-"),
                ("GET /no/such HTTP/1.1", "404", "10", "-", "-"), ("GET /raise HTTP/1.1", "500", "65", "-", "-"),
                ("GET /empty HTTP/1.0", "204", "0", "-", r"a\"b\\c\xe9\x80")})

    @each_backend
    def test_json_lines(self, backend):
        with Server("--backend", backend, "--access-log", "-", "--access-log-format", "json") as server:
            server.get("/_test/wait?ms=60")
            send_raw(server, 'GET /?q=%22 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: a"\\\xe9\tb\r\nReferer: r\r\n\r\n')
            send_raw(server, "GET /raise-mid HTTP/1.1\r\nHost: a\r\n\r\n")
            server.wait_until(lambda: server.output.count("\n") == 3, what="all lines")
            lines = {line["target"]: line for line in map(json.loads, server.output.splitlines())}
            first, second, third = (lines[target] for target in ("/_test/wait?ms=60", "/?q=%22", "/raise-mid"))
            self.assertEqual((first["method"], first["target"], first["status"], first["bytes"], first["route"]),
                             ("GET", "/_test/wait?ms=60", 200, 7, "/_test/wait"))
            self.assertGreaterEqual(first["ms"], 60)
            self.assertEqual(first["peer"], "127.0.0.1")
            self.assertFalse(first["aborted"])
            self.assertEqual(second["host"], "a")
            self.assertTrue(second["agent"].startswith('a"\\'))
            self.assertTrue(third["aborted"])
            self.assertEqual(third["bytes"], 5)

    @each_backend
    def test_custom_format(self, backend):
        form = '%(m)s %(U)s?%(q)s %(s)s %(B)s %(D)sus "%({x-in}i)s" "%({x-out}o)s" %({SOME_VARIABLE}e)s %(route)s 100%%'
        with Server("--backend", backend, "--access-log", "-", "--access-log-format", form, env={"SOME_VARIABLE": "here"}) as server:
            send_raw(server, 'GET /setheader?v=out HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-In: in"\x85\r\n\r\n')
            server.wait_for_output(r'^GET /setheader\?v=out 200 4 \d+us "in\\"\\x85" "out" here /setheader 100%\n')

    def test_lines_name_the_worker(self):
        with Server("--workers", "2", "--access-log", "-", "--access-log-format", "%(worker)s %(p)s", "--error-log-format", "json",
                    "--log-level", "debug") as server:
            server.get("/raise")
            server.wait_for_output(r"^worker [01] <\d+>\n")
            server.wait_for_log("secret-detail.*\n")
            lines = [json.loads(line) for line in server.log.splitlines()]
            failed = next(line for line in lines if "secret-detail" in line["message"])
            self.assertEqual(f"{failed['worker']} <{failed['pid']}>\n", server.output)

    def test_an_unknown_atom_fails_the_start(self):
        for form in ("%(z)s", "%(h)", "50%", "combind", "%({}i)s"):
            status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--access-log-format", form)
            self.assertEqual(status, 2)
            self.assertIn(f"--access-log-format: '{form}' ", errors)
            self.assertIn("%({NAME}o)s", errors)

    def test_lines_cannot_be_forged(self):
        for form in ("combined", "json", "%(r)s %(a)s %({x}i)s"):
            with Server("--access-log", "-", "--access-log-format", form) as server:
                send_raw(server, 'GET /%0d%0aforged HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: a\tb\x85\xe2\x80\xa8c\r\nX: \x9b31m\r\n\r\n')
                server.wait_for_output(r"forged.*\n")
                self.assertEqual(server.output.count("\n"), 1, server.output)
                if form != "json":
                    self.assertTrue(server.output.isascii())

    @each_backend
    def test_a_full_disk_loses_lines_but_no_requests(self, backend):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            path = Path(folder) / "log"
            path.symlink_to("/dev/full")
            with Server("--backend", backend, "--access-log", path) as server:
                for _ in range(20):
                    self.assertEqual(server.get("/")[0], 200)
                server.wait_for_log(r"lines of '.*log' were lost")
                before = server.cpu_seconds()
                time.sleep(0.5)
                self.assertLess(server.cpu_seconds() - before, 0.3)
                path.unlink()
                server.signal(signal.SIGUSR1)
                server.wait_until(lambda: server.get("/?again")[0] == 200 and path.exists() and "again" in path.read_text())

    @each_backend
    def test_a_client_that_disconnects_is_logged(self, backend):
        with Server("--backend", backend, "--access-log", "-") as server:
            s = server.connect()
            s.sendall(b"GET /_test/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
            server.wait_until(lambda: server.counters()["started"] == 1)
            s.close()
            server.wait_for_output(r'"GET /_test/wait\?ms=60000 HTTP/1.1" 499 0 ')

    @each_backend
    def test_refused_requests_are_logged(self, backend):
        refused = [
            (b"GET /a\x7fb HTTP/1.1\r\nHost: a\r\n\r\n", r'"GET /a\\x7fb HTTP/1\.1" 400 12 "-" "-"'),
            (b"GET /?q HTTP/1.1\r\nHost : a\r\n\r\n", r'"GET /\?q HTTP/1\.1" 400 12 '),
            (b"GET /" + b"q" * 9000 + b" HTTP/1.1\r\n\r\n", r'"GET /q{1019}" 414 '),
            (b"GET /many HTTP/1.1\r\nHost: a\r\nX: " + b"q" * 40000 + b"\r\n\r\n", r'"GET /many HTTP/1\.1" 431 '),
            (b"POST /te HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", r'"POST /te HTTP/1\.1" 501 '),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", r'"PRI \* HTTP/2\.0" 505 '),
            (b"\x16\x03\x01\x02\x00\x01\x00", r'"\\x16\\x03\\x01\\x02\\x00\\x01\\x00" 400 '),
            (b'GET /"\\ 200 0 "-"\x85\xe2\x80\xa8\x1b[31m HTTP/1.1\r\n\r\n', r'"GET /\\"\\\\ 200 0 \\"-\\"\\x85\\xe2\\x80\\xa8\\x1b\[31m HTTP/1\.1" 400 '),
            (b"GET /half HTTP/1.1\r\nHost:", r'"GET /half HTTP/1\.1" 400 '),
            (b"GET /nothing-else", r'"GET /nothing-else" 400 '),
            (b"\r\nnonsense\r\n\r\n", r'"nonsense" 400 '),
        ]
        with Server("--backend", backend, "--access-log", "-", "--header-timeout", "1s", *ONE_WORKER) as server:
            server.connect().close()  # sends nothing and gets no line
            for n, (sent, line) in enumerate(refused):
                server.exchange(sent, half_close=True)
                server.wait_for_output(r"\A(.*\n){%d}\Z" % (n + 1))
                last = server.output.splitlines()[-1]
                self.assertRegex(last, r"^127\.0\.0\.1 - - \[.*\] " + line)
                self.assertTrue(last.isascii() and len(last) < 1500, last)
            with server.connect() as late:
                late.sendall(b"GET /late HTTP/1.1\r\n")
                self.assertTrue(read_all(late).startswith(b"HTTP/1.1 408 "))
            server.wait_for_output(r'"GET /late HTTP/1.1" 408 ')
            self.assertEqual(server.output.count("\n"), len(refused) + 1, server.output)

    @each_backend
    def test_refused_requests_are_logged_as_json(self, backend):
        with Server("--backend", backend, "--access-log", "-", "--access-log-format", "json") as server:
            server.exchange(b'GET /"\xff\xc3\xa9\n{"status":200} HTTP/1.1\r\n\r\n')
            server.wait_for_output(r"\n")
            line = json.loads(server.output)
            self.assertEqual((line["method"], line["target"], line["status"], line["peer"]),
                             ("GET", '/"\ufffd\u00e9', 400, "127.0.0.1"))

    def test_every_request_has_one_line(self):
        with Server("--access-log", "-") as server:
            responses = server.exchange("".join(f"GET /?n={i} HTTP/1.1\r\nHost: a\r\n\r\n" for i in range(2000)) +
                                        "GET /?last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            self.assertEqual(responses.count(b"200 OK"), 2001)
            server.wait_for_output(r"\?last")
            targets = re.findall(r"GET /\?n=(\d+) ", server.output)
            self.assertEqual(targets, [str(i) for i in range(2000)])


class Secrets(unittest.TestCase):
    def test_the_cause_is_in_the_log_and_not_in_the_response(self):
        with Server() as server:
            status, _, body = server.get("/raise")
            self.assertEqual(status, 500)
            self.assertNotIn(b"secret-detail", body)
            found = server.wait_for_log(r"GET /raise \(route /raise, request ([0-9a-f]{32})\).*secret-detail")
            self.assertIn(found.group(1).encode(), body)  # the id to search the log for


class ErrorLog(unittest.TestCase):
    def test_json_lines(self):
        with Server("--error-log-format", "json") as server:
            server.get("/raise")
            server.wait_for_log("secret-detail.*\n")
            lines = [json.loads(line) for line in server.log.splitlines()]
            failed = next(line for line in lines if "secret-detail" in line["message"])
            self.assertEqual(failed["level"], "error")
            self.assertIsInstance(failed["pid"], int)
            self.assertRegex(failed["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn("worker", failed)


class Stalls(unittest.TestCase):
    @unittest.skipIf(CLASS == "async", "in an async worker a view can block the loop")
    @each_backend
    def test_a_view_on_a_thread_does_not_block_the_loop(self, backend):
        with Server("--backend", backend, "--threads", "2", "--stall-threshold", "1s") as server:
            self.assertEqual(server.get("/_test/block?ms=3000")[0], 200)
            self.assertNotIn("event loop blocked", server.log)

    @unittest.skipIf(CLASS != "async", "a view on a thread does not block the loop")
    @each_backend
    def test_a_view_that_blocks_the_loop_is_reported_with_its_stack(self, backend):
        with Server("--backend", backend) as server:
            server.get("/_test/block?ms=2000")
            server.wait_for_log("event loop resumed after it was blocked for [0-9]+ ms by /_test/block")
            self.assertRegex(server.log, r"event loop blocked by /_test/block")
            self.assertRegex(server.log, r"testbed::.*block")
            self.assertEqual(server.log.count("event loop blocked by /_test/block"), 1)

    def test_the_threshold_is_a_setting(self):
        with Server("--stall-threshold", "0") as server:
            server.get("/_test/block?ms=200")
            self.assertNotIn("event loop blocked", server.log)
        with Server("--stall-threshold", "5s") as server:
            server.get("/_test/block?ms=200")
            self.assertNotIn("event loop blocked", server.log)

    def test_waiting_is_not_a_stall(self):
        with Server("--stall-threshold", "500ms") as server:
            server.get("/slow")
            server.get("/slow-sync")
            self.assertNotRegex(server.log, r"blocked by /slow")

    @unittest.skipIf(CLASS != "async", "a view on a thread does not block the loop")
    def test_reports_are_rate_limited(self):
        with Server(*ONE_WORKER) as server:
            for _ in range(30):
                server.get("/_test/block?ms=200")
            server.wait_for_log("event loop blocked by")
            self.assertLessEqual(server.log.count("event loop blocked by"), 15)
            self.assertGreaterEqual(server.log.count("event loop blocked by"), 1)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
