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
    wanted, other = ws.write("wanted.py", "import colorsys\n"), ws.write("other.py", "import colorsys\n")
    w = ws.start("--app", "/wanted[.]py$")
    for program in (wanted, other):
        assert ws.run([python(), program]).returncode == 0
    report = w.stop()
    assert [p["app"] for p in report["processes"]] == [os.path.basename(ws.dir) + "/wanted.py"]


def test_usage_off(ws):
    program = ws.write("often.py", "import colorsys\ndef f():\n    import colorsys\nfor _ in range(10): f()\n")
    process = lib.only_process(ws.profile([python(), program], "--usage", "off"))
    assert lib.by_name(process)["colorsys"]["uses"] == 1
    process = lib.only_process(ws.profile([python(), program], "--usage", "on"))
    assert lib.by_name(process)["colorsys"]["uses"] == 11


def test_forced_probes(ws, py):
    """Each way to probe sees the same loads."""
    argv = py("-I", "-S", "-c", "import colorsys, json\ntry:\n    import nothing_here\nexcept ImportError: pass")
    seen = {}
    for probe in ("usdt", "callsite", "entry"):
        out = ws.path(probe + ".json")
        r = ws.lmmsd("--probe", probe, "-o", out, "--", *argv)
        assert r.returncode == 0, r
        with open(out, encoding="utf-8") as f:
            report = json.load(f)
        lib.check_sane(report)
        if probe == "usdt" and py.kind != "usdt":
            assert not any(p["modules"] for p in report["processes"])
            assert "not watching '" in r.stderr and "USDT" in r.stderr, r.stderr
            continue
        process = lib.only_process(report)
        assert process["probe"] == probe, (process["probe"], probe)
        assert report["lost"] == {}, (probe, report["lost"])
        seen[probe] = [row[:2] for row in lib.oracle_rows(process)]
    first = next(iter(seen.values()))
    assert {"colorsys", "json", "nothing_here"} <= {name for name, _ in first}
    for probe, rows in seen.items():
        assert rows == first, (probe, [r for r in rows if r not in first], [r for r in first if r not in rows])


def test_configuration(ws):
    good = ws.write("good.conf", "[observe]\nusage = off\napp = ^python -c$\n")
    program = "def f():\n    import colorsys\nfor _ in range(10): f()"
    process = lib.only_process(ws.profile([python(), "-c", program], "--config", good))
    assert lib.by_name(process)["colorsys"]["uses"] == 1
    process = lib.only_process(ws.profile([python(), "-c", program], "--config", good, "--usage", "on"))
    assert lib.by_name(process)["colorsys"]["uses"] == 10


def test_configuration_errors(ws):
    for text, line in [("[observe]\nusage = perhaps\n", 2), ("[observe]\n\nno_such_key = 1\n", 3),
                       ("[nowhere]\nx = 1\n", 2), ("[limits]\nring_kib = 100\n", 2), ("# fine\n[observe\n", 2),
                       ("[observe]\napp = (\n", 2), ("garbage\n", 1), ("[web]\nconfig_file = relative\n", 2)]:
        path = ws.write("bad.conf", text)
        r = ws.lmmsd("--config", path, "--", "true")
        assert r.returncode == 2 and r.stdout == "", (text, r)
        one_line(r, f"{path}:{line}:")
    r = ws.lmmsd("--config", ws.path("absent.conf"), "--", "true")
    assert r.returncode == 5, r
    one_line(r, ws.path("absent.conf"))


def test_small_limits(ws):
    """What is over a limit is counted, never silently left out."""
    conf = ws.write("small.conf", "[limits]\nmax_modules = 100\n")
    out = ws.path("r.json")
    r = ws.lmmsd("--config", conf, "-o", out, "--", python(), "-c", "import asyncio, unittest.mock, http.server")
    assert r.returncode == 0, r
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    assert report["lost"].get("limit_modules", 0) > 0 and report["complete"] is False, report["lost"]
