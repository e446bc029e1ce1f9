# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Some hosts over three months: their databases, and what scraping them gave. Daemons start, are restarted, crash and end."""
import calendar
import json
import os
import random
import re
import sqlite3
import subprocess

from exporter import CLASSES, Exporter, line

MONTHS = [calendar.timegm((2026, m, 1, 0, 0, 0)) for m in (9, 10, 11)]
DAY = 86400


def at(month, day, hour=0, minute=0, second=0):
    return calendar.timegm((2026, month, day, hour, minute, second))


# begins and ends of the periods that are reviewed, and of those before them
BOUNDS = MONTHS + [at(8, 1), at(9, 28), at(10, 5), at(10, 12), at(10, 19), at(10, 20), at(10, 21)]


# (name, how slow, daemons from when to when); the last scrape is at the end
HOSTS = [
    ("through", 1.0, [(at(8, 25), at(11, 5))]),
    ("restarted", 1.15, [(at(8, 25), at(10, 10, 12)), (at(10, 10, 12, 0, 40), at(10, 20, 3)),
                         # crashes, again and again
                         (at(10, 20, 3, 0, 30), at(10, 20, 3, 2, 10)), (at(10, 20, 3, 2, 30), at(10, 20, 3, 4)),
                         (at(10, 20, 3, 4, 20), at(11, 5))]),
    ("short", 0.9, [(at(10, 5), at(10, 25, 6))]),
    ("gone", 1.0, [(at(8, 28), at(9, 30, 23, 58))]),
    # around the begin of the month
    ("edge", 1.05, [(at(9, 1, 6), at(9, 30, 23, 59, 30)), (at(10, 1, 0, 1), at(11, 5))]),
    ("outage", 1.0, [(at(9, 10), at(10, 8)), (at(10, 12), at(11, 5))]),
]


def near_bound(t):
    """Which side a run is on must not hang on when it was scraped."""
    return any(abs(t - m) < 90 for m in BOUNDS)


def schedule(daemons, rng):
    """(time, program, kind) of the runs, none so late that no scrape saw it."""
    runs = []
    for begin, end in daemons:
        last = end - 40
        times = [(begin + 12 + 9 * i, "shop") for i in range(3)]
        for program, every in (("shop", 3 * 3600), ("report", 9 * 3600), ("odd", 2 * DAY)):
            t = begin + rng.uniform(60, every)
            while t < last:
                times.append((int(t), program))
                t += rng.uniform(0.2, 1.8) * every
        runs += [(t, p) for t, p in times if t < last and not near_bound(t)]
    kinds = ["warm"] * 90 + ["cold"] * 3 + ["compiled"] * 3 + ["forked"] * 2 + ["partial"] * 2
    return [(t, p, rng.choice(kinds)) for t, p in sorted(runs)]


def scrapes(begin, end):
    times = {begin + 10, begin + 70, end - 60, end, *range(begin + 3600, end, 6 * DAY)}
    times |= {m + d for m in BOUNDS for d in (-20, 10)}
    return sorted(t for t in times if begin + 10 <= t <= end)


def put(program, directory, name, speed, daemons, seed):
    """The host's database; its runs with the class that the store gave them; the pages that its daemons would have shown."""
    rng = random.Random(seed)
    db, pages = (os.path.join(directory, name + suffix) for suffix in (".db", ".pages"))
    # a run is counted 2 s after its begin
    events = [(t + 2, 1, f"{t} {p} {kind}\n") for t, p, kind in schedule(daemons, rng)]
    for begin, end in daemons:
        events.append((begin, 0, f"{begin} start\n"))
        events += [(t, 2, f"{t} scrape\n") for t in scrapes(begin, end)]
    lines = "".join(line for _, _, line in sorted(events))
    out = subprocess.run([program, "put", db, str(speed), str(seed), pages], input=lines, stdout=subprocess.PIPE, text=True,
                         check=True).stdout
    with sqlite3.connect(db) as connection:
        classes = dict(connection.execute("SELECT pid, class FROM run"))
    runs = [json.loads(x) for x in out.split("\n") if x]
    for run in runs:
        run["class"] = CLASSES[classes[run["pid"]]]
    return db, runs, pages


SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
ESCAPED = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def parsed(path, name):
    """(time, samples) of what lmmsd's own counters wrote."""
    time, samples = None, []
    with open(path, encoding="utf-8") as f:
        for text in f:
            if text.startswith("# scrape "):
                if time is not None:
                    yield time, samples
                time, samples = int(text.split()[2]), []
            elif not text.startswith("#"):
                metric, inside, value = SAMPLE.fullmatch(text.rstrip("\n")).groups()
                labels = {k: re.sub(r"\\.", lambda m: ESCAPED[m.group(0)], v) for k, v in LABEL.findall(inside or "")}
                samples.append((metric, {**labels, "job": "lmmsd", "instance": name + ":9748"}, float(value)))
    yield time, samples


def scraped(name, daemons, runs):
    """(time, samples) of all scrapes."""
    left = list(runs)
    for number, (begin, end) in enumerate(daemons):
        # the host's clock is a little off
        exporter = Exporter(begin + 0.25)
        for time in scrapes(begin, end):
            while left and left[0]["t"] + 2 <= time:
                exporter.add(left.pop(0))
                exporter.lost += number
            yield time, [(n, {**labels, "job": "lmmsd", "instance": name + ":9748"}, v)
                         for n, labels, v in exporter.samples()]
    assert not left, f"{name}: {len(left)} runs that no scrape saw"


def write(directory, name, everything):
    """A file for each server."""
    openmetrics, text = (os.path.join(directory, name + suffix) for suffix in (".om", ".prom"))
    with open(openmetrics, "w", encoding="utf-8") as om, open(text, "w", encoding="utf-8") as prom:
        for time, samples in sorted(everything, key=lambda x: x[0]):
            om.writelines(line(n, labels, v, time) for n, labels, v in samples)
            prom.writelines(line(n, labels, v, time * 1000) for n, labels, v in samples)
        om.write("# EOF\n")
    return openmetrics, text


def make(program, directory):
    """(merged database, runs by host, files by who counted). "told": by exporter.py; "lmmsd": by the daemon's own counters."""
    dbs, told, own, by_host = [], [], [], {}
    for seed, (name, speed, daemons) in enumerate(HOSTS):
        db, runs, pages = put(program, directory, name, speed, daemons, seed)
        dbs.append(db)
        by_host[name] = runs
        told += list(scraped(name, daemons, runs))
        own += list(parsed(pages, name))
    merged = os.path.join(directory, "merged.db")
    subprocess.run([program, "merge", merged, *dbs], check=True)
    return merged, by_host, {"told": write(directory, "told", told), "lmmsd": write(directory, "lmmsd", own)}
