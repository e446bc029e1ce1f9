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


def skip(why):
    global skipped
    skipped += 1
    print(f"SKIP {why}", flush=True)


def done():
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0
