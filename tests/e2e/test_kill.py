# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""
kill -9 of the daemon at any instant while Python programs start: the database stays sound, what a
reader saw in it before is in it, nothing is in it twice, and the kill is counted as a loss. That
what has ended is stored within 5 s: tests/unit. 5 kills; E2E_KILLS sets how many, 200 nightly, and
E2E_SEED chooses the instants.
"""
import contextlib
import os
import random
import shutil
import sqlite3
import subprocess
import threading

import lib
from service import Service, wait_for

KILLS = int(os.environ.get("E2E_KILLS", "5"))
SEED = int(os.environ.get("E2E_SEED", "1"))
LANES = 2
MOST_ENDS = 40  # of programs, from the first one that is stored to the kill
DIR = f"load{os.getpid()}"
APP = DIR + "/run.py"


class Load:
    """Programs that start and end, LANES at a time."""

    def __init__(self, ws):
        self.script = ws.write(APP, "import json, colorsys, csv\n")
        self.started = self.ended = 0
        self.news = threading.Condition()
        self.stopping = False
        self.lanes = [threading.Thread(target=self.lane, daemon=True) for _ in range(LANES)]
        for t in self.lanes:
            t.start()

    def lane(self):
        argv = lib.system_python()(self.script)
        while not self.stopping:
            with self.news:
                self.started += 1
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
            with self.news:
                self.ended += 1
                self.news.notify_all()

    def until_ended(self, n):
        """So many more."""
        with self.news:
            by = self.ended + n
            self.news.wait_for(lambda: self.ended >= by)

    def stop(self):
        self.stopping = True
        for t in self.lanes:
            t.join()


def keys_in(db):
    """Of the stored runs of ours: one a process."""
    with contextlib.closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as c:
        rows = c.execute("SELECT run.key FROM run JOIN name ON name.id = run.app "
                         "WHERE name.s = ?", [APP])
        keys = [key for (key,) in rows]
    assert len(keys) == len(set(keys)), "a process counts twice"
    return set(keys)


def after_kill(db):
    """What SQLite says of a copy, as the next daemon finds it; and the runs in it."""
    copy = db + ".copy"
    for suffix in ("", "-wal"):
        if os.path.exists(db + suffix):
            shutil.copy(db + suffix, copy + suffix)
    with contextlib.closing(sqlite3.connect(copy)) as c:
        sound = [row[0] for row in c.execute("PRAGMA integrity_check")]
    keys = keys_in(copy)
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(copy + suffix):
            os.unlink(copy + suffix)
    return sound, keys


def test_kills_at_random_instants(ws):
    random.seed(SEED)
    load, before, seen_in_all = Load(ws), set(), 0
    try:
        for n in range(KILLS):
            with Service(ws, "--app", f"^{DIR}/") as s:
                if n:
                    s.said("was killed")
                wait_for("a run of this daemon",
                         lambda: keys_in(s.db) - before)  # pylint: disable=cell-var-from-loop
                load.until_ended(random.randrange(MOST_ENDS))
                seen = keys_in(s.db)
                s.kill()
            sound, keys = after_kill(s.db)
            assert sound == ["ok"], (n, sound)
            assert seen <= keys, f"kill {n} (seed {SEED}): {len(seen - keys)} of {len(seen)} lost"
            assert len(keys) <= load.started, (n, len(keys), load.started)
            seen_in_all += len(seen - before)
            before = keys
    finally:
        load.stop()
    with Service(ws) as s:
        s.stop()
    lost = s.json("review")["lost"]
    assert lost.get("killed") == KILLS, lost
    print(f"     {KILLS} kills: {len(before)} runs stored, {seen_in_all} of them seen before: none lost",
          flush=True)
