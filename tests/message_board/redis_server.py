# SPDX-License-Identifier: Apache-2.0
"""A Redis server for one test."""
import os
import subprocess
import tempfile
import time

from board_server import TIMEOUT


class Redis:
    """A real redis-server on a unix socket."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-redis-")
        self.socket = os.path.join(self.folder.name, "socket")
        self.url = "redis+unix://" + self.socket
        self.process = None
        self.start()
        return self

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "", "--dir", self.folder.name],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def subscribers(self, channel):
        """Number of subscribers of a channel."""
        reply = subprocess.run(["redis-cli", "-s", self.socket, "PUBSUB", "NUMSUB", channel], capture_output=True,
                                text=True, check=False).stdout.split()
        return int(reply[1]) if len(reply) == 2 else 0

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()


def wait_until(condition, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "timed out waiting for the condition"
        time.sleep(0.02)
    return value
