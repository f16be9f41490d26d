# SPDX-License-Identifier: Apache-2.0
"""A strict HTTP/1.1 client on raw sockets: parses the responses of a server, and rejects malformed ones."""
import re
import select
import socket
import ssl
import time

TIMEOUT = 30   # seconds to wait for data that must arrive; only a failing case waits that long

TCHAR = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
STATUS_LINE = re.compile(rb"^HTTP/1\.[01] ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)$")
BADVAL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(Exception):
    pass


class Response:
    __slots__ = ("code", "version", "headers", "body", "complete", "framing", "raw_head")

    def __init__(self, code, version, headers, raw_head):
        self.code, self.version, self.headers, self.raw_head = code, version, headers, raw_head
        self.body, self.complete, self.framing = b"", False, None

    def get(self, name):
        name = name.lower().encode("latin-1")
        vals = [v for k, v in self.headers if k.lower() == name]
        return b", ".join(vals).decode("latin-1") if vals else None


class Parser:
    """Strict incremental parser of a server's response stream."""

    def __init__(self, methods, tls=False):
        self.buf = bytearray()
        self.pos = 0
        self.methods = methods
        self.finals, self.interims = [], []
        self.cur = None          # response whose body is being read
        self.left = 0
        self.state = "head"
        self.error = None

    def feed(self, data):
        self.buf += data
        self._run(False)

    def eof(self):
        self._run(True)
        if self.cur is not None and self.state == "close":
            self.cur.complete = True
            self._done()

    def _method(self):
        i = len(self.finals)
        return self.methods[i] if i < len(self.methods) else "GET"

    def _done(self):
        self.finals.append(self.cur)
        self.cur, self.state = None, "head"

    def partial(self):
        """True when the stream stops inside a response."""
        return self.cur is not None or self.pos < len(self.buf)

    def _run(self, eof):
        if self.error:
            return
        try:
            while self._step():
                pass
        except Malformed as e:
            self.error = str(e)

    def _line(self):
        i = self.buf.find(b"\n", self.pos)
        if i < 0:
            if len(self.buf) - self.pos > 1 << 20:
                raise Malformed("line over 1 MiB in the response")
            return None
        if i == self.pos or self.buf[i - 1] != 13:
            raise Malformed("bare LF in the response head or chunk framing")
        line = bytes(self.buf[self.pos:i - 1])
        self.pos = i + 1
        return line

    def _step(self):
        st = self.state
        if st == "head":
            if self.pos >= len(self.buf):
                return False
            if not bytes(self.buf[self.pos:self.pos + 5]).startswith(b"HTTP/"[:len(self.buf) - self.pos]):
                raise Malformed("does not start with an HTTP status line: %r" % bytes(self.buf[self.pos:self.pos + 24]))
            end = self.buf.find(b"\r\n\r\n", self.pos)
            if end < 0:
                if len(self.buf) - self.pos > 1 << 20:
                    raise Malformed("response head over 1 MiB")
                return False
            head = bytes(self.buf[self.pos:end])
            self.pos = end + 4
            lines = head.split(b"\r\n")
            m = STATUS_LINE.match(lines[0])
            if not m:
                raise Malformed("bad status line %r" % lines[0][:60])
            headers = []
            for ln in lines[1:]:
                k, sep, v = ln.partition(b":")
                if not sep or not TCHAR.match(k):
                    raise Malformed("bad response field line %r" % ln[:60])
                if BADVAL.search(v):
                    raise Malformed("control byte in response field %r" % ln[:60])
                headers.append((k, v.strip(b" \t")))
            r = Response(int(m.group(1)), lines[0][:8].decode(), headers, head)
            if 100 <= r.code < 200 and r.code != 101:
                self.interims.append(r)
                return True
            self.cur = r
            cl, te = r.get("content-length"), r.get("transfer-encoding")
            if cl is not None and te is not None:
                raise Malformed("response has both Content-Length and Transfer-Encoding")
            method = self._method()
            if r.code == 101 or (method == "CONNECT" and 200 <= r.code < 300):
                r.framing, r.complete = "tunnel", True
                self._done()
                self.state = "tunnel"
                return False
            if r.code == 204 and (cl is not None or te is not None):
                raise Malformed("204 carries Content-Length or Transfer-Encoding")
            if method == "HEAD" or r.code in (204, 304):
                r.framing, r.complete = "none", True
                self._done()
                return True
            if te is not None:
                if te.lower() != "chunked":
                    raise Malformed("response Transfer-Encoding %r" % te)
                r.framing, self.state = "chunked", "csize"
                return True
            if cl is not None:
                if not re.match(r"^[0-9]+$", cl):
                    raise Malformed("response Content-Length %r" % cl)
                r.framing, self.left, self.state = "length", int(cl), "length"
                return True
            r.framing, self.state = "close", "close"
            return True
        if st == "length":
            n = min(self.left, len(self.buf) - self.pos)
            self.cur.body += bytes(self.buf[self.pos:self.pos + n])
            self.pos += n
            self.left -= n
            if self.left:
                return False
            self.cur.complete = True
            self._done()
            return True
        if st == "csize":
            ln = self._line()
            if ln is None:
                return False
            size = ln.split(b";")[0].strip(b" \t")
            if not re.match(rb"^[0-9A-Fa-f]{1,16}$", size):
                raise Malformed("response chunk size %r" % ln[:40])
            self.left = int(size, 16)
            self.state = "cdata" if self.left else "ctrail"
            return True
        if st == "cdata":
            if len(self.buf) - self.pos < self.left + 2:
                return False
            self.cur.body += bytes(self.buf[self.pos:self.pos + self.left])
            self.pos += self.left
            if bytes(self.buf[self.pos:self.pos + 2]) != b"\r\n":
                raise Malformed("response chunk data not followed by CRLF")
            self.pos += 2
            self.state = "csize"
            return True
        if st == "ctrail":
            ln = self._line()
            if ln is None:
                return False
            if ln == b"":
                self.cur.complete = True
                self._done()
            return True
        if st == "close":
            self.cur.body += bytes(self.buf[self.pos:])
            self.pos = len(self.buf)
            return False
        return False


class Conn:
    def __init__(self, cfg, methods):
        self.cfg = cfg
        self.p = Parser(methods)
        self.out = bytearray()
        self.eof = self.reset = False
        self.sent = 0
        self.last_rx = time.monotonic()
        s = socket.create_connection((cfg.host, cfg.port), timeout=max(cfg.timeout, TIMEOUT))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if cfg.tls:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname = False
            ctx.verify_mode = ssl.CERT_NONE
            ctx.set_alpn_protocols(["http/1.1"])
            s = ctx.wrap_socket(s, server_hostname="localhost")
        s.setblocking(False)
        self.s = s

    def close(self):
        try:
            self.s.close()
        except OSError:
            pass

    def _recv(self):
        try:
            d = self.s.recv(262144)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except (ConnectionResetError, BrokenPipeError):
            self.reset = self.eof = True
            self.p.eof()
            return
        except (ssl.SSLError, OSError):
            self.eof = True
            self.p.eof()
            return
        if not d:
            self.eof = True
            self.p.eof()
        else:
            self.last_rx = time.monotonic()
            self.p.feed(d)

    def _send(self, piece):
        try:
            n = self.s.send(bytes(self.out[:piece]))
            self.sent += n
            del self.out[:n]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError, OSError):
            self.out.clear()
            # read what the server sent before it closed
            try:
                self._recv()
                while not self.eof:
                    before = len(self.p.buf)
                    self._recv()
                    if len(self.p.buf) == before:
                        break
            finally:
                if not self.eof:
                    self.reset = self.eof = True
                    self.p.eof()

    def pump(self, until, cond=lambda: False, piece=65536, drain=True):
        """Sends the queued bytes and reads, until cond() is true (and everything is sent, if `drain`) or until the time `until`."""
        while not self.eof:
            if cond() and not (drain and self.out):
                return True
            left = until - time.monotonic()
            if left <= 0:
                return cond()
            pending = isinstance(self.s, ssl.SSLSocket) and self.s.pending()
            r, w, _ = select.select([self.s], [self.s] if self.out else [], [],
                                    0 if pending else min(left, 0.05))
            if r or pending:
                self._recv()
            if w and self.out and not self.eof:
                self._send(piece)
        return cond()
