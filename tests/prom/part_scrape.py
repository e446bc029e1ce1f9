# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A real Prometheus scrapes a real daemon, in both formats, while all other parts run: no scrape
fails, and nothing in what it gets is out of order or twice. Programs start all the time, and with
them come new series."""
import contextlib
import http.server
import json
import os
import re
import sys
import threading
import urllib.parse
import urllib.request

import servers
from report import check, skip

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import lib
import web
from service import wait_for

NEEDS = ["prometheus"]
# Good ones, of each format. One that took all the time that Prometheus gives it says something of
# the machine only: how fast lmmsd answers is for tests/bench. RUNS programs have run meanwhile, a
# new app each time that RUNS_OF_ONE have.
SCRAPES, EVERY_S = 8, 2
RUNS, RUNS_OF_ONE = 20, 5
NAME = f"scrape{os.getpid()}"
# what Prometheus asks for, less OpenMetrics
TEXT = "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
CONFIG = """global: {{scrape_interval: {every}s, scrape_timeout: {every}s, evaluation_interval: 1s}}
rule_files: [{rules}/lmmsd.rules.yml, {rules}/lmmsd.alerts.yml]
scrape_configs:
  - job_name: lmmsd
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
  - job_name: lmmsd-text
    static_configs: [{{targets: ["127.0.0.1:{text}"]}}]
"""


class TextOnly(http.server.BaseHTTPRequestHandler):
    """On to the daemon, as a Prometheus without OpenMetrics would ask it."""

    def do_GET(self):
        request = urllib.request.Request(self.server.url + self.path, headers={"Accept": TEXT})
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
            self.server.types.add(answer.headers["Content-Type"])
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Scrape:
    def __init__(self, where):
        with contextlib.ExitStack() as all_of_it:
            self.ws = all_of_it.enter_context(lib.Workspace())
            self.daemon = all_of_it.enter_context(web.WebService(self.ws, "--app", f"^{NAME}/"))
            self.text = http.server.ThreadingHTTPServer(("127.0.0.1", 0), TextOnly)
            self.text.daemon_threads = True
            self.text.url, self.text.types = "http://%s:%d" % self.daemon.address, set()
            threading.Thread(target=self.text.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
            all_of_it.callback(self.text.shutdown)
            self.server = all_of_it.enter_context(servers.Prometheus(where, config=CONFIG.format(
                every=EVERY_S, rules=os.path.abspath("packaging/prometheus"), port=self.daemon.address[1], text=self.text.server_address[1])))
            self.log = os.path.join(where, "prometheus.log")
            self.stopped, self.runs = threading.Event(), 0
            all_of_it.callback(self.stopped.set)
            self.program = threading.Thread(target=self.keep_starting, daemon=True)
            self.program.start()
            self.ended = all_of_it.pop_all()

    def keep_starting(self):
        """A new app now and then, so that series come while it scrapes."""
        while not self.stopped.wait(0.3):
            script = self.ws.write(f"{NAME}/app{self.runs // RUNS_OF_ONE}.py",
                                   "import json, csv, email.parser\n")
            self.daemon.run(["/usr/bin/python3", script])
            self.runs += 1

    def ask(self, query):
        answer = json.loads(servers.get(self.server.url + "/api/v1/query?" + urllib.parse.urlencode({"query": query})))
        return {r["metric"].get("job", ""): float(r["value"][1]) for r in answer["data"]["result"]}

    def wait(self):
        def enough(query, least):
            n = self.ask(query)
            return len(n) == 2 and min(n.values()) >= least

        wait_for(f"{SCRAPES} good scrapes in both formats",
                 lambda: enough("sum_over_time(up[1h])", SCRAPES))
        wait_for(f"{RUNS} runs in them", lambda: enough("sum by (job) (lmmsd_runs_total)", RUNS))

    def targets(self):
        return json.loads(servers.get(self.server.url + "/api/v1/targets"))["data"]["activeTargets"]

    def own(self, name):
        """A counter of Prometheus itself."""
        return sum(float(v) for v in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", servers.get(self.server.url + "/metrics").decode(), re.M))

    def judge(self):
        both = {"lmmsd", "lmmsd-text"}
        down = self.ask(f"count_over_time((up == 0 and scrape_duration_seconds < {0.9 * EVERY_S})[1h:1s])")
        check("scrape: always up", not down, (down, self.ask("max_over_time(scrape_duration_seconds[1h])")))
        wait_for("a good scrape of both",
                 lambda: {(t["health"], t["lastError"]) for t in self.targets()} == {("up", "")})
        for name in ("sample_out_of_order", "sample_duplicate_timestamp", "sample_out_of_bounds", "exceeded_sample_limit"):
            check(f"scrape: nothing {name}", self.own(f"prometheus_target_scrapes_{name}_total") == 0)
        check("scrape: rules are evaluated, without an error", self.own("prometheus_rule_evaluations_total") > 0
              and self.own("prometheus_rule_evaluation_failures_total") == 0)
        with open(self.log, encoding="utf-8") as f:
            said = [line for line in f if re.search(r"level=(warn|error)", line)]
        check("scrape: Prometheus has nothing to complain about", not said, said[:5])
        # OpenMetrics has _created, the text format has not
        check("scrape: both formats", set(self.ask('count by (job) ({__name__=~"lmmsd_.*_created"})')) == {"lmmsd"}
              and self.text.types == {"text/plain; version=0.0.4; charset=utf-8"}, self.text.types)
        check("scrape: counters only rise", self.ask("sum by (job) (resets(lmmsd_events_total[1h]) + on (job, instance) "
                                                     "resets(process_cpu_seconds_total[1h]))") == dict.fromkeys(both, 0))
        ours = f'lmmsd_runs_total{{app=~"{NAME}/.*"}}'
        apps = self.ask(f"count by (job) (last_over_time({ours}[1h]))")
        check("scrape: series came meanwhile",
              set(apps) == both and min(apps.values()) >= RUNS // RUNS_OF_ONE, (apps, self.runs))
        check("scrape: as many series as may be", max(self.ask("max_over_time(scrape_samples_scraped[1h])").values()) < 4000)

    def finish(self):
        with self.ended:
            self.wait()
            self.judge()
            self.stopped.set()
            self.program.join()
            self.server.stop()
            self.daemon.stop()


def begin(_target, where):
    """None: this machine cannot."""
    if not lib.can_bpf():
        skip("scrape: this machine cannot load BPF programs")
        return None
    return Scrape(where)
