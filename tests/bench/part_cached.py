# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""One import statement of a module that is loaded already, in a tight loop of one running worker."""
import statistics
import subprocess

from harness import MODES, in_mode, one_of_each, ratio_text, ratios, rotated, table

CALLS = 5000
# Fifty statements a turn, so that the loop does not count. "N" on stdin: the least of N batches, in ns a call.
WORKER = f"""
import sys, time, colorsys
source = "def batch(n):\\n    for _ in range(n):\\n" + "        import colorsys\\n" * 50
exec(source)
clock = time.perf_counter_ns
print("up", flush=True)
for line in sys.stdin:
    least = 1 << 62
    for _ in range(int(line)):
        began = clock()
        batch({CALLS // 50})
        least = min(least, clock() - began)
    print(least / {CALLS}, flush=True)
"""


class Worker:
    def __init__(self, py):
        self.p = subprocess.Popen(py("-I", "-S", "-c", WORKER), text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, bufsize=1)
        assert self.p.stdout.readline() == "up\n"

    def least_ns(self, batches=40):
        self.p.stdin.write(f"{batches}\n")
        self.p.stdin.flush()
        return float(self.p.stdout.readline())

    def end(self):
        self.p.stdin.close()
        self.p.wait(timeout=30)


def measure(bench, py):
    modes = [*MODES, "entry"]
    worker = Worker(py)
    try:
        worker.least_ns()
        return [{m: in_mode(bench, m, worker.least_ns) for m in rotated(modes, n)} for n in range(bench.rounds(12))]
    finally:
        worker.end()


def run(bench):
    rows = []
    for py in one_of_each():
        rounds = measure(bench, py)
        ns = {m: statistics.median(r[m] for r in rounds) for m in rounds[0]}
        rows.append([f"{py.text} {py.kind}", f"{ns['bare']:.0f} ns", ratio_text(ratios(rounds, "bare again")),
                     ratio_text(ratios(rounds, "off")), ratio_text(ratios(rounds, "on"), 1),
                     f"+{ns['on'] - ns['bare']:.0f} ns", f"+{ns['entry'] - ns['bare']:.0f} ns"])
    yield table("Cached import, one call", ["Python", "bare", "bare again", "`--usage off`", "`--usage on`",
                                            "`--usage on`, added", "`--probe entry`, added"], rows,
                ["The least of 40 batches of 5,000 imports in a running process, lmmsd on the whole host."])
