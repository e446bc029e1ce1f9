# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""How long lmmsd takes to be ready and to end, and what that costs. LMMSD_BEFORE=FILE: another lmmsd, in turns with this one."""
import os
import resource
import signal
import subprocess
import time

from harness import ratio_text, table

INTERRUPTS = (0.05, 0.3, 1.5)  # seconds after the start


def timed(argv, status, interrupt=None):
    """(seconds, CPU seconds of the kernel, of the user); with interrupt: seconds from the Ctrl-C on. A run that ends in another way than
    with this status has measured something else."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if interrupt is not None:
        try:
            p.wait(timeout=interrupt)
        except subprocess.TimeoutExpired:
            pass
        began = time.monotonic()
        p.send_signal(signal.SIGINT)
    p.wait(timeout=120)
    took = time.monotonic() - began
    assert interrupt is not None or p.returncode == status, (argv, p.returncode)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_stime - before.ru_stime, after.ru_utime - before.ru_utime


def cases(bench):
    out = bench.path("ready.json")
    yield "`lmmsd -o FILE -- true`", ["-o", out, "--", "true"], 0, None
    yield "`lmmsd -o FILE -- python3 -c pass`", ["-o", out, "--", "/usr/bin/python3", "-c", "pass"], 0, None
    yield "`lmmsd -o FILE --duration 0.1`", ["-o", out, "--duration", "0.1"], 0, None
    yield "`lmmsd -- nosuchcmd`", ["--", "nosuchcmd"], 2, None
    for s in INTERRUPTS:
        yield f"`lmmsd -o FILE`, from a Ctrl-C at {s} s", ["-o", out], None, s


def run(bench):
    lmmsds = [("this", bench.lmmsd)]
    if os.environ.get("LMMSD_BEFORE"):
        lmmsds.append(("before", os.environ["LMMSD_BEFORE"]))
    rows = []
    for name, argv, status, interrupt in cases(bench):
        found = {who: [] for who, _ in lmmsds}
        for i in range(bench.rounds(15)):
            for who, lmmsd in lmmsds[::-1] if i % 2 else lmmsds:
                found[who].append(timed([lmmsd, *argv], status, interrupt))
        for who, _ in lmmsds:
            wall, kernel, user = ([x[k] for x in found[who]] for k in range(3))
            rows.append([name, who, ratio_text(wall), ratio_text(kernel), ratio_text(user)])
    yield table("Ready, and over: seconds", ["run", "lmmsd", "wall", "CPU, kernel", "CPU, user"], rows,
                ["Medians (first to third quartile), in turns. CPU seconds are those of all processes of the run."])
