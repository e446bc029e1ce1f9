# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A running `lmmsd --service` and what lmmsctl says of its database."""
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

import lib

LMMSCTL = os.path.join(lib.BUILD, "lmmsctl")
SHOP = f"shop{os.getpid()}"  # the whole host is counted: other tests on it have shops, too


def wait_for(what, check, seconds=lib.TIMEOUT):
    """Asks until the answer is true, and gives it. There is nothing to wait for but the database itself."""
    by = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        assert time.monotonic() < by, f"not within {seconds} s: {what}"
        select.select([], [], [], 0.1)


class Notify:
    """systemd's side of sd_notify(3)."""

    def __init__(self, ws):
        self.path = ws.path("notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(lib.TIMEOUT)
        self.seen = []

    def until(self, key, value=None):
        """Receives until KEY=VALUE came."""
        while True:
            message = dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines())
            self.seen.append(message)
            if key in message and value in (None, message[key]):
                return message


class Service:
    def __init__(self, ws, *args, db=None, env=None, wait=True, stdout=subprocess.DEVNULL):
        self.ws = ws
        self.db = db or ws.path("db/lmmsd.db")
        self.reviews = ws.path("reviews")
        self.env = {**os.environ, **(env or {})}
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

    def said(self, part, seconds=lib.TIMEOUT):
        """Waits for a line with this in it."""
        with self.news:
            self.news.wait_for(lambda: None in self.lines or any(part in x for x in self.lines if x), seconds)
            found = [x for x in self.lines if x and part in x]
        assert found, f"it did not say '{part}': {self.lines}"
        return found[0]

    def stop(self, sig=signal.SIGTERM):
        self.p.send_signal(sig)
        code = self.p.wait(timeout=lib.TIMEOUT)
        assert code == 0, f"status {code}: {self.lines}"

    def kill(self):
        self.p.kill()
        self.p.wait(timeout=lib.TIMEOUT)

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

    def wait_runs(self, app, n, seconds=lib.TIMEOUT):
        wait_for(f"{n} runs of {app}", lambda: os.path.exists(self.db) and self.runs(app) >= n, seconds)
        assert self.runs(app) == n, (app, n, self.apps())

    def run(self, argv, times=1):
        for _ in range(times):
            r = self.ws.run(argv)
            assert r.returncode == 0, r.stderr
