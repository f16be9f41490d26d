# SPDX-License-Identifier: Apache-2.0
"""All wire cases against the testbed with one backend: the requests whole, byte by byte, and cut at random."""
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "testbed"))
from launch import Server  # noqa: E402

REQUIRED = "echo,reflect,static,range,etag,form,raise,raisemid,short,long,setheader"
SECONDS = 3  # as much as the cases with a time of their own allow for
SPLITS = ("none", "bytes", "random")


def start_runner(server, split):
    return subprocess.Popen(
        [sys.executable, str(HERE / "h1.py"), "--port", str(server.port), "--quiet", "--jobs", "16", "--split", split,
         "--require", REQUIRED, "--max-body", str(1 << 20), "--header-timeout", str(SECONDS), "--body-timeout",
         str(SECONDS), "--keepalive-timeout", str(SECONDS)], stdout=subprocess.PIPE, text=True)


def run(backend):
    times = [word for name in ("header", "body", "keepalive") for word in (f"--{name}-timeout", f"{SECONDS}s")]
    failed = False
    with Server("--backend", backend, "--max-body", "1MiB", *times) as server:
        # Most of the time is waiting, so they run at once.
        for split, runner in [(s, start_runner(server, s)) for s in SPLITS]:
            print(f"==> {backend}, split {split}\n{runner.communicate()[0]}", flush=True)
            failed |= runner.returncode != 0
        if failed:
            print(server.log[-2000:])
    return int(failed)
