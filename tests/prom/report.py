# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the parts found out, counted."""
import os

passed = failed = skipped = 0
TIER = os.environ.get("LMMSD_TIER", "test")
left_out = []


def check(what, ok, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {detail}"[:4000], flush=True)


class as_one:  # pylint: disable=invalid-name
    """with as_one(what): all checks within are one test, of a file, not of its lines."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        self.before = passed, failed

    def __exit__(self, kind, *_):
        global passed, failed
        now = passed, failed
        passed, failed = self.before
        if kind is None:
            check(self.what, now != self.before and now[1] == failed, "see above, or nothing was checked")


def skip(why):
    global skipped
    skipped += 1
    print(f"SKIP {why}", flush=True)


def nightly(what):
    """Whether it is to run: only with LMMSD_TIER=all. What does not is no skip."""
    if TIER != "all":
        left_out.append(what)
    return TIER == "all"


def done():
    if left_out:
        print(f"nightly only: {', '.join(left_out)}")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
