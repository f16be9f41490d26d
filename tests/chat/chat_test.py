#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/chat with several workers: channels, cache, background groups, periodic tasks."""
import os
import re
import signal
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from server import Server, run  # noqa: E402


def chat(*options):
    return Server("--access-log", "off", *options, program="chat")


class Background(unittest.TestCase):
    def test_shutdown_waits_for_started_tasks(self):
        with chat("--workers", "2", "--mail-time", "3s") as server:
            for n in range(5):
                self.assertEqual(server.request("POST", f"/mail/friend-{n}")[0], 202)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            for n in range(5):
                self.assertIn(f"mail sent to friend-{n}", server.log)
            self.assertRegex(server.log, r"background group 'mail': waiting for \d tasks")

    def test_tasks_that_exceed_the_graceful_timeout_are_cancelled(self):
        with chat("--workers", "1", "--mail-time", "1h", "--graceful-timeout", "500ms") as server:
            self.assertEqual(server.request("POST", "/mail/friend")[0], 202)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertIn("background group 'mail': cancelling 1 tasks", server.log)


class Periodic(unittest.TestCase):
    def test_one_process_runs_the_task_and_another_takes_over(self):
        with chat("--workers", "3") as server:
            def processes():
                return re.findall(r"cleaning up in process (\d+)", server.log)
            server.wait_until(lambda: len(processes()) >= 3, what="three clean-ups")
            first = set(processes())
            self.assertEqual(len(first), 1)
            os.kill(int(first.pop()), signal.SIGKILL)
            before = len(processes())
            server.wait_until(lambda: len(processes()) >= before + 2, what="two clean-ups by another process")
            self.assertEqual(len(set(processes()[before:])), 1)
            self.assertEqual(len(set(processes())), 2)


class Chat(unittest.TestCase):
    def test_messages_reach_all_workers(self):
        with chat("--workers", "2") as server:
            received = []
            clients = [threading.Thread(target=lambda: received.append(server.get("/first/red/blue", timeout=60)[2]))
                      for _ in range(8)]
            for thread in clients:
                thread.start()
            end = time.monotonic() + 60
            while len(received) < 8 and time.monotonic() < end:
                self.assertEqual(server.request("POST", "/rooms/blue", "hello")[0], 200)
                time.sleep(0.05)
            for thread in clients:
                thread.join()
            self.assertEqual(received, [b"room:blue: hello"] * 8)

    def test_concurrent_requests_share_one_report(self):
        with chat("--workers", "1") as server:
            texts = set()
            clients = [threading.Thread(target=lambda: texts.add(server.get("/report")[2])) for _ in range(8)]
            for thread in clients:
                thread.start()
            for thread in clients:
                thread.join()
            self.assertEqual(len(texts), 1)

    def test_rejects_an_invalid_url(self):
        for setting in ("--channels-url", "--cache-url"):
            status, _, errors = run("check", setting, "redsi://:secret@host", program="chat")
            self.assertEqual(status, 1, errors)
            self.assertIn("unsupported scheme 'redsi'", errors)
            self.assertIn(setting[2:], errors)
            self.assertNotIn("secret", errors)


if __name__ == "__main__":
    unittest.main()
