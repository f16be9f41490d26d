# SPDX-License-Identifier: Apache-2.0
"""A FastAPI application that validates its parameters and its response."""
from typing import Optional

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    id: int
    name: str
    tags: list[str]


@app.get("/items/{id}")
async def read_item(id: int, q: Optional[str] = None) -> Item:
    return Item(id=id, name="thing", tags=["a", "b"])
