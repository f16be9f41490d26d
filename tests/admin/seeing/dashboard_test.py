#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard in headless Chromium: it draws what happens, gives orders, and is usable on a phone."""
import sys
import threading
import unittest
from pathlib import Path

from admin import Watched
from figures_test import Client, open_request

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from webdriver import Browser  # noqa: E402


def cell(table, row, label):
    """JavaScript for the text of a cell: of the first row whose route has this text."""
    return (f"[...document.querySelectorAll('#{table} tbody tr')].find(tr => tr.querySelector('code')?.textContent === '{row}')"
            f"?.querySelector('td[data-label=\"{label}\"]')?.textContent")


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())
        cls.server = cls.enterClassContext(Watched(env={"TESTBED_ISOLATED": "1"}))

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def open(self, **screen):
        page = self.browser.open(self.server.admin_url + "/", **screen)
        self.addCleanup(page.go, "about:blank")
        page.wait_for("document.getElementById('state').dataset.state === 'serving'")
        return page

    def test_plots_move_and_tables_tell_what_happens(self):
        page = self.open()
        page.wait_for("document.querySelectorAll('#plots path.line').length === 8")  # three of the latency
        before = page.run("document.querySelector('[data-plot=rate] path.line').getAttribute('d')")
        Client(self.server).many("/", 100)
        page.wait_for(f"Number({cell('views', '/', 'Requests')}) >= 100")
        page.wait_for("document.querySelector('[data-plot=rate] path.line').getAttribute('d') !== arguments[0]", before)
        self.assertEqual(page.run(cell("views", "/", "Kind")), "async")
        self.assertIn("MiB", page.text())
        self.assertEqual(page.run("document.querySelectorAll('#workers tbody tr').length"), 2)

    def test_what_runs_is_listed_with_its_place(self):
        page = self.open()
        waiting = [open_request(self.server, f"GET /_test/{view}?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                   for view in ("wait", "wait-sync")]
        page.wait_for(f"{cell('running', '/_test/wait', 'State')} === 'loop'")
        page.wait_for(f"{cell('running', '/_test/wait-sync', 'State')} === 'pool thread'")
        page.wait_for("Number(document.querySelector('[data-plot=flight] output').textContent) >= 2")
        for s in waiting:
            s.close()
        page.wait_for("document.querySelector('#running td.empty') !== null")

    def test_a_view_of_the_wrong_kind_has_its_advice(self):
        Client(self.server).many("/_test/wait-sync?ms=20", 24)
        page = self.open()
        page.wait_for("[...document.querySelectorAll('#views tr.advice')].some(tr => "
                      "tr.textContent.startsWith('/_test/wait-sync only waits') && tr.textContent.includes('make it async'))")

    def test_compute_processes_are_told_with_their_jobs(self):
        Client(self.server).many("/isolated/say", 8)
        page = self.open()
        page.wait_for(f"Number({cell('compute-pools', 'model', 'Done')}) >= 8")
        page.wait_for(f"{cell('compute-pools', 'model', 'Busy')} === '0 / 1'")
        page.wait_for(f"{cell('processes', 'model 0', 'State')} === 'idle'")
        with open_request(self.server, "GET /isolated/stay?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n"):
            page.wait_for(f"{cell('processes', 'model 0', 'State')} === 'busy'")
        page.wait_for(f"Number({cell('compute-pools', 'model', 'Cancelled')}) >= 1")

    def test_a_stuck_worker_is_seen_while_it_is_stuck(self):
        page = self.open()
        asking = threading.Thread(target=Client(self.server).many, args=(f"/_test/block?while={self.server.gate}", 1), kwargs={"threads": 1})
        asking.start()
        page.wait_for("document.getElementById('state').dataset.state === 'blocked'")
        page.wait_for(f"{cell('running', '/_test/block', 'State')} === 'holding the loop'")
        self.server.open_gate()
        asking.join()
        page.wait_for("document.getElementById('state').dataset.state === 'serving'")

    def test_orders(self):
        page = self.open()
        page.wait_for("document.getElementById('count').textContent === '2 workers'")
        page.click("#more")
        page.wait_for("document.getElementById('count').textContent === '3 workers'")
        self.server.until(lambda: len(self.server.told_to_serve()) == 3, "three workers")
        page.click("#fewer")
        page.wait_for("document.getElementById('count').textContent === '2 workers'")
        # Ending the server takes two clicks.
        page.click("#drain")
        self.assertEqual(page.run("document.getElementById('drain').textContent"), "Stop the server?")
        page.wait_for("document.getElementById('drain').textContent === 'Drain'")
        self.assertTrue(self.server.alive())

    def test_what_views_use_is_told(self):
        with Watched(program="chat", workers=1) as server:
            page = self.browser.open(server.admin_url + "/", width=360, height=740)
            self.addCleanup(page.go, "about:blank")
            page.wait_for("document.getElementById('state').dataset.state === 'serving'")
            self.assertTrue(page.run("document.getElementById('resources-section').hidden"))
            server.request("POST", "/rooms/a", b"hello")
            page.wait_for("document.getElementById('resources-section').innerText.includes('published 1')")
            self.assertEqual(page.run("document.documentElement.scrollWidth"), 360)
            page.go("about:blank")

    def test_it_fits_a_phone_and_every_control_can_be_touched(self):
        Client(self.server).many("/reflect", 4)
        for dark in (False, True):
            page = self.open(width=360, height=740, dark=dark)
            page.wait_for(f"{cell('views', '/reflect', 'Requests')} !== undefined")
            self.assertEqual(page.run("document.documentElement.scrollWidth"), 360)
            small = page.run("[...document.querySelectorAll('button')].filter(e => e.getBoundingClientRect().height < 36 || "
                             "!(e.innerText || e.ariaLabel)).map(e => e.outerHTML)")
            self.assertEqual(small, [])


if __name__ == "__main__":
    unittest.main()
