# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the parts found out, counted."""
passed = failed = skipped = 0


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


def done():
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
