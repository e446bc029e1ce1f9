# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Many programs that start at once: is every load of every process there?"""
import json
import os
import subprocess
import time

import lib
from harness import Watcher, table
from test_oracle import STDLIB

AT_ONCE = 50


def burst(bench, mode):
    """(seconds, records, processes, loads, lost) of AT_ONCE starts, together."""
    py = lib.system_python()
    out, rec = bench.path("burst.json"), bench.path("burst.rec")
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    w = Watcher(bench, "--usage", mode, "--format", "json", "-o", out, "--record", rec)
    try:
        before = w.cpu_s()
        began = time.monotonic()
        mark = f"burst{os.getpid()}"
        ps = [subprocess.Popen(py("-c", STDLIB, mark), env=env, stdin=subprocess.DEVNULL) for _ in range(AT_ONCE)]
        bad = sum(p.wait(timeout=120) != 0 for p in ps)
        took = time.monotonic() - began
        cpu = w.cpu_s() - before
    finally:
        w.stop()
    assert not bad, f"{bad} of {AT_ONCE} failed"
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    mine = [p for p in report["processes"] if mark in p["cmdline"]]
    counts = sorted({len(lib.loads(p)) for p in mine})
    lost = ", ".join(f"{n} {k}" for k, n in report["lost"].items()) or "none"
    return [took, cpu, os.path.getsize(rec), len(mine), sum(len(lib.loads(p)) for p in mine), counts, lost]


def run(bench):
    rows = []
    for mode in ("off", "on"):
        for _ in range(1 if bench.quick else 3):
            took, cpu, size, processes, loads, counts, lost = bench.undisturbed(lambda: burst(bench, mode))
            rows.append([f"`--usage {mode}`", f"{took:.1f} s", f"{processes} of {AT_ONCE}", loads,
                         "-".join(map(str, [counts[0], counts[-1]] if len(counts) > 1 else counts)),
                         f"{loads / took:.0f}", f"{size / 1e6:.1f} MB", f"{cpu / loads * 1e6:.0f} us", lost])
    yield table(f"Burst: {AT_ONCE} programs at once", [
        "mode", "took", "processes seen", "loads", "loads a process", "loads/s", "records", "lmmsd's processor time a load",
        "lost"], rows)
