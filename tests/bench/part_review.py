# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What a review of a month of a million runs costs: time, memory, and the room that the month takes."""
import os
import statistics
import subprocess
import time

import lib
from harness import table

ROUNDS = 7
RUNS, QUICK_RUNS = 1000000, 100000
RAW_RUNS = 20000
GEN = os.path.join(lib.BUILD, "tests/store/gen")


def values(*argv):
    out = subprocess.run([GEN, *argv], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, check=True).stdout
    return {x[0]: float(x[1]) for x in (line.split() for line in out.splitlines()) if x[0] != "truth"}


def review(db, out):
    """Seconds, and MiB at the most."""
    argv = [os.path.join(lib.BUILD, "lmmsctl"), "review", "--db", db, "--config", os.devnull, "--month", "2026-10", "-o", out]
    began = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, status
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def run(bench):
    runs = QUICK_RUNS if bench.quick else RUNS
    subprocess.run(["make", "--no-print-directory", "-C", lib.REPO, os.path.relpath(GEN, lib.REPO)], check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    rows = []
    with lib.Workspace() as ws:
        month, raw = ws.path("month.db"), ws.path("raw.db")
        filled = values("fill", month, str(runs))
        for form in ("html", "json", "txt"):
            took = [review(month, ws.path("review." + form)) for _ in range(bench.rounds(ROUNDS))]
            rows.append([form, f"{statistics.median(t for t, _ in took):.2f}", f"{min(t for t, _ in took):.2f}-{max(t for t, _ in took):.2f}",
                         f"{max(m for _, m in took):.0f}", f"{os.path.getsize(ws.path('review.' + form)) / 1e6:.1f}"])
        stored = values("put", raw, str(RAW_RUNS))
    yield table(f"A month of {runs:,} synthetic runs, 50 apps of 300 modules: the whole review",
                ["format", "s, median", "range", "MiB at the most", "MB written"], rows,
                [f"The month takes {filled['stored']:.0f} MB for ever, {filled['aggregates_per_run']:.0f} bytes a run. While raw runs are kept, "
                 f"a run takes {stored['all_per_run']:.0f} bytes more; {stored['ingested']:.0f} runs a second go through store_put(), which "
                 f"keeps the caller {stored['put']:.0f} us."])
