# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Is the fleet's review that of the merged databases? Everything but what a histogram cannot know must be the same."""
import math

IMPORT_BOUNDS_MS = [0, 1, 10, 100, 500, math.inf]
EXACT = ["distribution", "version", "placement", "tier", "action", "why", "slow", "chain"]
WAYS = 6  # importers of a module that lmmsd tells apart
CLOSE = ["saving_ms", "share_pct", "run_pct", "usage_pct"]


def close(a, b):
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-6)


def bucket(ms, bounds):
    return sum(1 for b in bounds if ms > b)


def same_bucket(a, b, bounds):
    """0.5 %: as far as the database's own quantiles may be off."""
    if a is None or b is None:
        return a is b
    return bucket(a, bounds) in (bucket(b * 0.995, bounds), bucket(b, bounds), bucket(b * 1.005, bounds))


def importers(module):
    return sorted((i["importer"], i["placement"]) if isinstance(i, dict) else i for i in module["importers"])


def has_series(module):
    """lmmsd gives none to what was never timed, nor to what takes next to nothing."""
    return module["ms"]["n"] > 0 and module["ms"]["p50"] >= 0.11


def module_differences(where, fleet, merged, ways):
    for key in EXACT:
        if key in merged and fleet.get(key) != merged[key]:
            yield f"{where} {key}: {fleet.get(key)!r}, from the databases {merged[key]!r}"
    for key in CLOSE:
        if not close(fleet.get(key), merged[key]):
            yield f"{where} {key}: {fleet.get(key)!r}, from the databases {merged[key]!r}"
    if fleet["ms"]["n"] != merged["ms"]["n"]:
        yield f"{where} runs with a time: {fleet['ms']['n']}, from the databases {merged['ms']['n']}"
    if not same_bucket(fleet["ms"]["p50"], merged["ms"]["p50"], IMPORT_BOUNDS_MS):
        yield f"{where} ms: {fleet['ms']['p50']}, from the databases {merged['ms']['p50']}: another bucket"
    a, b = ({i[0] for i in importers(x)} for x in (fleet, merged))
    if a != b if len(b) <= ways else not a <= b:
        yield f"{where} importers: {importers(fleet)}, from the databases {importers(merged)}"


def changes(app):
    return sorted((c["kind"], c["module"] or "") for c in app["changes"])


def app_differences(fleet, merged, start_bounds_ms, own):
    name = merged["app"]
    for key in ("runs", "warm", "cold", "after_change", "unfit"):
        if fleet.get(key) != merged.get(key):
            yield f"{name} {key}: {fleet.get(key)}, from the databases {merged.get(key)}"
    for key in ("cold_start", "interpreter"):
        if fleet[key]["n"] != merged[key]["n"]:
            yield f"{name} {key} n: {fleet[key]['n']}, from the databases {merged[key]['n']}"
        if not same_bucket(fleet[key]["p50"], merged[key]["p50"], start_bounds_ms):
            yield f"{name} {key}: {fleet[key]['p50']}, from the databases {merged[key]['p50']}: another bucket"
    if changes(fleet) != changes(merged):
        yield f"{name} changes: {changes(fleet)}, from the databases {changes(merged)}"
    a, b = ({m["name"]: m for m in x["modules"]} for x in (fleet, merged))
    if own:
        a.pop("_other", None)
        b = {n: m for n, m in b.items() if has_series(m) or n in a}
    if set(a) != set(b):
        yield f"{name} modules: only in one: {sorted(set(a) ^ set(b))}"
    for module in sorted(set(a) & set(b)):
        yield from module_differences(f"{name} {module}", a[module], b[module], WAYS if own else math.inf)


def differences(fleet, merged, start_bounds_s, own):
    """Lines that say what differs. own: counted by lmmsd, which bounds the number of its series."""
    bounds = [0] + [s * 1000 for s in start_bounds_s] + [math.inf]
    a, b = ({x["app"]: x for x in review["apps"]} for review in (fleet, merged))
    if list(a) != list(b):
        yield f"apps: {list(a)}, from the databases {list(b)}"
    for app in b:
        if app in a:
            yield from app_differences(a[app], b[app], bounds, own)
    steps = [[(s["app"], s["module"], s["action"]) for s in review["steps"]] for review in (fleet, merged)]
    if steps[0] != steps[1]:
        yield f"steps: {steps[0]}, from the databases {steps[1]}"
    for key in ("usage_basis", "thresholds"):
        if fleet[key] != merged[key]:
            yield f"{key}: {fleet[key]}, from the databases {merged[key]}"
