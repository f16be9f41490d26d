# SPDX-License-Identifier: Apache-2.0
"""All wire cases against the testbed with one backend: the requests whole, byte by byte, and cut at random."""
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "testbed"))
from launch import Server  # noqa: E402

REQUIRED = "echo,reflect,static,range,form,raise,raisemid,short,long,setheader"
SECONDS = 1
SPLITS = (["none"], ["bytes"], ["random", "--seed", "1"], ["random", "--seed", "2"])


def run(backend):
    times = [word for name in ("header", "body", "keepalive") for word in (f"--{name}-timeout", f"{SECONDS}s")]
    failed = 0
    with Server("--backend", backend, "--max-body", "1MiB", *times) as server:
        for split in SPLITS:
            print(f"==> {backend}, split {' '.join(split)}", flush=True)
            failed |= subprocess.call(
                [sys.executable, str(HERE / "h1.py"), "--port", str(server.port), "--quiet", "--require", REQUIRED,
                 "--max-body", str(1 << 20), "--header-timeout", str(SECONDS), "--body-timeout", str(SECONDS),
                 "--keepalive-timeout", str(SECONDS), "--split", *split])
        if failed:
            print(server.log[-2000:])
    return failed
