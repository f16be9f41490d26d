# SPDX-License-Identifier: Apache-2.0
"""A small FastAPI application with an endpoint of each kind: waiting, blocking, computing, streaming, long polling.

    ./dev demo fastapi                              # in the root of Rondo's source
    rondo main:app -w 1 --admin 127.0.0.1:9000      # in this directory

The messages are in the memory of the process, so it runs with one worker.
"""

import asyncio
import hashlib
import multiprocessing
import os
import platform
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

PAGE = Path(__file__).with_name("index.html")
Seconds = Annotated[float, Query(ge=0, le=10)]


class Message(BaseModel):
    text: str = Field(min_length=1, max_length=200)


class Board:
    """The messages, and an event for the requests that wait for the next one."""

    def __init__(self):
        self.messages = []
        self.changed = asyncio.Event()

    def post(self, text):
        self.messages.append(text)
        self.changed.set()
        self.changed = asyncio.Event()

    async def wait_for_more_than(self, count, seconds):
        if len(self.messages) <= count:
            try:
                await asyncio.wait_for(self.changed.wait(), seconds)
            except asyncio.TimeoutError:
                pass
        return self.messages[count:]


@asynccontextmanager
async def lifespan(app):
    # spawn: the processes start without the threads and connections of the server. They start when first needed.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as processes:
        yield {"board": Board(), "processes": processes, "started": time.monotonic()}


app = FastAPI(title="FastAPI on Rondo", lifespan=lifespan)


@app.get("/", include_in_schema=False)
async def index():
    return FileResponse(PAGE)


@app.get("/about")
async def about(request: Request):
    """The process that answers, and the address of the dashboard."""
    admin = os.environ.get("RONDO_ADMIN", "off")
    return {
        "python": platform.python_version(),
        "loop": type(asyncio.get_running_loop()).__name__,
        "pid": os.getpid(),
        "uptime": round(time.monotonic() - request.state.started, 1),
        "dashboard": None if admin == "off" or admin.startswith("unix:") else f"http://{admin}/",
    }


@app.get("/clock")
async def clock(request: Request):
    """Server-sent events: the time, once a second, until the client leaves or the server stops."""

    async def events():
        while not await request.is_disconnected():
            yield f"data: {datetime.now():%H:%M:%S}\n\n"
            await asyncio.sleep(1)

    return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-store"})


@app.post("/messages", status_code=201)
async def post_message(message: Message, request: Request):
    """Posts a message, which wakes all requests that wait for one."""
    request.state.board.post(message.text)
    return message


@app.get("/messages/next")
async def next_messages(request: Request, after: Annotated[int, Query(ge=0)] = 0):
    """Long polling: the messages after the first `after`; waits up to 20 seconds for one."""
    messages = await request.state.board.wait_for_more_than(after, 20)
    return {"messages": messages, "after": after + len(messages)}


@app.get("/slow")
async def slow(seconds: Seconds = 1):
    """Waits without a thread: the loop serves other requests meanwhile."""
    await asyncio.sleep(seconds)
    return {"waited": seconds}


@app.get("/sync")
def sync(seconds: Seconds = 1):
    """Not `async def`: FastAPI runs it in a thread, which it may block."""
    time.sleep(seconds)
    return {"waited": seconds, "thread": threading.current_thread().name}


def count_primes(below):
    return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, below)), os.getpid()


@app.get("/primes")
async def primes(request: Request, below: Annotated[int, Query(ge=0, le=1_000_000)] = 200_000):
    """Computes in another process: in a thread, it would compete with the loop for the GIL."""
    loop = asyncio.get_running_loop()
    count, pid = await loop.run_in_executor(request.state.processes, count_primes, below)
    return {"primes": count, "below": below, "pid": pid}


@app.post("/upload", openapi_extra={"requestBody": {"content": {"application/octet-stream": {
    "schema": {"type": "string", "format": "binary"}}}}})
async def upload(request: Request):
    """Reads a body of any size in pieces, no faster than it is processed."""
    digest, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        digest.update(chunk)
        size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}
