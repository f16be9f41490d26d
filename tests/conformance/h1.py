#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs HTTP/1.1 wire-level conformance cases (Python 3 standard library only).

    python3 h1.py --host 127.0.0.1 --port 8080 [--cases FILE_OR_FOLDER]

Each case opens its own connection, sends raw bytes, reads the response for at most --timeout seconds and compares it
with the expectation. The server under test has to offer the paths listed in README.md. The runner probes for them and
skips the cases of missing ones (--require turns a skip into an error).

Prints one line per case, and 'N passed, M failed, K skipped' as the last line.
Exit status: 0 when no case failed, 1 otherwise, 2 when the runner could not run.
"""
import argparse
import concurrent.futures
import json
import os
import re
import sys
import time

from h1_cases import Runner, normalise, read_cases

HERE = os.path.dirname(os.path.abspath(__file__))

PATHS = {
    "fast": "/", "echo": "/echo", "reflect": "/reflect", "empty": "/empty",
    "notmod": "/notmodified", "slow": "/slow", "large": "/large",
    "stream": "/stream", "static": "/static", "setheader": "/setheader",
    "raise": "/raise", "raisemid": "/raise-mid", "short": "/short",
    "long": "/long", "ws": "/ws", "form": "/form",
}


def main():
    ap = argparse.ArgumentParser(description="HTTP/1.1 wire conformance runner")
    ap.add_argument("--host", default="127.0.0.1")
    ap.add_argument("--port", type=int, required=True)
    ap.add_argument("--hostname", help="name for the Host field (default: --host)")
    ap.add_argument("--tls", action="store_true", help="connect with TLS (no certificate check)")
    ap.add_argument("--cases", default=os.path.join(HERE, "cases"), help="a JSON file, or a folder of them")
    ap.add_argument("--only", help="run the cases whose id or group matches this regular expression")
    ap.add_argument("--level", choices=["must", "should", "policy"], help="run only this level")
    ap.add_argument("--timeout", type=float, default=2.0)
    ap.add_argument("--jobs", "-j", type=int, default=6)
    ap.add_argument("--split", choices=["none", "bytes", "random"], default="none",
                    help="how to split each request into TCP writes")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--path", action="append", default=[], metavar="NAME=PATH", help="another path for a name of README.md")
    ap.add_argument("--require", default="", help="comma-separated capabilities that the server must have")
    ap.add_argument("--without", default="", help="comma-separated capabilities to treat as missing")
    ap.add_argument("--max-body", type=int, help="body limit of the server, in bytes")
    ap.add_argument("--header-timeout", type=float, help="header timeout of the server, in seconds")
    ap.add_argument("--body-timeout", type=float, help="body timeout of the server, in seconds")
    ap.add_argument("--keepalive-timeout", type=float, help="keep-alive timeout of the server, in seconds")
    ap.add_argument("--expect-fail", help="file with the ids of cases expected to fail: they do not count as failures, "
                                          "but one that passes does")
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
            print("the server at %s:%d does not respond to GET %s with 2xx" % (cfg.host, cfg.port, cfg.paths["fast"]))
            return 2
    except OSError as e:
        print("cannot reach %s:%d: %s" % (cfg.host, cfg.port, e))
        return 2
    print("capabilities:", " ".join(sorted(run.caps)))
    run.caps -= set(cfg.without.split(","))
    missing = [r for r in cfg.require.split(",") if r and r not in run.caps]
    if missing:
        print("required capabilities are missing:", " ".join(missing))
        return 2
    t0 = time.monotonic()
    results = {}
    with concurrent.futures.ThreadPoolExecutor(cfg.jobs) as ex:
        futs = [(c, ex.submit(run.run_case, c)) for c in cases]
        for c, f in futs:
            try:
                verdict, why, outs = f.result()
            except Exception as e:                       # an error in the runner or in the case
                verdict, why, outs = "FAIL", "runner error: %r" % e, []
            if c["id"] in known and verdict == "FAIL":
                verdict = "XFAIL"
            elif c["id"] in known and verdict == "PASS":
                verdict, why = "XPASS", "expected to fail, but passes: remove it from the list"
            results[c["id"]] = dict(verdict=verdict, why=why, outcomes=outs, level=c["level"], group=c["group"])
            if verdict in ("FAIL", "XPASS") or not cfg.quiet:
                print("%-5s %-6s %-34s %s" % (verdict, c["level"], c["id"], why[:400]), flush=True)
    alive = run.alive()
    results_v = [r["verdict"] for r in results.values()]
    if not alive:
        print("FAIL  must   server-alive-at-the-end            the server no longer responds")
    for lv in ("must", "should", "policy"):
        v = [r["verdict"] for r in results.values() if r["level"] == lv]
        if v:
            print("%-6s: %d of %d passed, %d skipped" % (lv, v.count("PASS") + v.count("XPASS"),
                                                        len(v) - v.count("SKIP"), v.count("SKIP")))
    if cfg.json_out:
        with open(cfg.json_out, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1, sort_keys=True)
    failed = results_v.count("FAIL") + results_v.count("XPASS") + (0 if alive else 1)
    print("%.1f s, %d expected failures" % (time.monotonic() - t0, results_v.count("XFAIL")))
    print("%d passed, %d failed, %d skipped" % (results_v.count("PASS"), failed, results_v.count("SKIP")))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
