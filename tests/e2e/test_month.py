# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The daemon's calendar under a clock that the test sets: months end, clocks jump, daemons sleep."""
import glob
import json
import os
import re
import signal
import sqlite3
import time

import lib
from service import Service, wait_for
from web import WebService

PROGRAM = "import json, colorsys\nprint(json.dumps(colorsys.__name__))\n"
DIR = f"month{os.getpid()}"
APP, DESK = DIR + "/job.py", DIR + "/desk.py"
OWN = ["--app", f"^{DIR}/"]  # the host's other Pythons run in months that the test has made up, too


class Clock:
    """CLOCK_REALTIME of one process, as the system's plus so many seconds; CLOCK_MONOTONIC stays true."""

    def __init__(self, ws):
        library = ws.path("clock.so")
        r = ws.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(lib.HERE, "clock.c")])
        if r.returncode:
            raise lib.Skip("cannot compile the clock: " + r.stderr[:200])
        self.file = ws.path("clock")
        self.env = {"LD_PRELOAD": library, "TEST_CLOCK": self.file, "TZ": "UTC"}

    def set(self, to):
        with open(self.file + ".new", "w", encoding="ascii") as f:
            f.write(f"{int(to - time.time())}\n")
        os.rename(self.file + ".new", self.file)


def month(n):
    """The first second of the month n months from now, and how files and people call it."""
    now = time.gmtime()
    total = now.tm_year * 12 + now.tm_mon - 1 + n
    at = time.strptime(f"{total // 12}-{total % 12 + 1:02}-01", "%Y-%m-%d")
    return int(time.mktime(at)) - time.timezone, time.strftime("%Y-%m", at)


def reviews(s):
    return sorted(f for f in os.listdir(s.reviews) if f[0] != ".") if os.path.isdir(s.reviews) else []


def four(name):
    return sorted(f"lmmsd-{name}{suffix}" for suffix in (".html", ".json", ".md", ".txt"))


def stamps(s):
    return {f: os.stat(os.path.join(s.reviews, f)).st_ino for f in reviews(s)}


def look(s):
    """The reviewer looks now, and has looked."""
    def evaluated():
        db = sqlite3.connect(f"file:{s.db}?mode=ro", uri=True)
        try:
            return db.execute("SELECT value FROM mark WHERE name = 'triggers/evaluated'").fetchone()
        finally:
            db.close()

    for _ in range(2):  # the second one begins when all of the first is over
        before = evaluated()

        def asked():
            s.p.send_signal(signal.SIGHUP)
            return evaluated() != before

        wait_for("a look of the reviewer", asked)


def test_month_ends(ws):
    clock = Clock(ws)
    argv = lib.system_python()(ws.write(APP, PROGRAM))
    begins, next_name = month(1)
    _, this_name = month(0)
    clock.set(begins - 3600)
    with Service(ws, *OWN, env=clock.env) as s:
        s.run(argv, 4)
        s.wait_runs(APP, 4)
        look(s)
        assert reviews(s) == [], "a month that is not over"
        clock.set(begins + 600)
        look(s)
        s.said("the review of ")
        assert wait_for("its files", lambda: len(reviews(s)) >= 4 and reviews(s)) == four(this_name)
        first = stamps(s)
        look(s)
        assert stamps(s) == first, "it was written twice"
        # the clock goes back for a while, as before the network is up: what was reviewed stays so (an hour: tests/unit)
        clock.set(begins - 3600)
        s.run(argv)
        s.wait_runs(APP, 5)
        look(s)
        assert stamps(s) == first, "it was written twice"
        clock.set(begins + 1200)
        s.run(argv)
        s.wait_runs(APP, 6)
        look(s)
        assert stamps(s) == first, "it was written twice"
        with open(os.path.join(s.reviews, f"lmmsd-{this_name}.json"), encoding="utf-8") as f:
            assert [a["runs"] for a in json.load(f)["apps"] if a["app"] == APP] == [4]
        s.stop()
    last_seen = s.apps()[APP]["last_seen"]
    assert last_seen.startswith(next_name), "the run after the jump belongs to the new month: " + last_seen

    # two months of sleep: the month with runs is caught up, the one without any gets none
    after, _ = month(3)
    clock.set(after + 600)
    with Service(ws, *OWN, env=clock.env) as s:
        s.said("the review of ")
        look(s)
        assert reviews(s) == sorted(four(this_name) + four(next_name)), reviews(s)
        s.stop()
    assert {f: i for f, i in stamps(s).items() if this_name in f} == first
    with Service(ws, *OWN, env=clock.env) as s:
        look(s)
        assert not any("the review of" in x for x in s.lines if x), s.lines
        s.stop()
    r = s.ctl("review", "--month", month(2)[1], code=5)
    assert r.stderr.count("\n") == 1 and not r.stdout, (r.stdout, r.stderr)
    r = s.ctl("modules", "--app", "no such", code=5)
    assert r.stderr.count("\n") == 1 and "no such" in r.stderr, r.stderr


def shop(ws, version, parts, slow):
    """A program with a dependency; what it imports in a function depends on its argument."""
    site = ws.path("site/lib/python3/site-packages")
    for old in glob.glob(site + "/*.dist-info"):
        os.rename(old, site + f"/till-{version}.dist-info")
    info = f"site/lib/python3/site-packages/till-{version}.dist-info/"
    ws.write(info + "METADATA", f"Metadata-Version: 2.1\nName: till\nVersion: {version}\n")
    ws.write(info + "RECORD", "till/__init__.py,,\n")
    ws.write("site/lib/python3/site-packages/till/__init__.py", "import json\n")
    text = f"import time\ntime.sleep({slow})\n"  # lint: allow(sleeps) a busy host adds little to it
    ws.write(DIR + "/stock.py", text)
    return ws.write(DESK, f"import sys\nsys.path[:0] = [{site!r}]\nimport till\nimport stock\n{parts}\n"
                          "def rare():\n    import colorsys\n    return colorsys\n"
                          "if 'rare' in sys.argv:\n    rare()\n")


def days(s, clock, argv, first, n, runs):
    """Runs on so many days, and each day the daemon looks at them."""
    for day in range(n):
        clock.set(first + day * 86400)
        before = s.runs(DESK)
        for _ in range(runs):
            s.run(argv)
        s.wait_runs(DESK, before + runs)
        look(s)


CHANGES = {("new_module", "wave"), ("dependency_update", "till"), ("usage_shift", "colorsys")}


def test_triggers(ws):
    """A calm fortnight gives none; a new version of the program, all that changed, in the log, the store, and the review."""
    clock = Clock(ws)
    py = lib.system_python()
    today = int(time.time()) // 86400 * 86400 + 43200
    argv = py(shop(ws, "1.0", "", 0)) + ["rare"]
    clock.set(today)
    with WebService(ws, *OWN, env=clock.env) as s:
        s.run(argv)  # compiled; and the daemon's first
        s.wait_runs(DESK, 1)
        days(s, clock, argv, today, 14, 5)
        # how long it takes depends on who else is busy here: calm months are simulated, in tests/unit
        early = [x for x in s.lines if x and "profile '" + DESK in x and not re.search("regression|improvement", x)]
        assert not early, early
        counted = {reason: s.value("lmmsd_reprofile_triggers_total", reason=reason) for reason, _ in CHANGES}
        argv = py(shop(ws, "2.0", "import wave", 0.3))
        days(s, clock, argv, today + 14 * 86400, 6, 6)
        s.said("dependency_update of till")
        said = [x for x in s.lines if x and f"profile '{DESK}' again" in x]
        for reason, before in counted.items():
            told = len([x for x in said if f"again: {reason}" in x])
            assert told, (reason, said)
            s.wait_value("lmmsd_reprofile_triggers_total", before + told, reason=reason)
        s.stop()
    changes = s.json("review", "--app", DESK, "--since", time.strftime("%Y-%m-%d", time.gmtime(today)), "--until",
                     time.strftime("%Y-%m-%d", time.gmtime(today + 21 * 86400)))["apps"][0]["changes"]
    found = {(c["kind"], c["module"]) for c in changes}
    assert CHANGES <= found, (found, said)
    slower = [c for c in changes if c["kind"] == "regression"]
    assert slower and all(c["before"] and c["after"] and c["why"] for c in slower), changes
    for kind, module in CHANGES:
        assert any(f"{kind} of {module}" in x and "before" in x for x in said), (kind, module, said)
    update = next(c for c in changes if c["kind"] == "dependency_update")
    assert (update["before"], update["after"]) == ("1.0", "2.0"), update
    assert len(said) == len(set(said)), "told twice"
    text = s.ctl("review", "--app", DESK, "--since", time.strftime("%Y-%m-%d", time.gmtime(today)), "--until",
                 time.strftime("%Y-%m-%d", time.gmtime(today + 21 * 86400))).stdout
    assert "till" in text and "2.0" in text and "wave" in text, text
