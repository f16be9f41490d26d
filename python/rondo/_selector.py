# SPDX-License-Identifier: Apache-2.0
"""The selector of asyncio's loop: Rondo's loop, which serves connections while it waits."""

import selectors

from rondo import _rondo


class Selector(selectors._BaseSelectorImpl):
    """Registers the descriptors of asyncio with the loop of a driver, whose select() runs that loop."""

    def __init__(self, driver, owner=None):
        super().__init__()
        self._driver = driver
        self._owner = owner
        self.select = driver.select  # without the frame of a method

    @classmethod
    def standalone(cls, backend="auto"):
        """A selector for any asyncio loop, which serves nothing. One per thread."""
        return cls(*_rondo.make_driver(backend))

    def close(self):
        for fd in self._fd_to_key:
            self._driver.unwatch(fd)
        super().close()
        self._owner = None

    def register(self, fileobj, events, data=None):
        key = super().register(fileobj, events, data)
        try:
            self._driver.watch(key.fd, events, key)
        except BaseException:
            super().unregister(fileobj)
            raise
        return key

    def unregister(self, fileobj):
        key = super().unregister(fileobj)
        self._driver.unwatch(key.fd)
        return key

    def modify(self, fileobj, events, data=None):
        try:
            key = self._fd_to_key[self._fileobj_lookup(fileobj)]
        except KeyError:
            raise KeyError(f"{fileobj!r} is not registered") from None
        if events == key.events and data == key.data:
            return key
        if not events or events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
            raise ValueError(f"Invalid events: {events!r}")
        changed = key._replace(events=events, data=data)
        try:
            self._driver.change(key.fd, events, changed)
        except BaseException:
            super().unregister(fileobj)
            self._driver.unwatch(key.fd)
            raise
        self._fd_to_key[key.fd] = changed
        return changed

    def select(self, timeout=None):
        return self._driver.select(timeout)
