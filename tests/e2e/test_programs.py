# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Programs that fork, exec, switch stacks, die: what is watched behaves as ever, and the report is
right."""
import os
import signal
import subprocess

import lib
from service import wait_for


def test_many_short_processes(ws):
    """200 processes, 8 at a time: all of them, all their loads, nothing lost."""
    py, uid = lib.system_python(), lib.own_uid()
    program = ws.write("short_lived.py", "import json, colorsys\n")
    w = ws.start("--uid", str(uid))
    running, started = [], []
    for _ in range(200):
        p = subprocess.Popen(py("-B", program), stdin=subprocess.DEVNULL, user=uid)
        started.append(p.pid)
        running.append(p)
        if len(running) == 8:
            assert lib.wait(running.pop(0)) == 0
    for p in running:
        assert lib.wait(p) == 0
    report = w.stop()
    assert lib.lost(report) == {}, report["lost"]
    mine = report["processes"]
    assert len(mine) == 200 and {p["pid"] for p in mine} == set(started), len(mine)
    counts = {len(lib.loads(p)) for p in mine}
    assert len(counts) == 1, counts
    for p in mine:
        assert p["from_start"] and p["exit_code"] == 0 and p["ended"] and p["lost"] == {}, \
            (p["pid"], p["lost"])
        assert {"json", "json.decoder", "colorsys"} <= {m["name"] for m in p["modules"]}
        assert p["app"] == os.path.basename(ws.dir) + "/short_lived.py", p["app"]


@lib.each_probe
def test_fork(ws, py):
    program = ws.write("forks.py", """
import os, sys, colorsys
pid = os.fork()
if pid == 0:
    import csv
    os._exit(7)
import html.parser
assert os.waitpid(pid, 0)[1] == 7 << 8
""")
    run = ws.watch(py(program))
    yield
    report = run.report
    assert report["lost"] == {}, report["lost"]
    assert len(report["processes"]) == 2, [p["cmdline"] for p in report["processes"]]
    parent, child = sorted(report["processes"], key=lambda p: p["started"])
    assert child["ppid"] == parent["pid"] and child["exit_code"] == 7 and child["from_start"]
    assert "csv" in lib.by_name(child) and "csv" not in lib.by_name(parent)
    assert "html.parser" in lib.by_name(parent) and "html.parser" not in lib.by_name(child)
    assert not any(m["name"] == "colorsys" and m["status"] == "loaded" for m in child["modules"])
    assert child["app"] == parent["app"]


@lib.each_probe
def test_fork_inside_an_import(ws, py):
    ws.write("forker.py", """
import os
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
import colorsys
""")
    program = ws.write("main_fork.py", "import forker\nimport csv\n")
    run = ws.watch(py(program))
    yield
    report = run.report
    assert report["lost"] == {}, report["lost"]
    assert len(report["processes"]) == 2
    for p in report["processes"]:
        names = [m["name"] for m in lib.loads(p) if not m["name"].startswith("_")]
        assert "csv" in names and "colorsys" in names, names
    child = max(report["processes"], key=lambda p: p["started"])
    assert "forker" not in [m["name"] for m in lib.loads(child)]


def test_exec(ws, py):
    second = ws.write("second.py", "import csv\n")
    ws.write("execs.py",
             f"import os, sys, colorsys\nos.execv(sys.executable, [sys.executable, {second!r}])\n")
    program = ws.write("main_exec.py", "import execs\n")
    run = ws.watch(py(program))
    yield
    report = run.report
    ends = [(p["cmdline"][-1], {m["name"] for m in lib.loads(p)}) for p in report["processes"]]
    assert len(ends) == 2, ends
    (first, loaded), (last, then) = ends
    assert first == program and "colorsys" in loaded and "csv" not in loaded
    assert last == second and "csv" in then and "colorsys" not in then
    execs = [m for m in report["processes"][0]["modules"] if m["name"] == "execs"]
    assert execs and execs[0]["timed"] == "open", execs


@lib.each_probe
def test_killed_in_an_import(ws, py):
    ws.write("dies.py", "import os, signal, colorsys\nos.kill(os.getpid(), signal.SIGKILL)\n")
    program = ws.write("main_kill.py", "import dies\n")
    run = ws.watch(py(program), status=128 + signal.SIGKILL)
    yield
    report = run.report
    process = lib.only_process(report)
    assert lib.by_name(process)["dies"]["timed"] == "open"
    assert "colorsys" in lib.by_name(process)
    assert report["lost"] == {}, report["lost"]


def test_multiprocessing(ws, py):
    program = ws.write("pool.py", """
import multiprocessing as mp
def work(n):
    import colorsys
    return n * 2
if __name__ == "__main__":
    mp.set_start_method("fork")
    with mp.Pool(3) as pool:
        assert pool.map(work, range(30)) == [n * 2 for n in range(30)]
""")
    run = ws.watch(py(program))
    yield
    report = run.report
    assert report["lost"] == {}, report["lost"]
    workers = [p for p in report["processes"] if "colorsys" in lib.by_name(p)]
    assert 1 <= len(workers) <= 3
    for p in workers:
        m = lib.by_name(p)["colorsys"]
        assert m["placement"] == "function" and m["importer"] == "__main__", m


# Debian builds greenlet for its own Pythons; other builds of the same minor version can use it.
@lib.needs(lambda py: py.version in ((3, 11), (3, 14), (3, 15)))
@lib.each_probe
def test_greenlet(ws, py):
    """A stack switch in the middle of imports: same output, same status, sensible numbers."""
    env = lib.with_debian_packages(ws, py, "greenlet")
    ws.write("slow_a.py",
             "import switcher; switcher.swap(); import colorsys; switcher.swap(); A = 1\n")
    ws.write("slow_b.py", "import switcher; switcher.swap(); import csv; switcher.swap(); B = 2\n")
    ws.write("switcher.py", """
import greenlet
ring = []
def swap():
    me = greenlet.getcurrent()
    other = [g for g in ring if g is not me and not g.dead]
    if other:
        other[0].switch()
""")
    program = ws.write("green.py", """
import greenlet, switcher
def a():
    import slow_a
    print("a", slow_a.A)
def b():
    import slow_b
    print("b", slow_b.B)
ga, gb = greenlet.greenlet(a), greenlet.greenlet(b)
switcher.ring[:] = [ga, gb]
ga.switch()
while not (ga.dead and gb.dead):
    for g in (ga, gb):
        if not g.dead:
            g.switch()
print("done")
""")
    bare = ws.run(py(program), env=env)
    assert bare.returncode == 0, bare.stderr
    run = ws.watch(py(program), env=env)
    yield
    report = run.report
    assert run.stdout == bare.stdout, (run.stdout, bare.stdout)
    assert report["lost"] == {}, report["lost"]
    mine = lib.by_name(lib.only_process(report))
    for name in ("slow_a", "slow_b", "colorsys"):
        assert mine[name]["status"] == "loaded" and mine[name]["timed"] == "full", mine[name]
    assert mine["colorsys"]["importer"] == "slow_a"


WAITS = """
import sys
print("ready", flush=True)
sys.stdin.readline()
import colorsys
def late():
    import csv
late()
"""


def already_running(ws, pys, *options):
    program = ws.write("waits.py", WAITS)
    ps = [subprocess.Popen(py(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
          for py in pys]
    ws.started += ps
    assert all(p.stdout.readline() == "ready\n" for p in ps)
    w = ws.start("--pid", ",".join(str(p.pid) for p in ps), *options)
    assert any("earlier imports have no times" in line for line in w.lines), w.lines
    for p in ps:
        p.communicate("go\n")
        assert p.returncode == 0
    report = w.wait()
    assert lib.lost(report) == {}, report["lost"]
    for py, p in zip(pys, ps):
        process = lib.only_process(report, lambda q, pid=p.pid: q["pid"] == pid)
        assert process["from_start"] is False and process["python"] == py.text, py.id
        mine = lib.by_name(process)
        assert mine["colorsys"]["importer"] == "__main__", py.id
        assert mine["colorsys"]["placement"] == "module", py.id
        assert mine["csv"]["placement"] == "function", py.id
    assert len(report["processes"]) == len(pys)


def test_already_running(ws):
    """--pid of each interpreter: a line says that earlier imports have no times; later ones do."""
    already_running(ws, lib.interpreters())


def test_already_running_usdt(ws):
    pys = [py for py in lib.interpreters() if py.kind == "usdt"]
    if not pys:
        raise lib.Skip("no interpreter has USDT")
    already_running(ws, pys, "--probe", "usdt")


def test_already_busy(ws):
    """--pid of several that import without a pause: to attach to one is to attach to all."""
    program = ws.write("busy.py", """
import sys
print("ready", flush=True)
while True:
    import colorsys
""")
    ps = [subprocess.Popen(lib.system_python()("-I", program), stdout=subprocess.PIPE, text=True)
          for _ in range(8)]
    ws.started += ps
    assert all(p.stdout.readline() == "ready\n" for p in ps)
    w = ws.start("--pid", ",".join(str(p.pid) for p in ps))
    # Each runs on, watched, for as long as it takes to import a thousand times, however slow.
    for p in ps:
        used = lib.cpu_seconds(p.pid)
        wait_for("CPU time of each", lambda p=p, used=used: lib.cpu_seconds(p.pid) >= used + 0.1)
    report = w.stop()
    assert {p["pid"] for p in report["processes"]} == {p.pid for p in ps}
    assert lib.lost(report) == {}, report["lost"]
    for process in report["processes"]:
        assert lib.by_name(process)["colorsys"]["uses"] > 0, process["modules"]


def test_kinds(ws, py):
    ws.write("fresh.py", "import cached\n")
    ws.write("cached.py", "")
    ws.run(py("-c", f"import sys; sys.path.insert(0, {ws.dir!r}); import cached"))
    program = ws.write("main_kinds.py", "import fresh, _ctypes, sys, zipfile\n")
    run = ws.watch(py(program))
    yield
    report = run.report
    mine = lib.by_name(lib.only_process(report))
    for name, kind in (("fresh", "source"), ("cached", "bytecode")):
        # 3.15 shows no compilation, and the root of a process that ended within a moment cannot be
        # looked into.
        unknown = "unknown" if py.version >= (3, 15) else kind
        assert mine[name]["kind"] in (kind, unknown), mine[name]
    assert mine["_ctypes"]["kind"] in ("extension", "builtin")
    if mine["_ctypes"]["kind"] == "extension":
        assert mine["_ctypes"]["file"].endswith(".so")
    assert mine["zipfile"]["file"].endswith(("zipfile.py", "zipfile/__init__.py"))


@lib.each_probe
def test_extension_by_import_module(ws, py):
    """No probe sees its end; the report says that it was loaded, and by whom."""
    program = ws.write("dynamic_ext.py", """
import importlib
def plug():
    importlib.import_module("_queue")
plug()
""")
    run = ws.watch(py(program))
    yield
    mine = lib.by_name(lib.only_process(run.report))
    for name in ("_queue",):
        m = mine[name]
        assert m["status"] == "loaded" and m["timed"] == "no" and m["total_ms"] == 0, m
        assert m["placement"] == "dynamic" and m["importer"] == "__main__", m
        assert m["kind"] in ("extension", "builtin"), m


def test_class_and_lines(ws, py):
    ws.write("one.py", "")
    ws.write("two.py", "")
    ws.write("three.py", "")
    program = ws.write("places.py", """\
import one

class Holder:
    import two

def inside():
    import sys

    import three
inside()
""")
    run = ws.watch(py(program))
    yield
    report = run.report
    process = lib.only_process(report)
    mine = lib.by_name(process)
    want = {"one": ("module", 1), "two": ("class", 4), "three": ("function", 9)}
    for name, (place, line) in want.items():
        m = mine[name]
        assert (m["placement"], m["line"]) == (place, line), (name, m["placement"], m["line"])
        assert m["importer"] == "__main__" and m["uses"] == 1, m
        edge = [e for e in process["edges"] if e["module"] == name]
        assert len(edge) == 1 and edge[0]["loaded"], edge
        assert (edge[0]["file"], edge[0]["line"]) == (program, line), edge


def test_run_as_module(ws, py):
    ws.write("tool/__init__.py", "")
    ws.write("tool/__main__.py", "import colorsys\n")
    run = ws.watch(py("-m", "tool"), cwd=ws.dir, env={**os.environ, "PYTHONPATH": ws.dir})
    yield
    report = run.report
    process = lib.only_process(report)
    assert process["app"] == "tool", process["app"]
    assert lib.by_name(process)["colorsys"]["importer"] == "__main__"
    assert process["interpreter_ms"] > 0 and process["cold_start_ms"] > 0


@lib.needs(lambda py: py.version >= (3, 15))  # PEP 810
@lib.each_probe
def test_lazy_imports(ws, py):
    ws.write("declares.py",
             "lazy import colorsys\nlazy import csv\ndef use():\n    return colorsys.rgb_to_hsv\n")
    program = ws.write("main_lazy.py", "import declares\ndef run():\n    declares.use()\nrun()\n")
    run = ws.watch(py(program))
    yield
    report = run.report
    mine = lib.by_name(lib.only_process(report))
    assert mine["colorsys"]["placement"] == "lazy", mine["colorsys"]
    assert mine["colorsys"]["importer"] == "declares"
    assert "csv" not in mine
