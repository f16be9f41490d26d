# SPDX-License-Identifier: Apache-2.0
"""The admin listener of a server under test."""
import http.client
import json
import re
import socket
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server  # noqa: E402

from prometheus import Metrics  # noqa: E402


class Watched(Server):
    """A server with an admin listener."""

    def __init__(self, *options, admin="127.0.0.1:0", workers=2, **more):
        super().__init__("--admin", admin, "--workers", workers, *options, **more)
        self.admin_url = re.search(r"^ +admin +(\S+)", self.log, re.M)[1]

    def ask(self, method, path, **fields):
        """(status, fields in lower case, text)"""
        if self.admin_url.startswith("unix:"):
            connection = http.client.HTTPConnection("localhost", timeout=TIMEOUT)
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(TIMEOUT)
            connection.sock.connect(self.admin_url.removeprefix("unix:"))
        else:
            connection = http.client.HTTPConnection(self.admin_url.removeprefix("http://"), timeout=TIMEOUT)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in fields.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def metrics(self):
        status, fields, text = self.ask("GET", "/metrics")
        assert (status, fields["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return Metrics(text)

    def status(self):
        return json.loads(self.ask("GET", "/status.json")[2])

    def running(self):
        return json.loads(self.ask("GET", "/requests")[2])["running"]

    def told_to_serve(self):
        """{name: process} of the workers that serve, as the listener tells."""
        return {w["name"]: w["process"] for w in self.status()["workers"] if w["state"] == "serving"}

    def until(self, true, what):
        """Waits, and gives the first value that is true."""
        end = time.monotonic() + TIMEOUT
        while True:
            if found := true():
                return found
            assert time.monotonic() < end, f"{what} did not come; {json.dumps(self.status())[:4000]}\n{self.log[-4000:]}"
            time.sleep(0.02)

    def until_quiet(self):
        """No request is being answered: what was counted stays so."""
        self.until(lambda: self.status()["all"]["in_flight"] == 0, "quiet")
