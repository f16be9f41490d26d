# SPDX-License-Identifier: Apache-2.0
"""A server under test with an admin listener, and a client of that listener."""
import http.client
import json
import re
import socket
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import TIMEOUT, Server  # noqa: E402

from prometheus import Metrics  # noqa: E402


class AdminServer(Server):
    """A server with an admin listener."""

    def __init__(self, *options, admin="127.0.0.1:0", workers=2, **more):
        super().__init__("--admin", admin, "--workers", workers, *options, **more)
        self.admin_url = re.search(r"^ +admin +(\S+)", self.log, re.M)[1]

    def admin_request(self, method, path, **fields):
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
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode()
        finally:
            connection.close()

    def metrics(self):
        status, fields, text = self.admin_request("GET", "/metrics")
        assert (status, fields["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return Metrics(text)

    def status(self):
        return json.loads(self.admin_request("GET", "/status.json")[2])

    def running_requests(self):
        return json.loads(self.admin_request("GET", "/requests")[2])["running"]

    def serving_workers(self):
        """{name: process id} of the serving workers, according to the listener."""
        return {w["name"]: w["pid"] for w in self.status()["workers"] if w["state"] == "serving"}

    def describe(self):
        try:
            status = json.dumps(self.status())[:4000]
        except (OSError, ValueError) as e:
            status = repr(e)
        return f"the status: {status}\nthe log:\n{self.log[-4000:]}"

    def wait_until_idle(self):
        """Waits until no request is in flight: the counters no longer change."""
        self.wait_until(lambda: self.status()["all"]["in_flight"] == 0, "the requests in flight to finish")
