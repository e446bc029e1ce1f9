# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Processes that become another program, stop, or die on the way."""
import os
import signal
import struct
import subprocess

import lib
from bare import one, same


def test_exec_in_a_thread(ws, py):
    """The thread becomes the process."""
    second = ws.write("second.py", "import csv\nprint('second')\n")
    program = ws.write("first.py", f"""
import colorsys, os, sys, threading
print("first", flush=True)
t = threading.Thread(target=lambda: os.execv(sys.executable, [sys.executable, {second!r}]))
t.start(); t.join()
""")
    run = same(ws, py(program))
    yield
    report = run.report
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
    run = same(ws, py(program))
    yield
    process = one(run.report)
    assert {"colorsys", "csv"} <= set(lib.by_name(process))


def test_death_in_exec(ws, py):
    """Past the point of no return: the kernel kills the process while it executes another
    program."""
    # An ELF whose one segment cannot be mapped.
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 62, 1, 0x400000, 64,
                         0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x7fffffffffff0000, 0, 4096, 4096, 4096)
    path = ws.path("deadly")
    with open(path, "wb") as f:
        f.write((header + segment).ljust(4096, b"\0"))
    os.chmod(path, 0o755)
    program = ws.write("jumps.py",
                       f"import os, colorsys\nprint('up', flush=True)\nos.execv({path!r}, ['x'])\n")
    bare = ws.run(py(program))
    if bare.returncode >= 0:
        raise lib.Skip("this kernel refuses the broken program instead of killing it")
    run = same(ws, py(program))
    yield
    report = run.report
    assert "colorsys" in lib.by_name(report["processes"][0]) and report["lost"] == {}, \
        report["lost"]


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
    run = same(ws, py(program))
    yield
    report = run.report
    assert run.stdout == "0\n" and report["lost"] == {}, (run, report["lost"])
    children = [p for p in report["processes"] if p["cmdline"][-1] == inner]
    parents = [p for p in report["processes"] if p["cmdline"][-1] == program
               and "colorsys" in lib.by_name(p)]
    assert len(children) == 2 and len(parents) == 1, \
        [(p["cmdline"], len(p["modules"])) for p in report["processes"]]
    for p in children:
        assert "csv" in lib.by_name(p) and "colorsys" not in lib.by_name(p) and p["from_start"]
        assert p["ppid"] == parents[0]["pid"] and p["exit_code"] == 0
    assert "csv" not in lib.by_name(parents[0])


def test_stopped_process(ws):
    """lmmsd waits for nobody."""
    text = """
import os, signal
print('up', flush=True)
input()
import colorsys
os.kill(os.getpid(), signal.SIGSTOP)
import csv
print('end')
"""
    p = subprocess.Popen(lib.system_python()("-c", text),
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
        out, _ = lib.talk(p)
    assert out == "end\n" and p.returncode == 0


def test_stopped_before_it_is_watched(ws):
    text = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); import csv"
    p = subprocess.Popen(lib.system_python()("-c", text))
    try:
        _, status = os.waitpid(p.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        w = ws.start("--pid", str(p.pid))
        os.kill(p.pid, signal.SIGCONT)
        process = one(w.wait())
    finally:
        p.kill()
        lib.wait(p)
    assert "csv" in lib.by_name(process)
