# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The same run, seen by lmmsd and by the interpreter's own -X importtime: same rows, same order,
same nesting."""
import os

import lib

STDLIB = ("import asyncio, http.server, unittest, email.mime.multipart, sqlite3, decimal, "
          "concurrent.futures, "
          "xml.etree.ElementTree, logging.config, argparse, ctypes")


def compare(ws, py, *args, names_only=False, env=None, status=0):
    """To be delegated to: `process = yield from compare(...)`."""
    env = {**lib.clean_environment(), **(env or {})}
    run = ws.watch(py("-X", "importtime", *args), status, env=env)
    oracle = lib.importtime(run.stderr)
    assert oracle, run.stderr[-500:]
    yield
    report = run.report
    process = lib.only_process(report)
    assert report["lost"] == {}, report["lost"]
    mine = lib.oracle_rows(process)
    if names_only:
        assert sorted(r[0] for r in mine) == sorted(r[0] for r in oracle)
        return process
    want = [(n, d) for n, d, _, _ in oracle]
    got = [r[:2] for r in mine]
    for i, (w, g) in enumerate(zip(want, got)):
        assert w == g, f"row {i}: importtime has {w}, lmmsd has {g}"
    assert len(want) == len(got), \
        f"{len(want)} rows, lmmsd has {len(got)}: {got[len(want):][:3]} {want[len(got):][:3]}"
    assert process["from_start"] and report["complete"]
    return process


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_stdlib(ws, py):
    process = yield from compare(ws, py, "-c", STDLIB)
    assert process["python"] == py.text and process["implementation"] == "cpython"
    assert process["probe"] == lib.best_probe(py), process["probe"]
    assert process["app"] == "python -c"


@lib.probes("entry")
@lib.usages("off", "on")
def test_entry_probe(ws, py):
    """The fallback for builds without a place that only loads reach: dear, but it has every
    load."""
    process = yield from compare(ws, py, "-c", STDLIB, names_only=True)
    assert process["probe"] == "entry"


@lib.probes("usdt", "callsite", "entry")
def test_forced_probes(ws, py):
    """Each way to probe sees the same loads, in the same order."""
    process = yield from compare(ws, py, "-I", "-S", "-c", "import colorsys, json\n"
                                 "try:\n    import nothing_here\nexcept ImportError: pass")
    assert process["probe"] == py.probe, process["probe"]
    assert {"colorsys", "json", "nothing_here"} <= set(lib.by_name(process))


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_failures(ws, py):
    program = ws.write("fails.py", """
def attempt(name):
    try:
        __import__(name)
    except Exception:
        pass
attempt("no_such_module")
attempt("email.no_such_module")
attempt("raises_mod")
attempt("bad_syntax")
attempt("no_such_module")
import sys
sys.modules["blocked"] = None
try:
    import blocked
except ImportError:
    pass
""")
    ws.write("raises_mod.py", "import colorsys\nraise RuntimeError('no')\n")
    ws.write("bad_syntax.py", "def (:\n")
    process = yield from compare(ws, py, program)
    failed = [m["name"] for m in process["modules"] if m["status"] == "failed"]
    for name in ("no_such_module", "email.no_such_module", "raises_mod", "bad_syntax"):
        assert name in failed, (name, failed)
    assert lib.by_name(process)["colorsys"]["status"] == "loaded"
    assert lib.by_name(process)["colorsys"]["importer"] == "raises_mod"


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_threads(ws, py):
    program = ws.write("threads.py", """
import threading, importlib
names = ["json", "csv", "decimal", "email.message", "html.parser", "xml.dom.minidom", "sqlite3",
         "asyncio"]
start = threading.Barrier(len(names))
def work(name):
    start.wait()
    importlib.import_module(name)
    __import__("tomllib" if name == "json" else name)
ts = [threading.Thread(target=work, args=(n,)) for n in names]
[t.start() for t in ts]; [t.join() for t in ts]
""" if py.version >= (3, 11) else """
import threading
names = ["json", "csv", "decimal", "email.message", "html.parser", "xml.dom.minidom", "sqlite3",
         "asyncio"]
start = threading.Barrier(len(names))
def work(name):
    start.wait()
    __import__(name)
ts = [threading.Thread(target=work, args=(n,)) for n in names]
[t.start() for t in ts]; [t.join() for t in ts]
""")
    process = yield from compare(ws, py, program, names_only=True)
    assert len({m["thread"] for m in lib.loads(process, True)}) > 2


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_plugins(ws, py):
    """import_module: rows that the oracle does not have, and all that it has."""
    for i in range(20):
        ws.write(f"plug/p{i}.py", "import colorsys\nX = %d\n" % i)
    ws.write("plug/__init__.py", "")
    program = ws.write("plugins.py", """
import importlib
for i in range(20):
    importlib.import_module(f"plug.p{i}")
""")
    process = yield from compare(ws, py, program)
    mine = lib.by_name(process)
    for i in range(20):
        m = mine[f"plug.p{i}"]
        assert m["timed"] == "body" and m["placement"] == "dynamic", m
        assert m["importer"] == "__main__", m
    assert mine["colorsys"]["importer"] == "plug.p0"
    assert mine["plug"]["status"] == "loaded"


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_short_process(ws, py):
    yield from compare(ws, py, "-I", "-S", "-c", "import colorsys")


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_packages_and_names(ws, py):
    ws.write("pkg/__init__.py", "from . import inner\nfrom .sub import leaf\n")
    ws.write("pkg/inner.py", "from .sub.leaf import x\n")
    ws.write("pkg/sub/__init__.py", "")
    ws.write("pkg/sub/leaf.py", "x = 1\n")
    ws.write("ns/part/mod.py", "y = 2\n")
    ws.write("módulo.py", "z = 3\n")
    ws.write("模块.py", "z = 4\n")
    ws.write("circle_a.py", "import circle_b\n")
    ws.write("circle_b.py", "import circle_a\n")
    program = ws.write("names.py", "import pkg.sub.leaf, ns.part.mod, módulo, 模块, circle_a\n")
    utf8 = {"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    process = yield from compare(ws, py, program, env=utf8)
    mine = lib.by_name(process)
    assert mine["pkg.inner"]["importer"] == "pkg" and mine["pkg.inner"]["placement"] == "module"
    assert mine["circle_b"]["importer"] == "circle_a"
    assert mine["ns"]["kind"] == "namespace" and mine["ns.part"]["kind"] == "namespace", mine["ns"]
    assert mine["módulo"]["status"] == mine["模块"]["status"] == "loaded"
    assert mine["pkg.inner"]["file"].endswith("pkg/inner.py")


ALL_EXTENSIONS = """
import importlib.machinery, importlib.util, os, sysconfig
where = sysconfig.get_config_var("DESTSHARED") or ""
where = where if os.path.isdir(where) else os.path.join(sysconfig.get_path("stdlib"), "lib-dynload")
names = sorted({n.split(".")[0] for n in os.listdir(where) if n.endswith(".so")})
for name in names:
    if not any(part in name for part in ("test", "xx", "tkinter")):
        try:
            __import__(name)
        except ImportError:
            pass
"""


@lib.everywhere
@lib.usages("off")
@lib.each_probe
def test_stdlib_extensions(ws, py):
    """Every C module that comes as a file, and what they import in turn."""
    process = yield from compare(ws, py, ws.write("all.py", ALL_EXTENSIONS))
    extensions = [m for m in process["modules"] if m["kind"] == "extension"]
    assert len(extensions) >= 10, [m["name"] for m in extensions]
    assert all(m["file"].endswith(".so") for m in extensions if m["status"] == "loaded"), extensions


# Debian builds them for its own Pythons only.
@lib.everywhere
@lib.usages("off")
@lib.needs(lambda py: py.version == (3, 11))
def test_numpy_and_pandas(ws, py):
    env = lib.with_debian_packages(ws, py, "numpy, pandas")
    process = yield from compare(ws, py, "-c", "import numpy, pandas", env=env)
    extensions = [m for m in process["modules"] if m["kind"] == "extension"]
    assert any("multiarray" in m["name"] and m["file"].endswith(".so") for m in extensions)
    assert lib.by_name(process)["numpy"]["distribution"] == "numpy"
