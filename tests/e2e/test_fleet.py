# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""From real programs through a real lmmsd and a real Prometheus to the fleet's review: it says what the database says."""
import json
import os
import signal
import sys
import time
import urllib.parse

import lib
from service import LMMSCTL, SHOP, wait_for
from web import WebService

sys.path.append(os.path.join(lib.REPO, "tests/prom"))
import compare
import exporter
import servers

PROGRAM = "import http.client\nimport csv\nimport decimal\ndef late():\n    import sqlite3\nlate()\n"
APP = SHOP + "/manage.py"
LEAST_MS = 2  # what is cheaper can lose its series to what is dearer
# The daemon of a host has another port each time, but is the same instance.
CONFIG = """global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: lmmsd, file_sd_configs: [{files: [%s]}],
                  relabel_configs: [{target_label: instance, replacement: host}]}]
"""


def scraped(server, runs):
    """Prometheus has seen so many runs of the present daemon, a second ago: lmmsctl asks for whole seconds."""
    form = {"query": f'lmmsd_runs_total{{app="{APP}"}}', "time": int(time.time()) - 1}
    answer = json.loads(servers.get(server.url + "/api/v1/query", urllib.parse.urlencode(form).encode()))
    result = answer["data"]["result"]
    return bool(result) and float(result[0]["value"][1]) == runs


def review(ws, *args):
    r = ws.run([LMMSCTL, "review", "--app", APP, "--format", "json", *args])
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def test_fleet_of_one(ws):
    if not servers.have("prometheus"):
        raise lib.Skip("no prometheus installed (make deps-test)")
    argv = lib.system_python()(ws.write(APP, PROGRAM))
    os.mkdir(ws.path("prometheus"))
    targets = ws.write("targets.json", "[]")

    def scrape(s):
        """Prometheus is to scrape this one."""
        ws.write("targets.new", json.dumps([{"targets": ["%s:%d" % s.address]}]))
        os.rename(ws.path("targets.new"), targets)

    # on a busy machine it changes from run to run which modules are dear: all have series
    config = ws.write("all.conf", "[web]\nmax_modules_per_app = 1000\nmax_series = 40000\n")
    own = ["--config", config, "--app", f"^{SHOP}/"]
    with servers.Prometheus(ws.path("prometheus"), config=CONFIG % targets) as server:
        with WebService(ws, *own) as s:
            scrape(s)
            s.run(argv, 8)
            s.wait_runs(APP, 8)
            wait_for("a scrape of 8 runs", lambda: scraped(server, 8))
            s.stop(signal.SIGTERM)
        # counters begin again
        with WebService(ws, *own) as s:
            scrape(s)
            s.run(argv, 9)
            s.wait_runs(APP, 17)
            wait_for("a scrape of 9 runs", lambda: scraped(server, 9))
            fleet, db = review(ws, "--prometheus", server.url), review(ws, "--db", s.db)
            s.stop()
    assert fleet["apps"][0]["runs"] == 17 == db["apps"][0]["runs"], (fleet["apps"][0]["runs"], db["apps"][0]["runs"])
    dear = {m["name"] for m in db["apps"][0]["modules"] if (m["ms"]["p50"] or 0) >= LEAST_MS}
    assert len(dear) > 5, dear
    # which of many ways is the shortest hangs on all of them
    for a in (fleet, db):
        for app in a["apps"]:
            app["modules"] = [{**m, "chain": None} for m in app["modules"] if m["name"] in dear]
    found = list(compare.differences(fleet, db, exporter.START_BOUNDS, True, True))
    assert not found, found
