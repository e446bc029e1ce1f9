# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Clients, and watched programs, that do harm: requests of all sorts, slow ones, names without end."""
import os
import re

import lib
import web
from service import wait_for
from web import APP, WebService


def test_hostile_requests(ws):
    with WebService(ws) as s:
        host = b"Host: x\r\n"
        answers = {  # None: what closes with more to read resets the connection, and the answer may be lost on the way
            b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n" + host + b"\r\n": {414, 431, None},
            b"GET /metrics HTTP/1.1\r\n" + host + b"X: " + b"a" * 100000 + b"\r\n\r\n": {431, None},
            b"GET /metrics HTTP/1.1\r\n" + host + b"X-a: b\r\n" * 5000 + b"\r\n": {431, None},
            b"GET /metrics HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999999999\r\n\r\n": {400, 413},
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500: {400, None},
            b"GET\r\n\r\n": {400, None},
            b"\0" * 10000: {400, 414, 431, None},
        }
        for request, wanted in answers.items():
            answer = web.raw(s.address, request)
            m = re.match(rb"HTTP/1\.1 (\d+)", answer)
            status = int(m[1]) if m else None
            assert status in wanted, (request[:60], status, wanted, answer[:200])
        # two requests on one connection, one after the other without waiting
        both = web.raw(s.address, b"GET /-/healthy HTTP/1.1\r\n" + host + b"\r\nGET /-/ready HTTP/1.1\r\n" + host +
                   b"Connection: close\r\n\r\n")
        assert both.count(b"HTTP/1.1 200") == 2, both
        s.get("/metrics")
        s.stop()


def test_slow_clients(ws):
    """1000 that drip, and 50 that do not read: other clients are answered, and what runs is
    counted."""
    argv = web.shop(ws)
    with WebService(ws) as s:
        s.get("/metrics")
        with web.SlowClients(s.address, 1000, readers=50) as slow:
            for n in range(1, 4):
                slow.drip()
                s.run(argv)
                s.wait_value("lmmsd_runs_total", n, app=APP)
                s.get("/")
                s.get("/api/v1/review")
        assert most_memory(s) < 64 << 20
        s.stop()


def most_memory(s):
    with open(f"/proc/{s.p.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) * 1024


HOSTILE = r"""import sys
from importlib.machinery import ModuleSpec
class Finder:
    find_spec = staticmethod(lambda name, path=None, target=None: ModuleSpec(name, Finder) if name[:2] == "h_" else None)
    create_module = staticmethod(lambda spec: None)
    exec_module = staticmethod(lambda module: None)
sys.meta_path.insert(0, Finder)
for i in range(int(sys.argv[2])):
    __import__("h_" + sys.argv[1] + "_" + str(i) + "\n\"\\" + "x" * 100)
"""


APPS, MODULES = 60, 300
NAMES = web.DIR + "x"  # of the directories, before their number


def test_hostile_names(ws):
    """60 apps, 18,000 modules, all of other names: the page stays short, the daemon small.
    (tests/unit has 10,000 apps.)"""
    program = ws.write("hostile.py", HOSTILE)
    for i in range(APPS):
        os.makedirs(ws.path(f"{NAMES}{i}"))
        os.symlink(program, ws.path(f"{NAMES}{i}/main.py"))
    with WebService(ws, "--app", f"^{NAMES}") as s:
        for i in range(APPS):
            s.run(lib.system_python()("-I", "-S", "-B", ws.path(f"{NAMES}{i}/main.py"), str(i),
                                      str(MODULES)))
        # an app that lost its series took its run along; at most 10 did
        wait_for("all of them",
                 lambda: sum(s.metrics().get("lmmsd_runs_total", {0: 0}).values()) >= APPS - 10)
        for page in web.both_pages(s)[:2]:
            n = sum(not line.startswith("#") for line in page.text.splitlines())
            assert 500 < n < 4000, n
        m = s.metrics()
        assert len(m["lmmsd_runs_total"]) <= 33
        assert m["lmmsd_runs_total"][frozenset({("app", "_other")})] >= APPS - 33 - 10
        assert most_memory(s) < 64 << 20
        s.stop()
