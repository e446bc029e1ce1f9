# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Watched programs behave as ever, however odd they are; and the report is right about them."""
import os
import re
import shutil
import subprocess
import sys

import lib
from bare import CLEAN, one, same
from service import SHOP

CPYTHON_TESTS = ["test.test_import", "test.test_importlib", "test.test_threading"]


def outcomes(ws, python, tests=(), least=1000):
    """Of every single test, by unittest's own word."""
    r = ws.run([python, "-m", "unittest", "-v", *(tests or CPYTHON_TESTS)],
               env={**CLEAN, "HOME": ws.dir}, cwd=ws.dir)
    found = {}
    for line in (r.stdout + r.stderr).splitlines():
        m = re.match(r"^(test\w*) \(([\w.]+)\)( \[.*\])? \.\.\. (.*)$", line)
        if m:
            name, last = (m[2], m[1]), m[4]
            found.setdefault(name, []).append(re.split(r"[ (]", last)[0])
    summary = re.search(r"^(OK|FAILED)( \(.*\))?$", r.stderr, re.M)
    assert summary and len(found) >= least, (r.returncode, len(found), r.stderr[-2000:])
    return found


def alone(ws, python, name):
    """A test by itself: its outcome, None where unittest's own word cannot be read."""
    whole = name[0] if name[0].endswith("." + name[1]) else ".".join(name)
    return outcomes(ws, python, [whole], 0).get(name)


def bad(outcome):
    return bool(outcome is None or set(outcome) & {"FAIL", "ERROR"})


@lib.nightly
def test_cpythons_own_tests(ws):
    """Debian's libpython3.11-testsuite, system-wide, while every one of its many processes is
    watched."""
    python = "/usr/bin/python3.11"
    if not os.path.isdir("/usr/lib/python3.11/test/test_importlib"):
        raise lib.Skip("package libpython3.11-testsuite is not installed")
    bare = outcomes(ws, python)
    w = ws.start()
    watched = outcomes(ws, python)
    # Some of them count on a quiet machine, and print between the name and the outcome: what
    # differs, alone on both sides.
    differ = [n for n in sorted(set(bare) | set(watched)) if watched.get(n) != bare.get(n)
              or bad(watched[n])]
    again = {name: alone(ws, python, name) for name in differ}
    report = w.stop()
    for name in differ:
        unwatched = alone(ws, python, name)
        assert again[name] == unwatched or bad(unwatched) and not bad(again[name]), \
            (name, unwatched, again[name])
    assert len(report["processes"]) > 50, len(report["processes"])
    # Names that cannot be read, ends that never come and another __import__ are what these tests make on purpose.
    assert set(report["lost"]) <= {"name_cut", "name_unreadable", "start_without_done", "probe_silent"}, \
        report["lost"]


def test_embedded(ws):
    """gdb has a libpython in it."""
    gdb = shutil.which("gdb")
    if not gdb or ws.run([gdb, "-batch", "-nx", "-ex", "python print(1)"]).stdout != "1\n":
        raise lib.Skip("gdb with Python is not installed")
    argv = [gdb, "-batch", "-nx", "-ex", "python import colorsys; print(colorsys.__name__)"]
    process = one(ws.profile(argv, env=CLEAN))
    assert ws.last.stdout == "colorsys\n", ws.last
    m = lib.by_name(process)["colorsys"]
    assert m["importer"] == "__main__" and m["placement"] == "module", m
    assert process["app"] == "gdb" and process["from_start"], process["app"]
    assert process["exe"] == os.path.realpath(gdb), process["exe"]


def test_venv(ws):
    """Its distributions are told apart from the system's."""
    python = lib.system_python().command[0]
    if ws.run([python, "-m", "venv", "--without-pip", ws.path("env")]).returncode:
        raise lib.Skip("package python3-venv is not installed")
    site = "env/lib/python3.11/site-packages"
    ws.write(f"{site}/inenv/__init__.py", "")
    info = f"{site}/in_env_dist-1.2.3.dist-info"
    ws.write(f"{info}/METADATA", "Metadata-Version: 2.1\nName: in-env-dist\nVersion: 1.2.3\n")
    ws.write(f"{info}/RECORD", "inenv/__init__.py,,\nin_env_dist-1.2.3.dist-info/METADATA,,\n")
    ws.write(f"{info}/top_level.txt", "inenv\n")
    run = same(ws, [ws.path("env/bin/python"), "-c", "import inenv, sys; print(sys.prefix)"])
    yield
    process = one(run.report)
    m = lib.by_name(process)["inenv"]
    assert (m["distribution"], m["version"]) == ("in-env-dist", "1.2.3"), m
    assert m["file"] == ws.path(f"{site}/inenv/__init__.py")


def test_zipapp(ws, py):
    ws.write("app/__main__.py", "import inside, sys\nprint('zip', inside.X, len(sys.argv))\n")
    ws.write("app/inside.py", "import colorsys\nX = 5\n")
    archive = ws.path("tool.pyz")
    assert ws.run([sys.executable, "-m", "zipapp", "-o", archive, ws.path("app")]).returncode == 0
    run = same(ws, py(archive, "argument"))
    yield
    process = one(run.report)
    mine = lib.by_name(process)
    assert mine["inside"]["status"] == "loaded" and mine["inside"]["importer"] == "__main__", \
        mine["inside"]
    assert mine["inside"]["file"] == archive + "/inside.py", mine["inside"]["file"]
    assert mine["colorsys"]["importer"] == "inside" and mine["colorsys"]["depth"] == 1
    assert process["app"] == os.path.basename(ws.dir) + "/tool.pyz", process["app"]


def test_module_as_program(ws, py):
    archive = ws.path("a.zip")
    run = same(ws, py("-m", "zipfile", "-c", archive, "/usr/bin/env"))
    yield
    process = one(run.report)
    assert process["app"] == "zipfile" and "struct" in lib.by_name(process)
    assert os.path.exists(archive)


FINDER = """\
import importlib.abc, importlib.util, sys
class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == 'wanted':
            importlib.import_module('helper')
sys.meta_path.insert(0, Finder())
import wanted
"""


@lib.each_probe
def test_finder_that_imports(ws, py):
    """As setuptools' for distutils: what runs first after the start of a load is not that load's
    module."""
    ws.write("helper.py",
             "from time import monotonic as now\nend = now() + 0.05\nwhile now() < end:\n"
             "    pass\nimport colorsys\n")
    ws.write("wanted.py", "import csv\n")
    run = same(ws, py(ws.write("finder.py", FINDER)))
    yield
    mine = lib.by_name(one(run.report))
    assert mine["helper"]["status"] == "loaded" and mine["helper"]["importer"] == "__main__", \
        mine["helper"]
    assert mine["helper"]["self_ms"] >= 50, mine["helper"]
    assert mine["colorsys"]["importer"] == "helper" and mine["csv"]["importer"] == "wanted"


GO = """\
import os, sys
os.chdir(sys.argv[1])
os.execv(sys.executable, [sys.executable] + sys.argv[2:])
"""


def test_relative_script(ws, py):
    """Named as if its whole path stood there: another program's manage.py is another app."""
    ws.write(f"{SHOP}/manage.py", "import os\nos.chdir('/')\nimport colorsys\n")
    ws.write(f"{SHOP}/tools/x.py", "import colorsys\n")
    ws.write(f"{SHOP}/__main__.py", "import colorsys\n")
    where = os.path.basename(ws.dir)
    runs = [(ws.watch(py("-c", GO, ws.path(cwd), script)), app) for cwd, script, app in [
        (SHOP, "manage.py", f"{SHOP}/manage.py"), (SHOP, "./manage.py", f"{SHOP}/manage.py"),
        (SHOP, "tools/x.py", "tools/x.py"), (f"{SHOP}/tools", "../manage.py", f"{SHOP}/manage.py"),
        (SHOP, ".", f"{where}/{SHOP}")]]
    yield
    for run, app in runs:
        process = run.report["processes"][-1]
        assert process["app"] == app, (run.argv, process["app"])
        assert "colorsys" in lib.by_name(process), run.argv


def test_relative_script_that_already_ran(ws):
    ws.write(f"{SHOP}/manage.py",
             "import os\nos.chdir('/tmp')\nprint('up', flush=True)\ninput()\nimport colorsys\n"
             "print('on', flush=True)\n")
    p = subprocess.Popen([lib.system_python().command[0], "manage.py"], cwd=ws.path(SHOP),
                         text=True, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    try:
        assert p.stdout.readline() == "up\n"
        w = ws.start("--pid", str(p.pid))
        assert p.communicate("\n")[0] == "on\n"
    finally:
        p.kill()
    process = one(w.wait())
    assert process["app"] == f"{SHOP}/manage.py" and "colorsys" in lib.by_name(process), \
        process["app"]


def test_isolated(ws, py):
    run = same(ws, py("-I", "-c", "import colorsys, sys; print(sys.flags.isolated)"))
    yield
    process = one(run.report)
    assert lib.by_name(process)["colorsys"]["importer"] == "__main__"
    assert process["app"] == "python -c"


def test_script_from_stdin(ws, py):
    run = same(ws, py("-"), input="import colorsys\ndef f():\n    import csv\nf()\nprint('done')\n")
    yield
    process = one(run.report)
    mine = lib.by_name(process)
    assert mine["colorsys"]["placement"] == "module" and mine["csv"]["placement"] == "function"
    assert process["app"] == "python", process["app"]


def test_syntax_error_and_exit_codes(ws):
    python = lib.system_python().command[0]
    runs = [same(ws, [python, ws.write("ends.py", text)]) for text in (
        "def (:\n", "raise SystemExit(3)\n", "import colorsys\nraise ValueError('x')\n",
        "import os\nos._exit(77)\n", "import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\n",
        "import os\nos.abort()\n")]
    yield
    for run in runs:
        assert one(run.report)["exit_code"] == run.returncode, run.report["processes"]


def test_generators_and_coroutines(ws, py):
    program = ws.write("async_prog.py", """
import asyncio
def gen():
    import colorsys
    yield 1
    import csv
    yield 2
def pause():
    return asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, int), 10)
async def leaf(n):
    await pause()
    import html.parser
    await pause()
    import fractions
    return n
async def agen():
    import sndhdr_not_there
    yield 0
async def main():
    print(await asyncio.gather(*(leaf(n) for n in range(10))))
    try:
        async for _ in agen():
            pass
    except ImportError as e:
        print(e.name)
g = gen()
print(next(g))
print(list(g))
asyncio.run(main())
class Lazy:
    def __getattr__(self, name):
        import stringprep
        return stringprep
print(Lazy().x.__name__, [__import__("netrc").__name__ for _ in range(3)])
""")
    run = same(ws, py(program))
    yield
    process = one(run.report)
    mine = lib.by_name(process)
    for name in ("colorsys", "csv", "html.parser", "fractions", "stringprep"):
        assert (mine[name]["placement"], mine[name]["importer"]) == ("function", "__main__"), \
            mine[name]
    assert mine["fractions"]["uses_by_placement"]["function"] == 10, mine["fractions"]
    assert mine["sndhdr_not_there"]["status"] == "failed"
    assert mine["netrc"]["placement"] == "dynamic" and mine["netrc"]["uses"] == 3, mine["netrc"]


def test_subinterpreters(ws, py):
    program = ws.write("subs.py", """
import sys
try:
    import _interpreters as sub
    run = sub.exec
except ImportError:
    import _xxsubinterpreters as sub
    run = sub.run_string
ids = [sub.create() for _ in range(3)]
for i in ids:
    run(i, "import colorsys, csv")
import html.parser
for i in ids:
    sub.destroy(i)
print("done")
""")
    bare = ws.run(py(program))
    if bare.returncode:
        raise lib.Skip(f"{py.id} has no subinterpreters: {bare.stderr.splitlines()[-1]}")
    run = same(ws, py(program))
    yield
    process = one(run.report)
    names = [m["name"] for m in process["modules"] if m["status"] == "loaded"]
    assert names.count("colorsys") == 3 and names.count("csv") == 3, \
        (names.count("colorsys"), names.count("csv"))
    assert lib.by_name(process)["html.parser"]["importer"] == "__main__"
