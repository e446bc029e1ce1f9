# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Every format of a report of a real program, recordings and their replay, and recordings that are
damaged."""
import functools
import json
import os
import random
import re
import shutil
import subprocess

import lib

PROGRAM = """
import json, threading, importlib
def late():
    import colorsys
    for _ in range(3):
        import json
late()
try:
    import no_such_module_here
except ImportError:
    pass
t = threading.Thread(target=lambda: importlib.import_module("csv"))
t.start(); t.join()
class Holder:
    import html
"""
NUMBER = (int, float)
TEXT, MAYBE = str, (str, type(None))
KEYS = {
    "": {"schema": TEXT, "version": TEXT, "host": dict, "started": TEXT, "ended": TEXT,
         "complete": bool, "lost": dict,
         "processes": list},
    "host": {"name": TEXT, "kernel": TEXT, "arch": TEXT, "boot_id": TEXT},
    "process": {"pid": int, "ppid": int, "uid": int, "app": TEXT, "cmdline": list, "exe": TEXT,
                "cgroup": TEXT,
                "python": TEXT, "implementation": TEXT, "probe": TEXT, "started": TEXT,
                "ended": MAYBE,
                "exit_code": (int, type(None)), "from_start": bool, "interpreter_ms": NUMBER,
                "cold_start_ms": NUMBER,
                "modules": list, "edges": list},
    "module": {"name": TEXT, "file": MAYBE, "kind": TEXT, "distribution": MAYBE, "version": MAYBE,
               "status": TEXT,
               "uses": int, "uses_by_placement": dict, "share_pct": NUMBER, "tier": MAYBE,
               "saving_ms": NUMBER},
    "load": {"total_ms": NUMBER, "self_ms": NUMBER, "thread": int, "start_ms": NUMBER,
             "importer": MAYBE, "depth": int},
    "edge": {"importer": MAYBE, "module": TEXT, "placement": TEXT, "count": int, "loaded": bool,
             "file": MAYBE,
             "line": (int, type(None))},
}
PLACES = {"module", "function", "class", "dynamic", "lazy"}
KINDS = {"source", "bytecode", "builtin", "frozen", "extension", "namespace", "unknown"}
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
UNPRIVILEGED = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                "--bounding-set", "-all",
                "--inh-caps", "-all"]


def has(what, kind):
    for key, types in KEYS[kind].items():
        assert key in what, (kind, key, what)
        assert isinstance(what[key], types), (kind, key, what[key])
        if types is int or types is NUMBER:
            assert not isinstance(what[key], bool), (kind, key)


def check_schema(report):
    has(report, "")
    assert report["schema"] == "lmms.profile/1"
    has(report["host"], "host")
    assert TIME.match(report["started"]) and TIME.match(report["ended"]), \
        (report["started"], report["ended"])
    assert all(isinstance(n, int) and n > 0 for n in report["lost"].values()), report["lost"]
    for p in report["processes"]:
        has(p, "process")
        assert p["probe"] in ("usdt", "callsite", "entry") and p["implementation"] == "cpython"
        assert TIME.match(p["started"]) and (p["ended"] is None or TIME.match(p["ended"]))
        assert all(isinstance(a, str) for a in p["cmdline"])
        for m in p["modules"]:
            has(m, "module")
            assert m["kind"] in KINDS and m["status"] in ("loaded", "failed", "seen"), m
            assert PLACES <= set(m["uses_by_placement"]), m
            assert m["tier"] in ("MODULE_LEVEL", "FUNCTION_LEVEL", None), m
            assert sum(m["uses_by_placement"].values()) == m["uses"], m
            if m["status"] != "seen":
                has(m, "load")
        for e in p["edges"]:
            has(e, "edge")


def strict_v1(text):
    """As tuna reads it: a head line, then rows; a tree that closes. Returns its rows."""
    lines = text.splitlines()
    assert lines[0] == "import time: self [us] | cumulative | imported package", lines[0]
    rows = []
    for line in lines[1:]:
        m = re.fullmatch(r"import time: +(\d+) \| +(\d+) \| ((?:  )*)([^ |]+)", line)
        assert m, line
        rows.append((m[4], len(m[3]) // 2, int(m[1]), int(m[2])))
    open_sums = {}
    for name, depth, own, total in rows:
        inside = open_sums.pop(depth + 1, 0)
        assert total == own + inside, (name, own, inside, total)
        open_sums[depth] = open_sums.get(depth, 0) + total
    assert set(open_sums) <= {0}, f"rows without a parent: {open_sums}"
    return rows


@functools.lru_cache(None)
def one_run(text):
    """The bytes of a recording of a program, and its JSON: one run for all tests that replay it."""
    with lib.Workspace() as ws:
        argv = lib.system_python()(ws.write("prog.py", text))
        report = ws.profile(argv, "--record", ws.path("run.rec"))
        with open(ws.path("run.rec"), "rb") as f:
            return f.read(), report


def recorded(ws):
    """The run of PROGRAM, as a recording and as its JSON."""
    data, report = one_run(PROGRAM)
    with open(ws.path("run.rec"), "wb") as f:
        f.write(data)
    return ws.path("run.rec"), report


def replayed(ws, rec, *options):
    r = ws.lmmsd("--replay", rec, *options)
    assert r.returncode == 0 and r.stderr == "", r
    return r.stdout


def test_json(ws, py):
    program = ws.write("prog.py", PROGRAM)
    run = ws.watch(py(program))
    yield
    report = run.report
    check_schema(report)
    assert report["complete"] is True and report["lost"] == {}, report["lost"]
    process = lib.only_process(report)
    assert process["cmdline"][-1] == program
    assert process["python"] == py.text and process["exit_code"] == 0
    mine = lib.by_name(process)
    assert mine["colorsys"]["placement"] == "function" and mine["html"]["placement"] == "class"
    assert mine["no_such_module_here"]["status"] == "failed"
    assert mine["csv"]["importer"] == "__main__" and mine["csv"]["thread"] != mine["json"]["thread"]
    assert mine["json"]["uses_by_placement"]["function"] == 3, mine["json"]


def test_text_formats(ws):
    rec, report = recorded(ws)
    process = lib.only_process(report)
    names = {m["name"] for m in lib.loads(process, True)}

    rows = strict_v1(replayed(ws, rec, "--format", "importtime"))
    assert {r[0] for r in rows} == names
    total = sum(m["total_ms"] for m in lib.loads(process, True) if m["depth"] == 0)
    assert abs(sum(r[3] for r in rows if r[1] == 0) / 1000 - total) < 0.01 * len(rows)

    folded = replayed(ws, rec, "--format", "folded").splitlines()
    for line in folded:
        m = re.fullmatch(r"([^;]+(?:;[^;]+)+) (\d+)", line)
        assert m and m[1].split(";")[0] == process["app"] and set(m[1].split(";")[1:]) <= names, \
            line
    own = sum(m["self_ms"] for m in lib.loads(process, True))
    told = sum(int(line.rsplit(" ", 1)[1]) for line in folded) / 1000
    assert abs(told - own) < 0.001 * len(names) + 0.01

    tree = replayed(ws, rec, "--format", "tree")
    assert "json" in tree and process["app"] in tree.splitlines()[0] and "\x1b" not in tree, \
        tree[:300]
    table = replayed(ws, rec, "--format", "table")
    assert "json" in table and "tier" in table and "\x1b" not in table, table[:300]


def test_speedscope(ws):
    rec, report = recorded(ws)
    process = lib.only_process(report)
    scope = json.loads(replayed(ws, rec, "--format", "speedscope"))
    assert scope["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = scope["shared"]["frames"]
    assert {f["name"] for f in frames} == {m["name"] for m in lib.loads(process, True)}
    assert len(scope["profiles"]) == len({m["thread"] for m in lib.loads(process, True)})
    for profile in scope["profiles"]:
        assert profile["type"] == "evented" and profile["unit"] in ("microseconds", "milliseconds",
                                                                    "nanoseconds",
                                                                   "seconds") and profile["name"]
        stack, at = [], profile["startValue"]
        for event in profile["events"]:
            assert at <= event["at"] <= profile["endValue"], event
            at = event["at"]
            assert 0 <= event["frame"] < len(frames)
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert event["type"] == "C" and stack.pop() == event["frame"], event
        assert not stack
    opened = sum(e["type"] == "O" for p in scope["profiles"] for e in p["events"])
    assert opened == len(lib.loads(process, True))


def test_perfetto(ws):
    rec, report = recorded(ws)
    process = lib.only_process(report)
    events = json.loads(replayed(ws, rec, "--format", "perfetto"))["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    assert sorted(e["name"] for e in spans) == sorted(m["name"] for m in lib.loads(process, True))
    by_thread = {}
    for e in spans:
        assert e["pid"] == process["pid"] and e["ts"] >= 0 and e["dur"] >= 0, e
        by_thread.setdefault(e["tid"], []).append((e["ts"], -e["dur"]))
    for rows in by_thread.values():
        stack = []
        for ts, dur in sorted(rows):
            while stack and stack[-1] <= ts + 1e-3:
                stack.pop()
            assert not stack or ts - dur <= stack[-1] + 1e-3, (ts, dur, stack)
            stack.append(ts - dur)
    named = {e["args"]["name"] for e in events if e["ph"] == "M"}
    assert process["app"] in named and "main thread" in named, named


def looks(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if text.startswith("import time: self [us]"):
        return "importtime"
    if text.startswith("{"):
        data = json.loads(text)
        return ("json" if data.get("schema") == "lmms.profile/1"
                else "speedscope" if "$schema" in data
                else "perfetto" if "traceEvents" in data else "?")
    return "folded" if re.match(r"[^\n]*;[^\n]* \d+\n", text) else "text"


def test_suffixes(ws):
    rec, _ = recorded(ws)
    for name, want in [("a.json", "json"), ("a.speedscope.json", "speedscope"),
                       ("a.perfetto.json", "perfetto"), ("a.trace.json", "perfetto"),
                       ("a.folded", "folded"), ("a.importtime", "importtime"),
                       ("a.log", "importtime"), ("a.txt", "text"), ("a", "text")]:
        r = ws.lmmsd("--replay", rec, "-o", ws.path(name))
        assert r.returncode == 0 and r.stdout == "" and looks(ws.path(name)) == want, \
            (name, want, r)
    for fmt in ("json", "importtime", "folded", "speedscope", "perfetto"):
        r = ws.lmmsd("--replay", rec, "--format", fmt, "-o", ws.path("b.json"))
        assert r.returncode == 0 and looks(ws.path("b.json")) == fmt, fmt


def test_importtime_of_many_processes(ws):
    py = lib.system_python()
    program = ws.write("forks.py",
                       "import os, colorsys\nif os.fork() == 0:\n    import csv\n"
                       "    os._exit(0)\nos.wait()\n")
    out = ws.path("out/run.log")
    os.mkdir(ws.path("out"))
    r = ws.lmmsd("-o", out, "--", *py(program))
    assert r.returncode == 0, r
    files = sorted(os.listdir(ws.path("out")))
    assert len(files) == 2 and all(re.fullmatch(r"run\.\d+\.log", f) for f in files), files
    names = []
    for f in files:
        with open(ws.path("out/" + f), encoding="utf-8") as text:
            names.append({row[0] for row in strict_v1(text.read())})
    assert sorted(("colorsys" in n, "csv" in n) for n in names) == [(False, True), (True, False)]


# ---- recordings

def difference(a, b, path=""):
    """Where two JSON values differ first."""
    if type(a) is not type(b) or not isinstance(a, (dict, list)):
        return None if a == b else (path, a, b)
    if isinstance(a, list):
        pairs = [(i, x, y) for i, (x, y) in enumerate(zip(a, b))]
        if len(a) != len(b):
            return (path, f"{len(a)} elements", f"{len(b)} elements")
    else:
        if set(a) != set(b):
            return (path, set(a) - set(b), set(b) - set(a))
        pairs = [(k, a[k], b[k]) for k in a]
    for key, x, y in pairs:
        found = difference(x, y, f"{path}/{key}")
        if found:
            return found
    return None


def check_replay(ws, rec, report):
    """As a user without privileges, anywhere."""
    lmmsd = ws.path("lmmsd")
    shutil.copy(lib.LMMSD, lmmsd)
    os.chmod(rec, 0o644)
    r = ws.run([*UNPRIVILEGED, lmmsd, "--replay", rec, "--format", "json"], cwd="/")
    assert r.returncode == 0 and r.stderr == "", (r.returncode, r.stderr)
    found = difference(report, json.loads(r.stdout))
    assert found is None, found


def test_replay_is_the_same(ws, py):
    """Of all programs that ran under the lmmsd of these tests."""
    ws.write("local_mod.py", "import html.parser\n")
    run = ws.watch(py(ws.write("prog.py", PROGRAM + "import local_mod\n")))
    yield
    os.unlink(ws.path("prog.py"))
    os.unlink(ws.path("local_mod.py"))
    check_replay(ws, run.stage.recording, run.stage.report)
    assert run.report["complete"] is True


def test_replay_of_a_busy_host(ws):
    """System-wide, many processes at once."""
    py, rec = lib.system_python(), ws.path("host.rec")
    w = ws.start("--record", rec)
    running = [subprocess.Popen(py("-c", "import asyncio, csv"), stdin=subprocess.DEVNULL)
               for _ in range(8)]
    assert [lib.wait(p) for p in running] == [0] * 8
    check_replay(ws, rec, w.stop())


def test_filters_of_a_replay(ws):
    rec, report = recorded(ws)
    some = json.loads(replayed(ws, rec, "--format", "json", "--app", "/prog[.]py$"))
    none = json.loads(replayed(ws, rec, "--format", "json", "--app", "^other$"))
    assert len(some["processes"]) == len(report["processes"]) == 1 and none["processes"] == []


def damaged_run(ws, lmmsd, data, what):
    path = ws.path("damaged.rec")
    with open(path, "wb") as f:
        f.write(data)
    r = ws.run([lmmsd, "--replay", path, "--format", "json"], text=False)
    errors = r.stderr.decode("utf-8").splitlines()
    assert r.returncode in (0, 2), (what, r.returncode, errors[-20:])
    assert len(errors) <= 1 and all(e.startswith("lmmsd: ") and path in e for e in errors), \
        (what, errors)
    if r.returncode == 2:
        assert errors and r.stdout == b"", (what, errors)
        return None
    report = json.loads(r.stdout.decode("utf-8"))
    lib.check_sane(report)
    return report


def truncate(ws, lmmsd, data, rng):
    for at in sorted({0, 1, 15, 16, 17, len(data) - 1,
                      *(rng.randrange(len(data)) for _ in range(50))}):
        report = damaged_run(ws, lmmsd, data[:at], f"cut at {at} of {len(data)}")
        assert at < 16 if report is None else report["complete"] is False, at
    assert damaged_run(ws, lmmsd, data, "whole")["complete"] is True


def flip(ws, lmmsd, data, rng, times):
    for _ in range(times):
        copy = bytearray(data)
        at = [rng.randrange(len(data)) for _ in range(rng.choice((1, 1, 1, 5, 50)))]
        for i in at:
            copy[i] ^= 1 << rng.randrange(8)
        damaged_run(ws, lmmsd, bytes(copy), f"flipped at {at}")


def damage(ws, lmmsd, times):
    data, _ = one_run(PROGRAM)
    rng = random.Random(20240229)
    truncate(ws, lmmsd, data, rng)
    flip(ws, lmmsd, data, rng, times)
    # Whole pieces missing or twice.
    for _ in range(times // 4):
        a, b = sorted(rng.randrange(16, len(data)) for _ in range(2))
        a, b = a // 8 * 8, b // 8 * 8
        damaged_run(ws, lmmsd, data[:a] + data[b:], f"without {a}..{b}")
        damaged_run(ws, lmmsd, data[:b] + data[a:], f"{a}..{b} twice")


def test_damaged_recordings(ws):
    damage(ws, lib.LMMSD, 200)


def test_damaged_recordings_sanitized(ws):
    """The same under AddressSanitizer and UBSan."""
    lmmsd = os.path.join(lib.BUILD, "san/lmmsd")
    if not os.path.exists(lmmsd):
        raise lib.Skip("no lmmsd with sanitizers: make test-programs")
    damage(ws, lmmsd, 60)


def test_things_that_are_no_recording(ws):
    for name, data in [("empty", b""), ("text", b"hello\n"), ("zeros", b"\0" * 4096),
                       ("newer", b"LMMSREC1\x04\x03\x02\x01\xff\0\0\0"),
                       ("swapped", b"LMMSREC1\1\2\3\4\0\0\0\1")]:
        path = ws.path(name)
        with open(path, "wb") as f:
            f.write(data)
        r = ws.lmmsd("--replay", path)
        assert r.returncode == 2 and r.stdout == "", (name, r)
        assert len(r.stderr.splitlines()) == 1 and path in r.stderr, r.stderr
    r = ws.lmmsd("--replay", ws.path("absent"))
    assert r.returncode == 5 and len(r.stderr.splitlines()) == 1, r
    r = ws.lmmsd("--replay", ws.dir)
    assert r.returncode == 2 and len(r.stderr.splitlines()) == 1, r
