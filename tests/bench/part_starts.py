# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Whole programs of 200 and more loads, from fork to exit."""
import os
import shutil
import statistics
import subprocess
import time

import lib
from harness import MODES, in_mode, one_of_each, ratio_text, ratios, rotated, table
from test_oracle import STDLIB

TIMES = 4  # runs a batch; the least counts


def programs():
    """(label, argv, environment)"""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    for py in one_of_each():
        yield f"stdlib set, {py.text} {py.kind}", py("-c", STDLIB), env
        with lib.Workspace() as ws:
            try:
                extra = lib.with_debian_packages(ws, py, "numpy, pandas")
            except lib.Skip:
                continue
        yield f"pandas, {py.text} {py.kind}", py("-c", "import numpy, pandas"), {**env, **extra}
    for name in ("meson", "ansible"):
        path = shutil.which(name, path="/usr/bin:/usr/local/bin")
        if path:
            yield f"{name} --version", [path, "--version"], env


def batch(argv, env):
    """(wall, processor) seconds, the least of each."""
    wall, cpu = [], []
    with open(os.devnull, "r+b") as null:
        fd = null.fileno()
        actions = [(os.POSIX_SPAWN_DUP2, fd, n) for n in (0, 1, 2)]
        for _ in range(TIMES):
            began = time.perf_counter()
            pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
            _, status, usage = os.wait4(pid, 0)
            wall.append(time.perf_counter() - began)
            cpu.append(usage.ru_utime + usage.ru_stime)
            if status != 0:
                raise subprocess.CalledProcessError(status, argv)
    return min(wall), min(cpu)


def count_loads(bench, argv, env):
    with lib.Workspace() as ws:
        report = ws.profile(argv, env=env)
    p = max(report["processes"], key=lambda q: len(q["modules"]))
    return len(lib.loads(p))


def run(bench):
    rows = []
    for label, argv, env in programs():
        batch(argv, env)
        loads = count_loads(bench, argv, env)
        rounds = [{m: in_mode(bench, m, lambda: batch(argv, env)) for m in rotated(MODES, n)}
                  for n in range(bench.rounds(10))]
        bare = statistics.median(r["bare"][0] for r in rounds)
        row = [label, loads, f"{bare * 1000:.0f} ms"]
        for m in MODES[1:]:
            row.append(ratio_text(ratios(rounds, m, lambda v: v[0])))
        row.append(" / ".join(f"{statistics.median(ratios(rounds, m, lambda v: v[1])):.3f}" for m in MODES[1:]))
        rows.append(row)
        bench.say(" ".join(map(str, row)))
    yield table("Start of a program", ["program", "loads", "bare", "bare again", "`--usage off`", "`--usage on`",
                                       "processor time: again / off / on"], rows,
                [f"Wall time, the least of {TIMES} runs a round, lmmsd on the whole host. Processor time is the program's "
                 "own, user and system: on a busy machine it says more than wall time."])
