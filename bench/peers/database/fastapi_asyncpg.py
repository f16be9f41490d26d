# SPDX-License-Identifier: Apache-2.0
"""fastapi_asyncpg.py PORT SOCKET_FOLDER CONNECTIONS: /db?id=N reads one row by its key, with FastAPI under uvicorn and
asyncpg."""
import contextlib
import sys

import asyncpg
import fastapi
import uvicorn

port, folder, connections = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])


@contextlib.asynccontextmanager
async def lifespan(app):
    async with asyncpg.create_pool(host=folder, user="bench", database="bench", min_size=connections,
                                   max_size=connections) as app.state.pool:
        yield


app = fastapi.FastAPI(lifespan=lifespan)


@app.get("/db")
async def db(id: int):
    row = await app.state.pool.fetchrow("select id, randomnumber from world where id = $1", id)
    return dict(row)


uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
