# SPDX-License-Identifier: Apache-2.0
"""Running as a systemd service; other users; files and folders of the process."""
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Arbiter, LoadGenerator  # noqa: E402
from server import BIN, TIMEOUT, UNPRIVILEGED, is_alive, run  # noqa: E402


class NotifySocket:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, folder):
        self.path = str(Path(folder) / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(TIMEOUT)

    def wait_for(self, start):
        """The next message with this start; others are skipped."""
        while True:
            text = self.socket.recv(4096).decode()
            if text.startswith(start):
                return text


class Service(unittest.TestCase):
    def test_notifies_ready_reloading_stopping_and_watchdog(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            notified = NotifySocket(folder)
            env = {"NOTIFY_SOCKET": notified.path, "WATCHDOG_USEC": "400000"}
            with Arbiter(env=env) as server:
                self.assertIn("STATUS=2 worker", notified.wait_for("READY=1"))
                notified.wait_for("WATCHDOG=1")
                before = time.monotonic_ns() // 1000
                server.signal(signal.SIGHUP)
                text = notified.wait_for("RELOADING=1")
                self.assertGreaterEqual(int(re.search(r"MONOTONIC_USEC=(\d+)", text).group(1)), before)
                notified.wait_for("READY=1")
                server.signal(signal.SIGTERM)
                notified.wait_for("STOPPING=1")
                self.assertEqual(server.wait(), 0)

    def test_socket_activation(self):
        with socket.create_server(("127.0.0.1", 0)) as listener, tempfile.NamedTemporaryFile() as log:
            port = listener.getsockname()[1]
            # LISTEN_PID is the process id, so the shell sets it before it executes the program.
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"LISTEN_FDS=1 LISTEN_PID=$$ exec {BIN / 'testbed'} serve --workers 2"],
                stderr=log, stdin=subprocess.DEVNULL, pass_fds=[3], preexec_fn=lambda: os.dup2(listener.fileno(), 3))
            try:
                Arbiter.poll(lambda: b"threads " in Path(log.name).read_bytes(), TIMEOUT, lambda: Path(log.name).read_text())
                self.assertIn(f"http://127.0.0.1:{port}", Path(log.name).read_text())
                with LoadGenerator(port, persistent=2, short=4) as load:
                    load.wait_for_responses(20)
                    process.send_signal(signal.SIGHUP)
                    Arbiter.poll(lambda: b"reloaded" in Path(log.name).read_bytes(), TIMEOUT,
                                      lambda: Path(log.name).read_text())
                    load.wait_for_responses(20)
                self.assertEqual(load.failures, [])
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(TIMEOUT), 0)
                # This process still has the socket open: a client that connects waits for the next start.
                socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
            finally:
                process.kill()
                process.wait()


class Process(unittest.TestCase):
    @unittest.skipIf(os.geteuid() != 0, "only the superuser may change users")
    def test_workers_run_as_another_user_and_exit_with_the_arbiter(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            os.chmod(folder, 0o755)
            access, path = Path(folder) / "access", Path(folder) / "socket"
            server = Arbiter("--user", UNPRIVILEGED.pw_name, "--umask", "027", "--access-log", access, "--bind", f"unix:{path}",
                             "--unix-mode", "0660", "--unix-owner", UNPRIVILEGED.pw_name)
            try:
                for pid in server.workers().values():
                    text = Path(f"/proc/{pid}/status").read_text()
                    self.assertRegex(text, r"Uid:\s+65534\s+65534\s+65534\s+65534")
                    self.assertRegex(text, r"Umask:\s+0027")
                self.assertEqual(os.stat(path).st_mode & 0o777, 0o660)
                self.assertEqual(os.stat(path).st_uid, 65534)
                self.assertEqual(server.get("/?x")[0], 200)
                server.wait_until(lambda: "/?x" in access.read_text())
                before = server.workers()
                server.signal(signal.SIGHUP)  # the arbiter keeps its privileges
                server.wait_for_workers(2, before.values())
                workers = server.workers().values()
                server.signal(signal.SIGKILL)
                server.wait()
                server.wait_until(lambda: not any(is_alive(p) for p in workers), what="the workers to exit")
            finally:
                server.stop()

    def test_working_directory_and_pid_file(self):
        with tempfile.TemporaryDirectory(prefix="rondo-test-") as folder:
            with Arbiter("--chdir", folder, "--pid", "pid") as server:
                self.assertEqual(int(Path(folder, "pid").read_text()), server.pid)
                self.assertEqual(os.readlink(f"/proc/{server.workers()[0]}/cwd"), folder)
                before = server.workers().values()
                server.signal(signal.SIGHUP)
                server.wait_for_workers(2, before)
                self.assertEqual(int(Path(folder, "pid").read_text()), server.pid)
                status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "1", "--chdir", folder, "--pid", "pid")
                self.assertEqual(status, 1)
                self.assertIn(f"process {server.pid} is already running", errors)
            self.assertFalse(Path(folder, "pid").exists())

    def test_reports_invalid_settings(self):
        for options, message in ((["--user", "no-such-user"], "no-such-user"), (["--group", "no-such-group"], "no-such-group"),
                                 (["--chdir", "/no/such/folder"], "/no/such/folder"), (["--pid", "/no/such/folder/pid"], "/no/such")):
            status, _, errors = run("serve", "--bind", "127.0.0.1:0", "--workers", "1", *options)
            self.assertIn(status, (1, 2), errors)
            self.assertIn(message, errors)


if __name__ == "__main__":
    unittest.main(warnings="ignore")
