# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""
kill -9 of the daemon at any instant while Python programs start all over the host: the database stays sound, what ended
LOSS_S before the kill is in it, and the kill is counted as a loss. 15 kills; E2E_KILLS=200 (make test-kills) makes it the
full number, and E2E_SEED chooses the instants.
"""
import os
import random
import shutil
import sqlite3
import subprocess
import threading
import time

import lib
from service import Service

KILLS = int(os.environ.get("E2E_KILLS", "15"))
SEED = int(os.environ.get("E2E_SEED", "1"))
LOSS_S = 5
LONGEST_S = 8  # from the start of a daemon to its kill
LANES = 2
APP = f"load{os.getpid()}/run.py"


class Load:
    """Programs that start and end, LANES at a time, each under a name of its own."""

    def __init__(self, ws):
        self.script = ws.write(APP, "import json, colorsys, csv\n")
        self.ended = {}  # pid and time of start in ticks of /proc: when it had ended
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.lanes = [threading.Thread(target=self.lane, daemon=True) for _ in range(LANES)]
        for t in self.lanes:
            t.start()

    def lane(self):
        argv = lib.system_python()(self.script)
        while not self.stopping.is_set():
            began = time.time()
            p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            p.wait()
            with self.lock:
                self.ended[p.pid, began] = time.time()

    def between(self, since, until):
        """(pid, began) of those that ran then, from start to end."""
        with self.lock:
            return [key for key, end in self.ended.items() if key[1] > since and end < until]

    def stop(self):
        self.stopping.set()
        for t in self.lanes:
            t.join(timeout=lib.TIMEOUT)


def stored(db):
    """Runs by pid and start, of a copy, as the next daemon finds it; and what SQLite says of it."""
    copy = db + ".copy"
    for suffix in ("", "-wal"):
        if os.path.exists(db + suffix):
            shutil.copy(db + suffix, copy + suffix)
    c = sqlite3.connect(copy)
    try:
        sound = [row[0] for row in c.execute("PRAGMA integrity_check")]
        runs = {}
        for pid, started in c.execute("SELECT run.pid, run.started FROM run JOIN name ON name.id = run.app "
                                      "WHERE name.s = ?", [APP]):
            runs.setdefault(pid, []).append(started / 1e9)
    finally:
        c.close()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(copy + suffix):
                os.unlink(copy + suffix)
    return sound, runs


def is_there(runs, pid, began):
    """The clock of the test and the kernel's time of start are not the same instant."""
    return any(abs(t - began) < 2 for t in runs.get(pid, []))


def test_kills_at_random_instants(ws):
    seen = old = missing = 0
    random.seed(SEED)
    load = Load(ws)
    try:
        for n in range(KILLS):
            with Service(ws) as s:
                watching = time.time()
                if n:
                    s.said("was killed")
                time.sleep(random.uniform(0, LONGEST_S))  # lint: allow(sleeps) the instant is what is tested
                killed = time.time()
                s.kill()
            sound, runs = stored(s.db)
            assert sound == ["ok"], (n, sound)
            before = load.between(watching, killed - LOSS_S)
            lost = [key for key in before if not is_there(runs, *key)]
            assert not lost, f"kill {n} (seed {SEED}): {len(lost)} of {len(before)} lost, e.g. {lost[0]}"
            all_ = load.between(watching, killed)
            seen, old = seen + len(all_), old + len(before)
            missing += len([key for key in all_ if not is_there(runs, *key)])
    finally:
        load.stop()
    with Service(ws) as s:
        s.stop()
    lost = s.json("review")["lost"]
    assert lost.get("killed") == KILLS, lost
    print(f"     {KILLS} kills: {seen} programs watched, {old} of them had ended {LOSS_S} s before the kill: none lost; "
          f"{missing} of the {seen - old} others lost", flush=True)
