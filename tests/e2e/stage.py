# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""One lmmsd that watches the programs of many tests.

lmmsd is started as `lmmsd -- sh`, so it watches what that shell starts and nothing else of the
host. The shell reads names of scripts, one a line, runs each to its end and prints its status. A
script says its pid and becomes the program. One program runs at a time, so in the report, which is
in the order of starts, the processes from a program to the next one are the program's.
"""
import datetime
import json
import os
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import lib

SHELL = 'while read -r script; do /bin/sh "$script" 2>/dev/null; echo "$?"; done'
SLACK = 2  # seconds between the clocks of a report and ours


class Run:
    """A program that ran: pid, returncode as a shell has it, stdout, stderr, later its report."""

    def __init__(self, stage, argv, may_lose):
        self.stage, self.argv, self.may_lose = stage, argv, may_lose
        self.pid = self.returncode = self.stdout = self.stderr = None
        self.began = time.time()
        self.processes = []
        self.lost = {}

    @property
    def report(self):
        """lmmsd's report as if it had watched this run alone."""
        assert self.stage.report, "the report is there after the test's yield"
        return {**self.stage.report, "processes": self.processes, "lost": self.lost,
                "complete": not self.lost}

    def take_losses(self, lost):
        """Adds what the host lost for reasons that only this run's test has."""
        for reason in self.may_lose:
            if reason in lost:
                self.lost[reason] = self.lost.get(reason, 0) + lost[reason]

    def is_start(self, process):
        """Is this the program, or its child, the program being no Python? The pid alone may have
        been another's."""
        if self.pid is None or self.pid not in (process["pid"], process["ppid"]):
            return False
        started = datetime.datetime.fromisoformat(process["started"].replace("Z", "+00:00"))
        return self.began - SLACK <= started.timestamp() <= self.ended + SLACK


class Stage:
    """lmmsd, the shell below it, and the runs of all tests."""

    def __init__(self, *options):
        self.dir = tempfile.mkdtemp(prefix="lmmsd-e2e-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.reader = threading.Thread(target=self._read_lines, daemon=True)
        self.out = os.path.join(self.dir, "report.json")
        self.recording = os.path.join(self.dir, "run.rec")
        self.runs, self.lines, self.report = [], [], None
        env = {k: v for k, v in lib.clean_environment().items() if not k.startswith("SUDO_")}
        self.p = subprocess.Popen(
            [lib.LMMSD, "--format", "json", "-o", self.out, "--record", self.recording, *options,
             "--", "/bin/sh", "-c", SHELL], env=env, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lib.read_until_watching(self.p, self.lines)
        self.reader.start()

    def _read_lines(self):
        self.lines.extend(self.p.stderr)

    def _script(self, argv, env, cwd, stdin):
        """A shell script that becomes the program; its streams are files beside it."""
        name = os.path.join(self.dir, str(len(self.runs)))
        words = ["env", "-i", *(f"{k}={v}" for k, v in env.items()), *argv]
        with open(name, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(f"echo $$ >{name}.pid\ncd {shlex.quote(cwd)} || exit 70\n"
                    f"exec {' '.join(map(shlex.quote, words))} "
                    f"<{stdin} >{name}.out 2>{name}.err\n")
        return name

    def run(self, argv, status=0, may_lose=(), env=None, cwd=None, input=""):
        """Runs a program to its end. Whatever comes of it, the next one can run."""
        run = Run(self, argv, may_lose)
        stdin = "/dev/null"
        if input:
            stdin = os.path.join(self.dir, f"{len(self.runs)}.in")
            with open(stdin, "w", encoding="utf-8") as f:
                f.write(input)
        env = lib.clean_environment() if env is None else env
        name = self._script(argv, env, cwd or os.getcwd(), stdin)
        self.runs.append(run)
        self.p.stdin.write(name + "\n")
        self.p.stdin.flush()
        self._finish(run, name)
        assert run.returncode == status, \
            f"status {run.returncode}, wanted {status}: {run.stderr[-2000:]}"
        return run

    def _pid(self, name):
        with open(name + ".pid", encoding="ascii") as f:
            return int(f.read())

    def _finish(self, run, name):
        start = used = lib.cpu_seconds(self.p.pid)
        hung = False
        while not select.select([self.p.stdout], [], [], lib.TIMEOUT)[0]:
            now = lib.cpu_seconds(self.p.pid)
            if now - used < lib.TIMEOUT / 100 or now > 5 * lib.TIMEOUT + start:
                hung = True
                os.kill(self._pid(name), signal.SIGKILL)
            used = now
        answer = self.p.stdout.readline()
        run.ended = time.time()
        assert answer, "lmmsd ended in the middle: " + "".join(self.lines)
        run.returncode = int(answer)
        run.pid = self._pid(name)
        with open(name + ".out", encoding="utf-8", errors="backslashreplace") as f:
            run.stdout = f.read()
        with open(name + ".err", encoding="utf-8", errors="backslashreplace") as f:
            run.stderr = f.read()
        assert not hung, f"no progress in {lib.TIMEOUT} s: {run.argv}"

    def finish(self):
        """Ends the shell and with it lmmsd, and gives each run its processes."""
        self.p.stdin.close()
        lib.wait(self.p)
        self.reader.join()
        assert self.p.returncode == 0, f"status {self.p.returncode}: " + "".join(self.lines)
        with open(self.out, encoding="utf-8") as f:
            self.report = json.load(f)
        lib.check_sane(self.report)
        self.nobodys = attribute(self.report["processes"], self.runs)

    def lost_unseen(self):
        """Losses that no process is known to have had, less those in what is not ours."""
        lost = lib.lost(self.report)
        for reason, n in total_lost(self.report["processes"]).items():
            lost[reason] = lost.get(reason, 0) - n
        return {reason: n for reason, n in lost.items() if n}

    def close(self):
        self.p.stdin.close()  # the shell's end, too
        if self.p.poll() is None:
            self.p.kill()
            self.p.wait()
        self.reader.join(lib.TIMEOUT)
        self.p.stdout.close()
        self.p.stderr.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def attribute(processes, runs):
    """Gives each run its processes and their losses. Returns the processes that no run started."""
    left, nobodys = list(runs), []
    own = nobodys
    for process in processes:
        for i, run in enumerate(left):
            if run.is_start(process):
                own = run.processes
                del left[:i + 1]
                break
        own.append(process)
    for run in runs:
        run.lost = total_lost(run.processes)
    return nobodys


def total_lost(processes):
    total = {}
    for p in processes:
        for reason, n in p["lost"].items():
            total[reason] = total.get(reason, 0) + n
    return total
