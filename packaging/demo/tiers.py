# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Prints the tier of each module of the first process in a report of lmmsd (--format json)."""
import json
import sys
import textwrap


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        processes = json.load(f)["processes"]
    if not processes:
        sys.exit("no process of that program was seen")
    modules = {}
    for m in processes[0]["modules"]:
        if m["status"] == "loaded":
            modules.setdefault(m["name"], m)
    for tier in ("FUNCTION_LEVEL", "MODULE_LEVEL"):
        rows = sorted((m for m in modules.values() if m["tier"] == tier), key=lambda m: -m["total_ms"])
        print(f"\n{tier}: {len(rows)} modules")
        for m in rows[:12]:
            print(f"  {m['total_ms']:8.2f} ms  {m['share_pct']:6.2f} % of uses  {m['name']}")
        rest = ", ".join(m["name"] for m in rows[12:])
        print(textwrap.fill(rest, 100, initial_indent="  and ", subsequent_indent="      ", break_on_hyphens=False)
              if rest else "", end="\n" if rest else "")


main()
