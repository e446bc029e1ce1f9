# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Import costs of Python programs, measured from outside by lmmsd.

    from performance_benchmark import classify, get_usage_percent, measure_cold_start,
    profile_imports

    for module, ms in profile_imports().items():
        print(f"{module}: {ms:.1f} ms, {classify(module, ms, get_usage_percent(module))}")
    baseline_ms = measure_cold_start()

Without a list of modules, or a command, these are about the module `module_imports` of the current
directory or of sys.path, a file of import statements; where there is none, about the imports in the
source of the file that calls.

Modules and commands are measured in fresh interpreters that lmmsd watches, which needs its
privileges (root, or CAP_BPF and CAP_PERFMON). Without these, or without lmmsd, `python -X
importtime` measures instead; a line on stderr says so, once. What is given `app=` or `db=` asks the
database of `lmmsd --service` through lmmsctl, needs only the right to read that, and gives
lmmsctl's numbers. The programs are found by the environment variables LMMSD and LMMSCTL, else on
PATH, else in the source tree's build/.
"""
import ast
import importlib.machinery
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import tokenize

__all__ = ["profile_imports", "measure_cold_start", "get_usage_percent", "classify",
           "get_dependencies", "Measurement",
           "LmmsdError", "MODULE_LEVEL", "FUNCTION_LEVEL"]

MODULE_LEVEL = "MODULE_LEVEL"
FUNCTION_LEVEL = "FUNCTION_LEVEL"
_BUILD = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "build")
_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\Z")
_CURES = {
    3: "run it as root, for example with sudo -E {python}",
    4: "'lmmsd --check' says what this host lacks",
}
_PROGRAM = "module_imports"
_MARK = "performance_benchmark: the imports begin"
_ROW = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| ( *)(\S.*)")
_said = set()


class LmmsdError(RuntimeError):
    """lmmsd or lmmsctl could not answer. `code` is its exit status, None when it could not be
    started."""

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


class Measurement(float):
    """A time in ms: the median, and what is known of it.

    ci95: its 95 % interval (lo, hi), None when it is not known; n: number of runs; self_ms: without
    what is imported in turn, None when not known; samples_ms: all runs, as far as they are known.
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
    raise LmmsdError(f"{name} was not found: install lmmsd, or set the environment variable "
                     f"{name.upper()} to its path")


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


def _ask(*args, db=None, fine=(0,), env=None):
    """The answer of lmmsctl, parsed."""
    argv = [_program("lmmsctl"), "--format", "json", *(["--db", os.fspath(db)] if db else []),
            *args]
    r = _run(argv, fine, env=env)
    if r.returncode and not r.stdout.strip():
        raise _failure(argv, r)
    try:
        return json.loads(r.stdout.decode("utf-8"))
    except ValueError as e:
        raise LmmsdError(f"lmmsctl {args[0]}: its answer is no JSON: {e}") from e


def _observe(command, *options, runs=1, env=None):
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
                     stdout=subprocess.DEVNULL, env=env)
            if not os.path.exists(out):
                raise _failure([lmmsd], r)
            with open(out, encoding="utf-8") as f:
                processes = json.load(f)["processes"]
            if not processes:
                said = _last_line(r.stderr.decode('utf-8', 'replace'))
                raise LmmsdError(f"'{' '.join(command)}' ran no Python that lmmsd can watch: "
                                 f"'lmmsd --check' lists those it can; it said: {said}")
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


# ---- the program that is meant when none is named

class _Imports(ast.NodeVisitor):
    """The modules that a source imports, in its order; those whose absence it provides for are
    optional."""

    def __init__(self):
        self.names, self.optional, self.in_try = [], set(), 0

    def add(self, name):
        if name not in self.names:
            self.names.append(name)
            if self.in_try:
                self.optional.add(name)

    def visit_Import(self, node):
        for alias in node.names:
            self.add(alias.name)

    def visit_ImportFrom(self, node):
        if node.level == 0:
            self.add(node.module)

    def visit_Try(self, node):
        self.in_try += 1
        for child in node.body:
            self.visit(child)
        self.in_try -= 1
        for child in [*node.handlers, *node.orelse, *node.finalbody]:
            self.visit(child)

    def visit_If(self, node):
        if not re.search(r"\bTYPE_CHECKING\b", ast.dump(node.test)):
            for child in node.body:
                self.visit(child)
        for child in node.orelse:
            self.visit(child)


def _imports_of(path):
    try:
        with tokenize.open(path) as f:
            tree = ast.parse(f.read(), path)
    except (OSError, SyntaxError, UnicodeDecodeError) as e:
        raise LmmsdError(f"the imports of '{path}' cannot be read: {e}") from e
    found = _Imports()
    found.visit(tree)
    where = [os.path.dirname(path), *sys.path]

    def is_there(name):
        top = name.split(".")[0]
        found = importlib.machinery.PathFinder.find_spec(top, where)
        return found is not None or top in sys.builtin_module_names

    names = [n for n in found.names if n not in ("__future__", __name__, _PROGRAM)]
    return [n for n in names if _NAME.match(n) and
            (n not in found.optional or is_there(n))]


def _caller():
    """The source file that calls; None in a REPL."""
    frame = sys._getframe(1)
    while frame and frame.f_code.co_filename == _caller.__code__.co_filename:
        frame = frame.f_back
    path = frame.f_globals.get("__file__") if frame else None
    if isinstance(path, str) and path.endswith(".py") and os.path.isfile(path):
        return os.path.abspath(path)
    return None


def _program_imports():
    """The modules of the program that is meant when none is named, and the directory it lies in."""
    spec = importlib.machinery.PathFinder.find_spec(_PROGRAM, [os.getcwd(), *sys.path])
    path = spec.origin if spec and spec.origin and os.path.isfile(spec.origin) else None
    caller = _caller()
    for source in filter(None, (path, caller)):
        names = _imports_of(source)
        if names:
            return names, os.path.dirname(source)
    raise LmmsdError("no module was named, and none was found: there is "
                     f"{'no import in' if path else 'no'} module '{_PROGRAM}' in "
                     f"'{os.getcwd()}' or on sys.path, and "
                     + (f"no import in the calling file '{caller}'" if caller
                        else "no calling file with a source")
                     + f": name modules, or write imports into {_PROGRAM}.py", 5)


def _environment(directory=None):
    """Of fresh interpreters: they find the modules that lie beside the program, too."""
    caller = _caller()
    extra = [d for d in (directory, caller and os.path.dirname(caller)) if d]
    given = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([*dict.fromkeys(extra), *([given] if given else [])])
    return {**os.environ, "PYTHONPATH": path} if extra else None


# ---- python -X importtime, where lmmsd cannot watch

def _say_once(text):
    if text[:20] not in _said:
        _said.add(text[:20])
        print(f"performance_benchmark: {text}", file=sys.stderr)


def _say_importtime(why):
    _say_once(f"measured by 'python -X importtime', since lmmsd cannot: {why}")


def _rows(text):
    """What -X importtime says: [name, depth, cumulative ms, self ms], each before what it
    imports."""
    waiting = []  # outermost ones that are not nested in anything yet, as lists of rows
    for line in text.splitlines():
        m = _ROW.match(line)
        if m:
            depth = len(m[3]) // 2
            tree = [(m[4], depth, int(m[2]) / 1000, int(m[1]) / 1000)]
            first = len(waiting)
            while first and waiting[first - 1][0][1] > depth:
                first -= 1
            for nested in waiting[first:]:
                tree += nested
            waiting[first:] = [tree]
    return [row for tree in waiting for row in tree]


def _import_once(python, name, env):
    """Rows of what `import name` loads, and of what the interpreter had loaded before."""
    code = f"import sys; sys.stderr.write('{_MARK}\\n'); import {name}"
    try:
        r = subprocess.run([python, "-X", "importtime", "-c", code], stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, env=env, check=False)
    except OSError as e:
        raise LmmsdError(f"cannot start '{python}': {e.strerror}") from e
    before, mark, after = r.stderr.decode("utf-8", "replace").partition(_MARK + "\n")
    if r.returncode:
        why = _last_line(after if mark else before)
        raise LmmsdError(f"'{name}' cannot be imported by {python}: {why}", 5)
    if not _rows(before):
        raise LmmsdError(f"{python} does not know -X importtime, and lmmsd cannot watch it", 4)
    return _rows(after), _rows(before)


def _import_ms(python, name, env):
    """As lmmsctl profile-imports counts: all that the statement loads; of what is there already,
    its own load."""
    rows, before = _import_once(python, name, env)
    own = next((r for r in rows + before if r[0] == name), (name, 0, 0.0, 0.0))
    return sum(r[2] for r in rows if r[1] == 0) if rows else own[2], own[3]


def _profile_by_importtime(names, runs, python, env):
    samples = {name: [] for name in names}
    for n in range(runs + 1):  # the first round fills caches
        for name in names:
            ms = _import_ms(python, name, env)
            if n:
                samples[name].append(ms)
    return {name: Measurement(statistics.median(t for t, _ in found), None, runs,
                              statistics.median(o for _, o in found),
                              [t for t, _ in found]) for name, found in samples.items()}


def _cold_start_by_importtime(command, runs, env, why):
    samples = []
    for n in range(runs + 1):
        try:
            r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, check=False,
                               env={**(env or os.environ), "PYTHONPROFILEIMPORTTIME": "1"})
        except OSError as e:
            raise LmmsdError(f"cannot start '{command[0]}': {e.strerror}") from e
        if r.returncode:
            raise _start_failed(command, r.returncode)
        rows = _rows(r.stderr.decode("utf-8", "replace"))
        if not rows:
            raise LmmsdError(why)
        if n:
            samples.append(sum(row[2] for row in rows if row[1] == 0))
    return Measurement(statistics.median(samples), None, len(samples), None, samples)


# ---- what the decision record calls

def profile_imports(modules=None, *, runs=10, python=None):
    """Times each module alone in `runs` fresh interpreters.

    modules: a name or several; without it those of `module_imports`, else of the calling file.
    python: the interpreter, by default the one that runs this. Returns a dictionary in the order
    given: name -> Measurement (a float: the median in ms). Raises LmmsdError when a module cannot
    be imported.
    """
    names, directory = _program_imports() if modules is None else (_names(modules), None)
    env, runs = _environment(directory), _positive(runs)
    python = python or sys.executable or "python3"
    try:
        answer = _ask("profile-imports", "--runs", str(runs), "--python", python, "--", *names,
                      fine=(0, 4, 5), env=env)
    except LmmsdError as e:
        _say_importtime(e)
        return _profile_by_importtime(names, runs, python, env)
    if answer["failed"]:
        f = answer["failed"][0]
        raise LmmsdError(f"'{f['name']}' cannot be imported by {python}: {f['error']}", 5)
    found = {m["name"]: Measurement(m["ms"]["p50"], m["ms"]["ci95"], m["ms"]["n"], m["self_ms"],
                                    m["samples_ms"])
             for m in answer["modules"] if m["ms"]["n"]}
    missing = [name for name in names if name not in found]
    if missing:
        _say_importtime(f"no run of '{missing[0]}' by {python} was counted: 'lmmsd --check' lists "
                        "the interpreters that it can watch")
        return _profile_by_importtime(names, runs, python, env)
    return {name: found[name] for name in names}


def _start_failed(command, status):
    return LmmsdError(f"'{shlex.join(map(str, command))}' ended with status {status}: how long a "
                      "start takes that failed says nothing; run it by itself to see why")


def _cold_start_of_app(app, db):
    rows = _ask("apps", db=db)["apps"]
    if app is None:
        if len(rows) != 1:
            names = ", ".join(f"'{row['app']}'" for row in rows[:5]) or "none"
            more = ', ...' if len(rows) > 5 else ''
            raise LmmsdError(f"'{db}' has {len(rows)} apps: name one with app=: {names}{more}", 5)
        app = rows[0]["app"]
    for row in rows:
        if row["app"] == app:
            cold = row["cold_start"]
            if not cold or cold.get("p50") is None:
                raise LmmsdError(f"no warm run of '{app}' was seen from its start: run it while "
                                 "lmmsd --service watches", 5)
            return Measurement(cold["p50"], cold.get("ci95"), cold.get("n", 0))
    raise LmmsdError(f"no app '{app}': 'lmmsctl apps' lists them", 5)


def measure_cold_start(command=None, *, runs=10, app=None, db=None):
    """The cold start of a program in ms: how long its start spends in imports.

    command: a script's path, or a list of words that starts a Python program; it is started `runs`
    times, after once for warm caches. Without it, a program of the imports of `module_imports`,
    else of the calling file. app, db: instead of that, an app that the daemon has seen, as 'lmmsctl
    apps' tells it. Returns a Measurement. Raises LmmsdError when the program ends with a status
    other than 0.
    """
    directory = None
    if app is not None or db is not None:
        if command is not None:
            raise ValueError("give a command, or app= and db=")
        return _cold_start_of_app(app, db)
    if command is None:
        names, directory = _program_imports()
        command = [sys.executable or "python3", "-c", "".join(f"import {name}\n" for name in names)]
    elif isinstance(command, (str, os.PathLike)):
        command = [sys.executable or "python3", os.fspath(command)]
    command, runs = [os.fspath(word) for word in command], _positive(runs)
    env = _environment(directory) if directory else None
    try:
        processes = _observe(command, runs=runs + 1, env=env)[1:]
    except LmmsdError as e:
        m = _cold_start_by_importtime(command, runs, env, str(e))
        _say_importtime(e)
        return m
    for p in processes:
        if p["exit_code"]:
            raise _start_failed(command, p["exit_code"])
    samples = [p["cold_start_ms"] for p in processes if p["cold_start_ms"] is not None]
    if not samples:
        raise LmmsdError("the start was not seen from its beginning: start it once more, now that "
                         "lmmsd knows its interpreter")
    return Measurement(statistics.median(samples), None, len(samples), None, samples)


def _usage_of(row):
    usage = row.get("usage_pct")
    return float(row["run_pct"] if usage is None else usage)


def _usage_of_all(module, db):
    """Over the apps that import it, each counted by its runs; None: none does."""
    found = []
    for app in _ask("review", db=db)["apps"]:
        found += [(app["runs"], _usage_of(row)) for row in app["modules"] if row["name"] == module]
    runs = sum(n for n, _ in found)
    return sum(n * usage for n, usage in found) / runs if runs else None


def get_usage_percent(module, *, app=None, db=None):
    """How much a module is used, in percent: what the tiers read, as 'lmmsctl modules --app APP'
    shows it.

    Without app= it is that of all apps that import it, by their runs. Without a database that knows
    the module, it is the share of the starts of `module_imports`, else of the calling file, that
    import it: 100 or 0.
    """
    (name,) = _names(module)
    if app is not None:
        for row in _ask("modules", "--app", app, db=db)["modules"]:
            if row["name"] == name:
                return _usage_of(row)
        raise LmmsdError(f"'{app}' did not import '{name}': 'lmmsctl modules --app {app}' lists "
                         "what it did", 5)
    try:
        usage = _usage_of_all(name, db)
    except LmmsdError:
        if db is not None:
            raise
        usage = None
    if usage is not None:
        return usage
    if db is not None:
        raise LmmsdError(f"no app of '{db}' imported '{name}': 'lmmsctl modules' lists what they "
                         "did", 5)
    imported = name in _program_imports()[0]
    _say_once("use is told by imports, 100 or 0 %, since no daemon's database knows the module: "
              "run 'lmmsd --service'")
    return 100.0 if imported else 0.0


def classify(module, ms, usage_pct, *, fast_ms=10, slow_ms=100, threshold_percent=80):
    """Where the import of a module belongs: MODULE_LEVEL or FUNCTION_LEVEL, by its time and how
    much it is used."""
    if not isinstance(module, str):
        raise TypeError(f"classify(module, ms, usage_pct): {module!r} is no module's name")
    if ms < fast_ms:
        return MODULE_LEVEL
    if ms > slow_ms:
        return FUNCTION_LEVEL
    return MODULE_LEVEL if usage_pct > threshold_percent else FUNCTION_LEVEL


def get_dependencies(module_name, *, app=None, db=None, python=None):
    """Names of the modules that importing `module_name` loads, itself not included.

    Measured in a fresh interpreter (in the order in which they are loaded), or with app= from what
    the daemon has seen.
    """
    (name,) = _names(module_name)
    if app is not None:
        rows = _ask("deps", "--app", app, "--", name, db=db)
        rows = rows.get("deps") or rows.get("modules") or []
        return [row["name"] if "name" in row else row["module"] for row in rows
                if (row.get("name") or row.get("module")) != name]
    python, env = python or sys.executable or "python3", _environment()
    try:
        (process,) = _observe([python, "-c", "import " + name], "--usage", "off", env=env)
    except LmmsdError as e:
        rows, _ = _import_once(python, name, env)
        _say_importtime(e)
        return [n for n in dict.fromkeys(row[0] for row in rows) if n != name]
    if process["exit_code"] != 0:
        raise LmmsdError(f"'{name}' cannot be imported by {python}", 5)
    rows = [m for m in process["modules"] if m["status"] == "loaded"]
    below, found = [], []
    for m in rows:
        del below[m["depth"]:]
        below.append(m["importer"] == "__main__" if m["depth"] == 0 else below[-1] if below
                     else False)
        if below[-1] and m["name"] != name and m["name"] not in found:
            found.append(m["name"])
    return found
