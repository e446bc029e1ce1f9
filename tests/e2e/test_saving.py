# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What lmmsd says an import costs the start, and what leaving it out really saves. `make bench` judges the numbers."""
import statistics

import lib
import saving

RUNS = 3


def test_predicted_and_real(ws):
    pairs = saving.pairs(ws, lib.system_python())
    assert len([p for p in pairs if not p.zero]) >= 10 and len([p for p in pairs if p.zero]) >= 2, len(pairs)
    for pair in pairs:
        for _ in range(RUNS):
            pair.measure(ws)
        print("     " + " | ".join(pair.row()), flush=True)
        if pair.zero:
            assert 0 <= pair.says < 0.3 * statistics.median(pair.totals), (pair.goes, pair.predicted, pair.totals)
        else:
            assert pair.says > 0, (pair.goes, pair.predicted)
    print(f"     median error {statistics.median(p.error for p in pairs) * 100:.1f} % of {len(pairs)} pairs")
