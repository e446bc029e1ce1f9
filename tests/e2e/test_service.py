# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""lmmsd --service: stores what runs, survives kills, full disks and rivals, and talks to systemd."""
import os
import shutil
import signal
import sqlite3
import subprocess

import lib
from service import SHOP, Notify, Service, exit_status, wait_for
from test_month import look

PROGRAM = "import json, colorsys\nprint(json.dumps(colorsys.__name__))\n"
APP, SERVER = SHOP + "/manage.py", SHOP + "/server.py"


def shop(ws):
    return lib.system_python()(ws.write(APP, PROGRAM))


def test_stores_runs(ws):
    argv = shop(ws)
    with Service(ws) as s:
        s.run(argv, 3)
        s.wait_runs(APP, 3)
        app = s.apps()[APP]
        assert app["cold_start"]["n"] >= 1 and app["cold_start"]["p50"] > 0, app
        s.stop()
    # lmmsctl answers without the daemon too, and a second one goes on where the first one ended.
    assert s.runs(APP) == 3
    with Service(ws) as s:
        s.run(argv)
        s.wait_runs(APP, 4)
        s.stop()


def test_one_app_only(ws):
    argv = shop(ws)
    with Service(ws, "--app", f"^{SHOP}/") as s:
        s.run(lib.system_python()("-c", "import json"))
        s.run(argv)
        s.wait_runs(APP, 1)
        s.stop()
    assert set(s.apps()) == {APP}, s.apps()


def test_systemd(ws):
    notify = Notify(ws)
    with Service(ws, env={"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "2000000"}) as s:
        ready = notify.until("READY", "1")
        assert "interpreters" in ready["STATUS"], ready
        for _ in range(3):
            notify.until("WATCHDOG", "1")
        s.p.send_signal(signal.SIGHUP)
        assert int(notify.until("RELOADING", "1")["MONOTONIC_USEC"]) > 0
        notify.until("READY", "1")
        s.p.send_signal(signal.SIGTERM)
        notify.until("STOPPING", "1")
        assert exit_status(s.p) == 0


def test_reload(ws):
    argv = shop(ws)
    config = ws.write("own.conf", "")
    with Service(ws, "--config", config) as s:
        s.run(argv)
        s.wait_runs(APP, 1)
        ws.write("own.conf", f"[app.rules]\nour shop = {SHOP}/manage\n")
        s.p.send_signal(signal.SIGHUP)
        s.said("the configuration was read again")
        s.run(argv)
        s.wait_runs("our shop", 1)
        ws.write("own.conf", "[app.rules]\n[nonsense]\nx = 1\n")
        s.p.send_signal(signal.SIGHUP)
        assert "own.conf:3" in s.said("stays as it was")
        s.run(argv)
        s.wait_runs("our shop", 2)
        s.stop()


def runs_stored_until(ws, seconds):
    """Of a process that goes on when --duration ends the daemon: as by SIGTERM, what still runs is
    stored."""
    waits = ws.write(SERVER, "import json\nprint('up', flush=True)\ninput()\n")
    with Service(ws, "--duration", str(seconds)) as s:
        server = subprocess.Popen(lib.system_python()(waits), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "up\n"
            assert exit_status(s.p) == 0, s.lines
        finally:
            server.communicate("\n")
        return s.runs(SERVER)


def test_duration(ws):
    """How long the process needs to start depends on the host: it gets twice as long each time that
    it was too short."""
    seconds = 2
    while (runs := runs_stored_until(ws, seconds)) == 0 and seconds <= 64:
        seconds *= 2
    assert runs == 1, (runs, seconds)


def test_a_kill_loses_nothing_stored(ws):
    """What is stored is there after the kill, a process that goes on included; and the database is
    sound. How soon what has ended is stored: tests/unit."""
    argv = shop(ws)
    waits = ws.write(SERVER, "import json, sys\nprint('up', flush=True)\nsys.stdin.read()\n")
    with Service(ws) as s:
        server = subprocess.Popen(lib.system_python()(waits), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        ws.started.append(server)
        assert server.stdout.readline() == "up\n"
        s.run(argv, 5)
        s.wait_runs(APP, 5)
        s.wait_runs(SERVER, 1)
        s.kill()
        with Service(ws) as again:
            assert (again.runs(APP), again.runs(SERVER)) == (5, 1), again.apps()
            again.run(argv)
            again.wait_runs(APP, 6)
            again.stop()


ROUNDS = 3


def test_kills_under_load(ws):
    """At any instant: the database opens clean, and no run counts twice."""
    argv = shop(ws)
    for round_ in range(ROUNDS):
        with Service(ws) as s:
            load = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(6)]
            load[round_].wait()
            if round_ % 2:  # some of them are stored, and come again in no later round
                wait_for("a stored run", lambda: s.runs(APP) > stored)
            s.kill()
            for p in load:
                p.wait()
            stored = s.runs(APP) if os.path.exists(s.db) else 0
    with Service(ws) as s:
        assert not any("damaged" in x for x in s.lines if x), s.lines
        s.stop()
    runs, keys = keys_of(s)
    assert 1 <= runs == keys <= 6 * ROUNDS, (runs, keys)


def keys_of(s):
    """How many runs of ours are stored, and of how many processes."""
    db = sqlite3.connect(f"file:{s.db}?mode=ro", uri=True)
    try:
        return db.execute("SELECT count(*), count(DISTINCT key) FROM run JOIN name ON name.id = run.app WHERE name.s = ?", [APP]).fetchone()
    finally:
        db.close()


def test_two_daemons(ws):
    with Service(ws) as first:
        with Service(ws, wait=False) as second:
            assert exit_status(second.p) == 2
            line = second.said("another lmmsd")
            assert second.db in line and len([x for x in second.lines if x]) == 1, second.lines
        first.stop()


def test_long_runner_ends_once(ws):
    """A checkpoint and the end of the same process are one run."""
    waits = ws.write(SERVER, "import json, sys\nprint('up', flush=True)\nsys.stdin.read()\nimport colorsys\n")
    with Service(ws) as s:
        server = subprocess.Popen(lib.system_python()(waits), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "up\n"
        s.wait_runs(SERVER, 1)
        names = [m["name"] for m in s.json("modules", "--app", SERVER)["modules"]]
        assert "json" in names and "colorsys" not in names, names
        server.stdin.close()
        server.stdout.close()
        server.wait()
        wait_for("the end of the process", lambda: "colorsys" in
                 [m["name"] for m in s.json("modules", "--app", SERVER)["modules"]])
        assert s.runs(SERVER) == 1
        s.stop()


def test_corrupt_database(ws):
    with Service(ws) as s:
        s.stop()
    with open(s.db, "r+b") as f:
        f.write(b"SQLite format 3\0" + b"\xa5" * 8192)
    with Service(ws) as s:
        s.said("was damaged")
        s.run(shop(ws))
        s.wait_runs(APP, 1)
        s.stop()
    kept = [x for x in os.listdir(ws.path("db")) if ".corrupt-" in x]
    assert len(kept) == 1, os.listdir(ws.path("db"))


def test_newer_database(ws):
    with Service(ws) as s:
        s.stop()
    db = sqlite3.connect(s.db)
    db.execute("PRAGMA user_version = 1000")
    db.close()
    with Service(ws, wait=False) as s:
        assert exit_status(s.p) == 4
        s.said("newer")
    r = s.ctl("apps", code=4)
    assert "newer" in r.stderr and r.stderr.count("\n") == 1, r.stderr


def test_full_disk(ws):
    """Nothing stops; what waits is written when there is room again."""
    where = ws.path("small")
    os.mkdir(where)
    if ws.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", where]).returncode:
        raise lib.Skip("cannot mount a tmpfs")
    try:
        argv = shop(ws)
        with Service(ws, db=os.path.join(where, "lmmsd.db")) as s:
            s.run(argv)
            s.wait_runs(APP, 1)
            filler = os.path.join(where, "filler")
            with open(filler, "wb", buffering=0) as f:
                try:
                    while f.write(b"\0" * 4096):
                        pass
                except OSError:
                    pass

            def fails():
                s.run(argv)
                return any("cannot write the database" in x for x in s.lines if x)

            wait_for("the disk is full", fails)
            done = len([1 for _ in range(2) if s.run(argv) is None])
            assert done == 2 and s.p.poll() is None
            os.unlink(filler)
            s.said("can be written again")
            before = s.runs(APP)
            s.run(argv)
            s.wait_runs(APP, before + 1)
            s.stop()
    finally:
        ws.run(["umount", "-l", where])


def test_triggers_and_reviews_do_not_hold_it_up(ws):
    config = ws.write("fast.conf", "[service]\nevaluate_s = 1\n")
    argv = shop(ws)
    with Service(ws, "--config", config) as s:
        s.run(argv, 3)
        s.wait_runs(APP, 3)
        wait_for("an evaluation", lambda: "the daemon watches" in s.ctl("review", "--app", APP).stdout)
        s.stop()
    assert not any("cannot" in x for x in s.lines if x), s.lines


def test_monthly_review(ws):
    """Runs of past months, as a daemon that slept over their ends finds them: one review each, and never twice."""
    argv = shop(ws)
    with Service(ws) as s:
        s.run(argv, 4)
        s.wait_runs(APP, 4)
        s.stop()
    db = sqlite3.connect(s.db)
    shift_days(db, 40)
    db.close()
    with Service(ws) as s:
        s.said("the review of ")
        files = wait_for("its files", lambda: len(os.listdir(s.reviews)) >= 4 and sorted(os.listdir(s.reviews)))
        assert {os.path.splitext(f)[1] for f in files} == {".txt", ".md", ".json", ".html"}, files
        assert len({os.path.splitext(f)[0] for f in files}) == 1, files
        s.stop()
    shutil.rmtree(s.reviews)
    with Service(ws) as s:
        s.run(argv)
        s.wait_runs(APP, 5)
        look(s)
        s.stop()
        assert os.listdir(s.reviews) == [], "it was written again"


def shift_days(db, days):
    """All that is stored becomes older."""
    ns = days * 86400 * 10**9
    for table in ("run", "app_day", "module_day", "edge_day", "lost_day"):
        db.execute(f"UPDATE {table} SET day = day - {days}")
    db.execute(f"UPDATE run SET started = started - {ns}")
    db.execute(f"UPDATE app_day SET first = first - {ns}, last = last - {ns}")
    db.commit()
