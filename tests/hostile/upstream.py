# SPDX-License-Identifier: Apache-2.0
"""An upstream that violates HTTP/1.1 in every way, chosen at random from a seed.

It reads requests as HTTP/1.1 specifies, whatever it responds, and records them: each request has in X-Request-Name the name
that the driver gave it. A head without such a name, or bytes that are not a head, were made up by the server under test."""
import asyncio
import random
import re
import socket
import struct

IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}
MAX_HEAD = 1 << 16


class Closed(Exception):
    """The connection is closed, by either side."""


class Connection:
    def __init__(self, upstream, reader, writer, seed):
        self.upstream, self.reader, self.writer = upstream, reader, writer
        self.random = random.Random(seed)
        self.name = None  # of the current request

    # ---- reading requests ----

    async def head(self):
        try:
            text = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            # A client may disconnect within a head.
            if e.partial and not re.match(rb"[A-Z]{1,10}( [^\r\n]*)?(\r|\r\n|$)", e.partial):
                self.upstream.report(f"these bytes do not start a request: {e.partial[:200]!r}")
            raise Closed from None
        except asyncio.LimitOverrunError:
            self.upstream.report("a head without end")
            raise Closed from None
        return self.parse_head(text)

    def parse_head(self, text):
        lines = text.decode("latin-1").split("\r\n")
        first = re.fullmatch(r"([A-Z]+) (\S+) HTTP/1\.1", lines[0])
        fields = [line.partition(":") for line in lines[1:] if line]
        names = [value.strip() for name, _, value in fields if name.lower() == "x-request-name"]
        if not first or len(names) != 1 or names[0] not in self.upstream.issued:
            self.upstream.report(f"no client sent this request: {text[:300]!r}")
            raise Closed
        self.name = names[0]
        self.upstream.seen[self.name] = self.upstream.seen.get(self.name, 0) + 1
        method = self.upstream.issued[self.name]
        redirected = self.name in self.upstream.redirected  # it arrives again, possibly with another method
        if first[1] != method and not redirected:
            self.upstream.report(f"{self.name} was sent as {method} and arrived as {first[1]}")
        if not redirected and self.upstream.seen[self.name] > (2 if method in IDEMPOTENT else 1):
            self.upstream.report(f"{self.name} ({method}) arrived {self.upstream.seen[self.name]} times")
        values = {name.lower(): value.strip() for name, _, value in fields}
        return first[1], values.get("content-length"), values.get("transfer-encoding", "").lower() == "chunked"

    async def body_pieces(self, length, chunked):
        if chunked:
            while True:
                size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
                if size == 0:
                    while await self.reader.readuntil(b"\r\n") != b"\r\n":
                        pass
                    return
                yield await self.reader.readexactly(size)
                await self.reader.readexactly(2)
        remaining = int(length or 0)
        while remaining > 0:
            piece = await self.reader.read(min(remaining, 65536))
            if not piece:
                raise Closed
            remaining -= len(piece)
            yield piece

    async def body(self, length, chunked, limit=None):
        size = 0
        async for piece in self.body_pieces(length, chunked):
            size += len(piece)
            if limit is not None and size >= limit:
                return

    # ---- responding ----

    def reset(self):
        sock = self.writer.get_extra_info("socket")
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass
        self.writer.transport.abort()
        raise Closed

    def close(self):
        self.writer.close()
        raise Closed

    async def half_close(self):
        if self.writer.can_write_eof():
            self.writer.write_eof()
        await asyncio.sleep(self.random.random() / 2)
        self.close()

    async def disconnect(self):
        how = self.random.randrange(3)
        if how == 0:
            self.reset()
        if how == 1:
            self.close()
        await self.half_close()

    async def send(self, data):
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), 5)
        except (OSError, asyncio.TimeoutError):
            raise Closed from None

    async def send_in_pieces(self, data):
        """Splits the data anywhere, as a network may."""
        pieces = self.random.randrange(2, 12)
        for i in range(pieces):
            await self.send(data[i * len(data) // pieces:(i + 1) * len(data) // pieces])
            await asyncio.sleep(self.random.choice((0, 0, 0.001, 0.005)))

    def response(self, body=None, fields="", status="200 OK", framing=None):
        if body is None:
            body = b"r" * self.random.choice((0, 1, 10, 1000, 30_000, 300_000))
        if framing is None:
            framing = f"Content-Length: {len(body)}\r\n"
        return f"HTTP/1.1 {status}\r\nX-Response-To: {self.name}\r\n{fields}{framing}\r\n".encode() + body

    def chunks(self, count=None):
        text = b""
        for _ in range(self.random.randrange(1, 20) if count is None else count):
            piece = b"c" * self.random.choice((1, 2, 100, 5000))
            text += b"%x\r\n%s\r\n" % (len(piece), piece)
        return text

    async def valid(self):
        if self.random.random() < 0.5:
            return await self.send(self.response())
        data = self.response(self.chunks() + b"0\r\n\r\n", framing="Transfer-Encoding: chunked\r\n")
        await (self.send_in_pieces(data) if self.random.random() < 0.5 else self.send(data))

    async def until_closed(self):
        await self.send(self.response(framing="Connection: close\r\n"))
        await self.disconnect()

    async def truncated(self):
        data = self.response()
        await self.send(data[:self.random.randrange(len(data))])
        await self.disconnect()

    async def truncated_chunks(self):
        data = self.response(self.chunks(), framing="Transfer-Encoding: chunked\r\n")
        await self.send_in_pieces(data[:self.random.randrange(len(data))])
        await self.disconnect()

    async def wrong_length(self):
        body = b"w" * 100
        length = self.random.choice(("99", "1", "0", "101", "9" * 18, "9" * 30, "-1", "+100", "0x64", "100, 100", "100, 99", "", "1e2"))
        await self.send(self.response(body, framing=f"Content-Length: {length}\r\n"))
        await self.disconnect()

    async def broken_framing(self):
        framing, body = self.random.choice((
            ("Content-Length: 5\r\nContent-Length: 6\r\n", b"123456"),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"5\r\n12345\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", b"zz\r\n12345\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", b"5\r\n123456\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", b"f" * 17 + b"\r\n" + b"x" * 100),
            ("Transfer-Encoding: chunked\r\n", b"5;" + b"e" * 20_000 + b"\r\n12345\r\n0\r\n\r\n"),
            ("Transfer-Encoding: chunked\r\n", b"5\n12345\n0\n\n"),
            ("Transfer-Encoding: chunked\r\n", b"0\r\n" + b"T: 1\r\n" * 2000 + b"\r\n"),
            ("Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
            ("Transfer-Encoding: identity\r\n", b"12345"),
            ("Content-Encoding: gzip\r\nContent-Length: 9\r\n", b"not gzip!"),
            ("Content-Encoding: br\r\nTransfer-Encoding: chunked\r\n", b"5\r\n12345\r\n0\r\n\r\n"),
        ))
        await self.send(self.response(body, framing=framing))
        await self.disconnect()

    async def garbage(self):
        data = self.random.choice((
            self.random.randbytes(self.random.randrange(1, 3000)), b"\r\n" * 1000, b"<html>hello</html>", b"\0" * 500,
            b"HTTP/1.1\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", b"HTTP/1.1 200 OK\r\nA\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n : b\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 \xff\xfe\r\nContent-Length: 0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        await self.send(data)
        await self.disconnect()

    async def huge_head(self):
        fields = self.random.choice(("A: " + "b" * 100_000 + "\r\n", "A: b\r\n" * 5000, "c" * 70_000 + ": d\r\n"))
        await self.send_in_pieces(self.response(b"", fields))
        await self.disconnect()

    async def interim_responses(self):
        one = self.random.choice((b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                                  b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 199 A\r\nContent-Length: 5\r\n\r\n"))
        count = self.random.choice((1, 2, 20, 1000))
        await self.send(one * count)
        if count < 100 and self.random.random() < 0.7:
            return await self.send(self.response())
        await self.disconnect()

    async def switches_protocols(self):
        await self.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + b"\x81\x05hello")
        await self.disconnect()

    async def status_without_content(self):
        status = self.random.choice(("204 No Content", "304 Not Modified", "205 Reset Content"))
        body = self.random.choice((b"", b"a body that must not be"))
        await self.send(self.response(body, status=status, framing="" if self.random.random() < 0.5 else None))
        await self.disconnect()

    async def redirects(self):
        to = self.random.choice(("/elsewhere", "//[", "http://", "ftp://a/", "http://127.0.0.1:1/", "\xff", "", "/" + "a" * 9000,
                                 "http://a b/", "javascript:1"))
        self.upstream.redirected.add(self.name)
        await self.send(self.response(b"", f"Location: {to}\r\n", self.random.choice(("301 M", "302 F", "303 S", "307 T", "308 P"))))

    async def responds_twice(self):
        """The second response belongs to no request. Both are in one segment, so the client always sees the second."""
        first = self.response(b"first")
        self.name = "no-request"
        await self.send(first + self.response(b"second"))
        await asyncio.sleep(0.3)
        await self.disconnect()

    async def trickles(self):
        for byte in self.response(b"slow")[:self.random.randrange(20, 100)]:
            await self.send(bytes([byte]))
            await asyncio.sleep(0.01)
        await self.disconnect()

    async def silent(self):
        await asyncio.sleep(self.random.choice((0.1, 0.5, 2.5)))
        await self.disconnect()

    async def endless_body(self):
        await self.send(self.response(b"", framing="Transfer-Encoding: chunked\r\n"))
        for _ in range(300):
            await self.send(b"4000\r\n" + b"u" * 0x4000 + b"\r\n")
        await self.disconnect()

    responses = (valid, valid, valid, valid, valid, until_closed, truncated, truncated_chunks, wrong_length, broken_framing, garbage,
                 huge_head, interim_responses, switches_protocols, status_without_content, redirects, responds_twice, trickles,
                 silent, endless_body)

    async def serve(self):
        if self.upstream.hostile and self.random.random() < 0.05:
            await self.disconnect()
        while True:
            if self.upstream.hostile and self.random.random() < 0.03:
                await self.reader.read(self.random.randrange(1, 50))  # closes within the head
                await self.disconnect()
            method, length, chunked = await self.head()
            if not self.upstream.hostile:
                await self.body(length, chunked)
                body = b"" if method == "HEAD" else b"good"
                await self.send(self.response(body, framing="Content-Length: 4\r\n"))
                continue
            when = self.random.random()
            if when < 0.6:
                await self.body(length, chunked)
            elif when < 0.75:  # a response before the end of the request, or instead of reading it
                await self.body(length, chunked, self.random.choice((0, 1, 10_000)))
                await self.random.choice(self.responses)(self)
                await self.disconnect()
            elif when < 0.8:
                await self.disconnect()
            elif when < 0.85:
                await self.body(length, chunked, self.random.randrange(1, 100_000))
                await self.disconnect()
            elif when < 0.87:
                await asyncio.sleep(2)  # reads nothing
                await self.disconnect()
            else:
                reader = asyncio.ensure_future(self.body(length, chunked))
                try:
                    await self.random.choice(self.responses)(self)
                    await asyncio.wait_for(reader, 3)
                finally:
                    reader.cancel()
                    await asyncio.gather(reader, return_exceptions=True)
                continue
            if method == "HEAD":
                await self.send(self.response(b"", framing="Content-Length: 1000\r\n"))
            else:
                await self.random.choice(self.responses)(self)


class Upstream:
    """For `async with`. `issued` maps the names that the driver has given to requests to their methods."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.hostile = True
        self.issued, self.seen, self.redirected, self.errors = {}, {}, set(), []

    def report(self, error):
        self.errors.append(error)

    async def serve(self, reader, writer):
        connection = Connection(self, reader, writer, self.random.random())
        try:
            await connection.serve()
        except (Closed, OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.TimeoutError,
                asyncio.CancelledError):  # the last one at the end of the loop, when no task awaits this one
            pass
        finally:
            writer.close()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, limit=MAX_HEAD, backlog=1000)
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
