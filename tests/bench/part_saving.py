# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Predicted against real saving: the import left out of a copy of the program, and plain wall clock."""
import os
import statistics

import lib
import saving
from harness import table
from service import Service

ROUNDS = 14
WATCHED = 2  # runs a round that the daemon sees
BARE = 4     # runs of each copy a round that nobody sees
WANTED_PCT = 10


def on(cpus):
    os.sched_setaffinity(0, cpus)


def run(bench):
    cpus = os.sched_getaffinity(0)
    last = {max(cpus)}
    rounds = bench.rounds(ROUNDS)
    with lib.Workspace() as ws:
        pairs = saving.pairs(ws, lib.system_python())
        try:
            for n in range(rounds):
                # lmmsd and what is measured do not share a CPU, if there are two
                on(cpus - last or cpus)
                with Service(ws) as s:
                    on(last)
                    saving.watch_all(ws, s, pairs, WATCHED, n * WATCHED)
                    s.stop()
                for pair in pairs:
                    bench.undisturbed(lambda p=pair: p.measure(BARE))
        finally:
            on(cpus)
        for pair in pairs:
            pair.ask(s)
    errors = [p.error * 100 for p in pairs]
    some = [p.error * 100 for p in pairs if not p.zero]
    yield table("Predicted against real saving", ["program", "import that goes", "predicted ms", "real ms", "error"],
                [p.row() for p in pairs],
                [f"Median absolute error {statistics.median(errors):.1f} % over {len(pairs)} pairs, {statistics.median(some):.1f} "
                 f"% over the {len(some)} whose answer is not 0 (wanted: at most {WANTED_PCT} %). Predicted: `lmmsctl why` "
                 f"after {rounds * WATCHED} runs that `lmmsd --service` saw. Real: medians of {rounds * BARE} runs each of the "
                 "program and of a copy without the import, unwatched, from start until it says that it has started."])
