# SPDX-License-Identifier: Apache-2.0
"""Sends back the scope."""
from kit import Routes, reply


def plain(value):
    """JSON for a scope: bytes as {"bytes": text}, other types than those of JSON by their names."""
    if isinstance(value, bytes):
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value if isinstance(value, (str, int, bool, type(None))) else type(value).__name__


class App(Routes):
    async def serve(self, scope, receive, send):
        if scope["type"] != "http":
            return await super().serve(scope, receive, send)
        answer = plain(scope)
        answer["types"] = {k: type(v).__name__ for k, v in scope.items()}
        answer["types"]["headers[0]"] = type(scope["headers"][0]).__name__ if scope["headers"] else None
        # What an application changes must not reach the next request.
        scope["asgi"]["version"] = scope["state"]["own"] = "changed"
        scope["state"]["shared"].append(1)
        scope["extensions"].clear()
        scope["headers"].clear()
        await reply(send, answer)

    async def lifespan(self, scope, receive, send):
        scope["state"].update(own="original", shared=[])
        await super().lifespan(scope, receive, send)


app = App()
