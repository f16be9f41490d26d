#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs suites of CPython's package test.test_asyncio with Rondo's selector, or without it:

    PYTHONPATH=build/release/python/3.13 python3.13 tests/python/cpython_suites.py epoll|io_uring|none SUITE...

The last line counts the loops. The exit status is 1 when a test failed, 5 when the interpreter has no such suites.
"""
import sys
import unittest

MISSING = 5


def main():
    backend, *names = sys.argv[1:]
    try:
        import test.test_asyncio
    except ImportError as error:
        print(f"this Python has no tests of its own ({error})")
        return MISSING
    count = None
    if backend != "none":
        import rondo_loops
        count = rondo_loops.install(backend)
    suite = unittest.defaultTestLoader.loadTestsFromNames(f"{test.test_asyncio.__name__}.{name}" for name in names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite)
    print(count or "Rondo's selector was not used")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
