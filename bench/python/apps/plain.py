# SPDX-License-Identifier: Apache-2.0
"""An ASGI application without a framework: / says hello, /echo sends the body back, /wait waits a second."""
import asyncio

TEXT = b"Hello, World!"


async def read_body(receive):
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def lifespan(receive, send):
    while True:
        event = (await receive())["type"]
        await send({"type": event + ".complete"})
        if event == "lifespan.shutdown":
            return


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    body = TEXT
    if scope["path"] == "/echo":
        body = await read_body(receive)
    elif scope["path"] == "/wait":
        await asyncio.sleep(1)
    fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})
