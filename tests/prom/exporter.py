# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What lmmsd's /metrics says of some runs, told a second time: from the runs that tests/prom/hosts prints and the classes that
the store gave them. Independent of the program's own counters."""

IMPORT_BOUNDS = [0.001, 0.01, 0.1, 0.5]
START_BOUNDS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60]
CLASSES = ["warm", "cold", "compiled", "forked", "partial"]
PLACES = ["unknown", "module", "function", "class", "dynamic", "lazy"]
INSTALLED = ("/site-packages/", "/dist-packages/", "/lib/python")


def le(bound):
    return f"{bound:g}"


class Histogram:
    def __init__(self, bounds):
        self.bounds, self.counts, self.sum = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, seconds):
        self.counts[sum(1 for b in self.bounds if seconds > b)] += 1
        self.sum += seconds

    def samples(self, name, labels):
        total = 0
        for bound, n in zip([le(b) for b in self.bounds] + ["+Inf"], self.counts):
            total += n
            yield name + "_bucket", {**labels, "le": bound}, total
        yield name + "_sum", labels, self.sum
        yield name + "_count", labels, total


def origin(module):
    if module["distribution"]:
        return "package"
    return "stdlib" if any(part in module["file"] for part in INSTALLED) else "app"


class Exporter:
    """One daemon, from its start on."""

    def __init__(self, start, lost=0):
        self.start, self.lost = start, lost
        self.counters, self.histograms, self.infos = {}, {}, {}

    def count(self, name, labels, n=1):
        key = (name, tuple(sorted(labels.items())))
        self.counters[key] = self.counters.get(key, 0) + n

    def observe(self, name, labels, bounds, seconds):
        key = (name, tuple(sorted(labels.items())))
        self.histograms.setdefault(key, Histogram(bounds)).add(seconds)

    def add(self, run):
        app, kind = {"app": run["app"]}, run["class"]
        plain = kind in ("warm", "cold", "compiled")
        if plain:
            self.count("lmmsd_runs_total", app)
        if kind == "warm":
            seconds = run["cold_start"] / 1e9
            self.count("lmmsd_warm_runs_total", app)
            self.observe("lmmsd_cold_start_seconds", app, START_BOUNDS, seconds)
            self.count("lmmsd_cold_start_squared_seconds_total", app, seconds * seconds)
            self.observe("lmmsd_interpreter_seconds", app, START_BOUNDS, run["interpreter"] / 1e9)
        else:
            self.count("lmmsd_other_runs_total", {**app, "class": kind})
        for module in run["modules"]:
            self.add_module(app, kind, plain, module)
        for importer, module, place, loaded in run["edges"]:
            self.count("lmmsd_importer_runs_total",
                       {**app, "module": module, "importer": importer, "placement": PLACES[place],
                        "loaded": "true" if loaded else "false"})

    def add_module(self, app, kind, plain, module):
        of = {**app, "module": module["name"]}
        uses = sum(module["uses"])
        self.count("lmmsd_app_uses_total", app, uses)
        for place, n in zip(PLACES, module["uses"]):
            if n:
                self.count("lmmsd_module_uses_total", {**of, "placement": place}, n)
        if module["failed"]:
            self.count("lmmsd_import_failures_total", of)
        if plain and uses:
            self.count("lmmsd_runs_using_total", of)
        if plain and (module["uses"][2] or module["uses"][5]):
            self.count("lmmsd_runs_using_in_function_total", of)
        if not module["loaded"]:
            return
        if plain:
            self.count("lmmsd_module_loads_total", {**of, "placement": PLACES[module["place"]]})
        if plain and module["start"]:
            self.count("lmmsd_module_start_runs_total", of)
        if kind in ("warm", "forked", "partial"):
            self.observe("lmmsd_import_seconds", of, IMPORT_BOUNDS, module["total"] / 1e9)
            self.count("lmmsd_import_self_seconds_total", of, module["self"] / 1e9)
        if kind == "warm" and module["saving"]:
            self.count("lmmsd_deferrable_seconds_total", of, module["saving"] / 1e9)
        self.infos[(app["app"], module["name"])] = {
            **of, "distribution": module["distribution"], "version": module["version"], "importer": "",
            "origin": origin(module)}

    def samples(self):
        """(name, labels, value), all that a scrape gets."""
        yield "lmmsd_build_info", {"version": "1.0.0", "libbpf": "1.1"}, 1
        yield "process_start_time_seconds", {}, self.start
        yield "lmmsd_events_lost_total", {"reason": "ring_full"}, self.lost
        for (name, labels), histogram in self.histograms.items():
            yield from histogram.samples(name, dict(labels))
        for (name, labels), n in self.counters.items():
            yield name, dict(labels), n
        for labels in self.infos.values():
            yield "lmmsd_module_info", labels, 1


def escape(value):
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def line(name, labels, value, time):
    """In the text format both servers read; time as they want it."""
    inside = ",".join(f'{k}="{escape(v)}"' for k, v in sorted(labels.items()) if v != "")
    return f"{name}{{{inside}}} {value!r} {time}\n"
