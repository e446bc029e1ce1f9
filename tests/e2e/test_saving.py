# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What lmmsd says an import costs the start, and what leaving it out really saves. `make bench` judges the numbers."""
import lib
import saving
from service import Service

RUNS = 3


def test_predicted_and_real(ws):
    pairs = saving.pairs(ws, lib.system_python())
    assert len([p for p in pairs if not p.zero]) >= 12 and len([p for p in pairs if p.zero]) >= 2, len(pairs)
    with Service(ws) as s:
        saving.watch_all(ws, s, pairs, RUNS)
        for pair in pairs:
            pair.ask(s)
        s.stop()
    for pair in pairs:
        pair.measure(RUNS)
        print("     " + " | ".join(pair.row()), flush=True)
        if pair.zero:
            assert pair.predicted == 0 and pair.total > 0, (pair.app, pair.goes, pair.predicted)
        else:
            assert pair.predicted > 0, (pair.app, pair.goes)
    # Far apart: no noise turns these around.
    big = {p.goes: p for p in pairs}
    for of in ("predicted", "real"):
        assert getattr(big["pandas"], of) > getattr(big["sqlite3"], of) * 3, (of, big["pandas"].row(), big["sqlite3"].row())
