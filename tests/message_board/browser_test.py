#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The message board in a browser: users see each other's messages, also after restarts and crashes."""
import signal
import sys
import unittest
from pathlib import Path

from redis_server import Redis, wait_until
from board_server import Board, close

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "testbed"))
from webdriver import Browser  # noqa: E402

SHOWN = "[...document.querySelectorAll('#messages .text')].map(p => p.textContent)"


class BrowserTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = cls.enterClassContext(Browser())

    def setUp(self):
        self.board = self.enterContext(Board())
        self.pages = []

    def tearDown(self):
        try:
            self.assertEqual(self.browser.console_errors(), [])
        finally:
            for page in self.pages:
                page.go("about:blank")

    def open(self, path="/", board=None, **screen):
        page = self.browser.open((board or self.board).url + path, **screen)
        self.pages.append(page)
        return page

    def open_live(self, path="/", state="live", board=None):
        page = self.open(path, board)
        page.wait_for("document.getElementById('state').dataset.state === arguments[0]", state)
        return page

    def post(self, page, text, author=""):
        if author:
            page.run("document.getElementById('author').value = ''")
            page.type("#author", author)
        page.type("#text", text)
        page.click("#composer button")

    def see(self, page, *texts):
        page.wait_for(f"{SHOWN}.join('|') === arguments[0]", "|".join(texts))


class Messages(BrowserTest):
    def exchange_messages(self, path, state, boards=(None, None)):
        """Opens two pages and posts a message from each; both show both messages, the newest first."""
        one, other = (self.open_live(path, state, board) for board in boards)
        self.post(one, "hello", author="Ada")
        self.see(other, "hello")
        self.post(other, "hello to you", author="Grace")
        for page in (one, other):
            self.see(page, "hello to you", "hello")
        self.assertEqual(one.run("document.querySelector('.author').textContent"), "Grace")
        self.assertEqual(one.run("document.getElementById('text').value"), "")
        return one, other

    def test_two_pages_by_events(self):
        self.exchange_messages("/", "live")

    def test_two_pages_by_polling(self):
        self.exchange_messages("/?transport=poll", "polling")

    def test_two_pages_of_two_workers(self):
        board = self.enterContext(Board("--workers", "2"))
        self.exchange_messages("/", "live", (board, board))

    def test_two_polling_pages_of_two_workers(self):
        board = self.enterContext(Board("--workers", "2"))
        self.exchange_messages("/?transport=poll", "polling", (board, board))

    def test_two_pages_of_two_machines(self):
        with Redis() as redis, Board("--channels-url", redis.url) as one, Board("--channels-url", redis.url) as other:
            wait_until(lambda: redis.subscribers("message_board") == 2)
            self.exchange_messages("/", "live", (one, other))

    def test_the_page_polls_when_events_are_blocked(self):
        page = self.open_live()
        # Simulates a proxy that blocks event streams.
        page.chrome("Network.enable")
        page.chrome("Network.setBlockedURLs", urls=["*/events*"])
        page.reload()
        page.wait_for("document.getElementById('state').dataset.state === 'polling'")
        self.board.say("by polling")
        self.see(page, "by polling")

    def restart(self, path, state, number):
        one, other = self.exchange_messages(path, state)
        self.board.stop(number)
        one.wait_for("document.getElementById('state').dataset.state === 'waiting'")
        self.board.start()
        self.board.say("posted before the pages reconnected")
        for page in (one, other):
            page.wait_for("document.getElementById('state').dataset.state === arguments[0]", state)
            self.see(page, "posted before the pages reconnected", "hello to you", "hello")
        self.post(one, "we are back")
        self.see(other, "we are back", "posted before the pages reconnected", "hello to you", "hello")
        self.see(self.open(path), "we are back", "posted before the pages reconnected", "hello to you", "hello")

    def test_a_restart_loses_nothing_and_pages_reconnect(self):
        self.restart("/", "live", signal.SIGINT)

    def test_a_kill_loses_nothing_and_pages_reconnect(self):
        self.restart("/", "live", signal.SIGKILL)

    def test_polling_pages_reconnect(self):
        self.restart("/?transport=poll", "polling", signal.SIGINT)

    def test_posting_to_a_stopped_server_keeps_the_text(self):
        page = self.open_live()
        self.board.stop()
        self.post(page, "will be sent")
        page.wait_for("document.getElementById('error').textContent.includes('is not responding')")
        self.assertEqual(page.run("document.getElementById('text').value"), "will be sent")
        self.board.start()
        page.click("#composer button")
        self.see(page, "will be sent")

    def test_the_form_works_without_scripts(self):
        page = self.open()
        page.chrome("Emulation.setScriptExecutionDisabled", value=True)
        page.reload()
        self.post(page, "plain HTML", author="Ada")
        page.chrome("Emulation.setScriptExecutionDisabled", value=False)
        self.see(page, "plain HTML")
        self.assertTrue(page.run("location.pathname === '/'"))

    def test_markup_is_shown_and_not_executed(self):
        one, other = self.open_live(), self.open_live()
        evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
        self.post(one, evil, author="<b>Eve</b>")
        for page in (one, other, self.open()):
            self.see(page, evil)
            self.assertEqual(page.run("document.querySelector('.author').textContent"), "<b>Eve</b>")
            self.assertEqual(page.run("document.querySelectorAll('#messages img, #messages b, #messages script').length"), 0)
            self.assertNotIn("owned", page.run("document.title"))

    def test_server_and_script_render_messages_alike(self):
        live = self.open_live()
        said = self.board.say("the same\nto the letter", author="Émile & 林")
        self.see(live, said["text"])
        outer = "document.getElementById('messages').innerHTML.replace(' new', '').trim()"
        self.assertEqual(live.run(outer), self.open_live().run(outer))

    def test_an_error_is_shown(self):
        page = self.open_live()
        page.run("document.getElementById('text').removeAttribute('maxlength')")
        page.run("document.getElementById('text').value = 'x'.repeat(1001)")
        page.click("#composer button")
        page.wait_for("document.getElementById('error').textContent.includes('at most 1000')")

    def test_older_messages_are_one_click_away(self):
        for n in range(1, 61):
            self.board.say(f"number {n}")
        page = self.open()
        self.assertEqual(page.run(SHOWN), [f"number {n}" for n in range(60, 10, -1)])
        page.click(".more a")
        self.see(page, *[f"number {n}" for n in range(10, 0, -1)])


class Layout(BrowserTest):
    def test_no_page_scrolls_sideways_on_a_phone(self):
        self.board.say("a" * 1000, author="n" * 40)
        self.board.say("https://example.org/" + "path/" * 50)
        for dark in (False, True):
            for path in ("/", "/views", "/stats"):
                page = self.open(path, width=360, height=740, dark=dark)
                page.wait_for("document.readyState === 'complete'")
                self.assertEqual(page.run("document.documentElement.scrollWidth"), 360, path)

    def test_every_control_has_a_name_and_is_large_enough_to_touch(self):
        for path in ("/", "/views", "/stats"):
            page = self.open(path, width=360, height=740)
            unnamed = page.run("[...document.querySelectorAll('a, button, input, textarea')].filter(e => "
                               "!(e.innerText || e.ariaLabel || e.labels?.[0]?.innerText)).map(e => e.outerHTML)")
            self.assertEqual([e for e in unnamed if "skip" not in e], [], path)
            small = page.run("[...document.querySelectorAll('button:not([hidden]), nav a, input, textarea')].filter(e => "
                             "e.getBoundingClientRect().height < 36).map(e => e.outerHTML)")
            self.assertEqual(small, [], path)


class Stats(BrowserTest):
    def test_the_stats_are_updated(self):
        page = self.open_live("/stats")
        page.wait_for("document.querySelectorAll('[data-stat] path.line').length === 6")
        before = page.run("document.querySelector('[data-stat=waiting] path.line').getAttribute('d')")
        waiting = [self.board.open("GET", "/events") for _ in range(20)]
        page.wait_for("Number(document.querySelector('[data-stat=waiting] output').textContent) >= 21")
        self.assertNotEqual(page.run("document.querySelector('[data-stat=waiting] path.line').getAttribute('d')"), before)
        self.assertGreater(page.run("Number(document.querySelector('[data-stat=memory] output').textContent)"), 1)
        for response in waiting:
            close(response)


class ViewKinds(BrowserTest):
    def test_the_race_is_drawn(self):
        page = self.open("/views")
        for lane in ("async", "sync"):
            page.click(f"[data-race={lane}] button")
            page.wait_for(f"document.querySelector('[data-race={lane}] .outcome').textContent.includes('s in total')")
            self.assertEqual(page.run(f"document.querySelectorAll('[data-race={lane}] .ended').length"), 100)

    def test_the_stream_is_shown(self):
        page = self.open("/views")
        page.click("#drip button")
        page.wait_for("document.querySelector('.stream').textContent.startsWith('A ')")
        page.wait_for("document.querySelector('.stream').textContent.includes('da capo')")

    def test_the_picture_is_shown_and_can_be_zoomed(self):
        page = self.open("/views")
        for _ in range(2):
            page.wait_for("document.querySelector('.zoom img').complete")
            self.assertEqual(page.run("document.querySelector('.zoom img').naturalWidth"), 960)
            page.click(".zoom a:nth-of-type(5)")
            page.wait_for("location.search.includes('zoom=')")
        self.assertIn("9×", page.run("document.querySelector('figcaption').innerText"))


if __name__ == "__main__":
    unittest.main()
