# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Is the fleet's review that of the merged databases? Everything but what a histogram cannot know must be the same."""
import math
import re

IMPORT_BOUNDS_MS = [0, 1, 10, 100, 500, math.inf]
EXACT = ["distribution", "version", "placement", "tier", "action", "slow", "chain"]
SKEW_MOST = 1.5  # a made-up app's mean start to its median; beyond 1.05 savings are multiplied with median / mean
TIMES = ("regression", "improvement")
SURE = 1.1  # of a start: what must be told when not even the bounds between the medians are nearer
SURE_RUNS = 50  # in both months
WAYS = 6  # importers of a module that lmmsd tells apart
CLOSE = ["share_pct", "run_pct", "usage_pct"]
RUNS = ["runs", "warm_runs", "cold_cache_runs", "after_change_runs"]


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


def reason(module):
    """Without its figures, which are of the times and savings compared apart; lines of code have no series."""
    text = re.sub(r"\b(in|at|of) \S+ (saves|into)\b", r"at SITE \2", module["reason"])
    return re.sub(r"\d[\d.]*", "#", re.sub(r"\bof \S+; ", "of SITE; ", text))


def uncertain(module, noise_ms):
    """Is the reason one of what a histogram does not know: how far the times lie apart, and whether a saving is above that?"""
    return noise_ms is not None and ((module["saving_ms"] or 0) < 2 * noise_ms or " the threshold of " in module["reason"])


def has_series(module):
    """lmmsd gives none to what was never timed, nor to what takes next to nothing."""
    return module["ms"]["n"] > 0 and module["ms"]["p50"] >= 0.11


def module_differences(where, fleet, merged, ways, noise_ms):
    unclear = uncertain(fleet, noise_ms) or uncertain(merged, noise_ms)
    for key in EXACT:
        if fleet[key] != merged[key] and not (unclear and key == "action"):
            yield f"{where} {key}: {fleet[key]!r}, from the databases {merged[key]!r}"
    for key in CLOSE:
        if not close(fleet[key], merged[key]):
            yield f"{where} {key}: {fleet[key]!r}, from the databases {merged[key]!r}"
    if fleet["ms"]["n"] != merged["ms"]["n"]:
        yield f"{where} runs with a time: {fleet['ms']['n']}, from the databases {merged['ms']['n']}"
    if not same_bucket(fleet["ms"]["p50"], merged["ms"]["p50"], IMPORT_BOUNDS_MS):
        yield f"{where} ms: {fleet['ms']['p50']}, from the databases {merged['ms']['p50']}: another bucket"
    if not unclear and reason(fleet) != reason(merged):
        yield f"{where} reason: {fleet['reason']!r}, from the databases {merged['reason']!r}"
    a, b = (set(x["importers"]) for x in (fleet, merged))
    if a != b if len(b) <= ways else not a <= b:
        yield f"{where} importers: {sorted(a)}, from the databases {sorted(b)}"


def saving_differences(name, fleet, merged, most, noise_ms):
    """A histogram knows the median start to a bucket only: then savings are made less by as much as is certain, which is no more than in
    the databases. One such ratio holds for a whole app. noise_ms: on a real machine, what is below it tells nothing; the exact figures
    are compared on made-up months (part_fleet)."""
    a, b = ({m["name"]: m["saving_ms"] for m in x["modules"]} for x in (fleet, merged))
    ratios = []
    for module in sorted(set(a) & set(b)):
        if close(a[module], b[module]) or noise_ms is not None and abs((a[module] or 0) - (b[module] or 0)) <= noise_ms:
            continue
        ratio = a[module] / b[module] if a[module] and b[module] else math.nan
        known = ratios and close(ratio, ratios[0])
        if not known and (ratios or not 0.99 <= ratio <= most):
            yield f"{name} {module} saving_ms: {a[module]!r}, from the databases {b[module]!r}"
        ratios.append(ratio)


def changes(app):
    return sorted((c["kind"], c["module"] or "") for c in app["changes"] if c["kind"] not in TIMES)


def is_sure(change, bounds):
    """Whatever the values within the buckets of both medians."""
    low, high = sorted(float(change[key].split()[0]) for key in ("before", "after"))
    runs = [int(n) for n in re.findall(r"(\d+) (?:runs|before)", change["why"])]
    # the database's own medians may be off, too
    least, most = bounds[bucket(low * 1.005, bounds)], bounds[bucket(high * 0.995, bounds) - 1]
    return len(runs) == 2 and min(runs) >= SURE_RUNS and most >= least * SURE


def time_differences(name, fleet, merged, bounds):
    """Single times are not known: a module's are never told, those of the start where the buckets leave no doubt."""
    a, b = ({(c["kind"], c["module"]): c for c in x["changes"] if c["kind"] in TIMES} for x in (fleet, merged))
    for kind, module in a:
        if module or (kind, module) not in b:
            yield f"{name} {kind} of {module or 'the start'}: only from histograms"
    for (kind, module), change in b.items():
        if not module and (kind, module) not in a and is_sure(change, bounds):
            yield f"{name} {kind} of the start: {change['before']} to {change['after']}, not from histograms"


def app_differences(fleet, merged, start_bounds_ms, own, noisy):
    name = merged["app"]
    for key in RUNS:
        if fleet[key] != merged[key]:
            yield f"{name} {key}: {fleet[key]}, from the databases {merged[key]}"
    for key in ("cold_start", "interpreter"):
        if fleet[key]["n"] != merged[key]["n"]:
            yield f"{name} {key} n: {fleet[key]['n']}, from the databases {merged[key]['n']}"
        if not same_bucket(fleet[key]["p50"], merged[key]["p50"], start_bounds_ms):
            yield f"{name} {key}: {fleet[key]['p50']}, from the databases {merged[key]['p50']}: another bucket"
    if changes(fleet) != changes(merged):
        yield f"{name} changes: {changes(fleet)}, from the databases {changes(merged)}"
    yield from time_differences(name, fleet, merged, start_bounds_ms)
    a, b = ({m["name"]: m for m in x["modules"]} for x in (fleet, merged))
    if own:
        a.pop("_other", None)
        b = {n: m for n, m in b.items() if has_series(m) or n in a}
    if set(a) != set(b):
        yield f"{name} modules: only in one: {sorted(set(a) ^ set(b))}"
    for module in sorted(set(a) & set(b)):
        yield from module_differences(f"{name} {module}", a[module], b[module], WAYS if own else math.inf, merged["noise_ms"] if noisy else None)
    yield from saving_differences(name, fleet, merged, math.inf if noisy else SKEW_MOST, merged["noise_ms"] if noisy else None)


def unclear_modules(*reviews):
    return {(name, m["name"]) for apps in reviews for name, app in apps.items() for m in app["modules"] if uncertain(m, app["noise_ms"])}


def differences(fleet, merged, start_bounds_s, own, noisy=False):
    """
    Lines that say what differs. own: counted by lmmsd, which bounds the number of its series. noisy: from a real machine, whose noise
    may be as large as what is saved.
    """
    bounds = [0] + [s * 1000 for s in start_bounds_s] + [math.inf]
    a, b = ({x["app"]: x for x in review["apps"]} for review in (fleet, merged))
    if list(a) != list(b):
        yield f"apps: {list(a)}, from the databases {list(b)}"
    for app in b:
        if app in a:
            yield from app_differences(a[app], b[app], bounds, own, noisy)
    skip = unclear_modules(a, b) if noisy else set()
    steps = [[(s["app"], s["module"], s["action"]) for s in review["steps"] if (s["app"], s["module"]) not in skip] for review in (fleet, merged)]
    if steps[0] != steps[1]:
        yield f"steps: {steps[0]}, from the databases {steps[1]}"
    for key in ("usage_basis", "thresholds"):
        if fleet[key] != merged[key]:
            yield f"{key}: {fleet[key]}, from the databases {merged[key]}"
