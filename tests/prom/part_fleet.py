# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""lmmsctl review --prometheus over made-up hosts, from a real Prometheus and a real VictoriaMetrics, against lmmsctl review --db of the
same hosts' merged databases."""
import json
import os
import subprocess

import compare
import exporter
import hosts
import names
import servers
from report import check, nightly

VICTORIA = nightly("fleet reviews from VictoriaMetrics")
NEEDS = ["prometheus", "promtool"] + ["victoria-metrics"] * VICTORIA
ODD = 'odd "app" \\d+ \xe9/x.py'
PERIODS = [["--month", "2026-10"], ["--month", "2026-09"], ["--since", "2026-10-05", "--until", "2026-10-12"],
           ["--since", "2026-10-20", "--until", "2026-10-21"], ["--month", "2026-10", "--app", "report"],
           ["--month", "2026-10", "--app", ODD]]


class Ctl:
    def __init__(self, target, where):
        self.program, self.where = os.path.join(target, "lmmsctl"), where

    def __call__(self, *args):
        r = subprocess.run([self.program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        return r.returncode, r.stdout, r.stderr

    def review(self, *args):
        status, out, err = self("review", "--format", "json", *args)
        check(f"review {' '.join(args)}: exit status", status == 0, err)
        return json.loads(out) if status == 0 else None


def compare_all(ctl, kind, url, merged, own):
    for period in PERIODS:
        fleet, db = ctl.review("--prometheus", url, *period), ctl.review("--db", merged, *period)
        if not fleet or not db:
            continue
        found = list(compare.differences(fleet, db, exporter.START_BOUNDS, own))
        check(f"{kind}: {' '.join(period)}: as from the merged databases", not found,
              f"{len(found)} differences: " + "; ".join(found[:8]))


# what happened to the made-up hosts is in the review: otherwise nothing was compared
def check_content(kind, review, who):
    apps = {a["app"]: a for a in review["apps"]}
    check(f"{kind}: all apps", set(apps) == {"shop/manage.py", "report", ODD}, sorted(apps))
    shop = {m["name"]: m for m in apps["shop/manage.py"]["modules"]}
    tiers = {m["tier"] for m in shop.values()}
    actions = {m["action"] for m in shop.values()}
    check(f"{kind}: both tiers", {"MODULE_LEVEL", "FUNCTION_LEVEL"} <= tiers, tiers)
    check(f"{kind}: all actions", {"defer", "hoist", "keep", "none"} <= actions, actions)
    check(f"{kind}: near a threshold", shop["near.slow"]["tier"] == "FUNCTION_LEVEL" and shop["near.fast"]["tier"] == "MODULE_LEVEL")
    changes = {(c["kind"], c["module"]) for c in apps["shop/manage.py"]["changes"]}
    check(f"{kind}: changes", {("new_module", "dep.new"), ("gone", "dep.old"), ("usage_shift", "yaml"),
                               ("dependency_update", "sqlalchemy")} <= changes, sorted(map(str, changes)))
    # whatever daemon ended took its losses along
    check(f"{kind}: losses", who != "told" or review["lost"].get("ring_full", 0) > 0, review["lost"])
    check(f"{kind}: says where it is from", "5 hosts" in review["note"] and "histogram buckets" in review["note"], review["note"])


def check_other_verbs(ctl, kind, url):
    status, out, err = ctl("check", "--prometheus", url, "--month", "2026-10")
    check(f"{kind}: check finds the slow import", status == 1 and "tensor" in out, out + err)
    status, out, err = ctl("check", "--prometheus", url, "--month", "2026-10", "--max-ms", "5000")
    check(f"{kind}: check passes", status == 0, out + err)
    status, out, err = ctl("review", "--prometheus", url, "--month", "2026-10", "--app", "nobody")
    check(f"{kind}: no such app", status == 5 and err.count("\n") == 1 and "nobody" in err, err)
    status, out, err = ctl("review", "--prometheus", url, "--month", "2025-01")
    check(f"{kind}: no such month", status == 5 and err.count("\n") == 1 and "January 2025" in err, err)
    for name in ("text", "markdown", "html"):
        status, out, err = ctl("review", "--prometheus", url, "--month", "2026-10", "--format", name)
        check(f"{kind}: {name}", status == 0 and "histogram buckets" in " ".join(out.split()) and "pandas" in out, err)
        check(f"{kind}: {name}: sites without files read well", " at in " not in " ".join(out.split()), out[:2000])


def true_losses(by_host):
    """Daemon n of a host loses n events with each run: see hosts.py."""
    return sum(number for name, _, daemons in hosts.HOSTS for number, (begin, end) in enumerate(daemons)
               for run in by_host[name] if begin <= run["t"] < end and hosts.MONTHS[1] <= run["t"] < hosts.MONTHS[2])


def check_families():
    with open("user/fleet/cells.c", encoding="utf-8") as f:
        asked = names.used(f.read().replace('{"', ' ').replace('"', ' '))
    check("asks only for metrics that there are", asked and asked <= set(names.metrics()), sorted(asked - set(names.metrics())))


def run(target, where):
    ctl = Ctl(target, where)
    merged, by_host, files = hosts.make(os.path.join(target, "tests/prom/hosts"), where)
    classes = {run["class"] for runs in by_host.values() for run in runs}
    check("runs of all classes", classes == set(exporter.CLASSES), classes)
    check_families()
    kinds = [("Prometheus", servers.Prometheus), ("VictoriaMetrics", servers.VictoriaMetrics)]
    for who, data in files.items():
        for (name, server), file in zip(kinds[:1 + VICTORIA], data):
            kind, directory = f"{name}, counted by {who}", os.path.join(where, who + name)
            os.mkdir(directory)
            with server(directory, file) as s:
                compare_all(ctl, kind, s.url, merged, who == "lmmsd")
                review = ctl.review("--prometheus", s.url, "--month", "2026-10")
                check_content(kind, review, who)
                if who == "told":
                    check(f"{kind}: losses to the last", review["lost"]["ring_full"] == true_losses(by_host),
                          f"{review['lost']}, should be {true_losses(by_host)}")
                    check_other_verbs(ctl, kind, s.url)
