# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application as users write them."""
import asyncio
import contextlib
import os
import threading

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from kit import gate, note


@contextlib.asynccontextmanager
async def lifespan(application):
    note("startup")
    yield {"database": "connected"}
    note("shutdown")


app = FastAPI(lifespan=lifespan, title="Tests")


class Item(BaseModel):
    name: str
    price: float


async def session(request: Request):
    note("session", "opened", request.url.path)
    try:
        yield "a session"
    finally:
        note("session", "closed", request.url.path)


def sync_dependency():
    yield threading.current_thread() is not threading.main_thread()


@app.get("/items/{number}")
async def read_item(number: int, used: str = Depends(session), q: str = "none"):
    if number == 404:
        raise HTTPException(404, "no such item")
    return {"number": number, "session": used, "q": q}


@app.post("/items", status_code=201)
async def create_item(item: Item):
    return item


@app.get("/sync")
def sync(in_thread: bool = Depends(sync_dependency)):
    return [threading.current_thread() is not threading.main_thread(), in_thread]


@app.get("/sync-wait/{key}")
def sync_wait(key: str):
    note(key, "waits")
    while not os.path.exists(os.path.join(os.environ["TEST_GATES"], key)):
        threading.Event().wait(0.005)
    return "waited"


@app.get("/background/{key}")
async def background(key: str, tasks: BackgroundTasks):
    async def later():
        await gate(key)
        note(key, "async")

    tasks.add_task(later)
    tasks.add_task(note, key, "in a thread")
    return "answered"


@app.get("/stream")
async def stream():
    async def parts():
        for i in range(100):
            yield f"part {i};"
            if i % 10 == 0:
                await asyncio.sleep(0)

    return StreamingResponse(parts(), media_type="text/plain")


@app.get("/sync-stream")
async def sync_stream():
    return StreamingResponse((f"{i};" for i in range(100)), media_type="text/plain")


@app.get("/state")
async def state(request: Request):
    return [request.state.database, request.client.host, str(request.url), request.scope["root_path"]]


@app.post("/upload")
async def upload(request: Request):
    count = 0
    async for part in request.stream():
        count += len(part)
    return [request.headers["content-type"], count]


@app.get("/fails")
async def fails(used: str = Depends(session)):
    raise ValueError("a view fails on purpose")
