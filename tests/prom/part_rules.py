# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Recording rules and alerts: promtool checks and runs them, and each alert says what to do."""
import os
import re
import subprocess

import names
from report import as_one, check

NEEDS = ["promtool"]
RULES = "packaging/prometheus/lmmsd.rules.yml"
ALERTS = "packaging/prometheus/lmmsd.alerts.yml"
TESTS = ["tests/prom/rules.test.yml", "tests/prom/months.test.yml"]


def promtool(*args):
    r = subprocess.run(["promtool", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return r.returncode, r.stdout


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def check_alerts():
    """Each is tested, and says what to do."""
    alerts = re.split(r"\n      - alert: ", read(ALERTS))[1:]
    tests = "".join(read(path) for path in TESTS)
    check("there are alerts", len(alerts) >= 8)
    for alert in alerts:
        name = alert.split("\n")[0]
        check(name + ": is tested when it fires", re.search(rf"alertname: {name}\n\s+eval_time: \S+\n(\s+#.*\n)?\s+exp_alerts", tests))
        check(name + ": is tested when it does not",
              re.search(rf"alertname: {name}\n\s+eval_time: \S+\n(?!\s+(#.*\n\s+)?exp_alerts)", tests))
        for key in ("severity", "summary", "description"):
            check(f"{name}: {key}", re.search(rf"\n\s+{key}: \S", alert))
        # a command, an option or a setting: what to do
        check(name + ": says what to do", re.search(r"lmmsctl|systemctl|journalctl|--[a-z]|configuration", alert.split("description:")[1]))


def check_metrics(path):
    for line in re.sub(r"(?s)annotations:.*?(?=\n      - alert|\n  - name|\Z)", "", read(path)).split("\n"):
        unknown = names.unknown(line.split("#")[0], recorded=names.recorded())
        check(f"{os.path.basename(path)}: only metrics that there are", not unknown, f"{unknown} in {line}")


def run(_target, _where):
    for path in (RULES, ALERTS):
        with as_one(os.path.basename(path)):
            status, said = promtool("check", "rules", "--lint=all", "--lint-fatal", path)
            check("promtool check rules " + os.path.basename(path), status == 0, said)
            check_metrics(path)
            if path == ALERTS:
                check_alerts()
    for path in TESTS:
        status, said = promtool("test", "rules", path)
        check("promtool test rules " + os.path.basename(path), status == 0 and "SUCCESS" in said, said)
