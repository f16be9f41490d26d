# SPDX-License-Identifier: Apache-2.0
"""Receives requests in all ways."""
import asyncio
import hashlib

from kit import Routes, argument, body, gate, note, read_body, read_messages, reply, start

app = Routes()


def summary(message):
    content = message.get("body")
    return [message["type"], None if content is None else content.decode("latin-1"), message.get("more_body")]


@app
async def messages(scope, receive, send):
    await reply(send, [summary(m) for m in await read_messages(receive)])


@app
async def sizes(scope, receive, send):
    await gate(argument(scope, "id"))
    await reply(send, [len(m["body"]) for m in await read_messages(receive)])


@app
async def echo(scope, receive, send):
    await reply(send, await read_body(receive))


@app
async def duplex(scope, receive, send):
    """Sends each part back while the body is still arriving."""
    await start(send)
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await body(send, message["body"], more)


@app
async def digest(scope, receive, send):
    digest, count, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message["body"])
        count += len(message["body"])
        more = message["more_body"]
    await reply(send, [count, digest.hexdigest()])


@app
async def ignores(scope, receive, send):
    await reply(send, b"ignored")


@app
async def late(scope, receive, send):
    """Reads the body after a while."""
    key = argument(scope, "id")
    note(key, "started")
    await gate(key)
    received = await read_messages(receive)
    note(key, "received", received[-1]["type"])
    await reply(send, b"".join(m.get("body", b"") for m in received))


@app
async def twice(scope, receive, send):
    """receive() after the body waits until the client leaves."""
    key = argument(scope, "id")
    await read_body(receive)
    task = asyncio.ensure_future(receive())
    for _ in range(50):
        await asyncio.sleep(0)
    note(key, "is waiting", not task.done())
    try:
        await asyncio.wait_for(asyncio.shield(task), 0.05)
        note(key, "received", task.result()["type"])
    except asyncio.TimeoutError:
        note(key, "still waits")
    await reply(send, b"answered")
    note(key, "after the response", (await task)["type"], (await receive())["type"], (await receive())["type"])


@app
async def until_disconnect(scope, receive, send):
    """Notes every message until the client has gone."""
    key = argument(scope, "id")
    if argument(scope, "respond"):
        await start(send)
        await body(send, b"started", True)
    note(key, "started")
    while True:
        message = await receive()
        note(key, *summary(message))
        if message["type"] == "http.disconnect":
            break
    note(key, "again", (await receive())["type"])


@app
async def cancels(scope, receive, send):
    """Cancels receive() again and again while a body arrives: nothing is lost."""
    key = argument(scope, "id")
    parts, more, cancelled = [], True, 0
    while more:
        task = asyncio.create_task(receive())
        done, _ = await asyncio.wait([task], timeout=0.001)
        if not done:
            task.cancel()
            try:
                message = await task
            except asyncio.CancelledError:
                cancelled += 1
                if cancelled % 10 == 0:
                    note(key, cancelled)
                continue
        else:
            message = task.result()
        parts.append(message["body"])
        more = message["more_body"]
    content = b"".join(parts)
    await reply(send, [len(content), hashlib.sha256(content).hexdigest(), cancelled])


@app
async def two_at_once(scope, receive, send):
    """Two tasks receive the body together: each byte reaches one of them."""
    key = argument(scope, "id")
    parts = []

    async def reader():
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            parts.append(message["body"])
            if not message["more_body"]:
                return

    tasks = [asyncio.create_task(reader()) for _ in range(2)]
    await asyncio.sleep(0)
    note(key, "both wait")
    _, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.01)
    still_waits = [not t.done() for t in waiting]
    content = b"".join(parts)
    await reply(send, [len(content), hashlib.sha256(content).hexdigest(), still_waits])
    await asyncio.gather(*waiting)
    note(key, "both ended")


@app
async def stored_receive(scope, receive, send):
    """A receive() that is made now and awaited later, or never, or twice."""
    later, _never = receive(), receive()
    first = await later
    try:
        await later
        again = "no exception"
    except RuntimeError:
        again = "RuntimeError"
    closed = receive()
    closed.close()
    await reply(send, [summary(first), again, asyncio.iscoroutine(later)])


@app
async def is_disconnected(scope, receive, send):
    """What frameworks do to ask whether the client has gone."""
    await read_body(receive)
    answers = []
    for _ in range(3):
        task = asyncio.ensure_future(receive())
        await asyncio.sleep(0.01)
        if task.done():
            answers.append(task.result()["type"])
            continue
        task.cancel()
        try:
            answers.append((await task)["type"])
        except asyncio.CancelledError:
            answers.append("cancelled")
    await reply(send, answers)


@app
async def answers_first(scope, receive, send):
    """Answers, and then asks for the body."""
    key = argument(scope, "id")
    await reply(send, b"answered")
    note(key, (await receive())["type"])


@app
async def handles_invalid(scope, receive, send):
    key = argument(scope, "id")
    received = []
    try:
        while True:
            message = await receive()
            received.append(summary(message))
            if not message.get("more_body"):
                break
    except Exception as error:
        received.append(type(error).__name__)
    note(key, received)
    try:
        await reply(send, b"late answer")
    except OSError:
        note(key, "OSError")
