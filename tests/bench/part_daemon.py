# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""lmmsd itself: how soon it watches, how soon it is gone, what it takes while nothing happens."""
import os
import select
import statistics
import subprocess

import lib
from harness import Watcher, table

IDLE_SECONDS = 10



def idle(bench):
    w = Watcher(bench, "--format", "json", "-o", bench.path("idle.json"))
    try:
        select.select([], [], [], 1)  # the start's own work
        events = host_starts()
        before = w.cpu_s()
        select.select([], [], [], IDLE_SECONDS)
        used = w.cpu_s() - before
        return used / IDLE_SECONDS, host_starts() - events, w.memory_kib()
    finally:
        w.stop()


def host_starts():
    """Processes that the host has started so far."""
    with open("/proc/stat", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("processes ")).split()[1])


def run(bench):
    starts, stops, found = [], [], 0
    for _ in range(bench.rounds(9)):
        w = Watcher(bench, "--format", "json", "-o", bench.path("attach.json"))
        starts.append(w.start_s * 1000)
        found = w.interpreters
        stops.append(w.stop() * 1000)
    command = []
    for _ in range(bench.rounds(9)):
        began = os.times().elapsed
        subprocess.run([bench.lmmsd, "-o", bench.path("true.json"), "--", *lib.system_python()("-I", "-S", "-c", "")],
                       check=True, stderr=subprocess.DEVNULL)
        command.append((os.times().elapsed - began) * 1000)
    cpu, forks, memory = min((idle(bench) for _ in range(1 if bench.quick else 3)), key=lambda r: r[0])

    def spread(v):
        return f"{statistics.median(v):.0f} ms ({min(v):.0f}-{max(v):.0f})"

    rows = [[f"start until it watches {found} interpreters of the whole host", spread(starts)],
            ["Ctrl-C until it is gone, report written", spread(stops)],
            ["`lmmsd -- python3 -I -S -c ''`, from start to end", spread(command)],
            [f"processor while idle, {IDLE_SECONDS} s, {forks} processes started on the host meanwhile",
             f"{cpu * 100:.2f} % of one CPU"],
            ["resident memory: peak (at start) / steady / of it anonymous",
             " / ".join(f"{memory[k] / 1024:.1f} MiB" for k in ("VmHWM", "VmRSS", "RssAnon"))]]
    yield table("lmmsd itself", ["what", "median (least-most)"], rows)
