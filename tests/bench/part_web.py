# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What slow clients of the web server hold up: /-/healthy goes through the loop that takes the events, and waits as long as they do."""
import contextlib
import http.client
import select
import statistics
import threading
import time

import lib
import web
from harness import percentile, table

CLIENTS, READERS, SECONDS = 1000, 50, 10


class Asker:
    def __init__(self, address, path):
        self.address, self.path = address, path
        self.times = []

    def ask(self, fresh):
        if fresh or not self.times:
            self.c = http.client.HTTPConnection(*self.address, timeout=30)
        began = time.monotonic()
        self.c.request("GET", self.path)
        answer = self.c.getresponse()
        answer.read()
        assert answer.status == 200
        self.times.append((time.monotonic() - began) * 1000)
        if fresh:
            self.c.close()


def measure(s, seconds):
    askers = [(Asker(s.address, "/-/healthy"), False), (Asker(s.address, "/-/healthy"), True),
              (Asker(s.address, "/metrics"), True)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for a, fresh in askers:
            a.ask(fresh)
        select.select([], [], [], 0.02)
    return [a.times for a, _ in askers]


def text(times):
    return f"{statistics.median(times):.2f} / {percentile(times, .99):.2f} / {max(times):.2f}"


def run(bench):
    seconds = 3 if bench.quick else SECONDS
    with lib.Workspace() as ws, web.WebService(ws) as s:
        bench.ours.add(s.p.pid)
        s.run(lib.system_python()("-c", "import ssl, json, asyncio"), 5)
        s.wait_value("lmmsd_stored_runs_total", 5)
        alone = measure(s, seconds)
        with web.SlowClients(s.address, CLIENTS, READERS) as slow, contextlib.ExitStack() as stack:
            stop = threading.Event()
            stack.callback(stop.set)
            again = []

            def drip():
                while not stop.wait(0.2):
                    again.append(slow.drip())

            thread = threading.Thread(target=drip)
            thread.start()
            beset = measure(s, seconds)
            stop.set()
            thread.join()
        s.stop()
    names = ["`/-/healthy`, connection kept", "`/-/healthy`, a new connection", "`/metrics`, a new connection"]
    rows = [[n, text(a), text(b)] for n, a, b in zip(names, alone, beset)]
    yield table(f"{CLIENTS} slow clients, {READERS} that do not read", ["ms: median / 99th percentile / most", "alone", "beset"],
                rows, [f"Each of the {CLIENTS} sends a byte each 0.2 s, and comes again when it is put out ({sum(again)} times in "
                       f"{seconds} s). The clients and their 1050 sockets run on the same processors."])
