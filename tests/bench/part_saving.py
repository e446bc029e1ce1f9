# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Predicted against real saving: the import left out of a copy of the program, and plain wall clock."""
import statistics

import lib
import saving
from harness import table

RUNS = 9
WANTED_PCT = 10


def run(bench):
    with lib.Workspace() as ws:
        pairs = saving.pairs(ws, lib.system_python())
        for _ in range(bench.rounds(RUNS)):
            for pair in pairs:
                pair.measure(ws)
    errors = [p.error for p in pairs]
    yield table("Predicted against real saving", ["import that goes", "imports that stay", "predicted ms", "real ms", "error"],
                [p.row() for p in pairs],
                [f"Median absolute error {statistics.median(errors) * 100:.1f} % over {len(pairs)} pairs (wanted: at most "
                 f"{WANTED_PCT} %). Medians of {RUNS} runs. An error is of the real saving; where the true answer is 0, of "
                 "the import's own time."])
