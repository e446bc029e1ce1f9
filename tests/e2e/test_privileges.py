# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What lmmsd --service may still do once it runs: what the kernel says in /proc/PID/status, of every thread."""
import os

import lib
from service import Service

BITS = {"CHOWN": 0, "DAC_OVERRIDE": 1, "DAC_READ_SEARCH": 2, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "PERFMON": 38, "BPF": 39}
NOBODY = 65534


def mask(*names):
    return sum(1 << BITS[n] for n in names)


def expected(*more):
    """Perf uprobes, before kernel 6.6, need CAP_SYS_ADMIN."""
    old = tuple(int(n) for n in os.uname().release.split(".")[:2]) < (6, 6)
    return mask("BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", *more, *(["SYS_ADMIN"] if old else []))


def threads(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as f:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def check(s, uid, may):
    n = 0
    for status in threads(s.p.pid):
        n += 1
        found = {k: int(status[k], 16) for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        assert found == {"CapInh": 0, "CapPrm": may, "CapEff": may, "CapBnd": 0, "CapAmb": 0}, {k: hex(v) for k, v in found.items()}
        assert status["NoNewPrivs"] == "1" and status["Uid"].split() == [str(uid)] * 4, status
        assert uid == 0 or status["Groups"].split() in ([], [str(uid)]), status["Groups"]
    assert n >= 3, n  # the reader and the writer too


def still_stores(ws, s):
    s.run(lib.system_python()(ws.write("shop/manage.py", "import json\n")))
    s.wait_runs("shop/manage.py", 1)
    s.stop()


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
    assert {os.stat(os.path.join(ws.path("db"), f)).st_uid for f in os.listdir(ws.path("db"))} == {NOBODY}


def test_root_stays_root_for_files_of_several_users(ws):
    os.mkdir(ws.path("db"))
    os.chown(ws.path("db"), NOBODY, NOBODY)
    os.chmod(ws.path("db"), 0o700)
    with Service(ws) as s:  # the reviews' directory will be root's
        check(s, 0, expected("CHOWN", "DAC_OVERRIDE"))
        still_stores(ws, s)
