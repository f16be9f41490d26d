# SPDX-License-Identifier: Apache-2.0
"""Listen addresses: TCP, IPv6, unix sockets, several at once, inherited sockets; and the error messages for invalid ones."""
import os
import signal
import socket
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server, each_backend, read_all, run  # noqa: E402

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def get_unix(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(TIMEOUT)
        s.connect(path)
        s.sendall(REQUEST)
        return read_all(s)


class Addresses(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rondo-test-")
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "app.sock")

    @each_backend
    def test_unix_socket(self, backend):
        with Server("--backend", backend, bind="unix:" + self.path) as server:
            self.assertEqual(server.urls, ["unix:" + self.path])
            self.assertIn(b"200 OK", get_unix(self.path))
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_a_stale_unix_socket_is_replaced(self):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(self.path)
        with Server(bind="unix:" + self.path):
            self.assertIn(b"200 OK", get_unix(self.path))

    def test_a_unix_socket_in_use_is_not_replaced(self):
        with Server(bind="unix:" + self.path):
            status, _, errors = run("serve", "--bind", "unix:" + self.path)
            self.assertEqual(status, 1)
            self.assertIn("in use", errors)
            self.assertIn(b"200 OK", get_unix(self.path))

    def test_a_file_that_is_not_a_socket_is_not_replaced(self):
        Path(self.path).write_text("precious")
        self.assertEqual(run("serve", "--bind", "unix:" + self.path)[0], 1)
        self.assertEqual(Path(self.path).read_text(), "precious")

    @each_backend
    def test_several_addresses(self, backend):
        with Server("--backend", backend, "--bind", "127.0.0.1:0", "--bind", "unix:" + self.path) as server:
            self.assertEqual(len(server.urls), 3)
            for url in server.urls:
                if url.startswith("unix:"):
                    self.assertIn(b"200 OK", get_unix(self.path))
                    continue
                with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as s:
                    s.sendall(REQUEST)
                    self.assertIn(b"200 OK", read_all(s))

    @each_backend
    def test_inherited_socket(self, backend):
        for option in ("--bind", "--fd"):
            with socket.create_server(("127.0.0.1", 0)) as listener:
                value = f"fd://{listener.fileno()}" if option == "--bind" else listener.fileno()
                with Server("--backend", backend, option, value, bind=None, pass_fds=[listener.fileno()]) as server:
                    self.assertEqual(server.port, listener.getsockname()[1])
                    self.assertEqual(server.get("/")[0], 200)

    def test_free_port_and_ipv6(self):
        if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
            self.skipTest("IPv6 is not available")
        with Server(bind="[::1]:0") as server, socket.create_connection(("::1", server.port)) as s:
            self.assertIn("[::1]:", server.urls[0])
            s.sendall(REQUEST)
            self.assertIn(b"200 OK", read_all(s))

    def test_wildcard_address(self):
        with Server(bind=":0") as server:
            self.assertEqual(server.get("/")[0], 200)

    def test_host_name(self):
        with Server(bind="localhost:0") as server:
            self.assertEqual(server.get("/")[0], 200)

    def test_port_in_use(self):
        with Server() as server:
            status, _, errors = run("serve", "--bind", f"127.0.0.1:{server.port}")
        self.assertEqual(status, 1)
        self.assertRegex(errors, rf"cannot listen on http://127.0.0.1:{server.port}: .*in use")
        self.assertEqual(errors.count("\n"), 1, errors)


class Errors(unittest.TestCase):
    """Each error prints a message with the expected value, and the exit status is not 0."""

    def assert_refused(self, *arguments, message=None, status=None, env=None):
        code, output, errors = run(*arguments, env=env)
        self.assertIn(code, (1, 2) if status is None else (status,), (arguments, errors))
        self.assertLessEqual(errors.count("\n"), 2, errors)
        self.assertNotIn("terminate", errors)
        self.assertNotIn("what()", errors)
        for word in [message] if isinstance(message, str) else message or []:
            self.assertIn(word, errors, arguments)

    def test_rejects_invalid_addresses(self):
        for bad in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "unix:", "fd://x", "fd://-1", "",
                    "unix:/" + "x" * 200):
            self.assert_refused("serve", "--bind", bad, message="--bind", status=2)
        self.assert_refused("serve", "--bind", "fd://77", message="77", status=1)
        self.assert_refused("serve", "--bind", "fd://0", message="not a listening socket", status=1)
        self.assert_refused("serve", "--bind", "192.0.2.1:0", message="does not have the address", status=1)
        self.assert_refused("serve", "--bind", "unix:/no/such/folder/x", message="/no/such/folder", status=1)
        self.assert_refused("serve", "--bind", "no-such-host.invalid:80", message="no-such-host.invalid", status=1)

    def test_rejects_invalid_values(self):
        for option, values in {
                "--header-timeout": ("x", "-1s", "3 parsecs", "", "1e99h"), "--max-body": ("x", "-1", "1XB", "1.5.2"),
                "--threads": ("0", "-1", "x", "1.5", "99999999999999999999"), "--backend": ("kqueue", ""),
                "--access-log-format": ("xml",), "--log-level": ("loud",), "--backlog": ("0",), "--body-rate": ("0",),
                "--max-fields": ("0",), "--compute-threads": ("-1",)}.items():
            for value in values:
                self.assert_refused("serve", option, value, message=option, status=2)

    def test_rejects_unknown_arguments(self):
        self.assert_refused("serve", "--no-such-option", message="--no-such-option", status=2)
        self.assert_refused("serv", message="serv", status=2)
        self.assert_refused("serve", "extra", message="extra", status=2)
        self.assert_refused("serve", "--bind", status=2)
        self.assert_refused("routes", "--bind", "x", status=2)

    def test_rejects_invalid_environment_variables(self):
        self.assert_refused("serve", env={"RONDO_HEADER_TIMEOUT": "never"}, message=["RONDO_HEADER_TIMEOUT", "'never'"], status=2)
        self.assert_refused("serve", env={"RONDO_BIND": "nowhere"}, message="nowhere", status=2)

    def test_rejects_logs_that_cannot_be_opened(self):
        self.assert_refused("serve", "--bind", "127.0.0.1:0", "--access-log", "/no/such/folder/log", message="/no/such/folder/log", status=1)
        self.assert_refused("serve", "--bind", "127.0.0.1:0", "--error-log", "/no/such/folder/log", message="/no/such/folder/log", status=1)


class CommandLine(unittest.TestCase):
    def test_environment_variables(self):
        with Server(env={"RONDO_MAX_BODY": "10", "RONDO_BACKEND": "epoll"}) as server:
            self.assertIn("epoll", server.log)
            self.assertEqual(server.request("POST", "/echo", b"12345678901")[0], 413)
            self.assertEqual(server.request("POST", "/echo", b"1234567890")[0], 200)

    def test_a_flag_overrides_the_environment(self):
        with Server("--max-body", "5", env={"RONDO_MAX_BODY": "10"}) as server:
            self.assertEqual(server.request("POST", "/echo", b"123456")[0], 413)

    def test_serve_is_the_default_command(self):
        status, _, errors = run("--bind", "nowhere")
        self.assertEqual(status, 2)
        self.assertIn("--bind", errors)

    def test_routes(self):
        status, output, _ = run("routes")
        self.assertEqual(status, 0)
        for line in (r"GET, HEAD +/ +async", r"any +/echo +async", r"GET, HEAD +/slow-sync +sync", r"POST +/form +async",
                     r"GET, HEAD +/static/<path:name> +async", r"GET, HEAD +/_test/compute +cpu"):
            self.assertRegex(output, rf"(?m)^{line}$")

    def test_check_version_help(self):
        self.assertEqual(run("check", "--bind", "127.0.0.1:0")[0], 0)
        with Server() as server:
            status, output, _ = run("check", "--bind", f"127.0.0.1:{server.port}")
            self.assertEqual(status, 0)  # this server itself uses the address
            self.assertIn(f"127.0.0.1:{server.port} is in use", output)
        self.assertRegex(run("version")[1], r"^rondo \d+\.\d+\.\d+\n$")
        for arguments in (["--help"], ["serve", "--help"], ["-h"], ["check", "--help"]):
            status, output, errors = run(*arguments)
            self.assertEqual((status, errors), (0, ""))
            self.assertIn("Usage", output)
        for option in ("--bind", "--header-timeout", "--max-body", "--backend", "--access-log", "--graceful-timeout"):
            self.assertIn(option, run("serve", "--help")[1])

    def test_the_start_is_logged(self):
        with Server("--backend", "epoll") as server:
            self.assertRegex(server.log, rf"http://127.0.0.1:{server.port}\b")
            self.assertRegex(server.log, r"backend +epoll")
            self.assertRegex(server.log, r"views +\d+ async, \d+ sync, \d+ cpu")


if __name__ == "__main__":
    unittest.main(warnings="ignore")
