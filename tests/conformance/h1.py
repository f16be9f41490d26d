#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 wire-level conformance runner (Python 3 standard library only).

    python3 h1.py --host 127.0.0.1 --port 8080 [--cases FILE_OR_FOLDER]

Each case opens its own connection, sends raw bytes, reads what comes back for at
most --timeout seconds and compares it with the case's expectation.  The server
under test has to offer the small set of paths described in README.md ("The
contract"); a path that is not there is found by probing and its cases are
skipped (use --require to turn a skip into an error).

Prints one line per case and closes with 'N passed, M failed, K skipped'.
Exit status: 0 when nothing failed, 1 otherwise, 2 when it could not run.
"""
import argparse
import base64
import concurrent.futures
import hashlib
import json
import os
import random
import re
import select
import socket
import ssl
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE = 30   # seconds for what has to come: they only bound a failure

PATHS = {
    "fast": "/", "echo": "/echo", "reflect": "/reflect", "empty": "/empty",
    "notmod": "/notmodified", "slow": "/slow", "large": "/large",
    "stream": "/stream", "static": "/static", "setheader": "/setheader",
    "raise": "/raise", "raisemid": "/raise-mid", "short": "/short",
    "long": "/long", "ws": "/ws", "form": "/form",
}

EXPECT = {
    "ok": {"n": 1, "status": "2xx"},
    "ok-open": {"n": 1, "status": "2xx", "end": "open"},
    "ok-close": {"n": 1, "status": "2xx", "end": "closed"},
    "reject": {"n": 1, "status": "4xx|501|505", "end": "closed"},
    "refuse": {"n": 1, "status": "4xx|501|505"},
    "answered": {"n": 1, "status": "2xx|3xx|4xx|501|505"},
    "drop": {"n": 0, "end": "closed"},
}

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
                raise Malformed("does not begin with an HTTP status line: %r" % bytes(self.buf[self.pos:self.pos + 24]))
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
        s = socket.create_connection((cfg.host, cfg.port), timeout=max(cfg.timeout, PATIENCE))
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
            # keep what the server said before it went away
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
        """Send what is queued and read, until cond() (with everything sent, if drain) or the time `until`."""
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


VAR = re.compile(r"\{\{([a-z0-9_]+)(?::((?:[^{}]|\}(?!\}))*?):([0-9]+))?\}\}|\{\{(H|EVIL|CLOSE)\}\}")


class Runner:
    def __init__(self, cfg):
        self.cfg = cfg
        host = cfg.hostname or cfg.host
        self.vars = dict(cfg.paths)
        self.vars.update(host="%s:%d" % (host, cfg.port), hostname=host, port=str(cfg.port))
        self.vars["maxbody_plus"] = str((cfg.max_body or 0) + 1)
        self.rnd = random.Random(cfg.seed)
        self.caps = set()
        self.lock = threading.Lock()

    # ---- templates -----------------------------------------------------
    def render(self, text, it=None):
        text = text.replace("{{it}}", it or "")     # what stands in a variant is a template too

        def sub(m):
            if m.group(4):
                k = m.group(4)
                if k == "H":
                    return "Host: " + self.vars["host"] + "\r\n"
                if k == "CLOSE":
                    return "Connection: close\r\n"
                return "GET %s?evil=1 HTTP/1.1\r\nHost: %s\r\n\r\n" % (self.vars["fast"], self.vars["host"])
            if m.group(1) == "rep":
                return m.group(2) * int(m.group(3))
            if m.group(1) == "seq":     # {{seq:X-%d: y\r\n:100}}
                return "".join(m.group(2).replace("%d", str(i)) for i in range(int(m.group(3))))
            return self.vars[m.group(1)]
        return VAR.sub(sub, text)

    def raw(self, text, it=None):
        return self.render(text, it).encode("latin-1")

    # ---- one exchange --------------------------------------------------
    def simple(self, data, methods=("GET",), n=1, timeout=None, after=0.0):
        c = Conn(self.cfg, list(methods))
        try:
            c.out += data
            c.pump(time.monotonic() + (timeout or self.cfg.timeout), lambda: len(c.p.finals) >= n)
            return c
        finally:
            c.close()

    def alive(self):
        for _ in range(3):
            try:
                c = self.simple(self.raw("GET {{fast}} HTTP/1.1\r\n{{H}}{{CLOSE}}\r\n"), timeout=PATIENCE)
                if c.p.finals and 200 <= c.p.finals[0].code < 300:
                    return True
            except OSError:
                pass
            time.sleep(0.3)
        return False

    def probe(self):
        def get(path, method="GET", extra="", body=""):
            try:
                c = self.simple(self.raw("%s %s HTTP/1.1\r\n{{H}}%s{{CLOSE}}\r\n" % (method, path, extra)) + body.encode(),
                                methods=(method,), timeout=PATIENCE)
                return c.p.finals[0] if c.p.finals else None
            except OSError:
                return None
        P = self.cfg.paths
        r = get(P["fast"])
        if not r or not 200 <= r.code < 300:
            return False
        caps = self.caps
        caps.add("fast")
        r = get(P["echo"], "POST", "Content-Length: 5\r\n", "probe")
        if r and r.code == 200 and r.body == b"probe":
            caps.add("echo")
        r = get(P["reflect"])
        try:
            if r and r.code == 200 and json.loads(r.body.decode("latin-1")).get("method") == "GET":
                caps.add("reflect")
        except ValueError:
            pass
        for cap, code in (("empty", 204), ("notmod", 304), ("raise", 500)):
            r = get(P[cap])
            if r and r.code == code:
                caps.add(cap)
        r = get(P["slow"])
        if r and r.code == 200 and r.body.startswith(b"slow"):
            caps.add("slow")
        r = get(P["large"])
        if r and r.code == 200 and len(r.body) >= 1 << 20:
            caps.add("large")
        r = get(P["stream"])
        if r and r.code == 200 and r.framing in ("chunked", "close"):
            caps.add("stream")
        r = get(P["static"] + "/hello.txt")
        if r and r.code == 200 and r.body == b"hello static\n":
            caps.add("static")
            r = get(P["static"] + "/range.bin", extra="Range: bytes=0-0\r\n")
            if r and r.code == 206:
                caps.add("range")
            if self.learn("", "/hello.txt", get) and self.learn("range_", "/range.bin", get):
                caps.add("etag")
        r = get(P["setheader"] + "?v=probe")
        if r and r.get("x-out") == "probe":
            caps.add("setheader")
        for cap in ("raisemid", "short", "long"):
            r = get(P[cap] + "?probe=1")      # with ?probe=1 the path answers 200 "here"
            if r and r.code == 200 and r.body.startswith(b"here"):
                caps.add(cap)
        r = get(P["form"], "POST", "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\n", "a=1&b=2")
        if r and r.code == 200 and r.body.strip() == b"2":
            caps.add("form")
        key = base64.b64encode(b"0123456789abcdef").decode()
        try:
            c = self.simple(self.raw("GET {{ws}} HTTP/1.1\r\n{{H}}Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % key), timeout=PATIENCE)
            if c.p.finals and c.p.finals[0].code == 101:
                caps.add("ws")
        except OSError:
            pass
        if self.cfg.max_body:
            caps.add("maxbody")
        if self.cfg.header_timeout:
            caps.add("header_timeout")
        if self.cfg.body_timeout:
            caps.add("body_timeout")
        if self.cfg.keepalive_timeout:
            caps.add("keepalive_timeout")
        if not self.cfg.tls:
            caps.add("plain")
        return True

    def learn(self, prefix, name, get):
        """The validators of a file become {{etag}} and {{lastmod}}."""
        r = get(self.cfg.paths["static"] + name)
        etag, changed = r and r.get("etag"), r and r.get("last-modified")
        self.vars.update({prefix + "etag": etag or "", prefix + "lastmod": changed or ""})
        return bool(etag and changed and not etag.startswith("W/"))

    def queue(self, c, data, t_end):
        mode = self.cfg.split
        if mode == "none" or len(data) > 16384:
            c.out += data
            c.pump(t_end, lambda: True)
            return
        # A busy machine may not get 16 KiB out byte by byte in the time that the server gives a head: when half of that
        # has passed, all but the end goes out at once. The end of a message is where the most is decided.
        late = time.monotonic() + (self.cfg.header_timeout or self.cfg.timeout) / 2
        i = 0
        while i < len(data) and not c.eof:
            k = 1 if mode == "bytes" else self.rnd.randint(1, 40)
            if time.monotonic() > late:
                k = max(k, len(data) - i - 1024)
            c.out += data[i:i + k]
            i += k
            c.pump(t_end, lambda: True)

    def play(self, case, it):
        """Run one (sub)case and return an outcome dict."""
        cfg = self.cfg
        timeout = case.get("timeout", cfg.timeout)
        wait_key = case.get("wait_for")
        if wait_key:
            timeout = getattr(cfg, wait_key) + PATIENCE
        alts = case["_alts"]
        methods = case.get("methods") or []
        c = Conn(cfg, list(methods))
        n_want = max((a["n"] if isinstance(a["n"], int) else a["n"][1]) for a in alts)
        n_min = min((a["n"] if isinstance(a["n"], int) else a["n"][0]) for a in alts)
        wants_open = any(a.get("end") == "open" for a in alts)
        wants_closed = any(a.get("end") == "closed" for a in alts)
        only_closed = all(a.get("end") == "closed" for a in alts)
        # Silence is never right: something is waited for however busy the machine is.
        eventful = all(a.get("end") == "closed" or (a["n"] if isinstance(a["n"], int) else a["n"][0]) >= 1 for a in alts)
        canary = False
        flood_over = False
        t0 = time.monotonic()
        try:
            steps = case.get("steps") or [case["send"]]
            for st in steps:
                if c.eof:
                    break
                if isinstance(st, str):
                    self.queue(c, self.raw(st, it), time.monotonic() + max(timeout, PATIENCE))
                elif "wait" in st:
                    c.pump(time.monotonic() + st["wait"])
                elif "recv" in st:
                    c.pump(time.monotonic() + max(timeout, PATIENCE), lambda: len(c.p.finals) >= st["recv"])
                elif "interim" in st:
                    c.pump(time.monotonic() + max(timeout, PATIENCE), lambda: bool(c.p.interims) or bool(c.p.finals))
                elif "shut" in st:
                    try:
                        c.s.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                elif "slowly" in st:        # one byte every `every` seconds, until closed or time is up
                    data, k = self.raw(st["slowly"], it), 0
                    stop = time.monotonic() + timeout
                    while not c.eof and time.monotonic() < stop and not c.p.finals:
                        c.out += data[k % len(data):k % len(data) + 1]
                        k += 1
                        c.pump(time.monotonic() + st.get("every", 0.25))
                elif "flood" in st:
                    unit, total, i = st["flood"], 0, 0
                    stop = time.monotonic() + 10
                    while not c.eof and total < st["max"] and time.monotonic() < stop:
                        blk = b"".join(self.raw(unit.replace("%d", str(i + j)), it) for j in range(200))
                        i += 200
                        total += len(blk)
                        c.out += blk
                        c.pump(stop, lambda: len(c.p.finals) > 0 or c.p.error or not c.out, drain=False)
                        if c.p.finals or c.p.error:
                            break               # an answer is there: stop pushing
                    c.out.clear()
                    if not c.p.finals and not c.eof:
                        c.pump(time.monotonic() + 0.3, lambda: len(c.p.finals) > 0)
                    flood_over = total >= st["max"] and not c.p.finals and not c.eof
            t_end = time.monotonic() + (max(timeout, PATIENCE) if eventful else timeout)
            quiet = 0.25
            settled = only_closed
            while not c.eof:
                now = time.monotonic()
                if now >= t_end:
                    break
                have = len(c.p.finals)
                if c.p.error or c.p.state == "tunnel":
                    break
                if not settled and have >= max(n_min, 1):
                    settled = True      # what may still come is waited for no longer than usual
                    t_end = min(t_end, now + timeout)
                if have >= max(n_min, 1) or n_want == 0:
                    if wants_open and not canary and have >= max(n_min, 1) and now - c.last_rx >= 0.1:
                        c.out += self.raw("GET {{fast}}?canary=1 HTTP/1.1\r\n{{H}}Connection: close\r\n\r\n")
                        canary = have
                        t_end = now + max(timeout, PATIENCE)
                    elif not wants_open and not wants_closed and have >= n_want and now - c.last_rx >= quiet:
                        break
                c.pump(min(t_end, now + 0.05))
            return self.outcome(c, canary, flood_over, time.monotonic() - t0)
        finally:
            c.close()

    @staticmethod
    def outcome(c, canary, flood_over, took):
        finals = list(c.p.finals)
        canary_ok = None
        if canary is not False:
            if len(finals) > canary:
                last = finals.pop()
                canary_ok = 200 <= last.code < 300
            else:
                canary_ok = False
        closed = c.eof and not (canary is not False and canary_ok)
        return dict(finals=finals, interims=c.p.interims, error=c.p.error, eof=c.eof, reset=c.reset, closed=closed,
                    canary=canary_ok, partial=c.p.partial() and not c.p.error and c.p.state != "tunnel",
                    flood_over=flood_over, took=took, raw=bytes(c.p.buf), state=c.p.state, cur=c.p.cur)

    @staticmethod
    def describe(o):
        s = "+".join(str(r.code) for r in o["interims"] + o["finals"]) or "no response"
        if o["error"]:
            s += " malformed(%s)" % o["error"]
        elif o["partial"]:
            s += " +partial"
        if o["canary"]:
            s += ", stays open"
        elif o["reset"]:
            s += ", reset"
        elif o["closed"]:
            s += ", closed"
        else:
            s += ", left open"
        if o["flood_over"]:
            s += ", flood never stopped"
        return s

    # ---- expectations --------------------------------------------------
    def check(self, a, o, it):
        """None when alternative `a` holds for outcome `o`, else the reason."""
        F = o["finals"]
        if "h2" in a:       # the server speaks HTTP/2 with prior knowledge: a SETTINGS frame first
            d = o["raw"]
            return None if len(d) >= 9 and d[3] == 4 and d[5:9] == b"\0\0\0\0" else "no HTTP/2 SETTINGS frame"
        if o["error"]:
            return "malformed response: " + o["error"]
        if o["flood_over"]:
            return "took the whole flood without a limit"
        lo, hi = (a["n"], a["n"]) if isinstance(a["n"], int) else a["n"]
        if not lo <= len(F) <= hi:
            return "%d final responses instead of %s" % (len(F), a["n"])
        st = a.get("status")
        if st:
            per = st if isinstance(st, list) else [st] * len(F)
            for i, r in enumerate(F):
                want = per[i] if i < len(per) else per[-1]
                if not any(w == str(r.code) or (w.endswith("xx") and w[0] == str(r.code)[0]) for w in want.split("|")):
                    return "response %d has status %d, not %s" % (i + 1, r.code, want)
        end = a.get("end")
        if end == "closed" and not o["closed"]:
            return "connection was not closed"
        if end == "closing" and not o["closed"] and not (F and "close" in (F[-1].get("connection") or "").lower()):
            return "connection was neither closed nor announced as closing"
        if end == "open" and o["canary"] is not True:
            return "connection was not usable afterwards"
        if o["partial"] and not a.get("partial"):
            return "the last response is incomplete"
        if a.get("partial") and not o["partial"]:
            return "the response was terminated as if complete"
        bodies = a.get("body")
        if bodies is not None:
            bodies = bodies if isinstance(bodies, list) else [bodies]
            for i, b in enumerate(bodies):
                if b is None or i >= len(F):
                    continue
                if F[i].body != self.raw(b, it):
                    return "body of response %d is %r" % (i + 1, F[i].body[:40])
        for name, want in (a.get("headers") or {}).items():
            got = F[0].get(name) if F else None
            if want is None:
                if got is not None:
                    return "%s is present: %r" % (name, got[:60])
            elif got is None:
                return "%s is missing" % name
            elif not re.search(self.render(want, it), got):
                return "%s is %r" % (name, got[:60])
        for bad in a.get("lacks", []):
            if self.raw(bad, it).lower() in o["raw"].lower():
                return "response holds %r" % bad
        for good in a.get("has", []):
            if self.raw(good, it) not in o["raw"]:
                return "response lacks %r" % good
        if a.get("reset") and not o["reset"]:
            return "connection was not reset"
        if "interim" in a and a["interim"] not in [r.code for r in o["interims"]]:
            return "no %d interim response" % a["interim"]
        if a.get("no_interim") and o["interims"]:
            return "unexpected %d interim response" % o["interims"][0].code
        if "max_seconds" in a and o["took"] > a["max_seconds"]:
            return "took %.1f s" % o["took"]
        if "max_bytes" in a and len(o["raw"]) > a["max_bytes"]:
            return "answered with %d bytes" % len(o["raw"])
        if "ws_accept" in a:
            want = base64.b64encode(hashlib.sha1(a["ws_accept"].encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()
            if F[0].get("sec-websocket-accept") != want:
                return "wrong Sec-WebSocket-Accept"
        ref = a.get("reflect")
        if ref:
            try:
                j = json.loads(F[-1].body.decode("latin-1"))
            except (ValueError, IndexError):
                return "the reflect body is not JSON"
            hdr = {}
            for k, v in j.get("headers", []):
                hdr.setdefault(k.lower(), []).append(v)
            for k, want in ref.items():
                if k == "headers":
                    for hk, hv in want.items():
                        hv = self.render(hv, it)
                        got = hdr.get(hk)
                        if got is None or re.sub(r" *, *", ",", ",".join(got)) != re.sub(r" *, *", ",", hv):
                            return "the application saw %s: %r" % (hk, got)
                elif k == "absent":
                    for hk in want:
                        if hk in hdr:
                            return "the application saw %s" % hk
                elif k == "target_in":
                    if j.get("target") not in [self.render(w, it) for w in want]:
                        return "the application saw target %r" % j.get("target")
                elif j.get(k) != self.render(want, it):
                    return "the application saw %s=%r" % (k, j.get(k))
        return None

    def run_case(self, case):
        missing = [n for n in case.get("needs", []) if n not in self.caps]
        if missing:
            return ("SKIP", "needs " + ",".join(missing), [])
        bad, outs = [], []
        for it in case.get("each", [None]):
            try:
                o = self.play(case, it)
            except OSError as e:
                bad.append("%scannot connect: %s" % (("%r: " % it) if it is not None else "", e))
                outs.append("cannot connect")
                continue
            reasons = []
            for a in case["_alts"]:
                r = self.check(a, o, it)
                if r is None:
                    reasons = None
                    break
                reasons.append(r)
            d = self.describe(o)
            outs.append(d)
            if reasons is not None:
                pre = ("%r: " % it) if it is not None else ""
                bad.append("%s%s (%s)" % (pre, d, reasons[0]))
                if not o["finals"] and not self.alive():
                    bad.append("SERVER NO LONGER ANSWERS")
        if bad:
            return ("FAIL", "; ".join(bad[:6]) + ("; and %d more" % (len(bad) - 6) if len(bad) > 6 else ""), outs)
        return ("PASS", outs[0] if len(set(outs)) == 1 else "%d variants" % len(outs), outs)


def normalise(case):
    alts = case["expect"]
    alts = alts if isinstance(alts, list) else [alts]
    out = []
    for a in alts:
        if isinstance(a, str):
            a = EXPECT[a]
        elif "is" in a:
            b = dict(EXPECT[a["is"]])
            b.update({k: v for k, v in a.items() if k != "is"})
            a = b
        a = dict(a)
        a.setdefault("n", 1)
        out.append(a)
    case["_alts"] = out
    assert case["level"] in ("must", "should", "policy"), case["id"]


def read_cases(where):
    files = sorted(os.path.join(where, n) for n in os.listdir(where) if n.endswith(".json")) if os.path.isdir(where) else [where]
    cases = []
    for name in files:
        with open(name, encoding="utf-8") as f:
            cases += json.load(f)
    return cases


def main():
    ap = argparse.ArgumentParser(description="HTTP/1.1 wire conformance runner")
    ap.add_argument("--host", default="127.0.0.1")
    ap.add_argument("--port", type=int, required=True)
    ap.add_argument("--hostname", help="name to put in Host (default: --host)")
    ap.add_argument("--tls", action="store_true", help="connect with TLS (no certificate check)")
    ap.add_argument("--cases", default=os.path.join(HERE, "cases"), help="a JSON file, or a folder of them")
    ap.add_argument("--only", help="run the cases whose id or group matches this regular expression")
    ap.add_argument("--level", choices=["must", "should", "policy"], help="run only this level")
    ap.add_argument("--timeout", type=float, default=2.0)
    ap.add_argument("--jobs", "-j", type=int, default=6)
    ap.add_argument("--split", choices=["none", "bytes", "random"], default="none",
                    help="how each request is cut into TCP writes")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--path", action="append", default=[], metavar="NAME=PATH", help="where a contract path is")
    ap.add_argument("--require", default="", help="comma list of capabilities that must be there")
    ap.add_argument("--without", default="", help="comma list of capabilities that are taken as not there")
    ap.add_argument("--max-body", type=int, help="the body limit in bytes that the server was started with")
    ap.add_argument("--header-timeout", type=float, help="seconds the server gives a request head")
    ap.add_argument("--body-timeout", type=float, help="seconds the server gives between body bytes")
    ap.add_argument("--keepalive-timeout", type=float, help="seconds the server keeps an idle connection")
    ap.add_argument("--expect-fail", help="file of case ids known to fail: they do not count as failures, "
                                          "and one that passes does")
    ap.add_argument("--json", dest="json_out")
    ap.add_argument("--quiet", "-q", action="store_true", help="print failures and totals only")
    ap.add_argument("--list", action="store_true")
    cfg = ap.parse_args()
    cfg.paths = dict(PATHS)
    for p in cfg.path:
        k, _, v = p.partition("=")
        if k not in PATHS:
            ap.error("unknown path name " + k)
        cfg.paths[k] = v
    cases = read_cases(cfg.cases)
    seen = set()
    for c in cases:
        assert c["id"] not in seen, "duplicate id " + c["id"]
        seen.add(c["id"])
        normalise(c)
    if cfg.only:
        rx = re.compile(cfg.only)
        cases = [c for c in cases if rx.search(c["id"]) or rx.fullmatch(c["group"])]
    if cfg.level:
        cases = [c for c in cases if c["level"] == cfg.level]
    if cfg.list:
        for c in cases:
            print("%-34s %-6s %-14s RFC %s" % (c["id"], c["level"], c["group"], c["rfc"]))
        print(len(cases), "cases")
        return 0
    known = set()
    if cfg.expect_fail:
        with open(cfg.expect_fail, encoding="utf-8") as f:
            known = {ln.split("#")[0].strip() for ln in f} - {""}
    run = Runner(cfg)
    try:
        if not run.probe():
            print("the server at %s:%d does not answer GET %s with 2xx" % (cfg.host, cfg.port, cfg.paths["fast"]))
            return 2
    except OSError as e:
        print("cannot reach %s:%d: %s" % (cfg.host, cfg.port, e))
        return 2
    print("capabilities:", " ".join(sorted(run.caps)))
    run.caps -= set(cfg.without.split(","))
    lacking = [r for r in cfg.require.split(",") if r and r not in run.caps]
    if lacking:
        print("required capabilities are missing:", " ".join(lacking))
        return 2
    t0 = time.monotonic()
    results = {}
    with concurrent.futures.ThreadPoolExecutor(cfg.jobs) as ex:
        futs = [(c, ex.submit(run.run_case, c)) for c in cases]
        for c, f in futs:
            try:
                verdict, why, outs = f.result()
            except Exception as e:                       # a bug in the runner or in the case
                verdict, why, outs = "FAIL", "runner error: %r" % e, []
            if c["id"] in known and verdict == "FAIL":
                verdict = "XFAIL"
            elif c["id"] in known and verdict == "PASS":
                verdict, why = "XPASS", "listed as known to fail, but it passes: take it off the list"
            results[c["id"]] = dict(verdict=verdict, why=why, outcomes=outs, level=c["level"], group=c["group"])
            if verdict in ("FAIL", "XPASS") or not cfg.quiet:
                print("%-5s %-6s %-34s %s" % (verdict, c["level"], c["id"], why[:400]), flush=True)
    alive = run.alive()
    results_v = [r["verdict"] for r in results.values()]
    if not alive:
        print("FAIL  must   server-alive-at-the-end            the server no longer answers")
    for lv in ("must", "should", "policy"):
        v = [r["verdict"] for r in results.values() if r["level"] == lv]
        if v:
            print("%-6s: %d of %d passed, %d skipped" % (lv, v.count("PASS") + v.count("XPASS"),
                                                        len(v) - v.count("SKIP"), v.count("SKIP")))
    if cfg.json_out:
        with open(cfg.json_out, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1, sort_keys=True)
    failed = results_v.count("FAIL") + results_v.count("XPASS") + (0 if alive else 1)
    print("%.1f s, %d known failures" % (time.monotonic() - t0, results_v.count("XFAIL")))
    print("%d passed, %d failed, %d skipped" % (results_v.count("PASS"), failed, results_v.count("SKIP")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
