# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Interpreters with a GIL each, which run at the same time: an import is the one's that makes it."""
import lib
from bare import one, same

EACH = 40  # imports of each interpreter

# The newest interpreter is the first that a walk over them meets: it holds its GIL all the while,
# without a system call in which it would let go of it, until the others have imported everything.
PROGRAM = """
import mmap, os, sys, threading
try:
    import _interpreters as sub
    run = sub.exec
except ImportError:
    import _xxsubinterpreters as sub
    run = sub.run_string

here = os.path.dirname(os.path.abspath(__file__))
shared = f"{here}/shared.{os.getpid()}"
with open(shared, "wb") as f:
    f.write(bytes(2))
with open(shared, "r+b") as f:
    SPINS, OVER, flags = 0, 1, mmap.mmap(f.fileno(), 2)
SPIN = f'''
import mmap
with open({shared!r}, "r+b") as f:
    flags = mmap.mmap(f.fileno(), 2)
flags[{SPINS}] = 1
while not flags[{OVER}]:
    pass
'''
created, goes_on = threading.Event(), threading.Event()

# Each interpreter, which has a GIL of its own by default, is created by the thread that it runs on.
# With an argument the main thread creates them.
ids = [sub.create(), sub.create()] if len(sys.argv) > 1 else []

def middle():
    interpreter = ids[0] if ids else sub.create()
    created.set()
    goes_on.wait()
    run(interpreter, f"import sys; sys.path.insert(0, {here!r}); import middle")

def newest():
    run(ids[1] if ids else sub.create(), SPIN)

threads = [threading.Thread(target=middle), threading.Thread(target=newest)]
threads[0].start()
created.wait()
threads[1].start()
while not flags[SPINS]:
    os.sched_yield()
goes_on.set()
import oldest
threads[0].join()
flags[OVER] = 1
threads[1].join()
print("done")
"""


def write(ws):
    for asker in ("middle", "oldest"):
        # in a function: the frame says who asks, and that is found by way of the running thread
        imports = "".join(f"    import {asker}_{i}\n" for i in range(EACH))
        ws.write(f"{asker}.py", f"def ask():\n{imports}ask()\n")
        for i in range(EACH):
            ws.write(f"{asker}_{i}.py", "")
    return ws.write("gils.py", PROGRAM)


def asked(process, importer):
    """The imports that the module makes are its own; their threads."""
    mine = lib.by_name(process)
    rows = [(i, mine[f"{importer}_{i}"]) for i in range(EACH)]
    for i, m in rows:
        assert m["status"] == "loaded", m
        assert (m["importer"], m["line"]) == (importer, i + 2), m
    return {m["thread"] for _, m in rows}


@lib.needs(lambda py: py.version >= (3, 12))
def test_importers(ws, py):
    run = same(ws, py(write(ws)))
    yield
    process = one(run.report)
    middle, oldest = asked(process, "middle"), asked(process, "oldest")
    assert len(middle) == len(oldest) == 1 and middle != oldest, (middle, oldest)


@lib.loses("thread_unknown")
@lib.needs(lambda py: py.version >= (3, 12))
def test_created_elsewhere(ws, py):
    """3.12 runs an interpreter with the thread state that its creator left: then nobody is named, and that is counted."""
    run = same(ws, py(write(ws), "main"))
    yield
    report = run.report
    process = lib.only_process(report)
    if py.version == (3, 12):
        assert set(report["lost"]) == {"thread_unknown"}, report["lost"]
        mine = lib.by_name(process)
        importers = {mine[f"{x}_{i}"]["importer"] for x in ("middle", "oldest") for i in range(EACH)}
        assert importers <= {None, "middle", "oldest"}, importers
    else:
        assert report["lost"] == {}, report["lost"]
        assert asked(process, "middle") != asked(process, "oldest")
