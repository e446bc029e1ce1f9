# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What this host permits: --check, and what lmmsd says where it may not watch."""
import os
import re
import shutil

import lib
from cli import UNPRIVILEGED, one_line, python, waiting_python


def in_ws_binary(ws):
    """lmmsd where everybody can reach it."""
    path = ws.path("lmmsd")
    shutil.copy(lib.LMMSD, path)
    os.chmod(path, 0o755)
    return path


def test_no_privilege(ws):
    lmmsd = in_ws_binary(ws)
    marker = ws.path("ran")
    for argv in ([], ["--duration", "1"], ["--", "touch", marker]):
        r = ws.run([*UNPRIVILEGED, lmmsd, *argv], cwd="/")
        assert r.returncode == 3 and r.stdout == "", (argv, r)
        one_line(r, "root", "CAP_BPF")
    assert not os.path.exists(marker)
    r = ws.run([*UNPRIVILEGED, lmmsd, "--check"], cwd="/")
    assert r.returncode == 3, r
    assert "NO    BPF programs" in r.stdout and r.stderr == "", r
    assert "root" in r.stdout.splitlines()[-1] and "CAP_BPF" in r.stdout.splitlines()[-1], r.stdout
    assert ws.run([*UNPRIVILEGED, lmmsd, "--help"], cwd="/").returncode == 0


def test_root_without_capabilities(ws):
    """Root in a container: the user is 0, the capabilities are not there."""
    r = ws.run(["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", lib.LMMSD, "--", "true"])
    assert r.returncode == 3, r
    one_line(r, "CAP_BPF")


def test_pid_namespace(ws):
    """Pids of a namespace are not those that the kernel side sees: refused, not an empty report."""
    own = ["unshare", "--pid", "--fork", "--mount-proc"]
    if ws.run([*own, "true"]).returncode:
        raise lib.Skip("no PID namespace can be made here")
    r = ws.run([*own, lib.LMMSD, "--", python(), "-c", "pass"])
    assert r.returncode == 4 and "--pid=host" in r.stderr and len(r.stderr.splitlines()) == 1, r


def complaints(r):
    """Lines on stderr, less those on other programs of the host."""
    others = ("not watching '", "more files are not watched", "does not answer")
    return [line for line in r.stderr.splitlines() if not any(part in line for part in others)]


def test_check(ws):
    r = ws.lmmsd("--check")
    assert r.returncode == 0 and not complaints(r), r
    lines = r.stdout.splitlines()
    assert lines[0].startswith("kernel ") and "interpreters" in lines, lines
    assert lines[-1] == "lmmsd can watch this host", lines
    real = os.path.realpath(python())
    assert any(x.split()[:3] == ["yes", lib.system_python().text, "callsite"]
               and x.split()[3] == real
               for x in lines), lines
    assert not any("\x1b" in x for x in lines)


def test_check_strict(ws):
    r = ws.lmmsd("--check", "--strict")
    assert r.returncode == 0 and not complaints(r), r
    assert r.stdout.splitlines()[-1] == "lmmsd can watch this host"


def test_check_with_a_wanted_probe(ws):
    r = ws.lmmsd("--check", "--probe", "entry")
    mine = [x for x in r.stdout.splitlines() if os.path.realpath(python()) in re.split("[ :]+", x)]
    assert len(mine) == 1 and " entry " in mine[0] and "costly" in mine[0], mine


@lib.nightly
def test_bolt_hugify(ws):
    """Code that moves when it starts: refused with the reason, in --check too, while it runs."""
    cache = os.environ.get("LMMSD_TEST_CACHE") or "/var/cache/lmmsd-tests"
    hugify = os.path.join(cache, "pythons/bh3.13/bin/python3.13")
    made = ws.run([os.path.join(lib.REPO, "tests/env/pythons"), "bh3.13"])
    if not os.path.exists(hugify):
        raise lib.Skip(f"there is no BOLT build: {(made.stdout.splitlines() or ['?'])[-1]}")
    r = ws.lmmsd("--", hugify, "-c", "pass")
    assert f"not watching '{hugify}': BOLT made it with -hugify" in r.stderr, r
    p = waiting_python([hugify])
    try:
        r = ws.lmmsd("--check")
        assert any(line.split()[:3] == ["no", "3.13.5", hugify + ":"] and "-hugify" in line for line in r.stdout.splitlines()), r
    finally:
        lib.talk(p, "go\n")
