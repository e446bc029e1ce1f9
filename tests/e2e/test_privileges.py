# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What lmmsd --service may still do once it runs: what the kernel says in /proc/PID/status, of
every thread."""
import os
import signal
import subprocess

import lib
import service
from service import SHOP, Service

BITS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "SYS_PTRACE": 19, "SYS_ADMIN": 21,
        "PERFMON": 38, "BPF": 39}
NOBODY = 65534
APP = SHOP + "/manage.py"


def mask(*names):
    return sum(1 << BITS[n] for n in names)


def expected(*more):
    """Perf uprobes, before kernel 6.6, need CAP_SYS_ADMIN."""
    old = tuple(int(n) for n in os.uname().release.split(".")[:2]) < (6, 6)
    return mask("BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", *more,
                *(["SYS_ADMIN"] if old else []))


def threads(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as f:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def check(s, uid, may):
    n = 0
    for status in threads(s.p.pid):
        n += 1
        found = {k: int(status[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        assert found == {"CapInh": 0, "CapPrm": may, "CapEff": may,
                         "CapBnd": mask("DAC_READ_SEARCH"), "CapAmb": 0}, \
            {k: hex(v) for k, v in found.items()}
        assert status["NoNewPrivs"] == "1" and status["Uid"].split() == [str(uid)] * 4, status
        assert uid == 0 or status["Groups"].split() in ([], [str(uid)]), status["Groups"]
    assert n >= 3, n  # the reader and the writer too


def check_reader(pid):
    """The process of pid that reads other people's files: what it may, and what it holds open."""
    children = [p for p in os.listdir("/proc") if p.isdigit() and parent(p) == pid]
    assert len(children) == 1, children
    for status in threads(children[0]):
        found = {k: int(status[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")}
        may = mask("DAC_READ_SEARCH")
        assert found == {"CapInh": 0, "CapPrm": may, "CapEff": may, "CapAmb": 0}, \
            {k: hex(v) for k, v in found.items()}
        assert status["NoNewPrivs"] == "1"
    # while it works it has more open
    files = service.wait_for("an idle reader", lambda: idle_files(children[0]))
    assert [files[n] for n in "012"] == ["/dev/null"] * 3 and files["3"].startswith("socket:"), \
        files


def idle_files(pid):
    """What it holds open, if that is no more than it always has."""
    where = f"/proc/{pid}/fd"
    try:
        files = {f: os.readlink(f"{where}/{f}") for f in os.listdir(where)}
    except FileNotFoundError:
        return None
    return files if set(files) == set("0123") else None


def parent(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def still_stores(ws, s, runs=1):
    s.run(lib.system_python()(ws.write(APP, "import json\n")))
    s.wait_runs(APP, runs)
    check_reader(s.p.pid)
    s.stop()


def test_reader_of_other_peoples_files(ws):
    """lmmsd by hand: the same, and it can read what only their owner can."""
    home = ws.path("home")
    os.mkdir(home)
    os.mkdir(os.path.join(home, "thing-1.2.dist-info"))
    ws.write("home/thing-1.2.dist-info/METADATA", "Name: thing\nVersion: 1.2\n")
    ws.write("home/thing-1.2.dist-info/RECORD", "thing.py,,\n")
    ws.write("home/thing.py", "")
    for d, _, files in os.walk(home):
        os.chmod(d, 0o700)
        for name in [d, *(os.path.join(d, f) for f in files)]:
            os.chown(name, NOBODY, NOBODY)
    w = ws.start()
    p = subprocess.Popen(["setpriv", "--reuid", str(NOBODY), "--clear-groups",
                          *lib.system_python()("-B", "-c",
                                               f"import sys; sys.path.insert(0, {home!r}); "
                                               "import thing")])
    assert lib.wait(p) == 0
    service.wait_for("the reader", lambda: [c for c in os.listdir("/proc") if c.isdigit()
                                            and parent(c) == w.p.pid])
    check_reader(w.p.pid)
    found = lib.by_name(lib.only_process(w.stop(), lambda x: x["pid"] == p.pid))["thing"]
    assert (found["distribution"], found["version"]) == ("thing", "1.2"), found


def test_root_gives_up_the_rest(ws):
    with Service(ws) as s:
        check(s, 0, expected())
        still_stores(ws, s)


def test_root_becomes_the_owner_of_the_database(ws):
    os.mkdir(ws.path("db"))
    os.chown(ws.path("db"), NOBODY, NOBODY)
    os.mkdir(ws.path("reviews"))
    os.chown(ws.path("reviews"), NOBODY, NOBODY)
    with Service(ws) as s:
        check(s, NOBODY, expected())
        still_stores(ws, s)
    assert {os.stat(os.path.join(ws.path("db"), f)).st_uid
            for f in os.listdir(ws.path("db"))} == {NOBODY}


def test_root_stays_root_for_files_of_several_users(ws):
    os.mkdir(ws.path("db"))
    os.chown(ws.path("db"), NOBODY, NOBODY)
    os.chmod(ws.path("db"), 0o700)
    with Service(ws) as s:  # the reviews' directory will be root's
        check(s, 0, expected("CHOWN", "DAC_OVERRIDE"))
        still_stores(ws, s)


def test_systemd_signals_the_reader_too(ws):
    """systemctl stop signals each process of the unit at once; lmmsd still needs the reader for
    what just ended."""
    with Service(ws) as s:
        s.run(lib.system_python()(ws.write(APP, "import json\n")))
        s.wait_runs(APP, 1)
        reader = next(int(p) for p in os.listdir("/proc") if p.isdigit() and parent(p) == s.p.pid)
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(reader, sig)
        still_stores(ws, s, 2)
        assert parent(reader) is None
    assert not [line for line in s.lines if line and "on disk failed" in line], s.lines
