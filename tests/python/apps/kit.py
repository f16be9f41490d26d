# SPDX-License-Identifier: Apache-2.0
"""What the applications of the tests share. Runs on Python 3.10 and later, with only the standard library."""
import ast
import asyncio
import json
import os
import urllib.parse


def note(*values):
    """Tells the test something, also when this process ends or is blocked."""
    line = json.dumps(values).encode() + b"\n"
    fd = os.open(os.environ["TEST_EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(fd, line)
    finally:
        os.close(fd)


async def gate(name):
    """Waits until the test opens the gate of this name."""
    while not os.path.exists(os.path.join(os.environ["TEST_GATES"], name)):
        await asyncio.sleep(0.005)


def argument(scope, name, default=""):
    for pair in scope["query_string"].decode().split("&"):
        key, _, value = pair.partition("=")
        if key == name:
            return urllib.parse.unquote(value)
    return default


async def start(send, status=200, headers=(), **more):
    await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})


async def body(send, content=b"", more_body=False):
    await send({"type": "http.response.body", "body": content, "more_body": more_body})


async def reply(send, content, status=200, headers=()):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    await start(send, status, [*headers, (b"content-length", str(len(content)).encode())])
    await body(send, content)


async def read_messages(receive):
    """All messages of the body of a request."""
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


async def read_body(receive):
    return b"".join(m.get("body", b"") for m in await read_messages(receive))


def script_of(scope):
    return ast.literal_eval(argument(scope, "script"))


class Routes:
    """An application whose paths are the names of functions."""

    def __init__(self):
        self.views = {"hello": hello}

    def __call__(self, *arguments):
        if len(arguments) == 1:
            self.views[arguments[0].__name__.replace("_", "-")] = arguments[0]
            return arguments[0]
        return self.serve(*arguments)

    async def serve(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(scope, receive, send)
        view = self.views.get(scope["path"].split("/")[1])
        if view is None:
            return await reply(send, b"not found", 404)
        await view(scope, receive, send)

    async def lifespan(self, scope, receive, send):
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def hello(scope, receive, send):
    await reply(send, b"hello")
