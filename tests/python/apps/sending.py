# SPDX-License-Identifier: Apache-2.0
"""Sends responses of all kinds, most of them as the request says."""
import asyncio
import os

from kit import Routes, argument, body, gate, note, reply, script_of, start

app = Routes()
MIB = 1 << 20


def text_of(error):
    return f"{type(error).__name__}: {error}"


@app
async def play(scope, receive, send):
    """Sends the messages of the request, and notes the exception of each."""
    key = argument(scope, "id")
    outcomes = []
    try:
        for message in script_of(scope):
            if message == "raise":
                raise ValueError(f"on purpose {key}")
            if message == "gate":
                await gate(key)
                continue
            try:
                await send(message)
                outcomes.append("sent")
            except Exception as error:
                outcomes.append(text_of(error))
    finally:
        note(key, outcomes)


@app
async def headers(scope, receive, send):
    """Headers in forms that a script cannot express."""
    pairs = [(b"Content-LENGTH", b"2"), (b"X-First", b"1"), (b"x-SECOND", b"2")]
    given = {"generator": (pair for pair in pairs), "lists": [list(pair) for pair in pairs],
             "bytearrays": [(bytearray(n), bytearray(v)) for n, v in pairs], "tuple": tuple(pairs)}[argument(scope, "kind")]
    await send({"type": "http.response.start", "status": 200, "headers": given})
    await body(send, b"ok")


@app
async def buffers(scope, receive, send):
    await start(send)
    await body(send, bytearray(b"bytearray "), True)
    await body(send, memoryview(b"a memoryview")[2:], True)
    changed = bytearray(b" unchanged")
    await body(send, changed, True)
    changed[:] = b"overwritten"
    await body(send, None)


@app
async def overwritten(scope, receive, send):
    """A buffer that is used again while its bytes are on their way."""
    buffer = bytearray(b"a" * (8 * MIB))
    await start(send)
    sending = asyncio.ensure_future(send({"type": "http.response.body", "body": buffer, "more_body": True}))
    await asyncio.sleep(0)
    buffer[:] = b"b" * len(buffer)
    await sending
    await body(send)


@app
async def returns_awaitable(scope, receive, send):
    result = await start(send, headers=[(b"content-length", b"2")])
    await body(send, b"ok")
    note(argument(scope, "id"), result is None)


@app
async def as_tasks(scope, receive, send):
    """send() and its keyword form are coroutines for asyncio."""
    await asyncio.create_task(send({"type": "http.response.start", "status": 200, "headers": []}))
    await asyncio.wait_for(send(message={"type": "http.response.body", "body": b"one,", "more_body": True}), 30)
    await asyncio.gather(*(send({"type": "http.response.body", "body": b"x" * 10, "more_body": True}) for _ in range(10)))
    note(argument(scope, "id"), asyncio.iscoroutine(operation := send({"type": "http.response.body"})))
    await operation


@app
async def cancelled_send(scope, receive, send):
    """Cancels a send() that waits because the client does not read: its bytes leave nevertheless."""
    await start(send)
    task = asyncio.create_task(send({"type": "http.response.body", "body": b"a" * (32 * MIB), "more_body": True}))
    for _ in range(10):
        await asyncio.sleep(0)
    note(argument(scope, "id"), "is waiting", not task.done())
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        note(argument(scope, "id"), "cancelled", True)
    await body(send, b"the end")


@app
async def concurrent(scope, receive, send):
    """Several tasks send while the client does not read; all wait, and the order is that of the calls."""
    await start(send)
    parts = [bytes([b"abcdefgh"[i]]) * MIB for i in range(8)]
    tasks = [asyncio.create_task(send({"type": "http.response.body", "body": p, "more_body": True})) for p in parts]
    await asyncio.gather(*tasks)
    await body(send, b"end")


@app
async def unawaited_end(scope, receive, send):
    """The task that sends the last message goes on when the application has returned."""
    await start(send)
    asyncio.create_task(send({"type": "http.response.body", "body": b"z" * (16 * MIB)}))
    await asyncio.sleep(0)


@app
async def flood(scope, receive, send):
    key = argument(scope, "id")
    await start(send, headers=[(b"content-length", str(64 * MIB).encode())])
    for i in range(1024):
        await body(send, b"z" * 65536, i < 1023)
        if i % 16 == 15:
            note(key, i + 1)
    note(key, "end")


@app
async def stream(scope, receive, send):
    """Sends until the client has gone."""
    key = argument(scope, "id")
    await start(send)
    note(key, "started")
    try:
        while True:
            await body(send, b"tick " * 200, True)
            await asyncio.sleep(0.002)
    except BaseException as error:
        note(key, type(error).__name__, isinstance(error, OSError))
        if argument(scope, "wrap"):
            raise RuntimeError(f"caused by the client {key}") from error
        raise


@app
async def after_disconnect(scope, receive, send):
    key = argument(scope, "id")
    note(key, "waiting")
    while (await receive())["type"] != "http.disconnect":
        pass
    try:
        await reply(send, b"too late")
        note(key, "sent", False)
    except Exception as error:
        note(key, type(error).__name__, isinstance(error, OSError))
        raise


@app
async def nothing(scope, receive, send):
    return None


@app
async def file(scope, receive, send):
    """zerocopysend of an open file, with the entries of the script."""
    with open(argument(scope, "path"), "rb") as opened:
        opened.seek(int(argument(scope, "seek", "0")))
        await start(send, headers=[(b"x-file", b"1")])
        for message in script_of(scope):
            if message["type"] == "http.response.zerocopysend":
                message["file"] = opened.fileno() if argument(scope, "fileno") else opened
            await send(message)


@app
async def prompt(scope, receive, send):
    """Each part is sent when the test asks for it."""
    await start(send)
    await body(send, b"first;", True)
    await gate(argument(scope, "id"))
    await body(send, b"second;")


@app
async def pid(scope, receive, send):
    await reply(send, os.getpid())
