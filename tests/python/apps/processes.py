# SPDX-License-Identifier: Apache-2.0
"""Views and module code whose effects on processes the tests watch."""
import asyncio
import atexit
import os
import socket
import threading
import time

from kit import Routes, argument, body, gate, note, reply, start

app = Routes()
imported_in = os.getpid()

if os.environ.get("TEST_IMPORT_STARTS_THREAD"):
    threading.Thread(target=lambda: time.sleep(600), name="the-worker-thread", daemon=True).start()
    opened = socket.socket()
if os.environ.get("TEST_ATEXIT"):
    atexit.register(lambda: note("atexit", os.getpid()))


@app
async def pids(scope, receive, send):
    await reply(send, [os.getpid(), imported_in])


@app
async def wait(scope, receive, send):
    key = argument(scope, "id")
    note(key, "started")
    try:
        await gate(key)
    except BaseException as error:
        note(key, type(error).__name__)
        raise
    await reply(send, b"waited")


@app
async def stream(scope, receive, send):
    """An endless stream that asks for the end of its client, as frameworks do."""
    key = argument(scope, "id")
    await start(send)
    await body(send, b"started", True)
    listener = asyncio.create_task(receive_disconnect(receive))
    note(key, "started")
    try:
        while not listener.done():
            await body(send, b"tick;", True)
            await asyncio.sleep(0.01)
        note(key, "disconnect")
        await body(send, b"the end")
    except BaseException as error:
        note(key, type(error).__name__)
        raise


async def receive_disconnect(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


@app
async def deaf_stream(scope, receive, send):
    """An endless stream that asks nothing."""
    key = argument(scope, "id")
    await start(send)
    note(key, "started")
    try:
        while True:
            await body(send, b"tick;", True)
            await asyncio.sleep(0.01)
    except BaseException as error:
        note(key, type(error).__name__)
        raise


@app
async def blocks(scope, receive, send):
    """Blocks the loop in Python until the gate opens."""
    key = argument(scope, "id")
    note(key, "started")
    block_in_a_function(os.path.join(os.environ["TEST_GATES"], key))
    await reply(send, b"blocked")


def block_in_a_function(path):
    while not os.path.exists(path):
        time.sleep(0.01)


@app
async def thread(scope, receive, send):
    """A non-daemon thread that outlives the server."""
    def run():
        while not os.path.exists(os.path.join(os.environ["TEST_GATES"], "thread")):
            time.sleep(0.01)
        note("thread", "finished")

    threading.Thread(target=run).start()
    await reply(send, b"started")


@app
async def write(scope, receive, send):
    print("printed by the application")
    await reply(send, b"printed")


def factory():
    return app


def failing_factory():
    raise LookupError("the factory fails on purpose")


def wsgi(environ, start_response):
    return [b"WSGI"]


class ApplicationClass:
    async def __call__(self, scope, receive, send):
        await app.serve(scope, receive, send)


instance = ApplicationClass()
number = 5
