# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A disk that blocks: the real one of a loop device, frozen. Events go on being read, runs wait, none is lost."""
import contextlib
import json
import os
import re

import lib
from service import Notify, Service, wait_for
from web import WebService

BEATS = 5  # of the watchdog, one a second, come while the disk is blocked
PROGRAM = "import json, colorsys\n"
DIR = f"disk{os.getpid()}"
APP, FORKER = DIR + "/job.py", DIR + "/forks.py"


@contextlib.contextmanager
def loop_disk(ws, mib):
    image, where = ws.path("image"), ws.path("disk-of-its-own")
    os.mkdir(where)
    with open(image, "wb") as f:
        f.truncate(mib << 20)
    if ws.run(["mkfs.ext4", "-q", image]).returncode or ws.run(["mount", "-o", "loop", image, where]).returncode:
        raise lib.Skip("cannot mount a file system of its own")
    try:
        yield where
    finally:
        ws.run(["umount", "-l", where])


def waiting(message):
    m = re.search(r"(\d+) runs stored, (\d+) waiting, (\d+) lost", message.get("STATUS", ""))
    return (int(m[1]), int(m[2]), int(m[3])) if m else None


def test_blocked_disk(ws):
    argv = lib.system_python()(ws.write(APP, PROGRAM))
    notify = Notify(ws)
    with loop_disk(ws, 64) as disk, Service(ws, "--app", f"^{DIR}/", db=os.path.join(disk, "lmmsd.db"), env={"NOTIFY_SOCKET": notify.path,
                                                                                    "WATCHDOG_USEC": "2000000"}) as s:
        notify.until("READY", "1")
        s.run(argv)
        s.wait_runs(APP, 1)
        if ws.run(["fsfreeze", "-f", disk]).returncode:
            raise lib.Skip("cannot freeze it")
        try:
            most = 0
            for _ in range(BEATS):
                s.run(argv)
                notify.until("WATCHDOG")
            while most < BEATS:  # it knows of all of them while it cannot write one
                most = max(most, (waiting(notify.until("STATUS")) or (0, 0, 0))[1])
            assert s.p.poll() is None
        finally:
            ws.run(["fsfreeze", "-u", disk])
        s.wait_runs(APP, BEATS + 1)
        s.stop()
        # the host may lose events of others; the store must not
        lost = s.json("review", "--app", APP)["lost"]
        assert not lost.get("store_full"), lost


def test_blocked_outlets(ws):
    """The files for others are on a disk that does not answer: nothing else waits for it, and they are written when it does."""
    argv = lib.system_python()(ws.write(APP, PROGRAM))
    notify = Notify(ws)
    with loop_disk(ws, 64) as disk:
        prom, emf = os.path.join(disk, "lmmsd.prom"), os.path.join(disk, "emf.log")
        conf = ws.write("own.conf", f"[textfile]\npath = {prom}\ninterval_s = 1\n"
                                    f"[cloudwatch]\nendpoint = file://{emf}\ninterval_s = 1\n")

        def in_textfile(n):
            with open(prom, encoding="utf-8") as f:
                return f'lmmsd_runs_total{{app="{APP}"}} {n}\n' in f.read()

        def in_emf():
            with open(emf, encoding="utf-8") as f:
                lines = [json.loads(x) for x in f.read().split("\n")[:-1]]
            return sum(x.get("Runs", 0) for x in lines if x["app"] == "_all")

        with WebService(ws, "--app", f"^{DIR}/", "--config", conf, env={"NOTIFY_SOCKET": notify.path, "WATCHDOG_USEC": "2000000"}) as s:
            notify.until("READY", "1")
            s.run(argv)
            wait_for("the first run in the files", lambda: os.path.exists(prom) and in_textfile(1) and in_emf() == 1)
            if ws.run(["fsfreeze", "-f", disk]).returncode:
                raise lib.Skip("cannot freeze it")
            n = 1 + BEATS
            try:
                for _ in range(BEATS):
                    s.run(argv)
                    s.get("/-/healthy")
                    notify.until("WATCHDOG")
                s.wait_value("lmmsd_runs_total", n, app=APP)
                s.said("lmmsd.prom' for node_exporter: the disk does not answer")
                assert s.p.poll() is None and not in_textfile(n) and in_emf() < n
            finally:
                ws.run(["fsfreeze", "-u", disk])
            s.said("lmmsd.prom' for node_exporter is written again")
            wait_for("all runs in the files", lambda: in_textfile(n) and in_emf() == n)
            assert not s.value("lmmsd_events_lost_total", reason="export_dropped")
            s.stop()
        assert not os.path.exists(prom) and in_emf() == n


# Each child is a run of its own: more of them than the writer's queue holds.
FORKS = """import os, sys
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        import colorsys
        os._exit(0)
    os.wait()
"""
QUEUE_RUNS = 4096
TOO_MANY = QUEUE_RUNS + 1500


def test_overflow(ws):
    """More runs than the queue holds while the disk does not answer: read, dropped, counted, and over when it answers."""
    py = lib.system_python()
    argv, forks = py(ws.write(APP, PROGRAM)), py(ws.write(FORKER, FORKS), str(TOO_MANY))
    with loop_disk(ws, 256) as disk, WebService(ws, "--app", f"^{DIR}/", db=os.path.join(disk, "lmmsd.db")) as s:
        s.run(argv)
        s.wait_runs(APP, 1)
        if ws.run(["fsfreeze", "-f", disk]).returncode:
            raise lib.Skip("cannot freeze it")
        try:
            events = s.value("lmmsd_events_total")
            s.run(forks)
            dropped = s.wait_value("lmmsd_events_lost_total", TOO_MANY - QUEUE_RUNS, reason="store_full")
            assert s.value("lmmsd_events_total") - events >= 2 * TOO_MANY, "events were not read"
            assert s.value("lmmsd_store_queued_runs") <= QUEUE_RUNS
            s.said("the disk does not take what is written")
            s.get("/-/healthy")
        finally:
            ws.run(["fsfreeze", "-u", disk])
        s.said("can be written again")
        s.run(argv)
        s.wait_runs(APP, 2)
        dropped = int(s.value("lmmsd_events_lost_total", reason="store_full"))
        # what was dropped is runs, and a few copies of the parent while it went on
        wait_for("what was queued", lambda: s.runs(FORKER) >= TOO_MANY + 1 - dropped)
        stored = s.runs(FORKER)
        assert stored <= QUEUE_RUNS, stored
        s.stop()
        lost = s.json("review", "--app", APP)["lost"]
        assert lost["store_full"] == dropped, (lost, dropped)
        text = " ".join(s.ctl("review", "--app", APP).stdout.split())
        said = f"store_full {dropped} (runs were not stored: the disk is full or too slow for the database)"
        assert said in re.split("Change first|Nothing to advise", text)[0], text[:500]
        print(f"     {TOO_MANY + 1} runs ended while the disk was blocked: {dropped} dropped and counted, {stored} stored", flush=True)
