# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the end-to-end tests share: lmmsd as a user runs it, interpreters, and the oracle."""
import copy
import functools
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
# What the tests are made for; one that a machine lacks is a counted skip.
WANTED = ["p3.8", "p3.9", "p3.10", "p3.11", "p3.12", "p3.13", "d3.9", "d3.11", "d3.13", "d3.14", "d3.15"]


class Skip(Exception):
    pass


def needs(is_about):
    """Of a test for some interpreters only: is it about this one? Where there is nothing to test, nothing is skipped."""
    def mark(fn):
        fn.is_about = is_about
        return fn
    return mark


def each_probe(fn):
    """Of a test that shall also run with USDT where the interpreter has it: auto takes the call site there."""
    fn.each_probe = True
    return fn


class Python:
    probe = None  # --probe; None: auto

    def __init__(self, line):
        self.id, self.text, self.kind, *self.command = line.split()
        self.version = tuple(int(n) for n in self.text.split(".")[:2])
        self.holder = None

    def hold(self):
        """Keeps one process of an interpreter in a root of its own running, so that lmmsd finds its file at once."""
        if len(self.command) > 1 and self.holder is None:
            self.holder = subprocess.Popen(self("-I", "-S", "-c", "print('up', flush=True); input()"), text=True,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            assert self.holder.stdout.readline() == "up\n"

    def let_go(self):
        if self.holder is not None:
            self.holder.stdin.close()
            self.holder.stdout.close()
            self.holder.wait(timeout=TIMEOUT)
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
    out = subprocess.run([os.path.join(REPO, "tests/env/interpreters"), *build, *ids], stdout=subprocess.PIPE, text=True,
                         stdin=subprocess.DEVNULL, timeout=900, check=False).stdout
    return [Python(line) for line in out.splitlines() if line.strip()]


def missing_interpreters():
    wanted = os.environ.get("E2E_PYTHONS", "").split() or WANTED
    return [w for w in wanted if w not in {p.id for p in interpreters()}]


def best_probe(py):
    """What is taken without --probe: the call site, since USDT changes what CPython does with odd names."""
    return py.probe or ("callsite" if os.uname().machine == "x86_64" else py.kind)


def system_python():
    for p in interpreters():
        if p.id == "d3.11":
            return p
    return Python("local 3.11.0 usdt /usr/bin/python3")


def can_bpf():
    r = subprocess.run([LMMSD, "--check"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                       stdin=subprocess.DEVNULL, timeout=TIMEOUT, check=False)
    return r.returncode == 0 or "yes   BPF programs" in r.stdout


def with_debian_packages(ws, py, modules):
    """An environment in which py imports these; Debian's packages serve every build of the same minor version."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    for extra in ({}, {"PYTHONPATH": "/usr/lib/python3/dist-packages"}):
        if ws.run(py("-c", "import " + modules), env={**env, **extra}).returncode == 0:
            return {**env, **extra}
    raise Skip(f"{modules}: not there for {py.id}")


class Workspace:
    """A directory of one test, readable by every interpreter's root (they share /tmp)."""

    def __init__(self, options=()):
        self.options = options  # of every lmmsd that watches

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
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        kw.setdefault("stderr", subprocess.PIPE)
        kw.setdefault("timeout", TIMEOUT)
        # What the caller's shell sets for Python would change what is measured.
        kw.setdefault("env", {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")})
        return subprocess.run(argv, text=True, check=False, **kw)

    def lmmsd(self, *args, **kw):
        return self.run([LMMSD, *args], **kw)

    def profile(self, argv, *options, status=0, **kw):
        """lmmsd -- argv, its report as JSON."""
        out = self.path("report.json")
        r = self.lmmsd("--format", "json", "-o", out, *self.options, *options, "--", *argv, **kw)
        self.last = r
        assert r.returncode == status, f"status {r.returncode}, wanted {status}: {r.stderr[-2000:]}"
        with open(out, encoding="utf-8") as f:
            report = json.load(f)
        check_sane(report)
        return report

    def start(self, *args, prefix=()):
        """lmmsd in the background, when it has said that it watches."""
        return Watching(self, [*self.options, *args], prefix)


class Watching:
    """A running lmmsd; stop() ends it and gives its JSON report."""

    def __init__(self, ws, args, prefix):
        self.out = ws.path("watch.json")
        self.p = subprocess.Popen([*prefix, LMMSD, "--format", "json", "-o", self.out, *args], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        ws.started.append(self.p)
        self.lines = []
        patience = threading.Timer(TIMEOUT, self.p.kill)
        patience.start()
        for line in self.p.stderr:
            self.lines.append(line)
            if line.startswith("lmmsd: watching "):
                patience.cancel()
                return
        patience.cancel()
        raise AssertionError("lmmsd ended before it watched: " + "".join(self.lines))

    def stop(self, sig=signal.SIGINT):
        self.p.send_signal(sig)
        return self.wait()

    def wait(self):
        _, err = self.p.communicate(timeout=TIMEOUT)
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
            # A damaged recording may hold centuries, where a double has no more room for microseconds, and 292 years are
            # the most that nanoseconds are told of.
            assert total > 2**63 / 1e6 or by_thread[t] <= total * (1 + 1e-11) + 0.01, (t, by_thread[t], total)


def check_room(lost):
    """Of a whole host: programs of others may lose an import that they die in, but lmmsd had room for all."""
    full = {reason for reason, n in lost.items() if n and (reason.endswith("_full") or reason.startswith("limit_"))}
    assert not full, lost


def loads(process, body_only=False):
    return [m for m in process["modules"] if m["status"] != "seen" and (body_only or m.get("timed") != "body")]


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
            seen.append((m["end_ms"], m["name"], depth(m), m["self_ms"] * 1000, m["total_ms"] * 1000))
    seen.sort(key=lambda r: r[0])
    return [r[1:] for r in seen]


def only_process(report, wanted=None):
    ps = [p for p in report["processes"] if wanted is None or wanted(p)]
    assert len(ps) == 1, [(p["pid"], p["app"], p["cmdline"]) for p in report["processes"]]
    return ps[0]
