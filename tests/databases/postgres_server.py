#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of a test's own, in a temporary folder and on a free port, gone when the test is gone.

As a module: with PostgresServer() as server: ... server.url ...
As a program: prints the URL, then obeys one word per line on standard input (restart, stop, start, kill, pause, resume),
answering each with "done"; ends, and removes everything, at the end of its input.
"""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SETTINGS = {
    "listen_addresses": "'127.0.0.1'",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "50",
    "shared_buffers": "'16MB'",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}


def programs():
    """The folder of initdb and postgres."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not found:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql (./dev packages test)")
    return found[-1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class PostgresServer:
    def __init__(self, **settings):
        self.settings = {**SETTINGS, **settings}
        self.process = None
        self.port = free_port()
        self.folder = tempfile.mkdtemp(prefix="rondo-postgres-")
        self.data = self.folder + "/data"
        # PostgreSQL refuses to run as root.
        self.user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        self.name = "postgres" if self.user else pwd.getpwuid(os.geteuid()).pw_name
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self):
        return self.url_of("postgres")

    def url_of(self, database, user="postgres"):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def _initialise(self):
        subprocess.run([programs() + "/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
                        "--locale=C", "--no-sync", "--no-instructions"],
                       check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self.user)
        with open(self.data + "/postgresql.conf", "a") as f:
            for name, value in {**self.settings, "port": self.port,
                                "unix_socket_directories": f"'{self.folder}'"}.items():
                f.write(f"{name} = {value}\n")
        with open(self.data + "/pg_hba.conf") as f:
            rules = f.read()
        with open(self.data + "/pg_hba.conf", "w") as f:
            f.write("host all guarded 127.0.0.1/32 scram-sha-256\n" + rules)

    def start(self):
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen([programs() + "/postgres", "-D", self.data], cwd=self.folder,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, **self.user)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError("PostgreSQL did not start: " + open(self.folder + "/log").read())
            if subprocess.run([programs() + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode == 0:
                return
            time.sleep(0.02)
        raise RuntimeError("PostgreSQL did not start within a minute")

    def stop(self, how=signal.SIGINT):
        """SIGINT: ends the connections and stops; SIGKILL: as a crash, but for all of its processes."""
        if self.process is None:
            return
        children = self._children() if how == signal.SIGKILL else []
        self.process.send_signal(how)
        for child in children:
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None

    def kill(self):
        self.stop(signal.SIGKILL)

    def restart(self):
        self.stop()
        self.start()

    def _children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
            return [int(p) for p in f.read().split()]

    def _signal_all(self, number):
        for p in [self.process.pid, *self._children()]:
            with contextlib.suppress(ProcessLookupError):  # the process of a connection that ended meanwhile
                os.kill(p, number)

    def pause(self):
        self._signal_all(signal.SIGSTOP)

    def resume(self):
        self._signal_all(signal.SIGCONT)

    def sql(self, text, database="postgres"):
        """What psql prints, without headings."""
        return subprocess.run(["psql", "-XAtq", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", database,
                               "-v", "ON_ERROR_STOP=1", "-c", text],
                              check=True, capture_output=True, text=True).stdout.strip()

    def close(self):
        if self.process is not None:
            self.resume()
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with PostgresServer() as server:
        print(server.url, flush=True)
        for line in sys.stdin:
            getattr(server, line.strip())()
            print("done", flush=True)


if __name__ == "__main__":
    main()
