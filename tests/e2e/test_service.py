# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""lmmsd --service: stores what runs, survives kills, full disks and rivals, and talks to systemd."""
import os
import shutil
import signal
import subprocess
import time

import lib
from service import Notify, Service, wait_for

PROGRAM = "import json, colorsys\nprint(json.dumps(colorsys.__name__))\n"
LOSS_S = 5


def shop(ws):
    return lib.system_python()(ws.write("shop/manage.py", PROGRAM))


def test_stores_runs(ws):
    argv = shop(ws)
    with Service(ws) as s:
        s.run(argv, 3)
        s.wait_runs("shop/manage.py", 3)
        app = s.apps()["shop/manage.py"]
        assert app["cold_start"]["n"] >= 1 and app["cold_start"]["p50"] > 0, app
        s.stop()
    # lmmsctl answers without the daemon too, and a second one goes on where the first one ended.
    assert s.runs("shop/manage.py") == 3
    with Service(ws) as s:
        s.run(argv)
        s.wait_runs("shop/manage.py", 4)
        s.stop()


def test_one_app_only(ws):
    argv = shop(ws)
    with Service(ws, "--app", "^shop/") as s:
        s.run(lib.system_python()("-c", "import json"))
        s.run(argv)
        s.wait_runs("shop/manage.py", 1)
        s.stop()
    assert set(s.apps()) == {"shop/manage.py"}, s.apps()


def test_systemd(ws):
    notify = Notify(ws)
    with Service(ws, env={"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "2000000"}) as s:
        ready = notify.until("READY", "1")
        assert "interpreters" in ready["STATUS"], ready
        began = time.monotonic()
        for _ in range(3):
            notify.until("WATCHDOG", "1")
        assert time.monotonic() - began < 6, "the watchdog would have killed it"
        s.p.send_signal(signal.SIGHUP)
        assert int(notify.until("RELOADING", "1")["MONOTONIC_USEC"]) > 0
        notify.until("READY", "1")
        s.p.send_signal(signal.SIGTERM)
        notify.until("STOPPING", "1")
        assert s.p.wait(timeout=lib.TIMEOUT) == 0


def test_reload(ws):
    argv = shop(ws)
    config = ws.write("own.conf", "")
    with Service(ws, "--config", config) as s:
        s.run(argv)
        s.wait_runs("shop/manage.py", 1)
        ws.write("own.conf", "[app.rules]\nour shop = shop/manage\n")
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


def test_duration(ws):
    """It ends as by SIGTERM: what still runs is stored."""
    waits = ws.write("lasting/server.py", "import json\nprint('up', flush=True)\ninput()\n")
    with Service(ws, "--duration", "3") as s:
        server = subprocess.Popen(lib.system_python()(waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "up\n"
            assert s.p.wait(timeout=lib.TIMEOUT) == 0, s.lines
        finally:
            server.communicate("\n")
        assert s.runs("lasting/server.py") == 1, s.apps()


def test_kill_loses_seconds(ws):
    """What ended LOSS_S before the kill is there, a process that goes on included; and the database is sound."""
    argv = shop(ws)
    waits = ws.write("shop/server.py", "import json, sys\nprint('up', flush=True)\nsys.stdin.read()\n")
    with Service(ws) as s:
        server = subprocess.Popen(lib.system_python()(waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout.readline() == "up\n"
            up = time.monotonic()
            s.run(argv, 5)
            ran = time.monotonic()
            s.wait_runs("shop/manage.py", 5, LOSS_S)
            assert time.monotonic() - ran <= LOSS_S
            wait_for("the copy of a process that goes on", lambda: s.runs("shop/server.py") == 1, 2 * LOSS_S)
            assert time.monotonic() - up <= 2 * LOSS_S, "it takes too long"
            s.kill()
            with Service(ws) as again:
                assert (again.runs("shop/manage.py"), again.runs("shop/server.py")) == (5, 1), again.apps()
                again.run(argv)
                again.wait_runs("shop/manage.py", 6)
                again.stop()
        finally:
            server.stdin.close()
            server.stdout.close()
            server.wait()


def test_kills_under_load(ws):
    """At any instant: the database opens clean, and no run counts twice."""
    argv = shop(ws)
    for round_ in range(5):
        with Service(ws) as s:
            load = [subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(6)]
            load[round_].wait()
            s.kill()
            for p in load:
                p.wait()
    with Service(ws) as s:
        assert not any("damaged" in x for x in s.lines if x), s.lines
        assert s.runs("shop/manage.py") <= 30
        s.stop()


def test_two_daemons(ws):
    with Service(ws) as first:
        with Service(ws, wait=False) as second:
            assert second.p.wait(timeout=lib.TIMEOUT) == 2
            line = second.said("another lmmsd")
            assert second.db in line and len([x for x in second.lines if x]) == 1, second.lines
        first.stop()


def test_long_runner_ends_once(ws):
    """A checkpoint and the end of the same process are one run."""
    waits = ws.write("shop/server.py", "import json, sys\nprint('up', flush=True)\nsys.stdin.read()\nimport colorsys\n")
    with Service(ws) as s:
        server = subprocess.Popen(lib.system_python()(waits), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout.readline() == "up\n"
        s.wait_runs("shop/server.py", 1)
        names = [m["name"] for m in s.json("modules", "--app", "shop/server.py")["modules"]]
        assert "json" in names and "colorsys" not in names, names
        server.stdin.close()
        server.stdout.close()
        server.wait()
        wait_for("the end of the process", lambda: "colorsys" in
                 [m["name"] for m in s.json("modules", "--app", "shop/server.py")["modules"]])
        assert s.runs("shop/server.py") == 1
        s.stop()


def test_corrupt_database(ws):
    os.makedirs(ws.path("db"))
    with open(ws.path("db/lmmsd.db"), "wb") as f:
        f.write(b"SQLite format 3\0" + b"\xa5" * 8192)
    with Service(ws) as s:
        s.said("was damaged")
        s.run(shop(ws))
        s.wait_runs("shop/manage.py", 1)
        s.stop()
    kept = [x for x in os.listdir(ws.path("db")) if ".corrupt-" in x]
    assert len(kept) == 1, os.listdir(ws.path("db"))


def test_newer_database(ws):
    import sqlite3
    with Service(ws) as s:
        s.stop()
    db = sqlite3.connect(s.db)
    db.execute("PRAGMA user_version = 1000")
    db.close()
    with Service(ws, wait=False) as s:
        assert s.p.wait(timeout=lib.TIMEOUT) == 4
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
            s.wait_runs("shop/manage.py", 1)
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
            before = s.runs("shop/manage.py")
            s.run(argv)
            s.wait_runs("shop/manage.py", before + 1)
            s.stop()
    finally:
        ws.run(["umount", "-l", where])


def test_triggers_and_reviews_do_not_hold_it_up(ws):
    config = ws.write("fast.conf", "[service]\nevaluate_s = 1\n")
    argv = shop(ws)
    with Service(ws, "--config", config) as s:
        s.run(argv, 3)
        s.wait_runs("shop/manage.py", 3)
        wait_for("an evaluation", lambda: "the daemon watches" in s.ctl("review", "--app", "shop/manage.py").stdout)
        s.stop()
    assert not any("cannot" in x for x in s.lines if x), s.lines


def test_monthly_review(ws):
    """Runs of past months, as a daemon that slept over their ends finds them: one review each, and never twice."""
    import sqlite3
    argv = shop(ws)
    with Service(ws) as s:
        s.run(argv, 4)
        s.wait_runs("shop/manage.py", 4)
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
        s.wait_runs("shop/manage.py", 5)
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
