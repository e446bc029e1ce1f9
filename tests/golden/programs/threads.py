# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Threads that import at once, some through importlib."""
import importlib
import threading

names = ["parts.near", "colorsys", "bisect", "parts.lazy_one"]
start = threading.Barrier(len(names))


def work(name):
    start.wait()
    importlib.import_module(name)
    for _ in range(100):
        import parts.far


threads = [threading.Thread(target=work, args=(n,)) for n in names]
for t in threads:
    t.start()
for t in threads:
    t.join()
importlib.reload(importlib.import_module("colorsys"))
