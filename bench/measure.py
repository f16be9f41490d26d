#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares HTTP servers with each other on this machine, over loopback.

    measure.py rps   [-c 64,256] [-d 4] [-r 5] [--path /] [--pipeline 16] [--browser] [--close]
    measure.py calls [-c 64] [-d 1]         system calls per request, under strace
    measure.py idle  [-n 10000,19000]       memory of an idle connection
    measure.py wait  [-n 10000]             many requests that wait a second each

Every round starts all targets again, one after another (A B C A B C); the tables show medians over rounds. CPU per request
is the CPU time of the server's process tree divided by the requests that the client counted.
"""
import argparse
import json
import statistics
import sys
import time

import harness


def sample(server, connections, seconds, *options, path=None):
    """One run of the load: its results, its cost for the server, and the use of both cores."""
    interference, before = harness.Interference(server), server.cost()[0]
    r = harness.load(server, connections, seconds, *options, path=path)
    spent, after = interference.measure(), server.cost()[0]
    if not r["requests"]:
        raise RuntimeError(f"{server.name} answered no requests")
    user, system = after["user"] - before["user"], after["system"] - before["system"]
    cpu_us = spent["server"] / r["requests"] * 1e6
    percent = {key: spent[key] / spent["wall"] * 100 for key in ("server", "client", "others", "stolen")}
    return dict(percent, rps=r["requests"] / r["seconds"], cpu_us=cpu_us,
                user_us=cpu_us * user / max(0.01, user + system), p50=r["p50_us"], p99=r["p99_us"],
                rss=server.usage()["rss"], errors=r["errors"])


def rates(targets, connections, rounds, seconds, *options, path=None):
    """Samples of every target and number of connections: {(name, connections): {round: sample}}."""
    results = {}
    for r in range(rounds):
        for t in targets:
            try:
                with harness.Server(t) as server:
                    harness.load(server, connections[0], min(1, seconds), *options, path=path)  # warm up
                    for c in connections:
                        s = results.setdefault((t["name"], c), {})[r] = sample(server, c, seconds, *options, path=path)
                        print(f"round {r + 1} {t['name']:22} c={c:<5} {s['rps']:9,.0f}/s {s['cpu_us']:7.2f} us, "
                              f"user {s['user_us']:5.2f}, server {s['server']:3.0f}%, client "
                              f"{s['client']:3.0f}%, others {s['others']:3.0f}%, stolen {s['stolen']:3.0f}%, "
                              f"errors {s['errors']}", file=sys.stderr, flush=True)
            except (RuntimeError, OSError) as e:  # skip a target that fails, measure the others
                print(f"round {r + 1}: {e}", file=sys.stderr, flush=True)
    return results


def undisturbed(s):
    """Whether other programs used less than a tenth of either core, and the host less than a twentieth."""
    return s["others"] < 10 and s["stolen"] < 5


def usable(samples):
    """The undisturbed samples by round, or all samples when none is undisturbed."""
    return {r: s for r, s in samples.items() if undisturbed(s)} or samples


def median(samples, key):
    return statistics.median(s[key] for s in usable(samples).values())


def ratio(samples, base, key="cpu_us"):
    """The median over rounds of the ratio within a round, so that drift of the machine cancels out."""
    common = [r for r in samples if r in base]
    rounds = [r for r in common if undisturbed(samples[r]) and undisturbed(base[r])] or common
    return statistics.median(samples[r][key] / base[r][key] for r in rounds) if rounds else float("nan")


def spread(samples, key="cpu_us"):
    """Half the range divided by the median, in percent: the noise between rounds."""
    v = [s[key] for s in usable(samples).values()]
    return (max(v) - min(v)) / 2 / statistics.median(v) * 100


def rate_table(results, base):
    """Markdown, one table per number of connections. Ratios are relative to `base`."""
    lines = []
    for c in sorted({c for _, c in results}):
        lines += [f"**{c} connections**", "",
                  "| target | CPU us/req | x base | ±% | user us/req | req/s | p50 us | p99 us | RSS MiB | server busy "
                  "| client busy | undisturbed | errors |", "| --- |" + " ---: |" * 12]
        for (name, connections), s in results.items():
            if connections != c:
                continue
            times = f"{ratio(s, results[base, c]):.2f}" if (base, c) in results else ""
            lines.append(f"| {name} | {median(s, 'cpu_us'):.2f} | {times} | {spread(s):.1f} | "
                         f"{median(s, 'user_us'):.2f} | {median(s, 'rps'):,.0f} | {median(s, 'p50'):,.0f} | "
                         f"{median(s, 'p99'):,.0f} | {median(s, 'rss') / 2**20:.1f} | {median(s, 'server'):.0f}% | "
                         f"{median(s, 'client'):.0f}% | {sum(map(undisturbed, s.values()))}/{len(s)} | "
                         f"{sum(x['errors'] for x in s.values())} |")
        lines.append("")
    return lines


def idle(target, count):
    """The cost of `count` idle connections, each after one request."""
    with harness.Server(target) as server:
        time.sleep(0.3)
        before = server.usage()
        with harness.ManyConnections(server, count, hold=True) as connections:
            time.sleep(1)
            after = server.usage()
            r = connections.finish()
    return dict(name=target["name"], n=count, answered=r["ok"], held=r["held"],
                bytes=(after["rss"] - before["rss"]) / count, threads=after["threads"])


def wait(target, count, path=None, deadline=60):
    """The cost of `count` requests that all wait a second at the same time."""
    with harness.Server(target) as server:
        time.sleep(0.3)
        before, stacks = server.usage(), harness.kernel_stacks()
        with harness.PeakUsage(server) as usage, \
                harness.ManyConnections(server, count, path or target["wait"], deadline=deadline) as connections:
            r = connections.finish()
    return dict(r, name=target["name"], bytes=(usage.peak["rss"] - before["rss"]) / count,
                rss=usage.peak["rss"], stacks=usage.peak["stacks"] - stacks, threads=usage.peak["threads"])


def idle_table(rows):
    return ["| target | connections | answered | held | bytes each | threads |", "| --- |" + " ---: |" * 5] + [
        f"| {r['name']} | {r['n']:,} | {r['answered']:,} | {r['held']:,} | {r['bytes']:,.0f} | {r['threads']} |"
        for r in rows] + [""]


def wait_table(rows):
    return ["| target | requests | answered | all after s | p50 s | p99 s | bytes each | threads |",
            "| --- |" + " ---: |" * 7] + [
        f"| {r['name']} | {r['n']:,} | {r['ok']:,} | {r['wall_s']:.3f} | {r['p50_s']:.3f} | {r['p99_s']:.3f} | "
        f"{r['bytes']:,.0f} | {r['threads']} |" for r in rows] + [""]


def calls_table(rows):
    lines = ["| target | system calls per request | of which |", "| --- | ---: | --- |"]
    for name, counts in rows:
        most = sorted(counts.items(), key=lambda kv: -kv[1])
        lines.append(f"| {name} | {sum(counts.values()):.2f} | "
                     + ", ".join(f"{call} {n:.2f}" for call, n in most if n >= 0.01) + " |")
    return lines + [""]


def calls(target, connections, seconds):
    with harness.Server(target) as server:
        return harness.system_calls(server, connections, seconds)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("mode", choices=["rps", "calls", "idle", "wait"])
    p.add_argument("--only", help="names of targets, comma-separated; a trailing '*' matches anything")
    p.add_argument("--targets", default=f"{harness.HERE}/targets.json", help="target files, comma-separated")
    p.add_argument("--base", default="ceiling epoll", help="target that ratios are relative to")
    p.add_argument("--bin", help="folder of the programs (build/release/bin)")
    p.add_argument("--cores", help="cores of server and client (0,1)")
    p.add_argument("-c", "--connections", default="64,256")
    p.add_argument("-d", "--seconds", type=float, default=4)
    p.add_argument("-r", "--rounds", type=int, default=5)
    p.add_argument("-n", "--counts", default="10000")
    p.add_argument("--path", help="path to request, instead of the target's own")
    p.add_argument("--pipeline", type=int, default=1)
    p.add_argument("--browser", action="store_true", help="send the request head of a browser")
    p.add_argument("--close", action="store_true", help="use a connection per request")
    p.add_argument("--json", help="write the samples of rps to this file")
    args = p.parse_args()
    harness.set_up(args.bin, args.cores)
    targets = [t for t in harness.targets(args.only and args.only.split(","), args.targets.split(","))
                      if harness.installed(t) and (args.close or not t.get("closes"))]
    connections = [int(c) for c in args.connections.split(",")]
    counts = [int(n) for n in args.counts.split(",")]
    if args.mode == "rps":
        options = (["--pipeline", args.pipeline] if args.pipeline > 1 else []) + ["--browser"] * args.browser \
            + ["--close"] * args.close
        results = rates(targets, connections, args.rounds, args.seconds, *options, path=args.path)
        lines = rate_table(results, args.base)
        if args.json:
            with open(args.json, "w") as f:
                json.dump([dict(name=n, connections=c, samples=s) for (n, c), s in results.items()], f, indent=1)
    elif args.mode == "calls":
        lines = calls_table([(t["name"], calls(t, connections[0], min(2, args.seconds))) for t in targets])
    elif args.mode == "idle":
        lines = idle_table([idle(t, n) for t in targets for n in counts])
    else:
        lines = wait_table([wait(t, n) for t in targets if "wait" in t for n in counts])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
