# SPDX-License-Identifier: Apache-2.0
"""Runs the wire cases against the testbed, in several setups."""
import contextlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "testbed"))
from server import BACKENDS, Server  # noqa: E402

REQUIRED = "echo,reflect,static,range,etag,form,raise,raisemid,short,long,setheader"
SECONDS = 3  # the longest time that the cases with timeouts allow for
SPLITS = ("none", "bytes", "random")


def start_runner(server, split, *more):
    return subprocess.Popen(
        [sys.executable, str(HERE / "h1.py"), "--port", str(server.port), "--quiet", "--jobs", "16", "--split", split,
         "--require", REQUIRED, "--max-body", str(1 << 20), "--header-timeout", str(SECONDS), "--body-timeout",
         str(SECONDS), "--keepalive-timeout", str(SECONDS), *more], stdout=subprocess.PIPE, text=True)


def run(backend):
    """Runs all cases with one backend: the requests whole, byte by byte, and split at random."""
    times = [word for name in ("header", "body", "keepalive") for word in (f"--{name}-timeout", f"{SECONDS}s")]
    failed = False
    with Server("--backend", backend, "--workers", "1", "--max-body", "1MiB", *times) as server:
        # The runners mostly wait, so they run concurrently.
        for split, runner in [(s, start_runner(server, s)) for s in SPLITS]:
            print(f"==> {backend}, split {split}\n{runner.communicate()[0]}", flush=True)
            failed |= runner.returncode != 0
        if failed:
            print(server.log[-2000:])
    return int(failed)


def run_kind(kind):
    """Sends the requests whole to another worker class: it handles arriving bytes in the same way."""
    return run_together([(kind, backend, 1) for backend in BACKENDS])


def run_together(setups):
    """Sends the requests whole to each (worker class, backend, number of workers), to all of them concurrently."""
    times = [word for name in ("header", "body", "keepalive") for word in (f"--{name}-timeout", f"{SECONDS}s")]
    failed = False
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Server("--worker-class", kind, "--backend", backend, "--workers", workers, "--max-body",
                                              "1MiB", *times)) for kind, backend, workers in setups]
        runners = [start_runner(server, "none", *options_of(kind)) for (kind, _, _), server in zip(setups, servers)]
        for setup, server, runner in zip(setups, servers, runners):
            print(f"==> {setup[0]}, {setup[1]}, {setup[2]} workers\n{runner.communicate()[0]}", flush=True)
            if runner.returncode != 0:
                failed = True
                print(server.log[-2000:])
    return int(failed)


def options_of(kind):
    if kind == "async":
        return []
    without_slow = ["--without", "slow"]  # a view that takes a second would delay the concurrent cases
    return ["--expect-fail", str(HERE / "known_kinds.txt"), *(without_slow if kind == "sync" else [])]
