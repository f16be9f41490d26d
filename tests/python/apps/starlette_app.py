# SPDX-License-Identifier: Apache-2.0
"""A Starlette application as users write them."""
import asyncio

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from kit import note


class Marks(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["x-marked"] = "yes"
        return response


async def hello(request):
    return PlainTextResponse("hello")


async def long_text(request):
    return PlainTextResponse("a long text; " * 1000)


async def events(request):
    key = request.query_params["id"]

    async def ticks():
        try:
            while True:
                yield "data: tick\n\n"
                await asyncio.sleep(0.005)
        finally:
            note(key, "closed")

    return StreamingResponse(ticks(), media_type="text/event-stream")


async def poll(request):
    """Long polling: waits until the client has gone."""
    key = request.query_params["id"]
    note(key, "polls")
    while not await request.is_disconnected():
        await asyncio.sleep(0.005)
    note(key, "gone")
    return PlainTextResponse("too late")


async def body(request):
    size = 0
    key = request.query_params.get("id", "none")
    async for part in request.stream():
        if not size:
            note(key, "receives")
        size += len(part)
    return PlainTextResponse(str(size))


async def file(request):
    return FileResponse(__file__)


routes = [Route("/hello", hello), Route("/long", long_text), Route("/events", events), Route("/poll", poll),
          Route("/body", body, methods=["POST"]), Route("/file", file), Mount("/static", StaticFiles(directory="."))]
app = Starlette(routes=routes)
with_middleware = Starlette(routes=routes, middleware=[Middleware(Marks), Middleware(GZipMiddleware, minimum_size=100)])
