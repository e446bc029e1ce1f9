# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the daemon serves: metrics that Prometheus and others can read."""
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import time
import urllib.parse

import lib
import web
from service import wait_for
from web import APP, DIR, PROGRAM, WebService


def test_metrics(ws):
    argv = web.shop(ws)
    with WebService(ws) as s:
        runs = web.run_until_warm(s, argv)
        text, openmetrics, families = web.both_pages(s)
        assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert openmetrics.headers["Content-Type"] == web.OPENMETRICS + "; charset=utf-8"
        assert text.headers["Vary"] == "Accept"
        assert "no help text" in web.promtool("a_total 1\n"), "it is silent on everything"
        families = {f.name: f for f in families}
        assert families["lmmsd_runs"].type == "counter" and families["lmmsd_build"].type == "info"
        assert families["lmmsd_import_seconds"].unit == "seconds"
        # the same samples in both, with the same labels
        ours = {(n, labels) for n, of in web.samples(text.text).items() for labels in of if not n.endswith("_created")}
        theirs = {(x.name, frozenset(x.labels.items())) for f in families.values() for x in f.samples
                  if not x.name.endswith("_created")}
        assert ours ^ theirs == set(), ours ^ theirs
        check_against_database(s, web.samples(text.text), runs)
        s.stop()


def check_against_database(s, m, runs):
    """The counters say what the database says, with its classes."""
    app = s.apps()[APP]
    assert m["lmmsd_runs_total"][frozenset({("app", APP)})] == app["runs"] == runs
    warm = m["lmmsd_warm_runs_total"][frozenset({("app", APP)})]
    assert warm == app["cold_start"]["n"] == m["lmmsd_cold_start_seconds_count"][frozenset({("app", APP)})], (warm, app)
    rows = {r["name"]: r for r in s.json("modules", "--app", APP)["modules"]}
    name = "json.decoder"
    of = {"app": APP, "module": name}
    assert m["lmmsd_import_seconds_count"][frozenset(of.items())] == rows[name]["ms"]["n"] == warm
    assert m["lmmsd_runs_using_total"][frozenset(of.items())] == runs
    assert m["lmmsd_module_uses_total"][frozenset({**of, "placement": "module"}.items())] == runs
    # of one or two runs the median is the mean, less what the sketch of the times rounds
    mean = m["lmmsd_import_seconds_sum"][frozenset(of.items())] / warm * 1000
    assert warm > 2 or 0.99 <= mean / rows[name]["ms"]["p50"] <= 1.01, (mean, rows[name])
    levels = m["lmmsd_module_function_level"]
    assert levels[frozenset(of.items())] == (rows[name]["tier"] == "FUNCTION_LEVEL")
    assert m["lmmsd_module_uses_total"][frozenset({"app": APP, "module": "csv",
                                                   "placement": "function"}.items())] == runs
    assert sum(v for k, v in m["lmmsd_module_uses_total"].items() if ("app", APP) in k) == \
        m["lmmsd_app_uses_total"][frozenset({("app", APP)})]


def test_own_counters(ws):
    with WebService(ws) as s:
        m = s.metrics()
        n = int(re.search(r"watching (\d+) interpreters", s.said("watching "))[1])
        assert sum(m["lmmsd_attached_interpreters"].values()) == n, m["lmmsd_attached_interpreters"]
        assert all(set(dict(k)) == {"python", "probe"} for k in m["lmmsd_attached_interpreters"])
        assert len(m["lmmsd_events_lost_total"]) >= 20
        lib.check_room({dict(k)["reason"]: n for k, n in m["lmmsd_events_lost_total"].items()})
        assert len(m["lmmsd_reprofile_triggers_total"]) == 6
        # it goes on between two looks, and looks at other programs of the host
        wait_for("its memory",
                 lambda: abs(s.value("process_resident_memory_bytes") - memory(s.p.pid)) < 8e6)
        fds = f"/proc/{s.p.pid}/fd"
        wait_for("its descriptors",
                 lambda: abs(s.value("process_open_fds") - len(os.listdir(fds))) <= 8)
        with open("/proc/stat", encoding="ascii") as f:
            boot = int(re.search(r"btime (\d+)", f.read())[1])
        assert boot - 1 <= m["process_start_time_seconds"][frozenset()] <= time.time()
        assert m["lmmsd_build_info"]
        s.stop()


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024


def test_what_it_takes(ws):
    """The probes' time is there whether or not the kernel keeps statistics, and grows with what runs."""
    argv = web.shop(ws)
    with WebService(ws) as s:
        before = s.value("lmmsd_bpf_run_seconds_total")
        assert before is not None and s.value("lmmsd_overhead_ratio") is not None, s.lines
        assert s.value("lmmsd_overhead_budget_ratio") == 0.01
        for n in (3, 6):
            s.run(argv, 3)
            s.wait_value("lmmsd_runs_total", n, app=APP)
            now = s.value("lmmsd_bpf_run_seconds_total")
            assert now > before, (before, now)
            before = now
        assert s.value("lmmsd_overhead_ratio") > 0
        # Imports of loaded modules send no event; their 100,000 probes took 20 ns each at the very least.
        many = DIR + "/many.py"
        s.run(lib.system_python()(ws.write(many, "def f():\n    for n in range(100000):\n"
                                                 "        import sys\nf()\n")))
        s.wait_value("lmmsd_runs_total", 1, app=many)
        assert s.value("lmmsd_bpf_run_seconds_total") > before + 0.002
        ws.write("lmmsd.conf", "[service]\noverhead_budget_pct = 2.5\n")
        s.p.send_signal(signal.SIGHUP)
        s.said("the configuration was read again")
        s.wait_value("lmmsd_overhead_budget_ratio", 0.025)
        s.stop()


def test_names_are_written_down(ws):
    """Rules, dashboard and fleet reviews are checked against tests/prom/metrics.txt: so it must be what the page has."""
    with open(os.path.join(lib.REPO, "tests/prom/metrics.txt"), encoding="ascii") as f:
        known = {words[0]: set(words[1:]) for words in map(str.split, f) if words[0] != "#"}
    with WebService(ws) as s:
        argv = lib.system_python()(ws.write(APP, PROGRAM + "try:\n    import nothing_such\n"
                                                           "except ImportError:\n    pass\n"))
        s.run(argv, 2)
        s.wait_value("lmmsd_runs_total", 2, app=APP)
        web.run_until_warm(s, argv, 2)
        page = s.metrics()
        # a review comes with the end of a month, not all hosts have cold runs, and `up` is of Prometheus itself
        missing = set(known) - set(page) - {"lmmsd_review_timestamp_seconds", "lmmsd_other_runs_total", "up"}
        assert not missing, missing
        for name in set(page) & set(known):
            labels = set().union(*({k for k, _ in of} for of in page[name]))
            assert labels <= known[name], (name, labels)
        s.stop()


def test_a_server_counts_once(ws):
    """A process that goes on: counted while it runs, its later uses come, and its end adds no run."""
    argv = lib.system_python()(ws.write(DIR + "/server.py", "import json, sys\nprint('up', flush=True)\n"
                                        "for line in sys.stdin:\n    import json\n    print('did', flush=True)\n"))
    config = ws.write("own.conf", "[service]\ncheckpoint_s = 1\n")
    with WebService(ws, "--config", config) as s:
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ws.started.append(server)
        assert server.stdout.readline() == "up\n"
        of = {"app": DIR + "/server.py"}
        s.wait_value("lmmsd_runs_total", 1, **of)
        first = s.value("lmmsd_module_uses_total", module="json", placement="module", **of)
        for _ in range(10):
            server.stdin.write("x\n")
            server.stdin.flush()
            assert server.stdout.readline() == "did\n"
        s.wait_value("lmmsd_module_uses_total", first + 10, module="json", placement="module", **of)
        server.stdin.close()
        server.wait()
        wait_for("its end", lambda: ended(s, DIR + "/server.py") == [1])
        assert s.runs(DIR + "/server.py") == 1
        s.run(web.shop(ws))
        s.wait_value("lmmsd_runs_total", 1, app=APP)  # written after it
        assert s.value("lmmsd_runs_total", **of) == 1
        assert s.value("lmmsd_module_uses_total", module="json", placement="module", **of) == first + 10
        s.stop()


def ended(s, app):
    """Of each stored run of the app, whether it has ended."""
    with contextlib.closing(sqlite3.connect(f"file:{s.db}?mode=ro", uri=True)) as db:
        return [n for (n,) in db.execute("SELECT run.ended FROM run JOIN name ON name.id = run.app WHERE name.s = ?", [app])]


def test_prometheus(ws):
    """A real one scrapes the page, in OpenMetrics, without an error."""
    argv = web.shop(ws)
    with WebService(ws) as s, web.prometheus(ws, ["%s:%d" % s.address]) as ask:
        s.run(argv, 3)
        s.wait_value("lmmsd_runs_total", 3, app=APP)

        def value(query):
            data = ask("query?query=" + urllib.parse.quote(query))
            return float(data["result"][0]["value"][1]) if data and data["result"] else None

        wait_for("3 good scrapes", lambda: (value("sum_over_time(up[1h])") or 0) >= 3)
        # one that took all the time there was says something of the machine only
        failed = value("count_over_time((up == 0 and "
                       f"scrape_duration_seconds < {0.9 * web.SCRAPE_S})[1h:1s])")
        assert failed is None, failed
        wait_for("a scrape of 3 runs",
                 lambda: value(f'last_over_time(lmmsd_runs_total{{app="{APP}"}}[1h])') == 3)
        wait_for("a good scrape", lambda: [(t["health"], t["lastError"]) for t in (ask("targets") or {}).get("activeTargets", [])]
                 == [("up", "")])
        assert value("count(last_over_time(lmmsd_import_seconds_bucket[1h]))") > 50
        created = value('count(last_over_time({__name__=~"lmmsd_.*_created"}[1h]))')
        assert created > 0, "it did not ask for OpenMetrics"
        assert value("max_over_time(scrape_samples_scraped[1h])") < 4000
        s.stop()
