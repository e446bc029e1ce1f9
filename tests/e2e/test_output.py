# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Where the report goes: files, full disks, pipes, terminals."""
import json
import os
import re
import subprocess

import lib
from cli import one_line, python


def test_unwritable_output(ws):
    """Found out before anything starts."""
    marker = ws.path("started")
    for target in (ws.path("no/such/dir/r.json"), ws.dir, "/proc/r.json"):
        for flag in ("-o", "--record"):
            r = ws.lmmsd(flag, target, "--", "touch", marker)
            assert r.returncode not in (0, 70) and r.stdout == "", (flag, target, r)
            one_line(r, target)
            assert not os.path.exists(marker), (flag, target)
    assert os.listdir(ws.dir) == [], os.listdir(ws.dir)


def test_output_is_replaced_at_once(ws):
    out = ws.write("r.json", "old")
    os.chmod(out, 0o640)
    r = ws.lmmsd("-o", out, "--", python(), "-c",
                 f"print(open({out!r}).read()); import os; print(os.listdir({ws.dir!r}))")
    assert r.stdout == "old\n['r.json']\n", r
    with open(out, encoding="utf-8") as f:
        assert json.load(f)["complete"] is True
    assert os.stat(out).st_mode & 0o777 == 0o640
    assert os.listdir(ws.dir) == ["r.json"]


def test_full_disk(ws):
    """An error and an exit code; nothing half-written is left."""
    where = ws.path("full")
    os.mkdir(where)
    script = ('mount -t tmpfs -o size=16k tmpfs "$1" || exit 99; shift 1; dir=$1; shift; '
              '"$@"; r=$?; '
              'ls -A "$dir" >&2; exit $r')
    for flag, name in (("-o", "r.json"), ("--record", "r.rec")):
        r = ws.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh",
                    where, where, lib.LMMSD,
                    flag, os.path.join(where, name), "--", python(), "-c",
                    "import asyncio, unittest.mock"])
        if r.returncode == 99:
            raise lib.Skip("a tmpfs cannot be mounted here")
        assert r.returncode == 70, (flag, r)
        last = r.stderr.splitlines()[-1]
        assert last.startswith("lmmsd: ") and "No space left" in last and name in last, \
            (flag, r.stderr)


def test_closed_stdout(ws):
    """lmmsd | head: no error, no signal."""
    r = ws.run(["sh", "-c", '"$@" | true; true', "sh", lib.LMMSD, "--format", "json", "--",
                python(), "-c", "import asyncio"])
    assert "annot write" not in r.stderr, r.stderr


def test_no_stdout(ws):
    """Its number must not become another file's, into which the report would be written."""
    rec = ws.path("run.rec")
    r = ws.run(["sh", "-c", '"$@" >&-', "sh", lib.LMMSD, "--record", rec, "--", python(), "-c",
                "import colorsys"])
    assert r.returncode == 70 and "cannot write the report to 'stdout'" in r.stderr, r
    r = ws.lmmsd("--replay", rec, "--format", "json")
    assert r.returncode == 0, r.stderr
    assert "colorsys" in lib.by_name(lib.only_process(json.loads(r.stdout)))
    # a command has what its caller gave it
    r = ws.run(["sh", "-c", '"$@" >&-', "sh", lib.LMMSD, "-o", ws.path("r.json"), "--", "sh", "-c",
                "[ ! -e /proc/self/fd/1 ]"])
    assert r.returncode == 0, r


def on_a_terminal(argv, env):
    """The command's output on a pseudo terminal."""
    master, slave = os.openpty()
    p = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **env},
                         close_fds=True)
    os.close(slave)
    data = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:
            break
        if not some:
            break
        data += some
    os.close(master)
    assert lib.wait(p) == 0, data
    return data


def test_colour(ws):
    rec = ws.path("run.rec")
    argv = [lib.LMMSD, "--record", rec, "--", python(), "-c", "import asyncio"]
    env = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    os.environ.pop("NO_COLOR", None)
    assert re.search(rb"\x1b\[[0-9;]*m", on_a_terminal(argv, env))
    argv = [lib.LMMSD, "--replay", rec]
    assert re.search(rb"\x1b\[[0-9;]*m", on_a_terminal(argv, env))
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        data = on_a_terminal(argv, {**env, **plain})
        assert not re.search(rb"\x1b\[[0-9;]*m", data), data[:400]
        assert b"asyncio" in data


def test_ascii_where_the_locale_is(ws):
    rec = ws.path("run.rec")
    ws.profile([python(), "-X", "utf8", "-c", "import asyncio"], "--record", rec)
    for locale, ascii_only in (("C.UTF-8", False), ("C", True)):
        r = ws.run([lib.LMMSD, "--replay", rec], text=False, env={**os.environ, "LC_ALL": locale})
        assert r.returncode == 0 and b"asyncio" in r.stdout, r
        assert r.stdout.isascii() == ascii_only, (locale, r.stdout[:300])
