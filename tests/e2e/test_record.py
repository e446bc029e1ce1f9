# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The decision record's lines, as they stand there, with lmmsd below them; and that Python is told
what lmmsctl says."""
import os
import re
import sys

import lib
from service import LMMSCTL, SHOP, Service

RECORD = """
from module_imports import *
from performance_benchmark import classify, get_usage_percent, measure_cold_start, profile_imports

results = profile_imports()
for module, ms in results.items():
    usage = get_usage_percent(module)
    tier = classify(module, ms, usage)
    print(f"{module} {ms:.1f} {usage:.0f} {tier}")
baseline_ms = measure_cold_start()
print(f"start {baseline_ms:.1f}")
"""
PYTHON = os.path.join(lib.REPO, "packaging", "python")
APP = SHOP + "/record.py"


def environment():
    return {**{k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
            "PYTHONPATH": PYTHON, "PYTHONDONTWRITEBYTECODE": "1",
            "LMMSD": lib.LMMSD, "LMMSCTL": LMMSCTL}


def test_the_records_lines(ws):
    """In a script and in a REPL, for three modules, one of them beside the program."""
    ws.write("module_imports.py",
             "import colorsys\nimport slow_one\nfrom fractions import Fraction\n")
    work = "import time\ntime.sleep(0.15)\n"  # lint: allow(sleeps) stands for work that is measured
    ws.write("slow_one.py", work)
    py = lib.system_python()
    script = py(ws.write("bench.py", RECORD))
    repl = {"args": py("-i"), "input": RECORD.replace("\nbaseline", "\n\nbaseline"), "stdin": None}
    for how in ({"args": script}, repl):
        r = ws.run(how.pop("args"), env=environment(), cwd=ws.dir, **how)
        assert r.returncode == 0 and "Error" not in r.stderr and "importtime" not in r.stderr, r
        rows = dict(re.findall(r"^(\w+) (\d+\.\d)", r.stdout, re.M))
        assert list(rows) == ["colorsys", "slow_one", "fractions", "start"], r.stdout
        assert float(rows["slow_one"]) >= 150 and float(rows["start"]) >= 150, rows
        assert re.search(r"^slow_one .* FUNCTION_LEVEL$", r.stdout, re.M), r.stdout


def test_it_is_told_what_lmmsctl_says(ws):
    sys.path.insert(0, PYTHON)
    import performance_benchmark as pb
    os.environ["LMMSD"], os.environ["LMMSCTL"] = lib.LMMSD, LMMSCTL
    argv = lib.system_python()(ws.write(APP, "import colorsys\nimport json\n"))
    with Service(ws, "--app", f"^{APP}$") as s:
        s.run(argv, 4)
        s.wait_runs(APP, 4)
        s.stop()
    (app,) = s.json("apps")["apps"]
    cold = app["cold_start"]
    for asked in ({"app": APP, "db": s.db}, {"db": s.db}):
        m = pb.measure_cold_start(**asked)
        assert (m, m.n, list(m.ci95 or ())) == (cold["p50"], cold["n"], cold["ci95"] or []), (m,
                cold)
    rows = {m["name"]: m for m in s.json("modules", "--app", APP)["modules"]}
    for name in ("colorsys", "json", "json.decoder"):
        for asked in ({"app": APP, "db": s.db}, {"db": s.db}):
            assert pb.get_usage_percent(name, **asked) == rows[name]["usage_pct"], (name, asked)
        tier = pb.classify(name, rows[name]["ms"]["p50"], rows[name]["usage_pct"])
        assert tier == rows[name]["tier"], rows[name]
    for call in (lambda: pb.measure_cold_start(app=APP, db=ws.path("no.db")),
                 lambda: pb.get_usage_percent("json", db=ws.path("no.db"))):
        try:
            call()
        except pb.LmmsdError as e:
            assert e.code == 5 and "no.db" in str(e), e
        else:
            raise AssertionError("it answered without a database")
