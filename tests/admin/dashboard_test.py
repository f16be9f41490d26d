#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard in headless Chromium: it draws the stats, sends commands, and is usable on a phone."""
import sys
import threading
import unittest
from pathlib import Path

from admin_client import AdminServer
from metrics_test import Client, open_request

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from webdriver import Browser  # noqa: E402


def cell(table, row, label):
    """JavaScript for the text of a cell in the first row whose <code> element has this text."""
    return (f"[...document.querySelectorAll('#{table} tbody tr')].find(tr => tr.querySelector('code')?.textContent === '{row}')"
            f"?.querySelector('td[data-label=\"{label}\"]')?.textContent")


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())
        cls.server = cls.enterClassContext(AdminServer(env={"TESTBED_ISOLATED": "1"}))

    def tearDown(self):
        self.assertEqual(self.browser.console_errors(), [])

    def open(self, **screen):
        page = self.browser.open(self.server.admin_url + "/", **screen)
        self.addCleanup(page.go, "about:blank")
        page.wait_for("document.getElementById('state').dataset.state === 'serving'")
        return page

    def test_plots_and_tables_show_the_requests(self):
        page = self.open()
        page.wait_for("document.querySelectorAll('#plots path.line').length === 8")  # the latency plot has three
        before = page.run("document.querySelector('[data-plot=rate] path.line').getAttribute('d')")
        Client(self.server).send_many("/", 100)
        page.wait_for(f"Number({cell('views', '/', 'Requests')}) >= 100")
        page.wait_for("document.querySelector('[data-plot=rate] path.line').getAttribute('d') !== arguments[0]", before)
        self.assertEqual(page.run(cell("views", "/", "Kind")), "async")
        self.assertIn("MiB", page.text())
        self.assertEqual(page.run("document.querySelectorAll('#workers tbody tr').length"), 2)

    def test_lists_running_requests_with_their_state(self):
        page = self.open()
        waiting = [open_request(self.server, f"GET /_test/{view}?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                   for view in ("wait", "wait-sync")]
        page.wait_for(f"{cell('running', '/_test/wait', 'State')} === 'loop'")
        page.wait_for(f"{cell('running', '/_test/wait-sync', 'State')} === 'pool thread'")
        page.wait_for("Number(document.querySelector('[data-plot=flight] output').textContent) >= 2")
        for s in waiting:
            s.close()
        page.wait_for("document.querySelector('#running td.empty') !== null")

    def test_shows_advice_for_a_view_of_the_wrong_kind(self):
        Client(self.server).send_many("/_test/wait-sync?ms=20", 24)
        page = self.open()
        page.wait_for("[...document.querySelectorAll('#views tr.advice')].some(tr => "
                      "tr.textContent.startsWith('/_test/wait-sync only waits') && tr.textContent.includes('make it async'))")

    def test_lists_compute_processes_with_their_jobs(self):
        Client(self.server).send_many("/isolated/text", 8)
        page = self.open()
        page.wait_for(f"Number({cell('compute-pools', 'model', 'Done')}) >= 8")
        page.wait_for(f"{cell('compute-pools', 'model', 'Busy')} === '0 / 1'")
        page.wait_for(f"{cell('processes', 'model 0', 'State')} === 'idle'")
        with open_request(self.server, "GET /isolated/wait?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n"):
            page.wait_for(f"{cell('processes', 'model 0', 'State')} === 'busy'")
        page.wait_for(f"Number({cell('compute-pools', 'model', 'Cancelled')}) >= 1")

    def test_shows_a_blocked_worker_while_it_is_blocked(self):
        page = self.open()
        client = threading.Thread(target=Client(self.server).send_many,
                                  args=(f"/_test/block?while={self.server.gate}", 1), kwargs={"threads": 1})
        client.start()
        page.wait_for("document.getElementById('state').dataset.state === 'blocked'")
        page.wait_for(f"{cell('running', '/_test/block', 'State')} === 'blocking the loop'")
        self.server.open_gate()
        client.join()
        page.wait_for("document.getElementById('state').dataset.state === 'serving'")

    def test_scales_and_confirms_drain(self):
        page = self.open()
        page.wait_for("document.getElementById('count').textContent === '2 workers'")
        page.click("#more")
        page.wait_for("document.getElementById('count').textContent === '3 workers'")
        self.server.wait_until(lambda: len(self.server.serving_workers()) == 3, "three workers")
        page.click("#fewer")
        page.wait_for("document.getElementById('count').textContent === '2 workers'")
        # Stopping the server takes two clicks.
        page.click("#drain")
        self.assertEqual(page.run("document.getElementById('drain').textContent"), "Stop the server?")
        page.wait_for("document.getElementById('drain').textContent === 'Drain'")
        self.assertTrue(self.server.alive())

    def test_shows_the_stats_of_client_libraries(self):
        with AdminServer(program="chat", workers=1) as server:
            page = self.browser.open(server.admin_url + "/", width=360, height=740)
            self.addCleanup(page.go, "about:blank")
            page.wait_for("document.getElementById('state').dataset.state === 'serving'")
            self.assertTrue(page.run("document.getElementById('resources-section').hidden"))
            server.request("POST", "/rooms/a", b"hello")
            page.wait_for("document.getElementById('resources-section').innerText.includes('published 1')")
            self.assertEqual(page.run("document.documentElement.scrollWidth"), 360)
            page.go("about:blank")

    def test_fits_a_phone_and_every_control_is_large_enough_to_touch(self):
        Client(self.server).send_many("/reflect", 4)
        for dark in (False, True):
            page = self.open(width=360, height=740, dark=dark)
            page.wait_for(f"{cell('views', '/reflect', 'Requests')} !== undefined")
            self.assertEqual(page.run("document.documentElement.scrollWidth"), 360)
            small = page.run("[...document.querySelectorAll('button')].filter(e => e.getBoundingClientRect().height < 36 || "
                             "!(e.innerText || e.ariaLabel)).map(e => e.outerHTML)")
            self.assertEqual(small, [])


if __name__ == "__main__":
    unittest.main()
