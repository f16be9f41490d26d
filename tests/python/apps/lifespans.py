# SPDX-License-Identifier: Apache-2.0
"""Lifespans that end in all ways; TEST_LIFESPAN chooses one."""
import asyncio
import os
import threading

from kit import Routes, argument, gate, note, reply

mode = os.environ.get("TEST_LIFESPAN", "good")


class App(Routes):
    async def lifespan(self, scope, receive, send):
        if mode == "unsupported":
            raise NotImplementedError("only http on purpose")
        if mode == "returns":
            return
        message = await receive()
        note("startup", message["type"], threading.current_thread() is threading.main_thread())
        self.loop = asyncio.get_running_loop()
        if mode == "failed":
            return await send({"type": "lifespan.startup.failed", "message": "the database is not there"})
        if mode == "failed silently":
            return await send({"type": "lifespan.startup.failed"})
        if mode == "raises":
            await asyncio.sleep(0)
            raise OSError("no connection on purpose")
        if mode == "slow":
            await gate("startup")
        scope["state"]["loop"] = "set in the startup"
        await send({"type": "lifespan.startup.complete"})
        note("started")
        message = await receive()
        note("shutdown", message["type"], asyncio.get_running_loop() is self.loop)
        if mode == "shutdown raises":
            raise KeyError("shutdown on purpose")
        if mode == "shutdown failed":
            return await send({"type": "lifespan.shutdown.failed", "message": "cannot flush on purpose"})
        if mode == "shutdown hangs":
            await asyncio.sleep(3600)
        await asyncio.sleep(0.05)
        await send({"type": "lifespan.shutdown.complete"})
        note("ended")


app = App()


@app
async def state(scope, receive, send):
    await reply(send, [scope.get("state", {}).get("loop"), asyncio.get_running_loop() is getattr(app, "loop", None)])


@app
async def wait(scope, receive, send):
    note("request", "started")
    await gate(argument(scope, "id"))
    note("request", "ends")
    await reply(send, b"waited")
