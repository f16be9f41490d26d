#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares HTTP servers with each other on this machine, over loopback.

    measure.py rps   [-c 64,256] [-d 4] [-r 5] [--path /] [--pipeline 16] [--browser] [--close]
    measure.py calls [-c 64] [-d 1]         system calls per request, under strace
    measure.py idle  [-n 10000,19000]       memory of an idle connection
    measure.py wait  [-n 10000]             many requests that wait a second each

Every round starts each target afresh, in turn (A B C A B C); the tables give medians over rounds. CPU per request is
the time the server's whole process tree ran over the requests the client counted.
"""
import argparse
import json
import statistics
import sys
import time

import harness


def sample(server, connections, seconds, *words, path=None):
    """One run of the load: its figures, and what it cost the server and both cores."""
    foreign, before = harness.Foreign(server), server.cost()[0]
    r = harness.load(server, connections, seconds, *words, path=path)
    spent, after = foreign.look(), server.cost()[0]
    if not r["requests"]:
        raise RuntimeError(f"{server.name} answered nothing")
    user, system = after["user"] - before["user"], after["system"] - before["system"]
    cpu_us = spent["server"] / r["requests"] * 1e6
    percent = {key: spent[key] / spent["wall"] * 100 for key in ("server", "client", "others", "stolen")}
    return dict(percent, rps=r["requests"] / r["seconds"], cpu_us=cpu_us,
                user_us=cpu_us * user / max(0.01, user + system), p50=r["p50_us"], p99=r["p99_us"],
                rss=server.size()["rss"], errors=r["errors"])


def rates(targets, connections, rounds, seconds, *words, path=None):
    """Samples of every target and number of connections: {(name, connections): {round: sample}}."""
    results = {}
    for r in range(rounds):
        for t in targets:
            try:
                with harness.Server(t) as server:
                    harness.load(server, connections[0], min(1, seconds), *words, path=path)  # warm it up
                    for c in connections:
                        s = results.setdefault((t["name"], c), {})[r] = sample(server, c, seconds, *words, path=path)
                        print(f"round {r + 1} {t['name']:22} c={c:<5} {s['rps']:9,.0f}/s {s['cpu_us']:7.2f} us, "
                              f"user {s['user_us']:5.2f}, server {s['server']:3.0f}%, client "
                              f"{s['client']:3.0f}%, others {s['others']:3.0f}%, stolen {s['stolen']:3.0f}%, "
                              f"errors {s['errors']}", file=sys.stderr, flush=True)
            except (RuntimeError, OSError) as e:  # a target that fails is left out, the others are measured
                print(f"round {r + 1}: {e}", file=sys.stderr, flush=True)
    return results


def undisturbed(s):
    """Nothing else had more than a tenth of either core, and the host took next to nothing."""
    return s["others"] < 10 and s["stolen"] < 5


def chosen(samples):
    """The undisturbed samples by round, or all when there are none."""
    return {r: s for r, s in samples.items() if undisturbed(s)} or samples


def median(samples, key):
    return statistics.median(s[key] for s in chosen(samples).values())


def ratio(samples, base, key="cpu_us"):
    """The median over rounds of the ratio within a round, so that a drift of the machine cancels out."""
    both = [r for r in samples if r in base]
    clean = [r for r in both if undisturbed(samples[r]) and undisturbed(base[r])] or both
    return statistics.median(samples[r][key] / base[r][key] for r in clean) if clean else float("nan")


def spread(samples, key="cpu_us"):
    """Half the range over the median, in percent: the noise between rounds."""
    v = [s[key] for s in chosen(samples).values()]
    return (max(v) - min(v)) / 2 / statistics.median(v) * 100


def rate_table(results, base):
    """Markdown, one table per number of connections. `base` is what the ratios are to."""
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
    """What `count` connections cost that made a request and now do nothing."""
    with harness.Server(target) as server:
        time.sleep(0.3)
        before = server.size()
        with harness.ManyConnections(server, count, hold=True) as crowd:
            time.sleep(1)
            after = server.size()
            r = crowd.finish()
    return dict(name=target["name"], n=count, answered=r["ok"], held=r["held"],
                bytes=(after["rss"] - before["rss"]) / count, threads=after["threads"])


def wait(target, count, path=None, deadline=60):
    """What `count` requests cost that all wait a second at the same time."""
    with harness.Server(target) as server:
        time.sleep(0.3)
        before, stacks = server.size(), harness.kernel_stacks()
        with harness.Watch(server) as watch, harness.ManyConnections(server, count, path or target["wait"],
                                                           deadline=deadline) as crowd:
            r = crowd.finish()
    return dict(r, name=target["name"], bytes=(watch.peak["rss"] - before["rss"]) / count,
                rss=watch.peak["rss"], stacks=watch.peak["stacks"] - stacks, threads=watch.peak["threads"])


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
    p.add_argument("--only", help="names of targets, separated by commas; '*' at the end stands for anything")
    p.add_argument("--targets", default=f"{harness.HERE}/targets.json", help="files, separated by commas")
    p.add_argument("--base", default="ceiling epoll", help="what the ratios are to")
    p.add_argument("--bin", help="the folder of the programs (build/release/bin)")
    p.add_argument("--cores", help="of server and client (0,1)")
    p.add_argument("-c", "--connections", default="64,256")
    p.add_argument("-d", "--seconds", type=float, default=4)
    p.add_argument("-r", "--rounds", type=int, default=5)
    p.add_argument("-n", "--counts", default="10000")
    p.add_argument("--path", help="instead of the target's own")
    p.add_argument("--pipeline", type=int, default=1)
    p.add_argument("--browser", action="store_true", help="the head of a browser")
    p.add_argument("--close", action="store_true", help="a connection per request")
    p.add_argument("--json", help="write the samples of rps to this file")
    args = p.parse_args()
    harness.begin(args.bin, args.cores)
    chosen_targets = [t for t in harness.targets(args.only and args.only.split(","), args.targets.split(","))
                      if harness.installed(t) and (args.close or not t.get("closes"))]
    connections = [int(c) for c in args.connections.split(",")]
    counts = [int(n) for n in args.counts.split(",")]
    if args.mode == "rps":
        words = (["--pipeline", args.pipeline] if args.pipeline > 1 else []) + ["--browser"] * args.browser \
            + ["--close"] * args.close
        results = rates(chosen_targets, connections, args.rounds, args.seconds, *words, path=args.path)
        lines = rate_table(results, args.base)
        if args.json:
            with open(args.json, "w") as f:
                json.dump([dict(name=n, connections=c, samples=s) for (n, c), s in results.items()], f, indent=1)
    elif args.mode == "calls":
        lines = calls_table([(t["name"], calls(t, connections[0], min(2, args.seconds))) for t in chosen_targets])
    elif args.mode == "idle":
        lines = idle_table([idle(t, n) for t in chosen_targets for n in counts])
    else:
        lines = wait_table([wait(t, n) for t in chosen_targets if "wait" in t for n in counts])
    print("\n".join(lines))


if __name__ == "__main__":
    main()
