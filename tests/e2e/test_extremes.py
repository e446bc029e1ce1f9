# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Programs that are deep, large, hostile or short of memory: nothing changes for them, and all is
counted."""
import json
import re
import subprocess

import lib
from bare import CLEAN, one, same


def test_deep_chain(ws, py):
    depth = 150 if py.version == (3, 12) else 300  # 3.12 has a limit of its own for C
    for i in range(depth - 1):
        ws.write(f"deep{i}.py", f"import deep{i + 1}\n")
    ws.write(f"deep{depth - 1}.py", "print('bottom')\n")
    program = ws.write("chain.py", "import sys\nsys.setrecursionlimit(20000)\nimport deep0\n")
    run = same(ws, py(program))
    yield
    process = one(run.report)
    assert run.stdout == "bottom\n", run.stdout
    mine = lib.by_name(process)
    for i in range(depth):
        m = mine[f"deep{i}"]
        assert m["depth"] == i and m["status"] == "loaded", (i, m)
        assert m["importer"] == (f"deep{i - 1}" if i else "__main__"), (i, m)


def test_five_thousand_modules(ws):
    for i in range(5000):
        ws.write(f"many/m{i}.py", f"import many.m{i // 2}\n" if i else "")
    ws.write("many/__init__.py", "")
    program = ws.write("all.py",
                       "import importlib\nfor i in range(5000):\n"
                       "    importlib.import_module(f'many.m{i}')\n")
    run = same(ws, lib.system_python()(program), env={"PYTHONDONTWRITEBYTECODE": "1"})
    yield
    process = one(run.report)
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
    run = same(ws, py(program))
    yield
    process = one(run.report)
    mine = [m for m in process["modules"] if re.fullmatch(r"own[.]t\d+", m["name"])
            and m["status"] == "loaded"]
    assert len(mine) == 100 and len({m["thread"] for m in mine}) == 100
    assert lib.by_name(process)["own.shared"]["status"] == "loaded"


@lib.loses("name_cut")
def test_long_names(ws, py):
    """Cut and counted."""
    part = "n" * 200
    ws.write(f"{part}/__init__.py", "")
    ws.write(f"{part}/{part}/__init__.py", "")
    ws.write(f"{part}/{part}/{part}.py", "import colorsys\n")
    program = ws.write("long.py", f"import {part}.{part}.{part}\nprint('fine')\n"
                       f"try:\n    __import__('x' * 100000)\nexcept ImportError as e:\n"
                       f"    print(len(e.name))\n")
    run = same(ws, py(program))
    yield
    report = run.report
    assert set(report["lost"]) == {"name_cut"} and report["lost"]["name_cut"] >= 1, report["lost"]
    assert report["complete"] is False
    process = lib.only_process(report)
    names = [m["name"] for m in lib.loads(process)]
    assert any(n.startswith(f"{part}.{part}.nnn") and len(n) < 601 for n in names), \
        [n[-30:] for n in names][-4:]
    assert lib.by_name(process)["colorsys"]["depth"] == 1, lib.by_name(process)["colorsys"]


EVIL = ["esc\x1b[31mred", "line\nbreak", "tab\there", "bell\x07", "del\x7f", "rtl\u202eflip",
        "c1\x9b31m", "semi;colon", "pi|pe", "quo\"te\\", "<b>&amp;", "\U0001f40d"]
IMPORTS_EVIL = f"""
for name in {EVIL!r} + ["sur\\udc80rogate"]:
    try:
        __import__(name)
    except ImportError as e:
        print(ascii(e.name))
"""


@lib.loses("name_unreadable")
@lib.each_probe
def test_hostile_names(ws, py):
    """JSON keeps control characters."""
    run = same(ws, py(ws.write("evil.py", IMPORTS_EVIL)))
    yield
    # USDT passes a C string, and a lone surrogate has none.
    assert run.report["lost"] == ({"name_unreadable": 1} if lib.best_probe(py) == "usdt" else {}), \
        run.report["lost"]
    names = {m["name"] for m in lib.loads(lib.only_process(run.report))}
    for name in EVIL:
        assert name in names, (name, [n for n in names if n.startswith(name[:3])])


def test_hostile_names_on_paper(ws):
    """Control characters are escaped wherever people read them."""
    rec = ws.path("run.rec")
    ws.profile(lib.system_python()(ws.write("evil.py", IMPORTS_EVIL)), "--record", rec)
    for fmt in ("tree", "table", "importtime", "folded"):
        text = ws.lmmsd("--replay", rec, "--format", fmt).stdout
        assert "evil.py" in text or "esc" in text, (fmt, text)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text), fmt
    for fmt in ("speedscope", "perfetto"):
        data = json.loads(ws.lmmsd("--replay", rec, "--format", fmt).stdout)
        assert EVIL[0] in json.dumps(data, ensure_ascii=False).replace("\\u001b", "\x1b"), fmt


HOSTILE_ARGV = ["-c", "import colorsys", "\x1b]0;title\x07", "new\nline",
                b"\xff\xfe".decode("utf-8", "surrogateescape")]


def test_hostile_command_line(ws):
    """The target writes its own command line."""
    python = lib.system_python()
    odd = ws.watch(python(*HOSTILE_ARGV))
    long = ws.watch(python("-c", "import colorsys", *["argument"] * 20000))
    yield
    process = one(odd.report)
    cmdline = process["cmdline"]
    assert cmdline[3:5] == HOSTILE_ARGV[2:4] and len(cmdline) == 6, cmdline
    process = one(long.report)
    assert process["exit_code"] == 0 and "colorsys" in lib.by_name(process)


def test_hostile_command_line_on_paper(ws):
    r = ws.lmmsd("--format", "tree", "--", *lib.system_python()(*HOSTILE_ARGV))
    assert "colorsys" in r.stdout and "\x1b" not in r.stdout and "\x07" not in r.stdout


def test_fifty_heavy_starts(ws):
    """All at once, more than the machine has processors for."""
    py, uid = lib.system_python(), lib.own_uid()
    program = ws.write("heavy.py",
                       "import asyncio, http.server, unittest.mock, email.mime.multipart, "
                       "sqlite3, decimal, "
                       "xml.etree.ElementTree, logging.config, argparse, ctypes, "
                       "multiprocessing.pool, tarfile\n")
    w = ws.start("--uid", str(uid))
    running = [subprocess.Popen(py("-B", program), stdin=subprocess.DEVNULL, env=CLEAN, user=uid)
               for _ in range(50)]
    assert [lib.wait(p) for p in running] == [0] * 50
    report = w.stop()
    assert lib.lost(report) == {}, report["lost"]
    mine = report["processes"]
    assert {p["pid"] for p in mine} == {p.pid for p in running} and len(mine) == 50
    counts = {len(lib.loads(p)) for p in mine}
    assert len(counts) == 1 and counts.pop() > 200, counts
    assert all(p["from_start"] and p["exit_code"] == 0 and p["lost"] == {} for p in mine), \
        [p["lost"] for p in mine]


def test_memory_limit(ws):
    """A program that runs out of memory in an import: as it does alone."""
    program = ws.write("hungry.py",
                       "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))\n"
                       "try:\n    import eats\nexcept MemoryError:\n    print('no memory')\n"
                       "import colorsys\n")
    ws.write("eats.py", "x = bytearray(2**29)\n")
    run = same(ws, lib.system_python()(program))
    yield
    process = one(run.report)
    mine = lib.by_name(process)
    assert mine["eats"]["status"] == "failed" and mine["colorsys"]["status"] == "loaded"


def test_recursion_error(ws, py):
    """A chain that is too deep ends in RecursionError, in the middle of a hundred loads."""
    for i in range(2000):
        ws.write(f"rec/r{i}.py", f"import rec.r{i + 1}\n")
    ws.write("rec/__init__.py", "")
    program = ws.write("deep.py",
                       "try:\n    import rec.r0\nexcept RecursionError:\n    print('too deep')\n"
                       "import colorsys\nprint('on')\n")
    run = same(ws, py(program))
    yield
    process = one(run.report)
    mine = lib.by_name(process)
    assert mine["rec.r0"]["status"] == "failed" and mine["colorsys"]["depth"] == 0, \
        (mine["rec.r0"], mine["colorsys"])
