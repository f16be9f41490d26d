# SPDX-License-Identifier: Apache-2.0
"""A plugin of pytest: event loops use Rondo's selector. The backend is in TEST_BACKEND; the summary counts the loops."""
import asyncio
import os

import rondo_loops

count = rondo_loops.install(os.environ["TEST_BACKEND"])
# The default on Linux; said here because the suite must not run on another loop, such as uvloop's.
assert asyncio.DefaultEventLoopPolicy._loop_factory is asyncio.SelectorEventLoop


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(str(count))
