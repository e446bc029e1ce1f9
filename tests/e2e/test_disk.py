# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A disk that blocks: the real one of a loop device, frozen. Events go on being read, runs wait, none is lost."""
import contextlib
import os
import re
import time

import lib
from service import Notify, Service

FROZEN_S = 10
PROGRAM = "import json, colorsys\n"
APP = "disk/job.py"


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
    with loop_disk(ws, 64) as disk, Service(ws, "--app", "^disk/", db=os.path.join(disk, "lmmsd.db"), env={"NOTIFY_SOCKET": notify.path,
                                                                                    "WATCHDOG_USEC": "2000000"}) as s:
        notify.until("READY", "1")
        s.run(argv)
        s.wait_runs(APP, 1)
        if ws.run(["fsfreeze", "-f", disk]).returncode:
            raise lib.Skip("cannot freeze it")
        try:
            began, n, most, pings = time.monotonic(), 0, 0, 0
            while time.monotonic() - began < FROZEN_S:
                s.run(argv)
                n += 1
            while most < n:  # it knows of all of them while it cannot write one
                message = notify.until("STATUS")
                pings = len([m for m in notify.seen if "WATCHDOG" in m])
                most = max(most, (waiting(message) or (0, 0, 0))[1])
            assert s.p.poll() is None and pings >= FROZEN_S // 2, "the watchdog would have killed it"
        finally:
            ws.run(["fsfreeze", "-u", disk])
        s.wait_runs(APP, n + 1)
        s.stop()
        # the host may lose events of others; the store must not
        lost = s.json("review", "--app", APP)["lost"]
        assert not lost.get("store_full"), lost
        print(f"     {n} runs ended within {FROZEN_S} s of a blocked disk: all stored, none lost", flush=True)
