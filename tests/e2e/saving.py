# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Predicted against real saving: lmmsd's saving_ms of an import, and the wall clock of the program without it."""
import os
import statistics
import subprocess

import lib

# (what stays, import statement that goes, module whose saving_ms predicts it, true answer is 0)
PAIRS = [
    ("json, re", "asyncio", "asyncio", False),
    ("argparse, re", "email.message", "email", False),
    ("csv, json", "sqlite3", "sqlite3", False),
    ("logging, re", "unittest", "unittest", False),
    ("json, csv", "http.client", "http", False),
    ("http.client, ssl", "xmlrpc.client", "xmlrpc", False),
    ("tempfile, logging", "multiprocessing.pool", "multiprocessing", False),
    ("json, re", "xml.dom.minidom, xml.etree.ElementTree", "xml", False),
    ("collections, re", "inspect", "inspect", False),
    ("json, logging", "ctypes.util", "ctypes", False),
    ("argparse, json", "pydoc", "pydoc", False),
    ("json, re", "numpy", "numpy", False),
    ("numpy, json", "pandas", "pandas", False),
    ("json, re", "concurrent.futures.thread", "concurrent", False),
    ("http.client, json", "email.message", "email", True),  # http.client imports it
    ("argparse, json", "re", "re", True),
    ("pandas, json", "numpy", "numpy", True),
]
TIMED = "import time\nbegan = time.perf_counter()\n{}print(time.perf_counter() - began)\n"


class Pair:
    def __init__(self, ws, py, number, pair):
        self.stays, self.goes, self.module, self.zero = pair
        self.py = py
        # What goes is imported last: what it shares with the rest is the rest's.
        lines = f"import {self.stays}\n"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self.whole = ws.write(f"{number}/whole.py", TIMED.format(lines + f"import {self.goes}\n"))
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
        m = lib.by_name(process)[self.module]
        self.predicted.append(m["saving_ms"])
        self.totals.append(m["total_ms"] or 0)
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
