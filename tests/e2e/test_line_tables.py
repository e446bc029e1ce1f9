# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Code so long that only the head of its line table is sent: a line behind that is unknown, never another one."""
import lib
from bare import one, same

STATEMENTS = 3000
EVERY = 100  # one of so many statements is an import


def code(name, indent):
    """Its imports are all on lines of their own; each other statement has some bytes of table."""
    for i in range(STATEMENTS):
        yield f"{indent}import {name}_{i}" if i % EVERY == 0 else f"{indent}x = i(1) + i(2)"


@lib.everywhere
@lib.needs(lambda py: py.version in ((3, 8), (3, 10), (3, 12), (3, 15)))  # a kind of table each
def test_beyond(ws, py):
    for name in ("body", "inside"):
        for i in range(0, STATEMENTS, EVERY):
            ws.write(f"{name}_{i}.py", "")
    ws.write("body.py", "i = int\n" + "\n".join(code("body", "")) + "\n")
    ws.write("inside.py", "i = int\ndef f():\n" + "\n".join(code("inside", "    ")) + "\nf()\n")
    run = same(ws, py(ws.write("main.py", "import body, inside\n")))
    yield
    mine = lib.by_name(one(run.report))
    for name, first, placement in (("body", 2, "module"), ("inside", 3, "function")):
        known = []
        for i in range(0, STATEMENTS, EVERY):
            m = mine[f"{name}_{i}"]
            assert (m["importer"], m["placement"]) == (name, placement), m
            assert m["importer_file"] == ws.path(f"{name}.py"), m
            assert m["line"] in (first + i, None), (first + i, m)
            known.append(m["line"] is not None)
        # those that the head reaches, and only those
        assert known == sorted(known, reverse=True) and known[0] and not known[-1], (name, known)
