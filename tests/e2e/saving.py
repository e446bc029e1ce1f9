# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Predicted against real saving: lmmsd's saving_ms of an import, and the wall clock of the program without it."""
import os
import statistics
import subprocess

import lib

# (import that goes, imports that stay, true answer is 0: all that it loads others need, too, and itself is small)
PAIRS = [
    ("asyncio", "json, re", False),
    ("email.message", "argparse, re", False),
    ("sqlite3", "csv, json", False),
    ("unittest", "logging, re", False),
    ("http.client", "json, csv", False),
    ("xmlrpc.client", "http.client, ssl", False),
    ("multiprocessing.pool", "tempfile, logging", False),
    ("xml.dom.minidom", "json, re", False),
    ("inspect", "collections, re", False),
    ("ctypes.util", "json, logging", False),
    ("pydoc", "argparse, json", False),
    ("numpy", "json, re", False),
    ("pandas", "numpy, json", False),
    ("concurrent.futures.thread", "json, re", False),
    ("shelve", "pickle, io, collections.abc, re", True),
    ("tracemalloc", "pickle, linecache, fnmatch, functools", True),
]
TIMED = "import time\nbegan = time.perf_counter()\n{}print(time.perf_counter() - began)\n"


class Pair:
    def __init__(self, ws, py, number, pair):
        self.goes, self.stays, self.zero = pair
        self.py = py
        # What goes is imported first: its own time has all in it that the rest would load without it.
        lines = f"import {self.stays}\n"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self.whole = ws.write(f"{number}/whole.py", TIMED.format(f"import {self.goes}\n" + lines))
        self.less = ws.write(f"{number}/less.py", TIMED.format(lines))
        self.out = ws.path(f"{number}/report.json")
        self.predicted, self.real_whole, self.real_less, self.totals = [], [], [], []

    def possible(self, ws):
        return ws.run(self.py(self.whole), env=self.env).returncode == 0

    def wall(self, script):
        r = subprocess.run(self.py(script), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                           check=True, timeout=lib.TIMEOUT)
        return float(r.stdout) * 1000

    def measure(self, ws):
        """Once each, in turn, so that a slow moment of the host hits all."""
        process = lib.only_process(ws.profile(self.py(self.whole), env=self.env))
        rows = lib.by_name(process)
        # `import a.b` is an import of a and one of a.b.
        parts = self.goes.split(".")
        names = [".".join(parts[:n + 1]) for n in range(len(parts))]
        shared = self.stays.split(", ")
        self.predicted.append(sum(rows[n]["saving_ms"] for n in names if n not in shared))
        self.totals.append(sum(rows[n]["total_ms"] or 0 for n in names))
        self.real_whole.append(self.wall(self.whole))
        self.real_less.append(self.wall(self.less))

    @property
    def says(self):
        return statistics.median(self.predicted)

    @property
    def is_really(self):
        return statistics.median(self.real_whole) - statistics.median(self.real_less)

    @property
    def error(self):
        """Of the saving; where nothing is to be saved, of the import's own time, else nothing could be compared."""
        by = statistics.median(self.totals) if self.zero else self.is_really
        return abs(self.says - (0 if self.zero else self.is_really)) / by if by > 0 else float("inf")

    def row(self):
        return [self.goes, self.stays, f"{self.says:.2f}", f"{self.is_really:.2f}", f"{self.error * 100:.1f} %"]


def pairs(ws, py):
    found = [Pair(ws, py, n, pair) for n, pair in enumerate(PAIRS)]
    return [p for p in found if p.possible(ws)]
