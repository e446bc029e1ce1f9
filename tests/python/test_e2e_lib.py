# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""tests/e2e/lib.py: which interpreters run all programs."""
import os
import sys
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "e2e"))
sys.dont_write_bytecode = True
import lib  # noqa: E402


def layouts(*ids, tier="test", selected=None):
    """The ids of lib.layouts() where these interpreters are here, and its lines."""
    pythons = [lib.Python(f"{i} {i[1:]}.1 callsite /usr/bin/python{i[1:]}") for i in ids]
    env = {"E2E_PYTHONS": selected} if selected else {}
    with mock.patch.object(lib, "interpreters", lambda: pythons), \
            mock.patch.object(lib, "TIER", tier), mock.patch.dict(os.environ, env):
        if not selected:
            os.environ.pop("E2E_PYTHONS", None)
        found, lines = lib.layouts.__wrapped__()
    return [py.id for py in found], lines


class Layouts(unittest.TestCase):
    def test_one_of_each(self):
        self.assertEqual(layouts(*lib.WANTED), (lib.LAYOUTS, []))

    def test_all_in_the_nightly_tier(self):
        self.assertEqual(layouts(*lib.WANTED, tier="all"), (lib.WANTED, []))

    def test_all_that_are_selected(self):
        self.assertEqual(layouts("p3.9", "d3.13", selected="p3.9 d3.13"), (["p3.9", "d3.13"], []))

    def test_the_nearest_stands_in(self):
        found, lines = layouts("p3.9", "p3.10", "d3.11", "d3.13", "p3.13", "d3.14")
        self.assertEqual(found, ["p3.9", "d3.11", "p3.13", "d3.14"])
        self.assertEqual(lines, ["p3.8 is not here: its programs run on p3.9",
                                 "p3.12 is not here: its programs run on p3.13",
                                 "d3.15 is not here: its programs run on d3.14"])

    def test_one_for_all(self):
        self.assertEqual(layouts("d3.11")[0], ["d3.11"])
        self.assertEqual(layouts(), ([], []))

    def test_missing_ones_are_skips(self):
        with mock.patch.object(lib, "interpreters", lambda: []), \
                mock.patch.dict(os.environ, {"E2E_PYTHONS": "p3.8 d3.11"}):
            self.assertEqual(lib.missing_interpreters(), ["p3.8", "d3.11"])


class Probes(unittest.TestCase):
    def test_each_probe_is_auto_and_usdt(self):
        self.assertEqual(lib.each_probe(lambda ws, py: None).probes, (None, "usdt"))


if __name__ == "__main__":
    unittest.main()
