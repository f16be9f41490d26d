# SPDX-License-Identifier: Apache-2.0
"""Conformance cases: reads the files in cases/, renders their templates, runs them and checks the outcome."""
import base64
import hashlib
import json
import os
import random
import re
import socket
import threading
import time

from h1_client import TIMEOUT, Conn

EXPECT = {
    "ok": {"n": 1, "status": "2xx"},
    "ok-open": {"n": 1, "status": "2xx", "end": "open"},
    "ok-close": {"n": 1, "status": "2xx", "end": "closed"},
    "reject": {"n": 1, "status": "4xx|501|505", "end": "closed"},
    "refuse": {"n": 1, "status": "4xx|501|505"},
    "answered": {"n": 1, "status": "2xx|3xx|4xx|501|505"},
    "drop": {"n": 0, "end": "closed"},
}

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
        text = text.replace("{{it}}", it or "")     # a variant can be a template too

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
                c = self.simple(self.raw("GET {{fast}} HTTP/1.1\r\n{{H}}{{CLOSE}}\r\n"), timeout=TIMEOUT)
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
                                methods=(method,), timeout=TIMEOUT)
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
            if self.read_validators("", "/hello.txt", get) and self.read_validators("range_", "/range.bin", get):
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
                                     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % key), timeout=TIMEOUT)
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

    def read_validators(self, prefix, name, get):
        """Stores the validators of a file as {{etag}} and {{lastmod}}."""
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
        # A busy machine may not send 16 KiB byte by byte within the header timeout of the server. After half of it, all but
        # the end of the message is sent at once: splitting the end matters most.
        half_time = time.monotonic() + (self.cfg.header_timeout or self.cfg.timeout) / 2
        i = 0
        while i < len(data) and not c.eof:
            k = 1 if mode == "bytes" else self.rnd.randint(1, 40)
            if time.monotonic() > half_time:
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
            timeout = getattr(cfg, wait_key) + TIMEOUT
        alts = case["_alts"]
        methods = case.get("methods") or []
        c = Conn(cfg, list(methods))
        n_want = max((a["n"] if isinstance(a["n"], int) else a["n"][1]) for a in alts)
        n_min = min((a["n"] if isinstance(a["n"], int) else a["n"][0]) for a in alts)
        wants_open = any(a.get("end") == "open" for a in alts)
        wants_closed = any(a.get("end") == "closed" for a in alts)
        only_closed = all(a.get("end") == "closed" for a in alts)
        # The case always ends with an event, so it is waited for even on a busy machine.
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
                    self.queue(c, self.raw(st, it), time.monotonic() + max(timeout, TIMEOUT))
                elif "wait" in st:
                    c.pump(time.monotonic() + st["wait"])
                elif "recv" in st:
                    c.pump(time.monotonic() + max(timeout, TIMEOUT), lambda: len(c.p.finals) >= st["recv"])
                elif "interim" in st:
                    c.pump(time.monotonic() + max(timeout, TIMEOUT), lambda: bool(c.p.interims) or bool(c.p.finals))
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
                            break               # a response is there: stop sending
                    c.out.clear()
                    if not c.p.finals and not c.eof:
                        c.pump(time.monotonic() + 0.3, lambda: len(c.p.finals) > 0)
                    flood_over = total >= st["max"] and not c.p.finals and not c.eof
            t_end = time.monotonic() + (max(timeout, TIMEOUT) if eventful else timeout)
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
                    settled = True      # waits for further data no longer than usual
                    t_end = min(t_end, now + timeout)
                if have >= max(n_min, 1) or n_want == 0:
                    if wants_open and not canary and have >= max(n_min, 1) and now - c.last_rx >= 0.1:
                        c.out += self.raw("GET {{fast}}?canary=1 HTTP/1.1\r\n{{H}}Connection: close\r\n\r\n")
                        canary = have
                        t_end = now + max(timeout, TIMEOUT)
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
            s += ", flood was not stopped"
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
            return "accepted the whole flood without a limit"
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
                return "response contains %r" % bad
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
                    bad.append("SERVER NO LONGER RESPONDS")
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
