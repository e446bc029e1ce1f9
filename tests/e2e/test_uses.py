# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Uses of modules that are loaded already: counted in the kernel, exactly."""
import lib


@lib.everywhere
@lib.each_probe
def test_hundred_thousand(ws, py):
    program = ws.write("uses.py", """
import threading, colorsys
def work():
    for _ in range(25000):
        import colorsys
ts = [threading.Thread(target=work) for _ in range(4)]
[t.start() for t in ts]; [t.join() for t in ts]
""")
    run = ws.watch(py(program))
    yield
    report = run.report
    process = lib.only_process(report)
    m = lib.by_name(process)["colorsys"]
    assert m["uses_by_placement"]["function"] == 100000, m
    assert m["uses_by_placement"]["module"] == 1 and m["uses"] == 100001, m
    edges = [e for e in process["edges"] if e["module"] == "colorsys"
             and e["importer"] == "__main__"]
    assert sorted((e["placement"], e["count"], e["loaded"]) for e in edges) == [
        ("function", 100000, False), ("module", 1, True)], edges
    assert report["lost"] == {}, report["lost"]


@lib.everywhere
@lib.each_probe
def test_every_form(ws, py):
    ws.write("pkg/__init__.py", "")
    ws.write("pkg/near.py",
             "from . import far\nfrom .far import value\ndef again():\n    from . import far\n")
    ws.write("pkg/far.py", "value = 1\n")
    ws.write("leaf.py", "")
    program = ws.write("forms.py", """
import pkg.near
from pkg import far
import pkg.near as alias
for _ in range(3):
    pkg.near.again()
for _ in range(5):
    __import__("leaf")
class C:
    for _ in range(2):
        import leaf
exec("import leaf\\n" * 4)
""")
    run = ws.watch(py(program))
    yield
    report = run.report
    process = lib.only_process(report)
    mine = lib.by_name(process)
    leaf = mine["leaf"]
    assert leaf["uses_by_placement"]["dynamic"] == 5, leaf
    assert leaf["uses_by_placement"]["class"] == 2, leaf
    assert leaf["uses_by_placement"]["module"] == 4, leaf
    assert mine["pkg.near"]["uses"] == 2, mine["pkg.near"]
    assert mine["pkg.far"]["uses"] >= 2, mine["pkg.far"]
    near = [e for e in process["edges"] if e["importer"] == "pkg.near"]
    assert ("pkg", "function", 3) in [(e["module"], e["placement"], e["count"]) for e in near], near


@lib.usages("off")
def test_off(ws, py):
    program = ws.write("few.py",
                       "import colorsys\ndef f():\n    import colorsys\nfor _ in range(10): f()\n")
    run = ws.watch(py(program))
    yield
    m = lib.by_name(lib.only_process(run.report))["colorsys"]
    assert m["uses"] == 1, m


def test_shares(ws, py):
    program = ws.write("share.py", "def f():\n    import colorsys\nfor _ in range(1000): f()\n")
    run = ws.watch(py(program))
    yield
    process = lib.only_process(run.report)
    rows = [m for m in process["modules"] if not m.get("repeat")]
    total = sum(m["uses"] for m in rows)
    for m in rows:
        assert abs(m["share_pct"] - m["uses"] / total * 100) < 0.01, m
    assert abs(sum(m["share_pct"] for m in rows) - 100) < 0.1
    assert lib.by_name(process)["colorsys"]["uses_by_placement"]["function"] == 1000
