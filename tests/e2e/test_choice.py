# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What is watched, and how: filters, probes, the configuration."""
import json
import os

import lib
from cli import NOBODY, UNPRIVILEGED, one_line, python


def test_uid_filter(ws):
    program = ws.write("anyone.py", "import colorsys\n")
    w = ws.start("--uid", str(NOBODY))
    assert ws.run([python(), program]).returncode == 0
    assert ws.run([*UNPRIVILEGED, python(), program], cwd="/").returncode == 0
    report = w.stop()
    process = lib.only_process(report, lambda p: program in p["cmdline"])
    assert process["uid"] == NOBODY and "colorsys" in lib.by_name(process)
    assert all(p["uid"] == NOBODY for p in report["processes"])


def test_app_filter(ws):
    wanted = ws.write("wanted.py", "import colorsys\n")
    other = ws.write("other.py", "import colorsys\n")
    w = ws.start("--app", f"^{os.path.basename(ws.dir)}/wanted[.]py$")
    for program in (wanted, other):
        assert ws.run([python(), program]).returncode == 0
    report = w.stop()
    assert [p["app"] for p in report["processes"]] == [os.path.basename(ws.dir) + "/wanted.py"]


def test_usdt_of_an_interpreter_without(ws):
    """Not watched, and a line says why."""
    pys = [py for py in lib.interpreters() if py.kind == "callsite"]
    if not pys:
        raise lib.Skip("each interpreter has USDT")
    r = ws.lmmsd("--probe", "usdt", "-o", ws.path("r.json"), "--", *pys[0]("-c", "import colorsys"))
    assert r.returncode == 0, r
    with open(ws.path("r.json"), encoding="utf-8") as f:
        assert not any(p["modules"] for p in json.load(f)["processes"])
    assert "not watching '" in r.stderr and "USDT" in r.stderr, r.stderr


def test_configuration(ws):
    good = ws.write("good.conf", "[observe]\nusage = off\napp = ^python -c$\n")
    program = "def f():\n    import colorsys\nfor _ in range(10): f()"
    process = lib.only_process(ws.profile([python(), "-c", program], "--config", good))
    assert lib.by_name(process)["colorsys"]["uses"] == 1
    report = ws.profile([python(), "-c", program], "--config", good, "--usage", "on")
    process = lib.only_process(report)
    assert lib.by_name(process)["colorsys"]["uses"] == 10


def test_configuration_error(ws):
    """One line with the file and the line; tests/unit/test_config.c has the kinds of errors."""
    path = ws.write("bad.conf", "[observe]\n\nno_such_key = 1\n")
    r = ws.lmmsd("--config", path, "--", "true")
    assert r.returncode == 2 and r.stdout == "", r
    one_line(r, f"{path}:3:")
    r = ws.lmmsd("--config", ws.path("absent.conf"), "--", "true")
    assert r.returncode == 5, r
    one_line(r, ws.path("absent.conf"))


def test_small_limits(ws):
    """What is over a limit is counted, never silently left out."""
    conf = ws.write("small.conf", "[limits]\nmax_modules = 100\n")
    out = ws.path("r.json")
    r = ws.lmmsd("--config", conf, "-o", out, "--", python(), "-c",
                 "import asyncio, unittest.mock, http.server")
    assert r.returncode == 0, r
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    assert report["lost"].get("limit_modules", 0) > 0 and report["complete"] is False, \
        report["lost"]
