#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Compare a report of lmmsd with what the interpreter itself said.

The oracle is CPython's own `-X importtime`: one line for each import that was not in
sys.modules, after those it led to, indented by how deep it is nested.  So each of its names must
be in the report as loaded or failed, at the same depth.  The report may have more: importlib's
import_module and reload write no line.

usage: compare.py [--pid PID] [--exact] REPORT IMPORTTIME
  REPORT      what `lmmsd --format json` wrote (schema lmms.profile/1)
  IMPORTTIME  the standard error of the same process, other lines are ignored
  --pid       the process to compare; default: the one whose command line has `importtime`, or
              the only one with modules
  --exact     also fail on a loaded module that importtime does not have (__main__ apart)
Exit status 0 if they agree, 1 with one line for each difference, 2 if there is nothing to compare.
"""

import argparse
import json
import re
import sys

LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S.*)$")
SHOWN = 20


class NothingToCompare(Exception):
    pass


def read_importtime(lines):
    """The depths at which each name was loaded: a failed import can be tried again."""
    depths = {}
    for line in lines:
        m = LINE.match(line.rstrip())
        if m:
            depths.setdefault(m.group(4), []).append(len(m.group(3)) // 2)
    if not depths:
        raise NothingToCompare("no lines of -X importtime")
    return depths


def choose_process(report, pid):
    processes = report.get("processes", [])
    if pid is not None:
        found = [p for p in processes if p.get("pid") == pid]
    else:
        found = [p for p in processes if "importtime" in " ".join(p.get("cmdline") or [])]
        found = found or [p for p in processes if p.get("modules")]
    if len(found) != 1:
        raise NothingToCompare(f"{len(found)} processes to choose from, of {len(processes)} in the report")
    return found[0]


def differences(report, process, depths, exact):
    if report.get("complete") is not True:
        yield "the report is not complete"
    for reason, count in sorted((report.get("lost") or {}).items()):
        if count:
            yield f"lost: {count} {reason}"
    if process.get("from_start") is not True:
        yield "the process was not seen from its start"
    modules = {}
    for m in process["modules"]:
        modules.setdefault(m["name"], []).append(m)
    for name, levels in depths.items():
        # An import that failed may be tried again: as many rows as lines, at the same depths.
        rows = [m for m in modules.get(name, []) if m["status"] in ("loaded", "failed")]
        if sorted(m["depth"] for m in rows) != sorted(levels):
            yield f"{name}: depths {[m['depth'] for m in rows]}, importtime has {levels}"
        for m in rows:
            if not 0 <= m["self_ms"] <= m["total_ms"]:
                yield f"{name}: self {m['self_ms']} ms of total {m['total_ms']} ms"
    if exact:
        for name, rows in modules.items():
            if any(m["status"] == "loaded" for m in rows) and name not in depths and name != "__main__":
                yield f"{name}: loaded, but not in importtime"


def main():
    parser = argparse.ArgumentParser(usage="compare.py [--pid PID] [--exact] REPORT IMPORTTIME")
    parser.add_argument("--pid", type=int)
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("report")
    parser.add_argument("importtime")
    args = parser.parse_args()
    try:
        with open(args.report, encoding="utf-8") as f:
            report = json.load(f)
        if report.get("schema") != "lmms.profile/1":
            raise NothingToCompare(f"schema {report.get('schema')!r}")
        with open(args.importtime, encoding="utf-8", errors="replace") as f:
            depths = read_importtime(f)
        process = choose_process(report, args.pid)
        found = list(differences(report, process, depths, args.exact))
    except (NothingToCompare, OSError, ValueError, KeyError, TypeError) as e:
        print(f"compare: {args.report}: {type(e).__name__}: {e}")
        return 2
    for line in found[:SHOWN]:
        print(f"compare: {line}")
    if len(found) > SHOWN:
        print(f"compare: and {len(found) - SHOWN} more")
    print(f"compare: {len(depths)} modules in importtime, {len(process['modules'])} in the report, "
          f"{len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
