# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Whole programs of 200 and more loads, from fork to exit.

The first table starts copies of one interpreter in turns while lmmsd runs: one that it watches, and two that it refuses,
since their Py_Version is none that it knows, but which are the same otherwise. So bare and watched runs stand a tenth of a
second apart, and the noise of the machine falls on both. The second table starts and stops lmmsd in between.
"""
import os
import random
import shutil
import statistics
import struct
import subprocess
import time

import lib
from harness import MODES, Watcher, in_mode, one_of_each, ratio_text, ratios, rotated, table
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


def batch(argv, env, times=TIMES):
    """(wall, processor) seconds, the least of each."""
    wall, cpu = [], []
    with open(os.devnull, "r+b") as null:
        fd = null.fileno()
        actions = [(os.POSIX_SPAWN_DUP2, fd, n) for n in (0, 1, 2)]
        for _ in range(times):
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


def data_offset(path, symbol):
    """Where the file has this symbol's bytes, by readelf."""
    def readelf(*options):
        return subprocess.run(["readelf", "-W", *options, path], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.splitlines()
    va = next(int(line.split()[1], 16) for line in readelf("--dyn-syms") if line.split()[-1:] == [symbol])
    for line in readelf("-S"):
        f = line.replace("[", " ").replace("]", " ").split()
        try:
            start, offset, size = (int(f[i], 16) for i in (3, 4, 5))
        except (IndexError, ValueError):
            continue
        if start and start <= va < start + size:
            return offset + va - start
    raise RuntimeError(f"{path} has no section with {symbol}")


def copies(bench):
    """(two refused, one watched) copies of Debian's interpreter."""
    python = os.path.realpath("/usr/bin/python3")
    at = data_offset(python, "Py_Version")
    refused = [bench.path("python-bare"), bench.path("python-bare-again")]
    for path in refused:
        shutil.copy2(python, path)
        with open(path, "r+b") as f:
            f.seek(at)
            version = struct.unpack("<Q", f.read(8))[0]
            f.seek(at)
            f.write(struct.pack("<Q", version & ~0xff0000 | 0x630000))  # 3.99
    watched = bench.path("python-watched")
    shutil.copy2(python, watched)
    return refused, watched


def in_turns(bench):
    """A row for each of --usage off and on, and for handlers that return at once, which shows the traps' own price."""
    try:
        refused, watched = copies(bench)
    except (OSError, StopIteration, RuntimeError, subprocess.CalledProcessError) as e:
        bench.say(f"no copies of /usr/bin/python3 to compare: {e}")
        return
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env.update(PYTHONDONTWRITEBYTECODE="1", PYTHONHOME="/usr")
    every = [*refused, watched]
    for name, options in [("`--usage off`", ["--usage", "off"]), ("`--usage on`", ["--usage", "on"]),
                          ("off, a user who runs nothing", ["--usage", "off", "--uid", "12345"]),
                          ("on, a user who runs nothing", ["--usage", "on", "--uid", "12345"])]:
        w = Watcher(bench, "--format", "json", "-o", bench.path("watch.json"), *options)
        times = {p: [] for p in every}
        try:
            for n in range(bench.rounds(100) + 3):
                for path in random.sample(every, len(every)):
                    value = batch([path, "-c", STDLIB], env, 1)
                    if n >= 3:
                        times[path].append(value)
        finally:
            w.stop()
        cell = []
        for i in (0, 1):
            middle = {p: statistics.median(v[i] for v in times[p]) for p in every}
            bare = statistics.mean(middle[p] for p in refused)
            cell.append(f"{middle[refused[1]] / middle[refused[0]]:.3f} / {middle[watched] / bare:.3f}")
        yield [name, f"{bare * 1000:.0f} ms", *cell]


def run(bench):
    turns = []
    for row in in_turns(bench):
        turns.append(row)
        bench.say(" ".join(row))
    if turns:
        yield table("Start of a program of 224 loads, in turns",
                    ["lmmsd", "bare", "wall: bare again / watched", "processor time: bare again / watched"], turns,
                    ["Ratios of medians. The watched copy against the mean of the two refused ones."])
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
