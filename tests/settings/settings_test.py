# SPDX-License-Identifier: Apache-2.0
"""The command line as a user sees it: where settings come from, what `check` says, settings and commands of an application."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import BIN, ONE_WORKER, Server, run  # noqa: E402


def effective(output):
    """What `check` printed: name to (value, origin)."""
    lines = (re.match(r"^([a-z-]+) {2,}(.*?) {2,}(\S.*)$", line) for line in output.splitlines())
    return {m[1]: (m[2], m[3]) for m in lines if m}


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def put(self, text, name="rondo.toml"):
        (self.folder / name).write_text(text)
        return self.folder / name

    def run_here(self, *arguments, env=None, program="testbed"):
        """In the folder: (exit status, standard output, standard error)."""
        done = subprocess.run([str(BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, cwd=self.folder, env=dict(os.environ, **(env or {})), check=False)
        return done.returncode, done.stdout, done.stderr

    def refused(self, *words, arguments=(), env=None):
        status, _, errors = self.run_here("check", *arguments, env=env)
        self.assertEqual(status, 2, errors)
        for word in words:
            self.assertIn(word, errors)


class Sources(Folder):
    def test_flag_before_variable_before_file_before_default(self):
        self.put("threads = 3\nbacklog = 30\nmax_body = '3MiB'\n")
        status, output, errors = self.run_here("check", "--threads", "5", env={"RONDO_THREADS": "4", "RONDO_BACKLOG": "40"})
        self.assertEqual((status, errors), (0, ""))
        got = effective(output)
        self.assertEqual(got["threads"], ("5", "flag"))
        self.assertEqual(got["backlog"], ("40", "RONDO_BACKLOG"))
        self.assertEqual(got["max-body"], ("3MiB", "rondo.toml:3"))
        self.assertEqual(got["thread-queue"], ("1024", "default"))

    def test_a_default_of_the_application(self):
        got = effective(self.run_here("check", program="samples")[1])
        self.assertEqual(got["keepalive-timeout"][0], "30s")
        self.assertRegex(got["keepalive-timeout"][1], r"^main\.cpp:\d+$")
        self.put("keepalive-timeout = '20s'\n")
        self.assertEqual(effective(self.run_here("check", program="samples")[1])["keepalive-timeout"], ("20s", "rondo.toml:1"))

    def test_the_file_is_chosen(self):
        self.put("threads = 1\n")
        other = self.put("threads = 2\n", "other.toml")
        third = self.put("threads = 3\n", "third.toml")
        for arguments, env, threads in (([], None, "1"), (["--config", other], None, "2"), ([], {"RONDO_CONFIG": str(third)}, "3"),
                                        (["-c", other], {"RONDO_CONFIG": str(third)}, "2")):
            self.assertEqual(effective(self.run_here("check", *arguments, env=env)[1])["threads"][0], threads)

    def test_what_is_served_is_what_was_set(self):
        path = self.put("max-body = 5\nbackend = 'epoll'\n[compute-workers]\nmodel = 1\n")
        with Server("--config", path, env={"TESTBED_ISOLATED": "1"}) as server:
            self.assertIn("epoll", server.log)
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)
            self.assertEqual(server.request("POST", "/echo", b"12345")[0], 200)


    def test_a_reload_reads_the_file_again_wherever_the_server_went(self):
        (self.folder / "elsewhere").mkdir()
        self.put("max-body = 5\nchdir = 'elsewhere'\naccess-log = 'log'\n")
        with Server("--workers", "1", preexec=lambda: os.chdir(self.folder)) as server:
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)
            self.put("max-body = 'much'\nchdir = 'elsewhere'\naccess-log = 'log'\n")
            server.signal(signal.SIGHUP)
            server.wait_for_log("rondo.toml:1: max-body: 'much' is not a size")
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)
            self.put("max-body = 6\nchdir = 'elsewhere'\naccess-log = 'log'\n")
            server.signal(signal.SIGHUP)
            server.wait_until(lambda: server.request("POST", "/echo", b"123456")[0] == 200)
            server.wait_until(lambda: "POST /echo" in (self.folder / "elsewhere/log").read_text())

    def test_relative_paths_are_looked_for_in_the_folder_of_the_server(self):
        (self.folder / "elsewhere/logs").mkdir(parents=True)
        self.assertEqual(self.run_here("check", "--access-log", "logs/a")[0], 1)
        self.assertEqual(self.run_here("check", "--access-log", "logs/a", "--chdir", "elsewhere")[0], 0)


class Mistakes(Folder):
    def test_each_names_setting_value_and_source(self):
        self.put("\nheader-timeout = 'soon'\nbnid = ':0'\n")
        self.refused("rondo.toml:2: header-timeout: 'soon' is not a duration; expected for example",
                     "rondo.toml:3: bnid: unknown setting; did you mean bind?",
                     "RONDO_WORKERS: 'many' is not a whole number from 0 to 256",
                     "RONDO_THREAD: unknown setting; did you mean RONDO_THREADS?",
                     "--max-body: '1XB' is not a size",
                     "--worker-clas: unknown setting; did you mean --worker-class?",
                     arguments=["--max-body", "1XB", "--worker-clas", "sync"],
                     env={"RONDO_WORKERS": "many", "RONDO_THREAD": "3"})

    def test_files_that_cannot_be_read(self):
        self.refused("no.toml: cannot be read: No such file", arguments=["--config", "no.toml"])
        self.put("threads = \n")
        self.refused("rondo.toml:1: ")
        self.put("threads = {a = 1}\n")
        self.refused("rondo.toml:1: threads: expected a string, a number")

    def test_things_that_do_not_exist(self):
        for arguments, says in ((["--user", "nobody-at-all"], "--user: user 'nobody-at-all' does not exist"),
                                (["--group", "no-group"], "--group: group 'no-group' does not exist"),
                                (["--chdir", "/no/such/folder"], "--chdir: '/no/such/folder' is not a directory"),
                                (["--compute-workers", "model"], "--compute-workers: 'model' is not NAME=N"),
                                (["--umask", "8"], "--umask: '8' is not a valid mode"),
                                (["--admin", "x"], "--admin: invalid listen address 'x'")):
            self.refused(says, arguments=arguments)

    def test_check_finds_what_only_the_start_would(self):
        for arguments, says in ((["--access-log", "/no/such/folder/log"], "access-log: '/no/such/folder/log' cannot be written"),
                                (["--error-log", "/"], "error-log: '/' is a directory"),
                                (["--pid", "/no/such/folder/pid"], "pid: '/no/such/folder/pid' cannot be written"),
                                (["--bind", "192.0.2.1:0"], "does not have the address"),
                                (["--bind", "unix:/no/such/folder/x"], "/no/such/folder"),
                                (["--bind", f"unix:{__file__}"], "is not a socket")):
            status, output, errors = self.run_here("check", *arguments)
            self.assertEqual(status, 1, arguments)
            self.assertIn(says, errors)
            self.assertNotIn("no errors", output)

    def test_check_beside_the_server_it_is_about(self):
        path = self.folder / "app.sock"
        options = ["--bind", f"unix:{path}"]
        with Server(*options) as server:
            address = f"127.0.0.1:{server.port}"
            status, output, _ = self.run_here("check", "--bind", address, *options)
            self.assertEqual(status, 0)
            self.assertIn(f"{address} is in use", output)
            self.assertIn(f"unix:{path} is in use", output)
            self.assertTrue(path.is_socket())
            self.assertEqual(server.get("/")[0], 200)

    def test_commands(self):
        status, _, errors = self.run_here("chek")
        self.assertEqual(status, 2)
        self.assertIn("unknown command 'chek'; did you mean check?", errors)
        self.assertIn("unknown command 'frobnicate'; commands: serve, routes, check", self.run_here("frobnicate")[2])
        self.assertIn("unexpected argument 'more' after check", self.run_here("check", "more")[2])


class Applications(Folder):
    def test_settings_of_its_own(self):
        with Server("--greeting", "Good day", program="samples", env={"RONDO_PATIENCE": "250ms"}) as server:
            self.assertEqual(server.get("/welcome")[2], b"Good day; I wait 250 ms\n")
        got = effective(self.run_here("check", "--greeting", "Hi", program="samples", env={"RONDO_PATIENCE": "1m"})[1])
        self.assertEqual(got["greeting"], ("Hi", "flag"))
        self.assertEqual(got["patience"], ("60s", "RONDO_PATIENCE"))
        status, _, errors = self.run_here("check", "--patience", "long", program="samples")
        self.assertEqual(status, 2)
        self.assertIn("--patience: 'long' is not a duration", errors)
        _, output, _ = self.run_here("--help", program="samples")
        self.assertRegex(output, r"--greeting TEXT +what /welcome says \[Hello\]")

    def test_commands_of_its_own(self):
        self.assertEqual(self.run_here("greet", "--greeting", "Hi", "you", "me", program="samples"), (0, "Hi, you!\nHi, me!\n", ""))
        self.put("greeting = 'Salve'\n")
        self.assertEqual(self.run_here("greet", "you", program="samples")[1], "Salve, you!\n")
        self.assertEqual(self.run_here("greet", program="samples")[0], 1)
        self.assertIn("greet", self.run_here("--help", program="samples")[1])
        self.assertEqual(self.run_here("greet", "--greting", "x", program="samples")[0], 2)

    def test_the_reference(self):
        status, output, _ = self.run_here("settings", program="samples", env={"RONDO_NONSENSE": "x"})
        self.assertEqual(status, 0)  # it helps most whom something is wrong with
        self.assertIn("| `--bind ADDRESS`, `-b` | `RONDO_BIND` | `127.0.0.1:8000` |", output)
        self.assertIn("## Application", output)
        self.assertIn("| `--greeting TEXT` | `RONDO_GREETING` | `Hello` | what /welcome says |", output)


class Secrets(Folder):
    """A password in a URL is printed nowhere, however the URL is written."""
    SECRET = "hunter2"
    PLACE = "127.0.0.1:1"
    # Whoever puts them into a URL forgets to encode them.
    PASSWORDS = ("hunter2", "a'hunter2", "\"hunter2", "a<hunter2", "a>hunter2", "a hunter2", "a\thunter2", "' hunter2",
                 "x@y' hunter2", "a/hunter2", "a?hunter2", "a#hunter2", "\"a/hunter2", "x,http://hunter2")
    DAMAGED = ("u:hunter2@h/db", "//u:hunter2@h", "postgres:u:hunter2@h", "postgres:/u:hunter2@h", "postgres;//u:hunter2@h",
               "redis:u:hunter2@h", "redis//u:hunter2@h", "u:x://hunter2@h", "host=h password='hunter2'", "password = hunter2",
               "host=h password = 'it\\'s hunter2' user=u", "host=h password=\"hunter2\"", "host=h password=a,hunter2")
    OPTIONS = ("password='hunter2'", "password=a'hunter2", "password = hunter2", "password=\"hunter2\"", "password='hunter2",
               "password=a hunter2", "a=b&sslpassword='hunter2'", "password=a&hunter2", "password=hunter2%zz")

    def assertHidden(self, url, *texts):
        for text in texts:
            self.assertNotIn(self.SECRET, text, url)

    def urls(self, scheme):
        for password in self.PASSWORDS:
            yield f"{scheme}://u:{password}@{self.PLACE}/0"
        for option in self.OPTIONS:
            yield f"{scheme}://{self.PLACE}/0?{option}"
        yield from self.DAMAGED

    def test_not_by_check(self):
        for name, scheme, program in (("db-url", "postgres", "testbed"), ("channels-url", "redis", "testbed"),
                                      ("cache-url", "redis", "testbed"), ("upstream", "http", "proxy")):
            for url in self.urls(scheme):
                _, output, errors = self.run_here("check", f"--{name}", url, program=program)
                self.assertHidden((name, url), output, errors)
                value = re.search(rf"^{name} +(.*?) +flag$", output, re.M | re.S)
                self.assertIn("***", value[1], url)
                if url.startswith(f"{scheme}://u:"):
                    self.assertEqual(value[1], f"{scheme}://u:***@{self.PLACE}/0")

    def test_not_by_check_from_the_file_and_the_environment(self):
        for url in self.urls("postgres"):
            self.put(f"db-url = {json.dumps(url)}\n")
            self.assertHidden(url, *self.run_here("check")[1:])
            self.put(f"db-url = {url}\n")  # its quotes were forgotten
            self.assertHidden(url, *self.run_here("check")[1:])
            self.put("")
            self.assertHidden(url, *self.run_here("check", env={"RONDO_DB_URL": url})[1:])

    def test_not_where_it_is_no_setting_at_all(self):
        for url in self.urls("postgres"):
            for arguments in ((url,), ("check", url), ("check", f"-x{url}"), ("check", f"--{url}"), ("check", "--workers", url)):
                self.assertHidden(arguments, *self.run_here(*arguments)[1:])

    def serve(self, program, *arguments):
        """Everything written by a server that does not start, or that says what it cannot use."""
        log = self.folder / "log"
        log.write_text("")
        command = [BIN / program, "serve", "--bind", "127.0.0.1:0", "--workers", "0", "--error-log", log, *arguments]
        with open(self.folder / "out", "wb") as out:
            process = subprocess.Popen([*map(str, command)], stdout=out, stderr=out, stdin=subprocess.DEVNULL, cwd=self.folder)
        end = time.monotonic() + 60
        try:
            while process.poll() is None and not re.search("^ *threads|cannot be used", log.read_text(), re.M):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
        written = log.read_text() + (self.folder / "out").read_text()
        self.assertTrue(written)
        return written

    def test_not_by_a_server_without_its_database(self):
        for url in self.urls("postgres"):
            self.assertHidden(url, self.serve("notes", "--db-url", url))

    def test_not_by_a_server_without_its_channels(self):
        for url in self.urls("redis"):
            with Server("--channels-url", url, *ONE_WORKER, program="chat") as server:
                with server.connect() as client:
                    client.sendall(b"POST /rooms/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                    server.wait_for_log("cannot be used|POST /rooms/x")
                self.assertHidden(url, server.log, server.output)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
