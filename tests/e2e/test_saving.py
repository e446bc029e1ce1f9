# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What lmmsd says an import costs the start: something, or nothing where others import it, too.
Whether that is what leaving it out really saves is judged by `make bench`, which measures both."""
import lib
import saving
from service import Service

RUNS = 3


def predict(ws, pairs):
    with Service(ws, "--uid", saving.OWN_UID) as s:
        saving.watch_all(ws, s, pairs, RUNS)
        for pair in pairs:
            pair.ask(s)
        s.stop()
    for pair in pairs:
        if pair.zero:
            assert pair.predicted == 0 and pair.total > 0, (pair.app, pair.goes, pair.predicted)
        else:
            assert pair.predicted > 0, (pair.app, pair.goes)
    return {p.goes: p.predicted for p in pairs}


def test_predicted(ws):
    pairs = saving.pairs(ws, lib.system_python(), saving.some_pairs)
    assert len(pairs) == 6, pairs
    predict(ws, pairs)


@lib.nightly
def test_predicted_all(ws):
    pairs = saving.pairs(ws, lib.system_python())
    assert len([p for p in pairs if not p.zero]) >= 12, len(pairs)
    assert len([p for p in pairs if p.zero]) >= 2, len(pairs)
    predicted = predict(ws, pairs)
    assert predicted["pandas"] > predicted["sqlite3"], predicted
