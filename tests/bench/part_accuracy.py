# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""lmmsd and the interpreter's own -X importtime on the same run, row by row."""
import json
import statistics
import subprocess

import lib
from harness import percentile, table
from test_oracle import STDLIB

RUNS = 3
LEAST_US = 1000


def one_run(bench, py, code, env):
    """(rows, rows that differ in name or place, [relative difference of totals of more than 1 ms])"""
    out, err = bench.path("accuracy.json"), bench.path("importtime")
    with open(err, "wb") as f:
        subprocess.run([bench.lmmsd, "--usage", "off", "--format", "json", "-o", out, "--",
                        *py("-X", "importtime", "-c", code)], check=True, env=env, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=f)
    with open(err, encoding="utf-8", errors="replace") as f:
        oracle = lib.importtime(f.read())
    with open(out, encoding="utf-8") as f:
        mine = lib.oracle_rows(lib.only_process(json.load(f)))
    wrong = sum(w[:2] != g[:2] for w, g in zip(oracle, mine)) + abs(len(oracle) - len(mine))
    diffs = [(g[3] - w[3]) / w[3] for w, g in zip(oracle, mine) if w[:2] == g[:2] and w[3] > LEAST_US]
    return len(oracle), wrong, diffs


def workloads(py):
    yield "stdlib set", STDLIB, None
    with lib.Workspace() as ws:
        try:
            yield "pandas", "import numpy, pandas", lib.with_debian_packages(ws, py, "numpy, pandas")
        except lib.Skip:
            pass


def measure(bench, py, code, env):
    total = wrong = 0
    diffs = []
    for _ in range(bench.rounds(RUNS + 1) - 1):
        # another lmmsd on the host would slow both clocks alike
        n, w, d = one_run(bench, py, code, env)
        total, wrong, diffs = total + n, wrong + w, diffs + d
    return total, wrong, diffs


def run(bench):
    rows, every = [], []
    for py in lib.interpreters():
        py.hold()
        try:
            for label, code, env in workloads(py):
                total, wrong, diffs = measure(bench, py, code, env)
                every += diffs
                rows.append([f"{py.text} {py.kind}", label, total, wrong, len(diffs), *figures(diffs)])
        finally:
            py.let_go()
    rows.append(["all", "", sum(r[2] for r in rows), sum(r[3] for r in rows), len(every), *figures(every)])
    yield table("Accuracy against -X importtime of the same run", [
        "Python", "program", "rows", "rows that differ in name or nesting", "modules over 1 ms", "median", "p95", "max",
        "median with sign"], rows, [f"Relative difference of the totals, `--usage off`, {RUNS} runs each."])


def figures(diffs):
    size = [abs(d) * 100 for d in diffs]
    if not size:
        return ["-"] * 4
    return [f"{statistics.median(size):.2f} %", f"{percentile(size, 0.95):.2f} %", f"{max(size):.2f} %",
            f"{statistics.median(diffs) * 100:+.2f} %"]
