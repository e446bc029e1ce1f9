# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Interpreters that come and go."""
import os
import shutil
import subprocess

import lib
from cli import holds, python, run_pid, run_until_attached, waiting_python
from service import wait_for


def copy_python(ws, name="copied/bin/python3.11"):
    path = ws.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(os.path.realpath(python()), path)
    os.chmod(path, 0o755)
    return path


def complete_run(report, pid):
    process = lib.only_process(report, lambda p: p["pid"] == pid)
    return process["from_start"], lib.oracle_rows(process)[0][0], "colorsys" in lib.by_name(process)


def bare_first(argv):
    """The name of the load that ends first, by the interpreter's own word."""
    r = subprocess.run([*argv, "-X", "importtime", "-c", "pass"], stderr=subprocess.PIPE, text=True,
                       check=True)
    return lib.importtime(r.stderr)[0][0]


def test_new_interpreter(ws):
    """One that appears after the start: what runs once it was looked at is complete from its first
    import."""
    w = ws.start()
    path = copy_python(ws)
    run_until_attached(w, [path, "-c", "import colorsys"])
    pid = run_pid([path, "-c", "import colorsys"])
    report = w.stop()
    assert complete_run(report, pid) == (True, bare_first([path]), True)
    process = lib.only_process(report, lambda p: p["pid"] == pid)
    assert process["exe"] == path and process["lost"] == {}, (process["exe"], process["lost"])


def test_short_lived_new_interpreter(ws):
    """Each process of an unknown interpreter may end before it can be looked at; one is enough."""
    fresh = ws.path("python-brief")
    shutil.copy(os.path.realpath(python()), fresh)
    w = ws.start()
    run_until_attached(w, [fresh, "-I", "-S", "-c", "pass"])
    pid = run_pid([fresh, "-I", "-S", "-c", "pass"])
    process = lib.only_process(w.stop(), lambda p: p["pid"] == pid)
    assert process["exe"] == fresh and process["from_start"], process


def test_replaced_interpreter(ws):
    """An upgrade: another file under the same name."""
    path = copy_python(ws)
    w = ws.start()
    run_until_attached(w, [path, "-c", "pass"])
    os.rename(copy_python(ws, "fresh/python3.11"), path)
    assert not holds(w, path)
    run_until_attached(w, [path, "-c", "pass"])
    pid = run_pid([path, "-c", "import colorsys"])
    report = w.stop()
    assert complete_run(report, pid) == (True, bare_first([path]), True)


def test_overwritten_interpreter(ws):
    """Another program, written over the file in place: the probes must not stay in the middle of
    its instructions."""
    path = copy_python(ws)
    w = ws.start()
    run_until_attached(w, [path, "-c", "pass"])
    with open("/bin/true", "rb") as f:
        other = f.read()
    with open(path, "wb") as f:
        f.write(other)
    wait_for("lmmsd let go of the file", lambda: not holds(w, path))
    run_pid([path])
    with open(os.path.realpath(python()), "rb") as f:
        other = f.read()
    with open(path, "wb") as f:
        f.write(other)
    run_until_attached(w, [path, "-c", "pass"])
    pid = run_pid([path, "-c", "import colorsys"])
    assert complete_run(w.stop(), pid) == (True, bare_first([path]), True)


def test_deleted_interpreter(ws):
    """The file is gone, its process runs on."""
    path = copy_python(ws)
    p = waiting_python([path])
    os.unlink(path)
    try:
        w = ws.start()
        p.stdin.write("go\n")
        p.stdin.flush()
        assert p.stdout.readline() == "went on\n"
        report = w.stop()
    finally:
        lib.talk(p)
    process = lib.only_process(report, lambda q: q["pid"] == p.pid)
    assert "colorsys" in lib.by_name(process) and process["from_start"] is False


def test_command_with_a_new_interpreter(ws):
    """A path that nobody knows: found from the command's name, complete from the first import."""
    path = copy_python(ws)
    script = ws.write("tool", f"#!{path} -sP\nimport colorsys\n")
    os.chmod(script, 0o755)
    for argv in ([path, "-c", "import colorsys"], [script], ["env", path, "-c", "import colorsys"]):
        report = ws.profile(argv)
        process = lib.only_process(report)
        assert complete_run(report, process["pid"]) == (True, bare_first([path]), True), argv
