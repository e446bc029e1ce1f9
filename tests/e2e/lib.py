# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Shared by the end-to-end tests: lmmsd as a user runs it, interpreters, and the oracle.

A test is a function test_NAME(ws), or test_NAME(ws, py) for each interpreter. ws is its workspace.

Most tests watch programs and look into the report. Each start of lmmsd costs a second of CPU, so
such tests share one: a test that is a generator runs its programs by ws.watch(), yields once, and
is resumed when the lmmsd that all tests of that interpreter share has ended.

    @lib.each_probe
    def test_fork(ws, py):
        run = ws.watch(py(ws.write("forks.py", FORKS)))   # runs to its end, here status 0
        yield                                             # lmmsd ends; its report is there
        parent, child = run.report["processes"]           # only those of this run
        assert run.report["lost"] == {}                   # only what these processes lost

Tests are grouped by (interpreter, --probe, --usage). The decorators each_probe, probes and usages
choose the groups of a test, everywhere and needs the interpreters, loses a group of its own for
tests that make lmmsd lose events. stage.py has the machinery; a group fails as a whole if its
lmmsd lost anything that no process is known to have lost, or saw a process of nobody.

A test that is no generator starts its own lmmsd, by ws.profile(), ws.start() or ws.lmmsd(). That
is for tests of the command line, of signals, of files and of lmmsd's end. It should not take py.
"""
import contextlib
import copy
import functools
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(REPO, os.environ.get("BUILD", "build"))
LMMSD = os.environ.get("LMMSD") or os.path.join(BUILD, "lmmsd")
TIMEOUT = int(os.environ.get("E2E_TIMEOUT", "120"))
TIER = os.environ.get("LMMSD_TIER", "test")  # test: the gate; all: all programs on all interpreters
# The interpreters that the tests are made for; one that a machine lacks is a counted skip.
WANTED = ["p3.8", "p3.9", "p3.10", "p3.11", "p3.12", "p3.13",
          "d3.9", "d3.11", "d3.13", "d3.14", "d3.15"]
if TIER == "all":  # of tests/env/pythons
    WANTED += ["c3.13", "b3.13", "bp3.13", "bs3.13", "bo3.13"]
# One of each layout of CPython's structures: in the gate all programs run on these.
LAYOUTS = ["p3.8", "d3.11", "p3.12", "d3.15"]


class Skip(Exception):
    pass


def needs(is_about):
    """Restricts a test to some interpreters. On the others it is not skipped: there is nothing."""
    def mark(fn):
        fn.is_about = is_about
        return fn
    return mark


def probes(*names):
    """Runs the test once for each --probe of these; None is auto. USDT only where there is USDT."""
    def mark(fn):
        fn.probes = names
        return fn
    return mark


def each_probe(fn):
    """Runs the test with USDT too, where the interpreter has it: auto takes the call site there."""
    return probes(None, "usdt")(fn)


def usages(*settings):
    """Runs the test once for each --usage of these; without it: on."""
    def mark(fn):
        fn.usages = settings
        return fn
    return mark


def loses(*reasons):
    """Marks a test that makes lmmsd lose events for these reasons. lmmsd counts some for the host
    only, so such tests share another lmmsd than those that must not lose any."""
    def mark(fn):
        fn.loses = reasons
        return fn
    return mark


def everywhere(fn):
    """Runs the test on all interpreters in the gate, too, not only on one of each layout."""
    fn.everywhere = True
    return fn


def nightly(fn):
    """Leaves a test to LMMSD_TIER=all."""
    fn.nightly = True
    return fn


class Python:
    probe = None  # --probe; None: auto

    def __init__(self, line):
        self.id, self.text, self.kind, *self.command = line.split()
        self.version = tuple(int(n) for n in self.text.split(".")[:2])
        self.holder = None

    def hold(self):
        """Keeps one that stands where lmmsd does not look (a root of its own, the cache) running, so that it is found."""
        if (len(self.command) > 1 or "/pythons/" in self.command[0]) and self.holder is None:
            self.holder = subprocess.Popen(
                self("-I", "-S", "-c", "print('up', flush=True); input()"), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert self.holder.stdout.readline() == "up\n"

    def let_go(self):
        if self.holder is not None:
            self.holder.stdin.close()
            self.holder.stdout.close()
            self.holder.wait()
            self.holder = None

    def __call__(self, *args):
        return [*self.command, *args]

    def with_probe(self, probe):
        other = copy.copy(self)
        other.probe = probe
        return other


@functools.lru_cache(None)
def interpreters():
    ids = os.environ.get("E2E_PYTHONS", "").split()
    build = ["--no-build"] if ids else []
    out = subprocess.run([os.path.join(REPO, "tests/env/interpreters"), *build, *ids], text=True,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False).stdout
    return [Python(line) for line in out.splitlines() if line.strip()]


def missing_interpreters():
    wanted = os.environ.get("E2E_PYTHONS", "").split() or WANTED
    return [w for w in wanted if w not in {p.id for p in interpreters()}]


def nearest(wanted, here):
    """The interpreter of `here` that is most like the wanted one."""
    def distance(py):
        apart = abs(py.version[1] - int(wanted.split(".")[1]))
        return py.id != wanted, apart, py.id[0] != wanted[0]

    return min(here, key=distance)


@functools.lru_cache(None)
def layouts():
    """The interpreters that run all programs, in the gate; and lines on those that stand in."""
    here, found, lines = interpreters(), [], []
    if TIER == "all" or os.environ.get("E2E_PYTHONS"):
        return here, []
    for wanted in LAYOUTS if here else []:
        py = nearest(wanted, here)
        if py.id != wanted:
            lines.append(f"{wanted} is not here: its programs run on {py.id}")
        if py not in found:
            found.append(py)
    return found, lines


def best_probe(py):
    """The one without --probe: the call site, as USDT changes what CPython does with odd names."""
    return py.probe or ("callsite" if os.uname().machine == "x86_64" else py.kind)


def system_python():
    for p in interpreters():
        if p.id == "d3.11":
            return p
    return Python("local 3.11.0 usdt /usr/bin/python3")


def family(pid):
    """A process and its descendants, each with its ticks of CPU time, and those of children that
    ended and were waited for."""
    ticks, children = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", errors="replace") as f:
                fields = f.read().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry))
                ticks[int(entry)] = sum(map(int, fields[11:15]))
    found, left = {}, [pid]
    while left:
        at = left.pop()
        found[at] = ticks.get(at, 0)
        left += children.get(at, [])
    return found


def cpu_seconds(pid):
    """CPU time of a process and its descendants."""
    return sum(family(pid).values()) / os.sysconf("SC_CLK_TCK")


class Patience:
    """Kills a process that makes no progress: that used less than a hundredth of a CPU for TIMEOUT
    seconds, or five times TIMEOUT of CPU time in all. A slow machine alone kills nobody."""

    def __init__(self, p):
        self.p, self.over = p, threading.Event()
        self.exhausted = False
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        used = 0
        while not self.over.wait(TIMEOUT):
            now = cpu_seconds(self.p.pid)
            if now - used < TIMEOUT / 100 or now > 5 * TIMEOUT:
                self.exhausted = True
                self.p.kill()
                return
            used = now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()


def talk(p, text=None):
    """A process' output up to its end, as communicate() has it."""
    with Patience(p) as patience:
        result = p.communicate(text)
    assert not patience.exhausted, f"no progress in {TIMEOUT} s: {p.args}"
    return result


def wait(p):
    """A process' exit status."""
    with Patience(p) as patience:
        status = p.wait()
    assert not patience.exhausted, f"no progress in {TIMEOUT} s: {p.args}"
    return status


def own_uid():
    """A user id that no other process has: lmmsd --uid sees and loses only what a test starts."""
    taken = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                taken.add(os.stat(f"/proc/{entry}").st_uid)
    return next(uid for uid in itertools.count(100000 + os.getpid()) if uid not in taken)


def can_bpf():
    r = subprocess.run([LMMSD, "--check"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.DEVNULL, text=True, check=False)
    return r.returncode == 0 or "yes   BPF programs" in r.stdout


def clean_environment():
    """Without what the caller's shell sets for Python: that would change what is measured."""
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}


def with_debian_packages(ws, py, modules):
    """An environment in which py imports these; Debian's serve all builds of the minor version."""
    env = clean_environment()
    for extra in ({}, {"PYTHONPATH": "/usr/lib/python3/dist-packages"}):
        if ws.run(py("-c", "import " + modules), env={**env, **extra}).returncode == 0:
            return {**env, **extra}
    raise Skip(f"{modules}: not there for {py.id}")


class Workspace:
    """A directory of one test, readable by every interpreter's root (they share /tmp)."""

    def __init__(self, stage=None, may_lose=()):
        self.stage, self.may_lose = stage, may_lose  # of a test that shares lmmsd

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="lmmsd-e2e-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.started = []
        return self

    def __exit__(self, *exc):
        for p in self.started:  # a test that failed half-way leaves nobody behind
            if p.poll() is None:
                p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def run(self, argv, **kw):
        text = kw.pop("input", None)
        if text is not None:
            kw["stdin"] = subprocess.PIPE
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        kw.setdefault("env", clean_environment())
        p = subprocess.Popen(argv, text=kw.pop("text", True), **kw)
        self.started.append(p)
        out, err = talk(p, text)
        return subprocess.CompletedProcess(argv, p.returncode, out, err)

    def watch(self, argv, status=0, **kw):
        """Runs a program under the lmmsd that the tests of the interpreter share; a stage.Run.
        kw: env, cwd, input. The report is there once the test has yielded."""
        assert self.stage, "only a test that is a generator shares lmmsd"
        return self.stage.run(argv, status, self.may_lose, **kw)

    def lmmsd(self, *args, **kw):
        return self.run([LMMSD, *args], **kw)

    def profile(self, argv, *options, status=0, **kw):
        """lmmsd -- argv, its report as JSON."""
        out = self.path("report.json")
        r = self.lmmsd("--format", "json", "-o", out, *options, "--", *argv, **kw)
        self.last = r
        assert r.returncode == status, f"status {r.returncode}, wanted {status}: {r.stderr[-2000:]}"
        with open(out, encoding="utf-8") as f:
            report = json.load(f)
        check_sane(report)
        return report

    def start(self, *args, prefix=()):
        """lmmsd in the background, when it has said that it watches."""
        return Watching(self, args, prefix)


def read_until_watching(p, lines):
    """Reads what a starting lmmsd says, up to the line on what it watches."""
    with Patience(p):
        for line in p.stderr:
            lines.append(line)
            if line.startswith("lmmsd: watching "):
                return
    raise AssertionError("lmmsd ended before it watched: " + "".join(lines))


class Watching:
    """A running lmmsd; stop() ends it and gives its JSON report."""

    def __init__(self, ws, args, prefix):
        self.out = ws.path("watch.json")
        self.p = subprocess.Popen([*prefix, LMMSD, "--format", "json", "-o", self.out, *args],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
        ws.started.append(self.p)
        self.lines = []
        read_until_watching(self.p, self.lines)

    def stop(self, sig=signal.SIGINT):
        self.p.send_signal(sig)
        return self.wait()

    def wait(self):
        _, err = talk(self.p)
        self.lines.append(err)
        assert self.p.returncode == 0, f"status {self.p.returncode}: " + "".join(self.lines)
        with open(self.out, encoding="utf-8") as f:
            report = json.load(f)
        check_sane(report)
        return report


def check_sane(report):
    """What must hold in every report."""
    assert report["schema"] == "lmms.profile/1"
    assert "\\u0000" not in json.dumps(report)
    for p in report["processes"]:
        by_thread, outermost = {}, {}
        for m in p["modules"]:
            if m["status"] == "seen":
                continue
            assert m["self_ms"] >= 0 and m["total_ms"] >= m["self_ms"] - 1e-6, m
            by_thread[m["thread"]] = by_thread.get(m["thread"], 0) + m["self_ms"]
            if m["depth"] == 0:
                outermost[m["thread"]] = outermost.get(m["thread"], 0) + m["total_ms"]
        for t, total in outermost.items():
            # Equal but for rounding; with greenlets suspended loads overlap, so never more.
            # A damaged recording may hold centuries, where a double has no microseconds.
            assert total > 2**63 / 1e6 or by_thread[t] <= total * (1 + 1e-11) + 0.01, \
                (t, by_thread[t], total)


def lost(report):
    """The report's losses, less those that the host's other programs decide: files that do not
    answer where lmmsd looks for Pythons, and distributions that a busy machine does not find in
    the time that lmmsd spends on them. Tests that are about distributions look at those."""
    of_host = ["search_cut", "files_slow"]
    return {reason: n for reason, n in report["lost"].items() if reason not in of_host}


def check_room(losses):
    """Of a whole host: others' programs may die in an import, but lmmsd had room for all."""
    full = {reason for reason, n in losses.items()
            if n and (reason.endswith("_full") or reason.startswith("limit_"))}
    assert not full, losses


def loads(process, body_only=False):
    return [m for m in process["modules"]
            if m["status"] != "seen" and (body_only or m.get("timed") != "body")]


def by_name(process):
    found = {}
    for m in process["modules"]:
        if not m.get("repeat"):
            found[m["name"]] = m
    return found


ROW = re.compile(r"^import time:\s+(-?\d+) \|\s+(-?\d+) \| ( *)(\S.*)$")


def importtime(text):
    """Rows of -X importtime: (name, depth, self us, total us) in the order of their ends."""
    rows = []
    for line in text.splitlines():
        m = ROW.match(line)
        if m:
            rows.append((m[4], len(m[3]) // 2, int(m[1]), int(m[2])))
    return rows


def oracle_rows(process):
    """The report's loads as the oracle would print them: those that it sees, by end."""
    rows = process["modules"]
    seen = []

    def depth(m):
        d, parent = 0, m["parent"]
        while parent is not None:
            above = rows[parent]
            if above.get("timed") not in ("body", "no"):
                d += 1
            parent = above["parent"]
        return d

    for m in rows:
        if m["status"] != "seen" and m.get("timed") not in ("body", "no"):
            us = m["self_ms"] * 1000, m["total_ms"] * 1000
            seen.append((m["end_ms"], m["name"], depth(m), *us))
    seen.sort(key=lambda r: r[0])
    return [r[1:] for r in seen]


def only_process(report, wanted=None):
    ps = [p for p in report["processes"] if wanted is None or wanted(p)]
    assert len(ps) == 1, [(p["pid"], p["app"], p["cmdline"]) for p in report["processes"]]
    return ps[0]
