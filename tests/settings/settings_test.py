# SPDX-License-Identifier: Apache-2.0
"""The command line: sources of settings, the `check` command, and settings and commands of an application."""
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
from server import BIN, ONE_WORKER, Server  # noqa: E402


def effective(output):
    """The settings that `check` printed: {name: (value, source)}."""
    lines = (re.match(r"^([a-z-]+) {2,}(.*?) {2,}(\S.*)$", line) for line in output.splitlines())
    return {m[1]: (m[2], m[3]) for m in lines if m}


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, text, name="rondo.toml"):
        (self.folder / name).write_text(text)
        return self.folder / name

    def run_here(self, *arguments, env=None, program="testbed"):
        """Runs a program in the folder: (exit status, standard output, standard error)."""
        done = subprocess.run([str(BIN / program), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, cwd=self.folder, env=dict(os.environ, **(env or {})), check=False)
        return done.returncode, done.stdout, done.stderr

    def assert_refused(self, *messages, arguments=(), env=None):
        status, _, errors = self.run_here("check", *arguments, env=env)
        self.assertEqual(status, 2, errors)
        for message in messages:
            self.assertIn(message, errors)


class Sources(FolderTest):
    def test_precedence_of_flag_variable_file_and_default(self):
        self.write("threads = 3\nbacklog = 30\nmax_body = '3MiB'\n")
        status, output, errors = self.run_here("check", "--threads", "5", env={"RONDO_THREADS": "4", "RONDO_BACKLOG": "40"})
        self.assertEqual((status, errors), (0, ""))
        settings = effective(output)
        self.assertEqual(settings["threads"], ("5", "flag"))
        self.assertEqual(settings["backlog"], ("40", "RONDO_BACKLOG"))
        self.assertEqual(settings["max-body"], ("3MiB", "rondo.toml:3"))
        self.assertEqual(settings["thread-queue"], ("1024", "default"))

    def test_application_default(self):
        settings = effective(self.run_here("check", program="samples")[1])
        self.assertEqual(settings["keepalive-timeout"][0], "30s")
        self.assertRegex(settings["keepalive-timeout"][1], r"^main\.cpp:\d+$")
        self.write("keepalive-timeout = '20s'\n")
        self.assertEqual(effective(self.run_here("check", program="samples")[1])["keepalive-timeout"], ("20s", "rondo.toml:1"))

    def test_selection_of_the_file(self):
        self.write("threads = 1\n")
        other = self.write("threads = 2\n", "other.toml")
        third = self.write("threads = 3\n", "third.toml")
        for arguments, env, threads in (([], None, "1"), (["--config", other], None, "2"), ([], {"RONDO_CONFIG": str(third)}, "3"),
                                        (["-c", other], {"RONDO_CONFIG": str(third)}, "2")):
            self.assertEqual(effective(self.run_here("check", *arguments, env=env)[1])["threads"][0], threads)

    def test_the_server_uses_the_file(self):
        path = self.write("max-body = 5\nbackend = 'epoll'\n[compute-workers]\nmodel = 1\n")
        with Server("--config", path, env={"TESTBED_ISOLATED": "1"}) as server:
            self.assertIn("epoll", server.log)
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)
            self.assertEqual(server.request("POST", "/echo", b"12345")[0], 200)

    def test_a_reload_reads_the_file_again_after_a_change_of_directory(self):
        (self.folder / "elsewhere").mkdir()
        self.write("max-body = 5\nchdir = 'elsewhere'\naccess-log = 'log'\n")
        with Server("--workers", "1", preexec=lambda: os.chdir(self.folder)) as server:
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)
            self.write("max-body = 'much'\nchdir = 'elsewhere'\naccess-log = 'log'\n")
            server.signal(signal.SIGHUP)
            server.wait_for_log("rondo.toml:1: max-body: 'much' is not a size")
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)
            self.write("max-body = 6\nchdir = 'elsewhere'\naccess-log = 'log'\n")
            server.signal(signal.SIGHUP)
            server.wait_until(lambda: server.request("POST", "/echo", b"123456")[0] == 200)
            server.wait_until(lambda: "POST /echo" in (self.folder / "elsewhere/log").read_text())

    def test_relative_paths_are_resolved_in_the_folder_of_the_server(self):
        (self.folder / "elsewhere/logs").mkdir(parents=True)
        self.assertEqual(self.run_here("check", "--access-log", "logs/a")[0], 1)
        self.assertEqual(self.run_here("check", "--access-log", "logs/a", "--chdir", "elsewhere")[0], 0)


class Errors(FolderTest):
    def test_messages_name_setting_value_and_source(self):
        self.write("\nheader-timeout = 'soon'\nbnid = ':0'\n")
        self.assert_refused("rondo.toml:2: header-timeout: 'soon' is not a duration; expected for example",
                            "rondo.toml:3: bnid: unknown setting; did you mean bind?",
                            "RONDO_WORKERS: 'many' is not a whole number from 0 to 256",
                            "RONDO_THREAD: unknown setting; did you mean RONDO_THREADS?",
                            "--max-body: '1XB' is not a size",
                            "--worker-clas: unknown setting; did you mean --worker-class?",
                            arguments=["--max-body", "1XB", "--worker-clas", "sync"],
                            env={"RONDO_WORKERS": "many", "RONDO_THREAD": "3"})

    def test_files_that_cannot_be_read(self):
        self.assert_refused("no.toml: cannot be read: No such file", arguments=["--config", "no.toml"])
        self.write("threads = \n")
        self.assert_refused("rondo.toml:1: ")
        self.write("threads = {a = 1}\n")
        self.assert_refused("rondo.toml:1: threads: expected a string, a number")

    def test_values_that_do_not_exist(self):
        for arguments, message in ((["--user", "no-such-user"], "--user: user 'no-such-user' does not exist"),
                                   (["--group", "no-group"], "--group: group 'no-group' does not exist"),
                                   (["--chdir", "/no/such/folder"], "--chdir: '/no/such/folder' is not a directory"),
                                   (["--compute-workers", "model"], "--compute-workers: 'model' is not NAME=N"),
                                   (["--umask", "8"], "--umask: '8' is not a valid mode"),
                                   (["--admin", "x"], "--admin: invalid listen address 'x'")):
            self.assert_refused(message, arguments=arguments)

    def test_check_finds_errors_of_the_start(self):
        for arguments, message in ((["--access-log", "/no/such/folder/log"], "access-log: '/no/such/folder/log' cannot be written"),
                                   (["--error-log", "/"], "error-log: '/' is a directory"),
                                   (["--pid", "/no/such/folder/pid"], "pid: '/no/such/folder/pid' cannot be written"),
                                   (["--bind", "192.0.2.1:0"], "does not have the address"),
                                   (["--bind", "unix:/no/such/folder/x"], "/no/such/folder"),
                                   (["--bind", f"unix:{__file__}"], "is not a socket")):
            status, output, errors = self.run_here("check", *arguments)
            self.assertEqual(status, 1, arguments)
            self.assertIn(message, errors)
            self.assertNotIn("no errors", output)

    def test_check_next_to_the_running_server(self):
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

    def test_unknown_commands(self):
        status, _, errors = self.run_here("chek")
        self.assertEqual(status, 2)
        self.assertIn("unknown command 'chek'; did you mean check?", errors)
        self.assertIn("unknown command 'frobnicate'; commands: serve, routes, check", self.run_here("frobnicate")[2])
        self.assertIn("unexpected argument 'more' after check", self.run_here("check", "more")[2])


class Applications(FolderTest):
    def test_custom_settings(self):
        with Server("--greeting", "Good day", program="samples", env={"RONDO_REPLY_TIMEOUT": "250ms"}) as server:
            self.assertEqual(server.get("/welcome")[2], b"Good day; please reply within 250 ms\n")
        settings = effective(self.run_here("check", "--greeting", "Hi", program="samples", env={"RONDO_REPLY_TIMEOUT": "1m"})[1])
        self.assertEqual(settings["greeting"], ("Hi", "flag"))
        self.assertEqual(settings["reply-timeout"], ("60s", "RONDO_REPLY_TIMEOUT"))
        status, _, errors = self.run_here("check", "--reply-timeout", "long", program="samples")
        self.assertEqual(status, 2)
        self.assertIn("--reply-timeout: 'long' is not a duration", errors)
        _, output, _ = self.run_here("--help", program="samples")
        self.assertRegex(output, r"--greeting TEXT +greeting of /welcome \[Hello\]")

    def test_custom_commands(self):
        self.assertEqual(self.run_here("greet", "--greeting", "Hi", "you", "me", program="samples"), (0, "Hi, you!\nHi, me!\n", ""))
        self.write("greeting = 'Salve'\n")
        self.assertEqual(self.run_here("greet", "you", program="samples")[1], "Salve, you!\n")
        self.assertEqual(self.run_here("greet", program="samples")[0], 1)
        self.assertIn("greet", self.run_here("--help", program="samples")[1])
        self.assertEqual(self.run_here("greet", "--greting", "x", program="samples")[0], 2)

    def test_settings_reference(self):
        status, output, _ = self.run_here("settings", program="samples", env={"RONDO_NONSENSE": "x"})
        self.assertEqual(status, 0)  # it works with invalid settings too
        self.assertIn("| `--bind ADDRESS`, `-b` | `RONDO_BIND` | `127.0.0.1:8000` |", output)
        self.assertIn("## Application", output)
        self.assertIn("| `--greeting TEXT` | `RONDO_GREETING` | `Hello` | greeting of /welcome |", output)


class Secrets(FolderTest):
    """A password in a URL is never printed, even when the URL is malformed."""
    SECRET = "hunter2"
    ADDRESS = "127.0.0.1:1"
    # Users forget to encode them in a URL.
    PASSWORDS = ("hunter2", "a'hunter2", "\"hunter2", "a<hunter2", "a>hunter2", "a hunter2", "a\thunter2", "' hunter2",
                 "x@y' hunter2", "a/hunter2", "a?hunter2", "a#hunter2", "\"a/hunter2", "x,http://hunter2")
    MALFORMED = ("u:hunter2@h/db", "//u:hunter2@h", "postgres:u:hunter2@h", "postgres:/u:hunter2@h", "postgres;//u:hunter2@h",
                 "redis:u:hunter2@h", "redis//u:hunter2@h", "u:x://hunter2@h", "host=h password='hunter2'", "password = hunter2",
                 "host=h password = 'it\\'s hunter2' user=u", "host=h password=\"hunter2\"", "host=h password=a,hunter2")
    OPTIONS = ("password='hunter2'", "password=a'hunter2", "password = hunter2", "password=\"hunter2\"", "password='hunter2",
               "password=a hunter2", "a=b&sslpassword='hunter2'", "password=a&hunter2", "password=hunter2%zz")

    def assert_hidden(self, url, *texts):
        for text in texts:
            self.assertNotIn(self.SECRET, text, url)

    def urls(self, scheme):
        for password in self.PASSWORDS:
            yield f"{scheme}://u:{password}@{self.ADDRESS}/0"
        for option in self.OPTIONS:
            yield f"{scheme}://{self.ADDRESS}/0?{option}"
        yield from self.MALFORMED

    def test_check_hides_it(self):
        for name, scheme, program in (("db-url", "postgres", "testbed"), ("channels-url", "redis", "testbed"),
                                      ("cache-url", "redis", "testbed"), ("upstream", "http", "proxy")):
            for url in self.urls(scheme):
                _, output, errors = self.run_here("check", f"--{name}", url, program=program)
                self.assert_hidden((name, url), output, errors)
                value = re.search(rf"^{name} +(.*?) +flag$", output, re.M | re.S)
                self.assertIn("***", value[1], url)
                if url.startswith(f"{scheme}://u:"):
                    self.assertEqual(value[1], f"{scheme}://u:***@{self.ADDRESS}/0")

    def test_check_hides_it_in_the_file_and_the_environment(self):
        for url in self.urls("postgres"):
            self.write(f"db-url = {json.dumps(url)}\n")
            self.assert_hidden(url, *self.run_here("check")[1:])
            self.write(f"db-url = {url}\n")  # without quotes
            self.assert_hidden(url, *self.run_here("check")[1:])
            self.write("")
            self.assert_hidden(url, *self.run_here("check", env={"RONDO_DB_URL": url})[1:])

    def test_hidden_in_invalid_arguments(self):
        for url in self.urls("postgres"):
            for arguments in ((url,), ("check", url), ("check", f"-x{url}"), ("check", f"--{url}"), ("check", "--workers", url)):
                self.assert_hidden(arguments, *self.run_here(*arguments)[1:])

    def serve(self, program, *arguments):
        """The complete output of a server that does not start, or that reports a URL it cannot use."""
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

    def test_a_server_without_its_database_hides_it(self):
        for url in self.urls("postgres"):
            self.assert_hidden(url, self.serve("notes", "--db-url", url))

    def test_a_server_without_its_channels_hides_it(self):
        for url in self.urls("redis"):
            with Server("--channels-url", url, *ONE_WORKER, program="chat") as server:
                with server.connect() as client:
                    client.sendall(b"POST /rooms/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                    server.wait_for_log("cannot be used|POST /rooms/x")
                self.assert_hidden(url, server.log, server.output)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
