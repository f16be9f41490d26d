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


def rooms(*options):
    return Server("--access-log", "off", *options, program="chat")


class Background(unittest.TestCase):
    def test_the_end_waits_for_what_was_begun(self):
        with rooms("--workers", "2", "--mail-time", "3s") as server:
            for n in range(5):
                self.assertEqual(server.request("POST", f"/mail/friend-{n}")[0], 202)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            for n in range(5):
                self.assertIn(f"mail sent to friend-{n}", server.log)
            self.assertRegex(server.log, r"background group 'mail': waiting for \d tasks")

    def test_what_takes_longer_than_the_graceful_timeout_is_cancelled(self):
        with rooms("--workers", "1", "--mail-time", "1h", "--graceful-timeout", "500ms") as server:
            self.assertEqual(server.request("POST", "/mail/friend")[0], 202)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.wait(), 0)
            self.assertIn("background group 'mail': 1 tasks are cancelled", server.log)


class Periodic(unittest.TestCase):
    def test_one_process_does_it_and_another_takes_over(self):
        with rooms("--workers", "3") as server:
            def done_by():
                return re.findall(r"cleaning up in process (\d+)", server.log)
            server.wait_until(lambda: len(done_by()) >= 3, what="the clean-up")
            first = set(done_by())
            self.assertEqual(len(first), 1)
            os.kill(int(first.pop()), signal.SIGKILL)
            before = len(done_by())
            server.wait_until(lambda: len(done_by()) >= before + 2, what="the clean-up by another")
            self.assertEqual(len(set(done_by()[before:])), 1)
            self.assertEqual(len(set(done_by())), 2)


class Rooms(unittest.TestCase):
    def test_what_is_said_is_heard_by_all_workers(self):
        with rooms("--workers", "2") as server:
            firsts = []
            asking = [threading.Thread(target=lambda: firsts.append(server.get("/first/red/blue", timeout=60)[2]))
                      for _ in range(8)]
            for thread in asking:
                thread.start()
            end = time.monotonic() + 60
            while len(firsts) < 8 and time.monotonic() < end:
                self.assertEqual(server.request("POST", "/rooms/blue", "hello")[0], 200)
                time.sleep(0.05)
            for thread in asking:
                thread.join()
            self.assertEqual(firsts, [b"room:blue: hello"] * 8)

    def test_a_report_is_made_once_for_many(self):
        with rooms("--workers", "1") as server:
            texts = set()
            asking = [threading.Thread(target=lambda: texts.add(server.get("/report")[2])) for _ in range(8)]
            for thread in asking:
                thread.start()
            for thread in asking:
                thread.join()
            self.assertEqual(len(texts), 1)

    def test_a_wrong_url_is_a_sentence(self):
        for setting in ("--channels-url", "--cache-url"):
            status, _, errors = run("check", setting, "redsi://:secret@host", program="chat")
            self.assertEqual(status, 1, errors)
            self.assertIn("unsupported scheme 'redsi'", errors)
            self.assertIn(setting[2:], errors)
            self.assertNotIn("secret", errors)


if __name__ == "__main__":
    unittest.main()
