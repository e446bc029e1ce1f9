# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the measurements share: a running lmmsd, quiet moments, medians, tables."""
import ctypes
import os
import platform
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import lib

BPF_PROG_GET_NEXT_ID = 11
SYS_BPF = {"x86_64": 321, "aarch64": 280}
QUIET_SECONDS = 10  # how long to wait for another lmmsd to go away, once; then the batch counts as disturbed


def ratio_text(values, digits=3):
    """median (first to third quartile)"""
    if len(values) < 4:
        return " ".join(f"{v:.{digits}f}" for v in values)
    q = statistics.quantiles(values, n=4)
    return f"{statistics.median(values):.{digits}f} ({q[0]:.{digits}f}-{q[2]:.{digits}f})"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def table(title, head, rows, notes=()):
    lines = [f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(c) for c in row) + " |" for row in rows]
    return "\n".join(lines + ["", *notes, ""])


class Watcher:
    """A running lmmsd that observes the whole host."""

    def __init__(self, bench, *options):
        self.began = time.monotonic()
        self.bench = bench
        self.p = subprocess.Popen([bench.lmmsd, *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, text=True)
        bench.ours.add(self.p.pid)
        self.says = []
        for line in self.p.stderr:
            self.says.append(line)
            if line.startswith("lmmsd: watching "):
                break
        else:
            raise RuntimeError("lmmsd ended before it watched: " + "".join(self.says))
        self.start_s = time.monotonic() - self.began
        self.interpreters = int(self.says[-1].split()[2])

    def cpu_s(self):
        with open(f"/proc/{self.p.pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_kib(self):
        """VmHWM, VmRSS, RssAnon"""
        found = {}
        with open(f"/proc/{self.p.pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                key, _, rest = line.partition(":")
                if key in ("VmHWM", "VmRSS", "RssAnon"):
                    found[key] = int(rest.split()[0])
        return found

    def stop(self):
        """Seconds from Ctrl-C to the end, report included."""
        began = time.monotonic()
        self.p.send_signal(signal.SIGINT)
        _, err = self.p.communicate(timeout=120)
        self.bench.ours.discard(self.p.pid)
        if self.p.returncode != 0:
            raise RuntimeError(f"lmmsd ended with status {self.p.returncode}: {''.join(self.says)}{err}")
        return time.monotonic() - began


class Bench:
    def __init__(self, lmmsd, directory, quick):
        os.makedirs(directory, exist_ok=True)
        self.dir = directory
        self.tmp = tempfile.mkdtemp(prefix="lmmsd-bench-", dir="/tmp")
        os.chmod(self.tmp, 0o755)
        # A build that goes on meanwhile must not change what is measured.
        self.lmmsd = os.path.join(self.tmp, "lmmsd")
        shutil.copy2(lmmsd, self.lmmsd)
        self.quick = quick
        self.ours = set()
        self.batches = self.disturbed = self.repeated = 0
        self.patience = 0 if quick else 120  # seconds of waiting in all
        self.bpf = ctypes.CDLL(None, use_errno=True).syscall

    def close(self):
        shutil.rmtree(self.tmp, ignore_errors=True)

    def say(self, text):
        print("bench: " + text, file=sys.stderr, flush=True)

    def rounds(self, n):
        return 4 if self.quick else n

    def path(self, name):
        return os.path.join(self.tmp, name)

    # ---- quiet: another lmmsd on the host probes the same interpreters

    def programs(self):
        """The ids of all loaded BPF programs."""
        ids, last = set(), 0
        number = SYS_BPF.get(platform.machine())
        while number:
            attr = ctypes.create_string_buffer(struct.pack("III", last, 0, 0), 120)
            if self.bpf(number, BPF_PROG_GET_NEXT_ID, attr, 120) != 0:
                break
            last = struct.unpack_from("I", attr.raw, 4)[0]
            ids.add(last)
        return ids

    def strangers(self):
        """Other lmmsd processes that hold BPF links."""
        found = []
        for pid in os.listdir("/proc"):
            if pid.isdigit() and int(pid) not in self.ours:
                try:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
                        if f.read().strip() == "lmmsd" and self.has_links(pid):
                            found.append(int(pid))
                except OSError:
                    pass
        return found

    @staticmethod
    def has_links(pid):
        """Perf events count as links; a process that cannot be looked at counts as one that has some."""
        try:
            fds = os.listdir(f"/proc/{pid}/fd")
            return any("bpf" in os.readlink(f"/proc/{pid}/fd/{fd}") for fd in fds)
        except PermissionError:
            return True

    def wait_quiet(self):
        began = time.monotonic()
        while self.strangers() and self.patience > 0 and time.monotonic() - began < QUIET_SECONDS:
            select.select([], [], [], 0.2)
        self.patience -= time.monotonic() - began
        return not self.strangers()

    def undisturbed(self, fn):
        """fn(), once more if another lmmsd came or went meanwhile, at most three times."""
        for attempt in range(3):
            self.wait_quiet()
            before = self.programs(), self.strangers()
            value = fn()
            self.batches += 1
            if before == (self.programs(), []):
                return value
            if before[1] and self.patience <= 0:
                break
            self.repeated += attempt < 2
        self.disturbed += 1
        return value

    # ---- what is written

    def machine(self):
        cpu = "unknown processor"
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as f:
            for line in f:
                if line.startswith("model name"):
                    cpu = line.split(":", 1)[1].strip()
                    break
        flags = os.path.exists("/sys/hypervisor") or "hypervisor" in open("/proc/cpuinfo", encoding="utf-8").read()
        version = subprocess.run([self.lmmsd, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
        rev = subprocess.run(["git", "-C", lib.REPO, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE, text=True,
                             stderr=subprocess.DEVNULL, check=False).stdout.strip()
        self.load_before = os.getloadavg()[0]
        return (f"## Measured {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC\n\n{version.split(chr(10))[0]}"
                f"{' at ' + rev if rev else ''}; kernel {platform.release()} {platform.machine()}, {os.cpu_count()} "
                f"CPUs ({cpu}{', virtual machine' if flags else ''}).\n"
                "Ratios to the bare run of the same round: median over the rounds (first to third quartile); "
                "`bare again` is the noise.\n")

    def closing(self):
        return (f"Load average {self.load_before:.1f} before, {os.getloadavg()[0]:.1f} after. {self.batches} batches, "
                f"{self.repeated} repeated since another lmmsd was on the host, {self.disturbed} kept although one was.\n")


MODES = ["bare", "bare again", "off", "on"]


def in_mode(bench, mode, fn):
    """fn() bare, or while lmmsd watches the host with --usage off or on."""
    options = {"off": ["--usage", "off"], "on": ["--usage", "on"], "entry": ["--usage", "off", "--probe", "entry"]}
    if mode not in options:
        return bench.undisturbed(fn)
    w = Watcher(bench, "--format", "json", "-o", bench.path("watch.json"), *options[mode])
    try:
        return bench.undisturbed(fn)
    finally:
        w.stop()


def rotated(modes, round_):
    return modes[round_ % len(modes):] + modes[:round_ % len(modes)]


def ratios(rounds, mode, key=lambda v: v):
    return [key(r[mode]) / key(r["bare"]) for r in rounds]


def one_of_each():
    """The interpreters of the cost tables: Debian's own, and the first without USDT probes (two, if there are)."""
    pys = lib.interpreters()
    usdt = [p for p in pys if p.kind == "usdt" and len(p.command) == 1][:1]
    site = [p for p in pys if p.kind == "callsite" and len(p.command) == 1]
    newest = [p for p in site if p.id == "p3.12"] or site[-1:]
    oldest = [p for p in site[:1] if p not in newest]
    return (usdt or [lib.system_python()]) + newest + oldest
