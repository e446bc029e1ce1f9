# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Watched programs behave as ever, however odd they are; and the report is right about them."""
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys

import lib

CLEAN = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}


def same(ws, argv, *options, env=None, **kw):
    """Runs it bare and watched: same output, same status. Returns the report."""
    env = {**CLEAN, **(env or {})}
    bare = ws.run(argv, env=env, **kw)
    report = ws.profile(argv, *options, status=bare.returncode if bare.returncode >= 0 else 128 - bare.returncode,
                        env=env, **kw)
    errors = "".join(x for x in ws.last.stderr.splitlines(True) if not x.startswith("lmmsd: "))
    assert (ws.last.stdout, errors) == (bare.stdout, bare.stderr), (bare.stdout[-500:], ws.last.stdout[-500:],
                                                                   bare.stderr[-500:], errors[-500:])
    return report


def one(report):
    assert report["lost"] == {}, report["lost"]
    return lib.only_process(report)


# ---- CPython's own tests

CPYTHON_TESTS = ["test.test_import", "test.test_importlib", "test.test_threading"]
def outcomes(ws, python, tests=(), least=1000):
    """Of every single test, by unittest's own word."""
    r = ws.run([python, "-m", "unittest", "-v", *(tests or CPYTHON_TESTS)], env={**CLEAN, "HOME": ws.dir}, cwd=ws.dir,
               timeout=300)
    found = {}
    for line in (r.stdout + r.stderr).splitlines():
        m = re.match(r"^(test\w*) \(([\w.]+)\)( \[.*\])? \.\.\. (.*)$", line)
        if m:
            name, last = (m[2], m[1]), m[4]
            found.setdefault(name, []).append(re.split(r"[ (]", last)[0])
    summary = re.search(r"^(OK|FAILED)( \(.*\))?$", r.stderr, re.M)
    assert summary and len(found) >= least, (r.returncode, len(found), r.stderr[-2000:])
    return summary[0], found


def test_cpythons_own_tests(ws):
    """Debian's libpython3.11-testsuite, system-wide, while every one of its many processes is watched."""
    python = "/usr/bin/python3.11"
    if not os.path.isdir("/usr/lib/python3.11/test/test_importlib"):
        raise lib.Skip("package libpython3.11-testsuite is not installed")
    bare = outcomes(ws, python)
    w = ws.start()
    watched = outcomes(ws, python)[1]
    # Some of them count on a quiet machine: what is not as it was has to be so again.
    for name in [n for n in watched if watched[n] != bare[1].get(n) or set(watched[n]) & {"FAIL", "ERROR"}]:
        one = name[0] if name[0].endswith("." + name[1]) else ".".join(name)
        watched.update(outcomes(ws, python, [one], 1)[1])
    report = w.stop()
    for name in set(bare[1]) | set(watched):
        assert not set(watched.get(name, ["missing"])) & {"FAIL", "ERROR", "missing"}, (name, watched.get(name))
        assert bare[1].get(name) == watched[name] or set(bare[1].get(name, [])) & {"FAIL", "ERROR"}, (
            name, bare[1].get(name), watched[name])
    assert len(report["processes"]) > 50, len(report["processes"])
    # Names that cannot be read and ends that never come are what these tests make on purpose.
    assert set(report["lost"]) <= {"name_cut", "name_unreadable", "start_without_done"}, report["lost"]


# ---- ways to run Python

def test_embedded(ws):
    """gdb has a libpython in it."""
    gdb = shutil.which("gdb")
    if not gdb or ws.run([gdb, "-batch", "-nx", "-ex", "python print(1)"]).stdout != "1\n":
        raise lib.Skip("gdb with Python is not installed")
    report = same(ws, [gdb, "-batch", "-nx", "-ex", "python import colorsys; print(colorsys.__name__)"])
    process = one(report)
    m = lib.by_name(process)["colorsys"]
    assert m["importer"] == "__main__" and m["placement"] == "module", m
    assert process["app"] == "gdb" and process["from_start"] and process["exe"] == os.path.realpath(gdb), process["app"]


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
    process = one(same(ws, [ws.path("env/bin/python"), "-c", "import inenv, sys; print(sys.prefix)"]))
    m = lib.by_name(process)["inenv"]
    assert (m["distribution"], m["version"]) == ("in-env-dist", "1.2.3"), m
    assert m["file"] == ws.path(f"{site}/inenv/__init__.py")


def test_zipapp(ws, py):
    ws.write("app/__main__.py", "import inside, sys\nprint('zip', inside.X, len(sys.argv))\n")
    ws.write("app/inside.py", "import colorsys\nX = 5\n")
    archive = ws.path("tool.pyz")
    assert ws.run([sys.executable, "-m", "zipapp", "-o", archive, ws.path("app")]).returncode == 0
    process = one(same(ws, py(archive, "argument")))
    mine = lib.by_name(process)
    assert mine["inside"]["status"] == "loaded" and mine["inside"]["importer"] == "__main__", mine["inside"]
    assert mine["inside"]["file"] == archive + "/inside.py", mine["inside"]["file"]
    assert mine["colorsys"]["importer"] == "inside" and mine["colorsys"]["depth"] == 1
    assert process["app"] == os.path.basename(ws.dir) + "/tool.pyz", process["app"]


def test_module_as_program(ws, py):
    archive = ws.path("a.zip")
    report = same(ws, py("-m", "zipfile", "-c", archive, "/usr/bin/env"))
    process = one(report)
    assert process["app"] == "zipfile" and "struct" in lib.by_name(process)
    assert os.path.exists(archive)


def test_isolated(ws, py):
    process = one(same(ws, py("-I", "-c", "import colorsys, sys; print(sys.flags.isolated)")))
    assert lib.by_name(process)["colorsys"]["importer"] == "__main__" and process["app"] == "python -c"


def test_script_from_stdin(ws, py):
    process = one(same(ws, py("-"), stdin=None, input="import colorsys\ndef f():\n    import csv\nf()\nprint('done')\n"))
    mine = lib.by_name(process)
    assert mine["colorsys"]["placement"] == "module" and mine["csv"]["placement"] == "function"
    assert process["app"] == "python", process["app"]


def test_syntax_error_and_exit_codes(ws):
    python = lib.system_python().command[0]
    for text in ("def (:\n", "raise SystemExit(3)\n", "import colorsys\nraise ValueError('x')\n", "import os\nos._exit(77)\n",
                 "import os, signal\nos.kill(os.getpid(), signal.SIGUSR1)\n", "import os\nos.abort()\n"):
        same(ws, [python, ws.write("ends.py", text)])


# ---- ways to import

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
    process = one(same(ws, py(program)))
    mine = lib.by_name(process)
    for name in ("colorsys", "csv", "html.parser", "fractions", "stringprep"):
        assert (mine[name]["placement"], mine[name]["importer"]) == ("function", "__main__"), mine[name]
    assert mine["fractions"]["uses_by_placement"]["function"] == 10, mine["fractions"]
    assert mine["sndhdr_not_there"]["status"] == "failed"
    assert mine["netrc"]["placement"] == "dynamic" and mine["netrc"]["uses"] == 3, mine["netrc"]


def test_deep_chain(ws, py):
    depth = 150 if py.version == (3, 12) else 300  # 3.12 has a limit of its own for C
    for i in range(depth - 1):
        ws.write(f"deep{i}.py", f"import deep{i + 1}\n")
    ws.write(f"deep{depth - 1}.py", "print('bottom')\n")
    program = ws.write("chain.py", "import sys\nsys.setrecursionlimit(20000)\nimport deep0\n")
    process = one(same(ws, py(program)))
    assert ws.last.stdout == "bottom\n", ws.last.stdout
    mine = lib.by_name(process)
    for i in range(depth):
        m = mine[f"deep{i}"]
        assert m["depth"] == i and m["status"] == "loaded", (i, m)
        assert m["importer"] == (f"deep{i - 1}" if i else "__main__"), (i, m)


def test_five_thousand_modules(ws):
    for i in range(5000):
        ws.write(f"many/m{i}.py", f"import many.m{i // 2}\n" if i else "")
    ws.write("many/__init__.py", "")
    program = ws.write("all.py", "import importlib\nfor i in range(5000):\n    importlib.import_module(f'many.m{i}')\n")
    process = one(same(ws, lib.system_python()(program), env={"PYTHONDONTWRITEBYTECODE": "1"}))
    mine = lib.by_name(process)
    for i in range(5000):
        assert mine[f"many.m{i}"]["status"] == "loaded", i
    assert mine["many.m1234"]["uses"] >= 3, mine["many.m1234"]
    assert mine["many.m4000"]["kind"] == "source", mine["many.m4000"]


def test_hundred_threads(ws, py):
    for i in range(100):
        ws.write(f"own/t{i}.py", "import colorsys, own.shared\nX = 1\n")
    ws.write("own/__init__.py", "")
    ws.write("own/shared.py", "import html.entities\n")
    program = ws.write("threads.py", """
import threading
start = threading.Barrier(100)
def work(i):
    start.wait()
    assert __import__(f"own.t{i}", fromlist=["X"]).X == 1
ts = [threading.Thread(target=work, args=(i,)) for i in range(100)]
[t.start() for t in ts]; [t.join() for t in ts]
print("done")
""")
    process = one(same(ws, py(program)))
    mine = [m for m in process["modules"] if re.fullmatch(r"own[.]t\d+", m["name"]) and m["status"] == "loaded"]
    assert len(mine) == 100 and len({m["thread"] for m in mine}) == 100
    assert lib.by_name(process)["own.shared"]["status"] == "loaded"


def test_long_names(ws, py):
    """Cut and counted."""
    part = "n" * 200
    ws.write(f"{part}/__init__.py", "")
    ws.write(f"{part}/{part}/__init__.py", "")
    ws.write(f"{part}/{part}/{part}.py", "import colorsys\n")
    program = ws.write("long.py", f"import {part}.{part}.{part}\nprint('fine')\n"
                       f"try:\n    __import__('x' * 100000)\nexcept ImportError as e:\n    print(len(e.name))\n")
    report = same(ws, py(program))
    assert set(report["lost"]) == {"name_cut"} and report["lost"]["name_cut"] >= 1, report["lost"]
    assert report["complete"] is False
    process = lib.only_process(report)
    names = [m["name"] for m in lib.loads(process)]
    assert any(n.startswith(f"{part}.{part}.nnn") and len(n) < 601 for n in names), [n[-30:] for n in names][-4:]
    assert lib.by_name(process)["colorsys"]["depth"] == 1, lib.by_name(process)["colorsys"]


def test_hostile_names(ws, py):
    """Control characters are escaped wherever people read them; JSON keeps them."""
    evil = ["esc\x1b[31mred", "line\nbreak", "tab\there", "bell\x07", "del\x7f", "rtl\u202eflip", "c1\x9b31m", "semi;colon",
            "pi|pe", "quo\"te\\", "<b>&amp;", "\U0001f40d"]
    program = ws.write("evil.py", f"""
for name in {evil!r} + ["sur\\udc80rogate"]:
    try:
        __import__(name)
    except ImportError as e:
        print(ascii(e.name))
""")
    report = same(ws, py(program), "--record", ws.path("run.rec"))
    # USDT passes a C string, and a lone surrogate has none.
    assert report["lost"] == ({"name_unreadable": 1} if lib.best_probe(py) == "usdt" else {}), report["lost"]
    process = lib.only_process(report)
    names = {m["name"] for m in lib.loads(process)}
    for name in evil:
        assert name in names, (name, [n for n in names if n.startswith(name[:3])])
    for fmt in ("tree", "table", "importtime", "folded"):
        r = subprocess.run([lib.LMMSD, "--replay", ws.path("run.rec"), "--format", fmt], stdout=subprocess.PIPE,
                           check=True, timeout=lib.TIMEOUT)
        text = r.stdout.decode("utf-8")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), fmt
    for fmt in ("speedscope", "perfetto"):
        r = subprocess.run([lib.LMMSD, "--replay", ws.path("run.rec"), "--format", fmt], stdout=subprocess.PIPE,
                           check=True, timeout=lib.TIMEOUT)
        assert evil[0] in json.dumps(json.loads(r.stdout.decode("utf-8")), ensure_ascii=False).replace("\\u001b", "\x1b")


def test_hostile_command_line(ws):
    """The target writes its own command line."""
    python = lib.system_python().command[0]
    argv = [python, "-c", "import colorsys", "\x1b]0;title\x07", "new\nline", b"\xff\xfe".decode("utf-8", "surrogateescape")]
    report = ws.profile(argv)
    process = one(report)
    assert process["cmdline"][3:5] == argv[3:5] and len(process["cmdline"]) == 6, process["cmdline"]
    r = ws.lmmsd("--format", "tree", "--", *argv)
    assert "\x1b" not in r.stdout and "\x07" not in r.stdout
    report = ws.profile([python, "-c", "import colorsys", *["argument"] * 20000])
    assert process["exit_code"] == 0 and "colorsys" in lib.by_name(one(report))


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
    process = one(same(ws, py(program)))
    names = [m["name"] for m in process["modules"] if m["status"] == "loaded"]
    assert names.count("colorsys") == 3 and names.count("csv") == 3, (names.count("colorsys"), names.count("csv"))
    assert lib.by_name(process)["html.parser"]["importer"] == "__main__"


# ---- ways to live and die

def test_exec_in_a_thread(ws, py):
    """The thread becomes the process."""
    second = ws.write("second.py", "import csv\nprint('second')\n")
    program = ws.write("first.py", f"""
import colorsys, os, sys, threading
print("first", flush=True)
t = threading.Thread(target=lambda: os.execv(sys.executable, [sys.executable, {second!r}]))
t.start(); t.join()
""")
    report = same(ws, py(program))
    assert set(report["lost"]) <= {"start_without_done"}, report["lost"]
    assert [p["cmdline"][-1] for p in report["processes"]] == [program, second]
    before, after = report["processes"]
    assert before["pid"] == after["pid"]
    assert "colorsys" in lib.by_name(before) and "csv" not in lib.by_name(before)
    assert "csv" in lib.by_name(after) and "colorsys" not in lib.by_name(after)
    assert all(m["thread"] == after["pid"] for m in lib.loads(after, True))


def test_exec_that_fails(ws, py):
    ws.write("noexec", "not a program\n")
    os.chmod(ws.path("noexec"), 0o755)
    program = ws.write("tries.py", f"""
import os, colorsys
for path in ({ws.path("absent")!r}, {ws.path("noexec")!r}, "/"):
    try:
        os.execv(path, [path])
    except OSError as e:
        print(type(e).__name__)
import csv
""")
    process = one(same(ws, py(program)))
    assert {"colorsys", "csv"} <= set(lib.by_name(process))


def test_death_in_exec(ws, py):
    """Past the point of no return: the kernel kills the process while it executes another program."""
    # An ELF whose one segment cannot be mapped.
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 62, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x7fffffffffff0000, 0, 4096, 4096, 4096)
    path = ws.path("deadly")
    with open(path, "wb") as f:
        f.write((header + segment).ljust(4096, b"\0"))
    os.chmod(path, 0o755)
    program = ws.write("jumps.py", f"import os, colorsys\nprint('up', flush=True)\nos.execv({path!r}, ['x'])\n")
    bare = ws.run(py(program))
    if bare.returncode >= 0:
        raise lib.Skip("this kernel refuses the broken program instead of killing it")
    report = same(ws, py(program))
    assert "colorsys" in lib.by_name(report["processes"][0]) and report["lost"] == {}, report["lost"]


def test_vfork(ws, py):
    """subprocess and posix_spawn: a child that borrows its parent's memory until it executes."""
    inner = "import csv"
    program = ws.write("spawns.py", f"""
import subprocess, shutil, sys, os, colorsys
if shutil.which("true"):
    for _ in range(20):
        subprocess.run(["true"], check=True)
pid = os.posix_spawn(sys.executable, [sys.executable, "-c", {inner!r}], os.environ)
assert os.waitpid(pid, 0)[1] == 0
print(subprocess.run([sys.executable, "-c", {inner!r}]).returncode)
""")
    report = same(ws, py(program))
    assert ws.last.stdout == "0\n" and report["lost"] == {}, (ws.last, report["lost"])
    children = [p for p in report["processes"] if p["cmdline"][-1] == inner]
    parents = [p for p in report["processes"] if p["cmdline"][-1] == program and "colorsys" in lib.by_name(p)]
    assert len(children) == 2 and len(parents) == 1, [(p["cmdline"], len(p["modules"])) for p in report["processes"]]
    for p in children:
        assert "csv" in lib.by_name(p) and "colorsys" not in lib.by_name(p) and p["from_start"]
        assert p["ppid"] == parents[0]["pid"] and p["exit_code"] == 0
    assert "csv" not in lib.by_name(parents[0])


def test_stopped_process(ws):
    """lmmsd waits for nobody."""
    p = subprocess.Popen(lib.system_python()("-c", "import os, signal\nprint('up', flush=True)\ninput()\nimport colorsys\n"
                                             "os.kill(os.getpid(), signal.SIGSTOP)\nimport csv\nprint('end')"),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert p.stdout.readline() == "up\n"
        w = ws.start("--pid", str(p.pid))
        p.stdin.write("go\n")
        p.stdin.flush()
        _, status = os.waitpid(p.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        report = w.stop()
        process = one(report)
        assert "colorsys" in lib.by_name(process) and "csv" not in lib.by_name(process)
        assert process["ended"] is None and process["exit_code"] is None
        assert report["complete"]
    finally:
        os.kill(p.pid, signal.SIGCONT)
        out, _ = p.communicate(timeout=lib.TIMEOUT)
    assert out == "end\n" and p.returncode == 0


def test_stopped_before_it_is_watched(ws):
    p = subprocess.Popen(lib.system_python()("-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); import csv"))
    try:
        _, status = os.waitpid(p.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        w = ws.start("--pid", str(p.pid))
        os.kill(p.pid, signal.SIGCONT)
        process = one(w.wait())
    finally:
        p.kill()
        p.wait(timeout=lib.TIMEOUT)
    assert "csv" in lib.by_name(process)


def test_fifty_heavy_starts(ws):
    """All at once, system-wide, more than the machine has processors for."""
    py = lib.system_python()
    program = ws.write("heavy.py", "import asyncio, http.server, unittest.mock, email.mime.multipart, sqlite3, decimal, "
                       "xml.etree.ElementTree, logging.config, argparse, ctypes, multiprocessing.pool, tarfile\n")
    w = ws.start()
    running = [subprocess.Popen(py(program), stdin=subprocess.DEVNULL, env=CLEAN) for _ in range(50)]
    assert [p.wait(timeout=lib.TIMEOUT) for p in running] == [0] * 50
    report = w.stop()
    assert report["lost"] == {} and report["complete"], report["lost"]
    mine = [p for p in report["processes"] if p["cmdline"][-1] == program]
    assert {p["pid"] for p in mine} == {p.pid for p in running} and len(mine) == 50
    counts = {len(lib.loads(p)) for p in mine}
    assert len(counts) == 1 and counts.pop() > 200, counts
    assert all(p["from_start"] and p["exit_code"] == 0 for p in mine)


def test_memory_limit(ws):
    """A program that runs out of memory in an import: as it does alone."""
    program = ws.write("hungry.py", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
                       "try:\n    import eats\nexcept MemoryError:\n    print('no memory')\nimport colorsys\n")
    ws.write("eats.py", "x = bytearray(2**29)\n")
    process = one(same(ws, lib.system_python()(program)))
    assert lib.by_name(process)["eats"]["status"] == "failed" and lib.by_name(process)["colorsys"]["status"] == "loaded"


def test_recursion_error(ws, py):
    """A chain that is too deep ends in RecursionError, in the middle of a hundred loads."""
    for i in range(2000):
        ws.write(f"rec/r{i}.py", f"import rec.r{i + 1}\n")
    ws.write("rec/__init__.py", "")
    program = ws.write("deep.py", "try:\n    import rec.r0\nexcept RecursionError:\n    print('too deep')\n"
                       "import colorsys\nprint('on')\n")
    process = one(same(ws, py(program)))
    mine = lib.by_name(process)
    assert mine["rec.r0"]["status"] == "failed" and mine["colorsys"]["depth"] == 0, (mine["rec.r0"], mine["colorsys"])
