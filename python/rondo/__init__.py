# SPDX-License-Identifier: Apache-2.0
"""Rondo, an asynchronous web server for ASGI applications. Start it with the command `rondo`."""

from rondo._rondo import ClientDisconnected, version as __version__

__all__ = ["ClientDisconnected", "__version__"]
