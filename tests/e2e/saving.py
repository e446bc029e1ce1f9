# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""
Predicted against real saving. Predicted is what `lmmsctl why` says that the start saves without this one import
statement, after the daemon has seen some runs; real is the wall clock of a copy of the program without the statement,
when nothing watches.
"""
import os
import shutil
import statistics
import subprocess
import sysconfig
import time

import lib
from service import wait_for

STDLIB = sysconfig.get_path("stdlib") if sysconfig.get_python_version() == "3.11" else "/usr/lib/python3.11"
CLIENT = os.path.join(lib.REPO, "packaging/demo/client.py")

# Programs that come with Python: python3 -m NAME, what is copied, file, what goes and what takes its place, the import
# that goes with it
MODULES = [
    ("http.server", "http", "http/server.py", [("import http.client\n", "")], "http.client"),
    ("unittest", "unittest", "unittest/case.py", [("import pprint\n", "")], "pprint"),
    ("trace", "trace.py", "trace.py", [("import inspect\n", "")], "inspect"),
    ("ensurepip", "ensurepip", "ensurepip/__init__.py", [("import subprocess\n", "")], "subprocess"),
    ("venv", "venv", "venv/__init__.py",
     [("import logging\n", ""), ("logger = logging.getLogger(__name__)\n", "")], "logging"),
    ("tarfile", "tarfile.py", "tarfile.py", [("import shutil\n", "")], "shutil"),
    ("zipfile", "zipfile.py", "zipfile.py", [("import pathlib\n", "")], "pathlib"),
]
# Nothing is saved: others import it, too. importlib.resources needs tempfile, pdb needs inspect, shutil needs bz2.
KEPT = [
    ("ensurepip", "ensurepip", "ensurepip/__init__.py", [("import tempfile\n", "")], "tempfile"),
    ("doctest", "doctest.py", "doctest.py", [("import inspect\n", "")], "inspect"),
    ("zipfile", "zipfile.py", "zipfile.py", [("    import bz2 # We may need its compression method\n",
                                                        "    bz2 = None\n")], "bz2"),
]
# Where the start ends: all copies say so there.
MAINS = {"unittest": ("unittest/__main__.py", "main(module=None)"), "ensurepip": ("ensurepip/__main__.py", "if __name__"),
         "venv": ("venv/__main__.py", "rc = 1"),
         "doctest": ("doctest.py", 'if __name__ == "__main__":\n    sys.exit(_test())')}
# Modules of Python are apps that others on this host run, too: a daemon with --uid OWN_UID sees
# only ours.
OWN_UID = str(100000 + os.getpid())
AS_OWN_USER = ["setpriv", "--reuid", OWN_UID, "--regid", OWN_UID, "--clear-groups"]
READY = "print('ready', flush=True)\n"

# Scripts: import that goes, imports that stay
SCRIPTS = [
    ("asyncio", "json, re"),
    ("email.message", "argparse, re"),
    ("sqlite3", "csv, json"),
    ("xmlrpc.client", "http.client, ssl"),
    ("multiprocessing.pool", "tempfile, logging"),
    ("concurrent.futures.thread", "json, re"),
    ("pydoc", "argparse, json"),
    ("numpy", "json, re"),
    ("pandas", "numpy, json"),
]


class Pair:
    """A program in two copies that say when they have started, the second one without an import."""

    def __init__(self, ws, directory, goes, zero=False):
        self.root, self.dir = ws.dir, ws.path(directory)
        self.app, self.goes, self.zero = None, goes, zero  # app: what lmmsd calls the whole one
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        self.walls = {"whole": [], "less": []}
        self.predicted = self.total = None

    def argv(self, which):
        raise NotImplementedError

    def environment(self, _which):
        return self.env

    def possible(self, ws):
        """Both work; and now they are compiled."""
        return all("ready" in ws.run(self.argv(w), env=self.environment(w)).stdout for w in self.walls)

    def wall(self, which):
        """ms from its start until it says that it has started."""
        argv, env = self.argv(which), self.environment(which)
        out, into = os.pipe()
        with open(os.devnull, "r+b") as null:
            began = time.perf_counter()
            pid = os.posix_spawn(argv[0], argv, env, file_actions=[
                (os.POSIX_SPAWN_DUP2, null.fileno(), 0), (os.POSIX_SPAWN_DUP2, into, 1),
                (os.POSIX_SPAWN_DUP2, null.fileno(), 2)])
            os.close(into)
            said = os.read(out, 4096)
            took = time.perf_counter() - began
        while os.read(out, 65536):
            pass
        os.close(out)
        os.waitpid(pid, 0)
        assert said, argv
        return took * 1000

    def measure(self, times):
        for n in range(2 * times):
            which = "less" if (n + n // 2) % 2 else "whole"
            self.walls[which].append(self.wall(which))

    def watch(self, ws, times):
        """Runs that the daemon sees."""
        for _ in range(times):
            subprocess.run([*AS_OWN_USER, *self.argv("whole")], env=self.environment("whole"),
                           stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def ask(self, service):
        why = service.json("why", "--app", self.app, self.goes)
        here = [i for i in why["importers"] if i["importer"] == "__main__" or (i["file"] or "").startswith(self.root)]
        assert len(here) == 1, (self.app, self.goes, why["importers"])
        self.predicted, self.total = here[0]["alone_saves_ms"], why["ms"]

    @property
    def real(self):
        return statistics.median(self.walls["whole"]) - statistics.median(self.walls["less"])

    @property
    def error(self):
        """Of the saving; where nothing is to be saved, of the import's own time, else nothing could be compared."""
        by = self.total if self.zero else self.real
        return abs(self.predicted - (0 if self.zero else self.real)) / by if by > 0 else float("inf")

    def row(self):
        return [self.label, self.goes, f"{self.predicted:.2f}", f"{self.real:.2f}",
                "answer is 0" if self.zero else f"{(self.predicted / self.real - 1) * 100:+.1f} %"]


class Module(Pair):
    def __init__(self, ws, py, directory, program, zero=False):
        name, copy, file, edits, goes = program
        super().__init__(ws, directory, goes, zero)
        self.app, self.label, self.command = name, f"python3 -m {name}", py("-m", name, "--help")
        for which in self.walls:
            source, to = os.path.join(STDLIB, copy), os.path.join(self.dir, which, copy)
            if os.path.isdir(source):
                shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                os.makedirs(os.path.dirname(to))
                shutil.copy(source, to)
        main, marker = MAINS.get(name, (file, "if __name__"))
        for which in self.walls:
            self.edit(f"{which}/{main}", [("\n" + marker, "\n" + READY + marker)])
        self.edit(f"less/{file}", edits)

    def edit(self, file, edits):
        path = os.path.join(self.dir, file)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for old, new in edits:
            if text.count(old) != 1:
                raise lib.Skip(f"{path}: {text.count(old)} times {old!r}")
            text = text.replace(old, new)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def argv(self, which):
        return self.command

    def environment(self, which):
        return {**self.env, "PYTHONPATH": os.path.join(self.dir, which)}


class Script(Pair):
    def __init__(self, ws, py, directory, goes, label, whole, less):
        super().__init__(ws, directory, goes)
        self.py, self.label = py, label
        self.name = f"{directory.replace('.', '_')}_{os.getpid()}.py"  # others on this host have such scripts, too
        self.app = "whole/" + self.name
        ws.write(f"{directory}/whole/{self.name}", whole)
        ws.write(f"{directory}/less/{self.name}", less)

    def argv(self, which):
        return self.py(os.path.join(self.dir, which, self.name))


def client(ws, py):
    with open(CLIENT, encoding="utf-8") as f:
        text = f.read()
    less = text.replace("    import requests\n", "    requests = None\n")
    ends = "\nmain()\n"
    return Script(ws, py, "client", "requests", "demo/client.py", *(t.replace(ends, "\n" + READY + ends) for t in (text, less)))


def some_pairs(ws, py):
    """A few of each kind, that cost little."""
    for n, program in enumerate(MODULES[1:3] + KEPT[1:2]):
        yield Module(ws, py, f"{n}.{program[0]}", program, program in KEPT)
    for goes, stays in SCRIPTS[:3]:
        yield script(ws, py, goes, stays)


def script(ws, py, goes, stays):
    # What goes is imported first: its own time has all in it that the rest would load without it.
    rest = f"import {stays}\n" + READY
    return Script(ws, py, "script." + goes, goes, f"script, also {stays}",
                  f"import {goes}\n" + rest, rest)


def all_pairs(ws, py):
    for n, program in enumerate(MODULES + KEPT):
        try:
            yield Module(ws, py, f"{n}.{program[0]}", program, program in KEPT)
        except (lib.Skip, OSError) as e:
            print(f"     left out: {e}", flush=True)
    yield client(ws, py)
    for goes, stays in SCRIPTS:
        yield script(ws, py, goes, stays)


def pairs(ws, py, which=all_pairs):
    return [p for p in which(ws, py) if p.possible(ws)]


def watch_all(ws, service, them, times, before=0):
    """The daemon sees each run that often, and has stored that; before: as often it did already."""
    for pair in them:
        pair.watch(ws, times)
    for app in {p.app for p in them}:
        least = (before + times) * sum(p.app == app for p in them)
        wait_for(f"{least} runs of {app}", lambda: service.runs(app) >= least)  # pylint: disable=cell-var-from-loop
