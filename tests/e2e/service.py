# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A running `lmmsd --service` and what lmmsctl says of its database."""
import contextlib
import json
import os
import queue
import select
import signal
import socket
import subprocess
import threading
import time

import lib

LMMSCTL = os.path.join(lib.BUILD, "lmmsctl")
SHOP = f"shop{os.getpid()}"  # the whole host is counted: other tests on it have shops, too


class Patience:
    """Ends a wait for what does not come. A turn of ours counts as at most TURN_S, so the clock of
    a starved or stopped host stands still: whoever is waited for has had as many turns."""

    TURN_S = 0.2

    def __init__(self):
        self.left, self.last = lib.TIMEOUT, time.monotonic()

    def over(self):
        now = time.monotonic()
        self.left -= min(now - self.last, self.TURN_S)
        self.last = now
        return self.left <= 0


def wait_for(what, check):
    """Asks until the answer is true, and returns it. There is nothing to wait for but the answer
    itself."""
    patience = Patience()
    while True:
        answer = check()
        if answer:
            return answer
        assert not patience.over(), f"it did not come: {what}"
        select.select([], [], [], 0.1)


def exit_status(p):
    """Of a process, once it has ended."""
    patience = Patience()
    while True:
        try:
            return p.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            assert not patience.over(), f"it does not end: {p.args}"


class Notify:
    """systemd's side of sd_notify(3). It is read all the time, as systemd does: ten messages fill the
    socket, and then the daemon waits."""

    def __init__(self, ws):
        self.path = ws.path("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = queue.Queue()
        self.seen = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while True:
            text = self.socket.recv(65536).decode()
            self.messages.put(dict(line.split("=", 1) for line in text.splitlines()))

    def until(self, key, value=None):
        """Takes messages until KEY=VALUE came."""
        patience = Patience()
        while True:
            assert not patience.over(), f"no {key}, but {self.seen[-20:]}"
            with contextlib.suppress(queue.Empty):
                self.seen.append(self.messages.get(timeout=0.1))
                if key in self.seen[-1] and value in (None, self.seen[-1][key]):
                    return self.seen[-1]


class Service:
    def __init__(self, ws, *args, db=None, env=None, wait=True, stdout=subprocess.DEVNULL):
        self.ws = ws
        self.db = db or ws.path("db/lmmsd.db")
        self.reviews = ws.path("reviews")
        self.env = {**os.environ, **(env or {})}
        os.makedirs(os.path.dirname(self.db), exist_ok=True)  # lmmsd makes none outside of the state directory
        os.makedirs(self.reviews, exist_ok=True)
        config = [] if "--config" in args else ["--config", ws.write("lmmsd.conf", "")]
        self.p = subprocess.Popen([lib.LMMSD, "--service", "--db", self.db, "--reviews", self.reviews,
                                   "--web.listen-address", "off", *config, *args], stdin=subprocess.DEVNULL,
                                  stdout=stdout, stderr=subprocess.PIPE, text=True,
                                  env=self.env)
        self.lines = []
        self.news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()
        if wait:
            self.said("lmmsd: watching ")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()

    def _read(self):
        for line in self.p.stderr:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.lines.append(None)
            self.news.notify_all()

    def said(self, part, times=1):
        """Waits for a line with this in it, and returns it; times: for the last one of so many."""
        patience = Patience()
        with self.news:
            while (len(found := [x for x in self.lines if x and part in x]) < times
                   and None not in self.lines):
                assert not patience.over(), f"it did not say '{part}': {self.lines}"
                self.news.wait(0.1)
        assert len(found) >= times, f"it did not say '{part}': {self.lines}"
        return found[times - 1]

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        code = exit_status(self.p)
        assert code == 0, f"status {code}: {self.lines}"

    def kill(self):
        self.p.kill()
        self.p.wait()

    # ---- lmmsctl

    def ctl(self, *args, code=0):
        r = self.ws.run([LMMSCTL, *args, "--db", self.db], env=self.env)
        assert r.returncode == code, f"{args}: status {r.returncode}, wanted {code}: {r.stderr}{r.stdout[-500:]}"
        return r

    def json(self, *args, code=0):
        return json.loads(self.ctl(*args, "--format", "json", code=code).stdout)

    def apps(self):
        return {a["app"]: a for a in self.json("apps")["apps"]}

    def runs(self, app):
        return self.apps().get(app, {"runs": 0})["runs"]

    def warm_runs(self, app):
        return self.apps()[app]["cold_start"]["n"] if self.runs(app) else 0

    def wait_runs(self, app, n):
        wait_for(f"{n} runs of {app}", lambda: os.path.exists(self.db) and self.runs(app) >= n)
        assert self.runs(app) == n, (app, n, self.apps())

    def run(self, argv, times=1):
        for _ in range(times):
            r = self.ws.run(argv)
            assert r.returncode == 0, r.stderr
