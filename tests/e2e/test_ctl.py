# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""lmmsctl: every verb on what real programs did, and what it says when there is nothing to say."""
import json
import os
import pty
import re
import select
import signal
import sqlite3
import subprocess
import sys

import lib
from service import LMMSCTL, SHOP, Patience, Service

sys.path.insert(0, os.path.join(lib.REPO, "packaging", "python"))

# `heavy` is brought in by two modules, `alone` by one, and its time is its own. They sleep: a busy
# host makes that hardly longer.
HEAVY_MS, ALONE_MS = 60, 400
FILES = {
    SHOP + "/slow.py": "import time\ndef spend(ms):\n"
                       "    time.sleep(ms / 1000)\n",  # lint: allow(sleeps) stands for work
    SHOP + "/heavy.py": f"import slow\nslow.spend({HEAVY_MS})\n",
    SHOP + "/alone.py": f"import slow\nslow.spend({ALONE_MS})\n",
    SHOP + "/first.py": "import heavy\n",
    SHOP + "/second.py": "import heavy\n",
    SHOP + "/manage.py": "import slow, first, second, alone\n",
    SHOP + "/lean.py": "import slow, first, second\n",
}
APP = SHOP + "/manage.py"


def write_shop(ws):
    for name, text in FILES.items():
        ws.write(name, text)
    return lib.system_python()("-B", ws.path(APP))


def warm(ws, s, times):
    """Runs the shop with its .pyc files made, until so many more runs are warm: which are not is
    for the host to say."""
    argv = lib.system_python()(ws.path(APP))
    before, runs = s.warm_runs(APP), s.runs(APP)
    while (missing := before + times - s.warm_runs(APP)) > 0:
        s.run(argv, missing)
        runs += missing
        s.wait_runs(APP, runs)
    return runs


def one_line(r):
    assert r.stderr.startswith("lmmsctl: ") and r.stderr.count("\n") == 1, r.stderr
    return r.stderr


def row(rows, name, key="name"):
    found = [r for r in rows if r[key] == name]
    assert len(found) == 1, (name, [r[key] for r in rows])
    return found[0]


def test_measured(ws):
    """apps, modules, deps, why, review, check: the answers for a program whose truth is known."""
    write_shop(ws)
    with Service(ws) as s:
        runs = warm(ws, s, 5)
        app = s.apps()[APP]
        assert app["runs"] == runs and app["cold_start"]["p50"] >= HEAVY_MS + ALONE_MS, app
        assert app["last_seen"], app
        modules = s.json("modules", "--app", APP)
        assert modules["schema"] == "lmms.modules/1" and modules["app"] == APP
        alone, heavy, first = (row(modules["modules"], n) for n in ("alone", "heavy", "first"))
        assert alone["ms"]["p50"] >= ALONE_MS and alone["tier"] == "FUNCTION_LEVEL", alone
        assert alone["saving_ms"] >= 0.99 * ALONE_MS, (alone, heavy)
        assert heavy["saving_ms"] >= 0.99 * HEAVY_MS, (alone, heavy)
        # second imports heavy, too
        assert first["saving_ms"] < heavy["saving_ms"] and first["ms"]["p50"] >= HEAVY_MS, first
        check_ways(s)
        check_review(s)
        check_gate(s)
        s.stop()
    # all of it without the daemon
    assert row(s.json("modules", "--app", APP)["modules"], "alone")["tier"] == "FUNCTION_LEVEL"


def check_ways(s):
    deps = s.json("deps", "--app", APP, "first")
    assert deps["schema"] == "lmms.deps/1"
    names = {d.get("name") or d.get("module") for d in deps["deps"]}
    assert {"first", "heavy", "slow"} <= names and "alone" not in names, names
    why = s.json("why", "--app", APP, "heavy")
    assert why["schema"] == "lmms.why/1" and why["app"] == APP
    text = s.ctl("why", "--app", APP, "heavy").stdout
    assert "first" in text and "second" in text and "manage.py" in text, text


def check_review(s):
    review = s.json("review")
    assert review["schema"] == "lmms.review/1" and set(review["period"]) >= {"since", "until"}
    app = row(review["apps"], APP, "app")
    assert row(app["modules"], "alone")["tier"] == "FUNCTION_LEVEL" and app["checklist"], app["checklist"]
    for form, sign in [("text", APP), ("markdown", "# "), ("html", "<!doctype html>")]:
        assert sign.lower() in s.ctl("review", "--app", APP, "--format", form).stdout.lower(), form
    out = s.ws.path("review.html")
    s.ctl("review", "-o", out)
    with open(out, encoding="utf-8") as f:
        assert f.read(15).lower() == "<!doctype html>"


def check_gate(s):
    s.ctl("check", "--app", APP)
    r = s.ctl("check", "--app", APP, "--max-ms", "100", code=1)
    assert re.search(r"^WARNING: alone is slow \(\d+ms\)", r.stdout, re.M), r.stdout
    slow = s.json("check", "--app", APP, "--max-ms", "100", code=1)
    assert slow["max_ms"] == 100 and row(slow["slow"], "alone", "module")["ms"] > 100, slow
    for form, sign in [("github", "::warning "), ("junit", "<testsuite"), ("sarif", '"2.1.0"')]:
        assert sign in s.ctl("check", "--app", APP, "--max-ms", "100", "--format", form, code=1).stdout, form
    for name, sign in [("slow.json", '{"'), ("slow.xml", "<?xml"), ("slow.sarif", '{"'), ("slow.txt", "WARNING")]:
        s.ctl("check", "--app", APP, "--max-ms", "100", "-o", s.ws.path(name), code=1)
        with open(s.ws.path(name), encoding="utf-8") as f:
            assert f.read(len(sign)) == sign, name


def test_check_without_a_warm_run(ws):
    """The first run makes the .pyc files and times no module: that nothing slow was found would say nothing."""
    gate = SHOP + "gate"
    ws.write(gate + "/part.py", "")
    cold, other = (lib.system_python()(ws.write(f"{gate}/{name}.py", "import part\n")) for name in ("cold", "other"))
    with Service(ws, "--app", f"^{gate}/") as s:
        s.run(cold)
        s.wait_runs(gate + "/cold.py", 1)
        for form in ("text", "json", "github", "junit", "sarif"):
            r = s.ctl("check", "--max-ms", "1", "--format", form, code=5)
            assert r.stdout == "" and f"no warm run of '{gate}/cold.py'" in one_line(r), r
        n = 0
        while not s.warm_runs(gate + "/other.py"):  # soon after a boot the first one is cold, too
            s.run(other)
            n += 1
            s.wait_runs(gate + "/other.py", n)
        r = s.ctl("check", "--max-ms", "1000000", "--format", "json")
        answer = json.loads(r.stdout)
        assert (answer["apps"], answer["unmeasured_apps"], answer["slow"]) == (1, 1, []), answer
        assert "not checked, no warm run" in r.stderr and f"'{gate}/cold.py'" in one_line(r), r.stderr
        assert "modules of 1 app)" in s.ctl("check", "--max-ms", "1000000").stdout
        n = 1
        while not s.warm_runs(gate + "/cold.py"):
            s.run(cold)
            n += 1
            s.wait_runs(gate + "/cold.py", n)
        assert s.ctl("check", "--max-ms", "1000000").stderr == ""
        s.stop()


def test_baseline_and_verify(ws):
    """Without `alone` goes far more than a busy host adds; how good small differences are told is
    for `make bench`."""
    write_shop(ws)
    with Service(ws, "--app", f"^{SHOP}/") as s:
        warm(ws, s, 6)
        saved = s.json("baseline", "save", "before", "--app", APP)
        assert row(saved["baselines"], "before")["app"] == APP, saved
        r = s.ctl("verify", "--app", APP, "--baseline", "before", code=5)
        assert "run it a few times" in one_line(r)
        # The change: alone is no longer imported.
        s.ctl("baseline", "save", "second", "--app", APP)
        ws.write(APP, FILES[SHOP + "/lean.py"])
        warm(ws, s, 6)
        v = s.json("verify", "--app", APP, "--baseline", "second", "--expect", "10")
        assert v["schema"] == "lmms.verify/1" and v["app"] == APP, v
        assert v["expected_pct"] == 10 and v["holds"], v
        assert v["p_value"] < 0.05 and v["ci95"][0] <= v["improvement_pct"] <= v["ci95"][1], v
        assert v["baseline_ms"] >= ALONE_MS + HEAVY_MS, v
        assert v["baseline_ms"] > v["current_ms"] >= HEAVY_MS, v
        much = s.json("verify", "--app", APP, "--baseline", "second", "--expect", "99.9", code=1)
        assert not much["holds"] and much["expected_pct"] == 99.9, much
        assert [b["name"] for b in s.json("baseline", "list")["baselines"]] == ["before", "second"]
        s.ctl("baseline", "delete", "before")
        assert [b["name"] for b in s.json("baseline", "list")["baselines"]] == ["second"]
        assert "no baseline 'before'" in one_line(s.ctl("baseline", "delete", "before", code=5))
        assert "no baseline 'before'" in one_line(s.ctl("verify", "--app", APP, "--baseline", "before", code=5))
        s.stop()


def test_nothing_there(ws):
    """One clear line each, and the right status."""
    def ctl(*args, code):
        r = ws.run([LMMSCTL, *args])
        assert r.returncode == code, (args, r.returncode, r.stderr)
        assert r.stdout == ""
        return one_line(r)

    db = ["--db", ws.path("db/lmmsd.db")]
    assert ws.path("db/lmmsd.db") in ctl("apps", *db, code=5)
    write_shop(ws)
    with Service(ws) as s:
        warm(ws, s, 1)
        s.stop()
    assert f"did you mean '{APP}'" in ctl("modules", "--app", SHOP + "/mange.py", *db, code=5)
    assert "did you mean 'heavy'" in ctl("why", "--app", APP, "havy", *db, code=5)
    assert "1999" in ctl("review", "--month", "1999-01", *db, code=5)
    assert "the last one was on" in ctl("modules", "--app", APP, "--month", "1999-01", *db, code=5)
    assert "did you mean 'review'" in ctl("reviw", *db, code=2)
    for wrong in (["modules"], ["deps", "--app", APP], ["apps", "x"], ["apps", "--app", "x"], ["review", "--month", "2026-13"],
                  ["review", "--since", "yesterday"], ["review", "--since", "2026-02-30"], ["check", "--max-ms", "fast"],
                  ["review", "--since", "2026-02-02", "--until", "2026-02-01"], ["apps", "--format", "xml"], ["apps", "--nope"],
                  ["verify", "--app", APP], ["verify", "--app", APP, "--baseline", "x", "--expect", "lots"],
                  ["baseline", "keep"], ["baseline", "save", "x"],
                  ["review", "--since", "2263-01-01T00:00:00Z", "--until", "9000-01-01"], ["profile-imports", "a;b"],
                  ["apps", "--db"], []):
        assert ctl(*wrong, *(db if wrong and wrong[-1] != "--db" else []), code=2), wrong
    assert "takes no NAME" in ctl("baseline", "list", "x", "--db", ws.path("no.db"), code=2)
    with open(ws.path("db/lmmsd.db"), "r+b") as f:
        f.write(b"no database at all, " * 10)
    ctl("apps", *db, code=70)


def test_help(ws):
    r = ws.run([LMMSCTL, "--help"])
    assert r.returncode == 0 and r.stderr == ""
    verbs = re.findall(r"^  ([a-z-]+) {2,}\S", r.stdout, re.M)
    assert set(verbs) == {"apps", "modules", "deps", "why", "review", "baseline", "verify", "check", "profile-imports"}, verbs
    for verb in verbs:
        h = ws.run([LMMSCTL, verb, "--help"])
        assert h.returncode == 0 and h.stdout.startswith(f"Usage: lmmsctl {verb}"), (verb, h)
    assert re.fullmatch(r"lmmsctl \d+\.\d+\.\d+\n", ws.run([LMMSCTL, "--version"]).stdout)


def test_periods(ws):
    write_shop(ws)
    with Service(ws) as s:
        warm(ws, s, 1)
        db = sqlite3.connect(s.db)
        # of the first run: midnight may come at any time
        month, day = db.execute(
            "SELECT strftime('%Y-%m', t), date(t) FROM (SELECT datetime(min(run.started) / 1000000000, "
            "'unixepoch', 'localtime') AS t FROM run JOIN name ON name.id = run.app WHERE name.s = ?)",
            [APP]).fetchone()
        db.close()
        runs = s.runs(APP)
        def counted(*period):
            return row(s.json("review", *period)["apps"], APP, "app")["runs"]

        assert 1 <= counted("--month", month) <= runs
        assert counted("--since", day) == runs
        s.ctl("review", "--until", day, "--app", APP, code=5)
        s.ctl("review", "--until", "2020-01-01T00:00:00Z", code=5)
        assert counted("--until", "2199-01-01T00:00:00+02:00", "--since",
                       "2020-01-01T00:00:00Z") == runs
        s.stop()


# ---- profile-imports, and the module for Python programs

def test_profile_imports(ws):
    py = lib.system_python().command[-1]
    ws.write("lib/slow_one.py", "import time\ntime.sleep(0.05)\n")  # lint: allow(sleeps) stands for work
    config = ws.write("own.conf", "[classify]\nslow_ms = 1000000\n")
    env = {**os.environ, "PYTHONPATH": ws.path("lib")}
    r = ws.run([LMMSCTL, "profile-imports", "--python", py, "--runs", "3", "--format", "json", "slow_one", "colorsys", "sys",
                "slow_one"], env=env)
    assert r.returncode == 0 and r.stderr == "", r.stderr
    answer = json.loads(r.stdout)
    assert answer["schema"] == "lmms.profile-imports/1" and answer["complete"] and answer["runs"] == 3, answer
    assert [m["name"] for m in answer["modules"]] == ["slow_one", "colorsys", "sys"]
    slow, fast, builtin = answer["modules"]
    assert slow["ms"]["n"] == len(slow["samples_ms"]) == 3 and slow["ms"]["p50"] >= 50, slow
    assert slow["self_ms"] <= slow["ms"]["p50"] and slow["ms"]["ci95"][0] <= slow["ms"]["p50"] <= slow["ms"]["ci95"][1]
    assert 0 < fast["ms"]["p50"] < slow["ms"]["p50"], (fast, builtin)
    assert not fast["preloaded"] and builtin["preloaded"], (fast, builtin)
    text = ws.run([LMMSCTL, "profile-imports", "--config", config, "--python", py, "--runs", "1",
                   "slow_one"], env=env).stdout
    assert re.search(r"^slow_one +\d+\.\d+ .* by use$", text, re.M), text


def test_profile_imports_fails(ws):
    """A module that cannot be imported takes no other along. How its last words are shown in a
    table: tests/unit."""
    ws.write("lib/red.py", "import os\nos.write(2, b'\\x1b[31mred \\xff\\n')\nos._exit(3)\n")
    env = {**os.environ, "PYTHONPATH": ws.path("lib")}
    command = [LMMSCTL, "profile-imports", "--python", lib.system_python().command[-1], "--runs",
               "1", "--format", "json"]
    r = ws.run([*command, "no_such_module", "colorsys", "red"], env=env)
    lines = r.stderr.splitlines()
    assert r.returncode == 5 and len(lines) == 2, r
    assert "No module named 'no_such_module'" in lines[0], r
    assert r"'red' cannot be imported by " in lines[1], r
    assert r"\x1b[31mred" in lines[1] and "\x1b" not in r.stderr, r
    answer = json.loads(r.stdout)
    assert [m["name"] for m in answer["modules"]] == ["colorsys"]
    assert answer["failed"][0]["name"] == "no_such_module"
    assert answer["failed"][1] == {"name": "red", "error": "\x1b[31mred \ufffd"}, answer["failed"]
    r = ws.run([*command, b"caf\xe9"])
    assert r.returncode == 2 and "is no module's name" in one_line(r), r
    r = ws.run([LMMSCTL, "profile-imports", "--python", "/no/such/python", "--runs", "1", "json"])
    assert r.returncode == 5 and "/no/such/python" in r.stderr, r


def test_profile_imports_unwatched(ws):
    """An import that worked and has no time is no success: lmmsd's reason is passed on. An interpreter that is refused."""
    source = ws.write("odd.c", "int PyImport_ImportModuleLevelObject(void) { return 1; } int main(void) { return 0; }\n")
    odd = ws.path("odd")
    r = ws.run(["cc", "-rdynamic", "-o", odd, source])
    assert r.returncode == 0, r.stderr
    command = [LMMSCTL, "profile-imports", "--runs", "1", "--python"]
    r = ws.run([*command, odd, "--format", "json", "colorsys", "json"])
    assert r.returncode == 4 and "no run of 'colorsys' and others" in one_line(r), r
    assert f"could be watched: not watching '{odd}': " in r.stderr, r.stderr
    assert [m["ms"]["n"] for m in json.loads(r.stdout)["modules"]] == [0, 0], r.stdout
    r = ws.run([*command, "/bin/true", "colorsys"])
    assert r.returncode == 4 and "no run of 'colorsys' by /bin/true could be watched: " in one_line(r), r


def until_read(fd, pattern):
    """Reads until this came; what it was."""
    text, patience = "", Patience()
    while not (found := re.search(pattern, text)):
        assert not patience.over(), text[-200:]
        if select.select([fd], [], [], 0.1)[0]:
            text += os.read(fd, 65536).decode()
    return found


def test_profile_imports_stopped(ws):
    """On a terminal it says how far it is, and Ctrl-C gives what there is: more than the first
    round, which does not count."""
    terminal, its_end = pty.openpty()
    p = subprocess.Popen([LMMSCTL, "profile-imports", "--python", lib.system_python().command[-1], "--runs", "5000",
                          "--format", "json", "colorsys"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=its_end, text=True, env={**os.environ, "TERM": "xterm"})
    ws.started.append(p)
    os.close(its_end)
    until_read(terminal, r"\x1b\[K[2-9]\d* of 5001: import colorsys, \d+ s left")
    p.send_signal(signal.SIGINT)
    out, _ = p.communicate()
    os.close(terminal)
    assert p.returncode == 0, out
    answer = json.loads(out)
    assert not answer["complete"], answer
    assert 1 <= answer["modules"][0]["ms"]["n"] == len(answer["modules"][0]["samples_ms"]) < 5000


def test_performance_benchmark(ws):
    sys.path.insert(0, os.path.join(lib.REPO, "packaging", "python"))
    import performance_benchmark as pb
    os.environ["LMMSD"], os.environ["LMMSCTL"] = lib.LMMSD, LMMSCTL
    py = lib.system_python().command[-1]
    times = pb.profile_imports(["colorsys", "json"], runs=2, python=py)
    assert list(times) == ["colorsys", "json"], times
    assert times["colorsys"] > 0 and times["json"] > 0, times
    assert pb.classify("colorsys", times["colorsys"], 100, slow_ms=1e6) == pb.MODULE_LEVEL
    deps = pb.get_dependencies("json", python=py)
    assert {"json.decoder", "json.encoder"} <= set(deps) and "json" not in deps, deps
    cold = pb.measure_cold_start([py, "-c", "import json"], runs=2)
    assert cold > 0 and cold.n == 2, cold
    write_shop(ws)
    with Service(ws) as s:
        warm(ws, s, 1)
        assert pb.measure_cold_start(app=APP, db=s.db) >= HEAVY_MS + ALONE_MS
        assert pb.get_usage_percent("alone", app=APP, db=s.db) == 100
        assert {"heavy", "slow"} <= set(pb.get_dependencies("first", app=APP, db=s.db))
        s.stop()
