# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Import costs of Python programs, measured from outside by lmmsd.

    from performance_benchmark import profile_imports
    for module, ms in profile_imports(["json", "numpy"]).items():
        print(f"{module}: {ms:.1f} ms")

What is measured here runs lmmsd, which needs its privileges (root, or CAP_BPF and CAP_PERFMON). What takes `app=` asks
the database of `lmmsd --service` through lmmsctl instead, and needs only the right to read that.
The programs are found by the environment variables LMMSD and LMMSCTL, else on PATH, else in the source tree's build/.
"""
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile

__all__ = ["profile_imports", "measure_cold_start", "get_usage_percent", "classify", "get_dependencies", "Measurement",
           "LmmsdError", "MODULE_LEVEL", "FUNCTION_LEVEL"]

MODULE_LEVEL = "MODULE_LEVEL"
FUNCTION_LEVEL = "FUNCTION_LEVEL"
_BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "build")
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")
_CURES = {
    3: "run it as root, for example with sudo -E {python}",
    4: "'lmmsd --check' says what this host lacks",
}


class LmmsdError(RuntimeError):
    """lmmsd or lmmsctl could not answer. `code` is its exit status, None when it could not be started."""

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


class Measurement(float):
    """A time in ms: the median, and what is known of it.

    ci95: its 95 % interval (lo, hi), None when it is not known; n: number of runs; self_ms: without what is imported
    in turn, None when not known; samples_ms: all runs, as far as they are known.
    """

    def __new__(cls, ms, ci95=None, n=0, self_ms=None, samples_ms=()):
        self = super().__new__(cls, ms)
        self.ci95 = tuple(ci95) if ci95 else None
        self.n = n
        self.self_ms = self_ms
        self.samples_ms = list(samples_ms)
        return self

    @property
    def ms(self):
        return float(self)

    def __reduce__(self):
        return (Measurement, (float(self), self.ci95, self.n, self.self_ms, self.samples_ms))


def _program(name):
    given = os.environ.get(name.upper())
    if given:
        return given
    found = shutil.which(name)
    if found:
        return found
    built = os.path.join(_BUILD, name)
    if os.access(built, os.X_OK):
        return os.path.normpath(built)
    raise LmmsdError(f"{name} was not found: install lmmsd, or set the environment variable {name.upper()} to its path")


def _last_line(text):
    lines = [line for line in text.splitlines() if line.strip()]
    return re.sub(r"^lmms(d|ctl): ", "", lines[-1]) if lines else "it said nothing"


def _failure(argv, r):
    message = f"{os.path.basename(argv[0])}: {_last_line(r.stderr.decode('utf-8', 'replace'))}"
    cure = _CURES.get(r.returncode)
    if cure:
        message += " (" + cure.format(python=os.path.basename(sys.executable or "python3")) + ")"
    return LmmsdError(message, r.returncode)


def _run(argv, fine=(0,), **kw):
    try:
        r = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=kw.pop("stdout", subprocess.PIPE),
                           stderr=subprocess.PIPE, check=False, **kw)
    except OSError as e:
        raise LmmsdError(f"cannot start '{argv[0]}': {e.strerror}") from e
    if r.returncode not in fine:
        raise _failure(argv, r)
    return r


def _ask(*args, db=None, fine=(0,)):
    """What lmmsctl answers, parsed."""
    argv = [_program("lmmsctl"), "--format", "json", *(["--db", os.fspath(db)] if db else []), *args]
    r = _run(argv, fine)
    if r.returncode and not r.stdout.strip():
        raise _failure(argv, r)
    try:
        return json.loads(r.stdout.decode("utf-8"))
    except ValueError as e:
        raise LmmsdError(f"lmmsctl {args[0]}: its answer is no JSON: {e}") from e


def _observe(command, *options, runs=1, cwd=None):
    """A process per run: the first one of each `lmmsd -- command`."""
    lmmsd = _program("lmmsd")
    found = []
    with tempfile.TemporaryDirectory(prefix="lmmsd-") as where:
        out = os.path.join(where, "report.json")
        for _ in range(runs):
            # Its exit status is the command's, so a report is what tells that it watched.
            if os.path.exists(out):
                os.unlink(out)
            r = _run([lmmsd, "--format", "json", "-o", out, *options, "--", *command], range(256),
                     stdout=subprocess.DEVNULL, cwd=cwd)
            if not os.path.exists(out):
                raise _failure([lmmsd], r)
            with open(out, encoding="utf-8") as f:
                processes = json.load(f)["processes"]
            if not processes:
                raise LmmsdError(f"'{' '.join(command)}' ran no Python that lmmsd can watch: 'lmmsd --check' lists "
                                 f"those it can; it said: {_last_line(r.stderr.decode('utf-8', 'replace'))}")
            found.append(min(processes, key=lambda p: p["started"]))
    return found


def _names(modules):
    names = [modules] if isinstance(modules, str) else list(modules)
    if not names:
        raise ValueError("no module was named")
    for name in names:
        if not isinstance(name, str) or not _NAME.match(name):
            raise ValueError(f"{name!r} is no module's name")
    return names


def _positive(runs):
    if not isinstance(runs, int) or runs < 1:
        raise ValueError(f"runs must be a whole number from 1, not {runs!r}")
    return runs


def profile_imports(modules, runs=10, python=None):
    """Times each module alone in `runs` fresh interpreters.

    modules: a name or several. python: the interpreter, by default the one that runs this. Returns a dictionary in the
    order given: name -> Measurement (a float: the median in ms). Raises LmmsdError when a module cannot be imported, or
    no run of it could be watched.
    """
    names = _names(modules)
    python = python or sys.executable or "python3"
    answer = _ask("profile-imports", "--runs", str(_positive(runs)), "--python", python, "--", *names, fine=(0, 5))
    if answer["failed"]:
        f = answer["failed"][0]
        raise LmmsdError(f"'{f['name']}' cannot be imported by {python}: {f['error']}", 5)
    found = {m["name"]: Measurement(m["ms"]["p50"], m["ms"]["ci95"], m["ms"]["n"], m["self_ms"], m["samples_ms"])
             for m in answer["modules"] if m["ms"]["n"]}
    for name in names:
        if name not in found:
            raise LmmsdError(f"no run of '{name}' by {python} was counted: 'lmmsd --check' lists the interpreters that "
                             "lmmsd can watch", 4)
    return {name: found[name] for name in names}


def measure_cold_start(command=None, runs=10, app=None, db=None):
    """The cold start of a program in ms: all that it imports until it has made its last module-level import.

    command: a script's path, or a list of words that starts a Python program; it is started `runs` times, after once
    for warm caches. app: instead of that, an app that the daemon has seen (as 'lmmsctl apps' names it). Returns a
    Measurement. Raises LmmsdError when the program ends with a status other than 0.
    """
    if (command is None) == (app is None):
        raise ValueError("give a command, or app=")
    if app is not None:
        for row in _ask("apps", db=db)["apps"]:
            if row["app"] == app:
                cold = row["cold_start"]
                if not cold or cold.get("p50") is None:
                    raise LmmsdError(f"no warm run of '{app}' was seen from its start: run it while lmmsd --service "
                                     "watches")
                return Measurement(cold["p50"], cold.get("ci95"), cold.get("n", 0))
        raise LmmsdError(f"no app '{app}': 'lmmsctl apps' lists them", 5)
    if isinstance(command, (str, os.PathLike)):
        command = [sys.executable or "python3", os.fspath(command)]
    processes = _observe(list(command), runs=_positive(runs) + 1)[1:]
    for p in processes:
        if p["exit_code"]:
            raise LmmsdError(f"'{shlex.join(map(str, command))}' ended with status {p['exit_code']}: how long a start takes that "
                             "failed says nothing; run it by itself to see why")
    samples = [p["cold_start_ms"] for p in processes if p["cold_start_ms"] is not None]
    if not samples:
        raise LmmsdError("the start was not seen from its beginning: start it once more, now that lmmsd knows its "
                         "interpreter")
    return Measurement(statistics.median(samples), None, len(samples), None, samples)


def get_usage_percent(module, counts=None, app=None, db=None):
    """How much a module is used, in percent.

    counts: {module: number of uses}; the share of `module` in their sum. app: instead of that, an app that the daemon
    has seen; what its review classifies by.
    """
    if (counts is None) == (app is None):
        raise ValueError("give counts, or app=")
    if counts is not None:
        total = sum(counts.values())
        return counts.get(module, 0) / total * 100 if total else 0.0
    for row in _ask("modules", "--app", app, db=db)["modules"]:
        if row["name"] == module:
            return row["usage_pct"]
    raise LmmsdError(f"'{app}' did not import '{module}': 'lmmsctl modules --app {app}' lists what it did", 5)


def classify(ms, usage_percent, fast_ms=10, slow_ms=100, threshold_percent=80):
    """Where an import belongs: MODULE_LEVEL or FUNCTION_LEVEL, by its time and how much it is used."""
    if ms < fast_ms:
        return MODULE_LEVEL
    if ms > slow_ms:
        return FUNCTION_LEVEL
    return MODULE_LEVEL if usage_percent > threshold_percent else FUNCTION_LEVEL


def get_dependencies(module, app=None, python=None, db=None):
    """Names of the modules that importing `module` loads, itself not included.

    Measured in a fresh interpreter (in the order in which they are loaded), or with app= from what the daemon has seen.
    """
    (name,) = _names(module)
    if app is not None:
        rows = _ask("deps", "--app", app, "--", name, db=db)
        rows = rows.get("deps") or rows.get("modules") or []
        return [row["name"] if "name" in row else row["module"] for row in rows
                if (row.get("name") or row.get("module")) != name]
    (process,) = _observe([python or sys.executable or "python3", "-c", "import " + name], "--usage", "off")
    if process["exit_code"] != 0:
        raise LmmsdError(f"'{name}' cannot be imported by {python or sys.executable}", 5)
    rows = [m for m in process["modules"] if m["status"] == "loaded"]
    below, found = [], []
    for m in rows:
        del below[m["depth"]:]
        below.append(m["importer"] == "__main__" if m["depth"] == 0 else below[-1] if below else False)
        if below[-1] and m["name"] != name and m["name"] not in found:
            found.append(m["name"])
    return found
