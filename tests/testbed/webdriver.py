# SPDX-License-Identifier: Apache-2.0
"""The part of the WebDriver protocol (W3C) that the tests need: headless Chromium, driven by chromedriver."""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

TIMEOUT = 30  # seconds
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"

SWITCHES = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-default-apps",
            "--disable-sync", "--disable-extensions", "--no-proxy-server", "--metrics-recording-only"]


class WebDriverError(Exception):
    """The browser refused a command, or a script threw."""


class Browser:
    """with Browser() as browser: page = browser.open(url)"""

    def __enter__(self):
        for program in ("chromium", "chromedriver"):
            if not shutil.which(program):
                raise RuntimeError(f"{program} is not installed: ./dev packages test")
        self.folder = tempfile.TemporaryDirectory(prefix="rondo-browser-", ignore_cleanup_errors=True)
        self.log = open(os.path.join(self.folder.name, "chromedriver.log"), "w+", encoding="utf-8")
        # Its own process group, so that the browser always exits with its driver.
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=self.log, stderr=self.log,
                                       stdin=subprocess.DEVNULL, start_new_session=True,
                                       env=dict(os.environ, HOME=self.folder.name, TMPDIR=self.folder.name))
        try:
            self.url = f"http://127.0.0.1:{self._port()}"
            self._start_session()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if getattr(self, "session", None):
                self._send("DELETE", self.session)
        except (OSError, WebDriverError):
            pass
        os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        self.log.close()
        self.folder.cleanup()

    def _port(self):
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            with open(self.log.name, encoding="utf-8") as log:
                if found := re.search(r"started successfully on port (\d+)", log.read()):
                    return int(found[1])
            time.sleep(0.05)
        raise RuntimeError("chromedriver did not start")

    def _start_session(self):
        options = {"binary": shutil.which("chromium"), "args": [*SWITCHES, f"--user-data-dir={self.folder.name}/profile"]}
        value = self._send("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}}})
        self.session = f"/session/{value['sessionId']}"
        self.unused = self.call("GET", "/window")  # the window of the new session

    def _send(self, method, path, value=None):
        data = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=2 * TIMEOUT) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as e:
            raise WebDriverError(json.load(e)["value"]["message"]) from None

    def call(self, method, path, value=None):
        return self._send(method, self.session + path, {} if value is None and method == "POST" else value)

    def open(self, url, **screen):
        """Opens a page in a new window. `screen`: width, height, dark."""
        handle, self.unused = self.unused or self.call("POST", "/window/new", {"type": "window"})["handle"], None
        page = Page(self, handle)
        if screen:
            page.set_screen(**screen)
        page.go(url)
        return page

    def console_errors(self):
        """Errors in the consoles of the pages since the last call: failed scripts and violations of the content security
        policy. Network errors and 4xx and 5xx responses are left out, because tests cause them on purpose."""
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [e["message"] for e in entries if e["level"] == "SEVERE" and e["source"] != "network"]


class Page:
    def __init__(self, browser, handle):
        self.browser, self.handle = browser, handle

    def call(self, method, path, value=None):
        self.browser.call("POST", "/window", {"handle": self.handle})
        return self.browser.call(method, path, value)

    def set_screen(self, width=1280, height=800, dark=False):
        self.chrome("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.chrome("Emulation.setEmulatedMedia",
                    features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def chrome(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def go(self, url):
        self.call("POST", "/url", {"url": url})

    def reload(self):
        self.call("POST", "/refresh")

    def run(self, script, *arguments):
        """The value of a JavaScript expression, which can use `arguments[0]` and so on."""
        return self.call("POST", "/execute/sync", {"script": f"return ({script});", "args": list(arguments)})

    def wait_for(self, script, *arguments, seconds=TIMEOUT):
        """Waits until the expression is true, and returns its value."""
        end = time.monotonic() + seconds
        while True:
            if value := self.run(script, *arguments):
                return value
            if time.monotonic() > end:
                raise AssertionError(f"not true within {seconds} s: {script} {arguments}\n{self.text()}")
            time.sleep(0.05)

    def text(self):
        return self.run("document.body.innerText")

    def find(self, selector):
        return self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def type(self, selector, text):
        self.call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def click(self, selector):
        self.call("POST", f"/element/{self.find(selector)}/click")

    def screenshot(self, path):
        with open(path, "wb") as out:
            out.write(base64.b64decode(self.call("GET", "/screenshot")))
