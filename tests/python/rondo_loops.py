# SPDX-License-Identifier: Apache-2.0
"""Makes every SelectorEventLoop of this process use Rondo's selector. Imported by the suites that run in a process of their own:
cpython_suites.py and asgiref_plugin.py."""
import asyncio
import asyncio.selector_events

from rondo._selector import Selector

MESSAGE = "this thread already has an event loop"


class Count:
    """How many loops use Rondo's selector, and how many use Python's, because their thread had a loop of Rondo already."""

    def __init__(self):
        self.ours = self.others = 0

    def __str__(self):
        return f"{self.ours} loops with Rondo's selector, {self.others} with Python's"


def install(backend):
    """Replaces the selector that a loop makes when it is given none. Returns the count."""
    count = Count()
    original = asyncio.selector_events.BaseSelectorEventLoop.__init__

    def initialise(loop, selector=None):
        if selector is None:
            try:
                selector = Selector.standalone(backend)
                count.ours += 1
            except RuntimeError as error:
                if MESSAGE not in str(error):
                    raise
                count.others += 1
        original(loop, selector)

    asyncio.selector_events.BaseSelectorEventLoop.__init__ = initialise
    return count
