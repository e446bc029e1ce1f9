# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The way to `watching N interpreters`: what is looked for first, what a signal does at any moment of it, what a terminal is told."""
import glob
import json
import os
import platform
import re
import signal
import subprocess

import lib
from cli import UNPRIVILEGED, holds, one_line, own_ids, python, run_pid, waiting_python
from service import wait_for
from test_endings import Terminal
from test_hostile import hung_directory, meet, unmount

SYS_BPF = {"x86_64": "321", "aarch64": "280"}[platform.machine()]
TRIES = 20  # to meet lmmsd at one moment: the load takes 0.1 s and more


class Starting:
    """An lmmsd on its way, with a command that leaves a mark when it runs."""

    def __init__(self, ws):
        self.out, self.mark = ws.path("r.json"), ws.path("ran")
        self.p = subprocess.Popen([lib.LMMSD, "--format", "json", "-o", self.out, "--", "touch", self.mark],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        ws.started.append(self.p)

    def read(self, what):
        """The texts of its threads' files of this name."""
        for path in glob.glob(f"/proc/{self.p.pid}/task/*/{what}"):
            try:
                with open(path, encoding="ascii") as f:
                    yield f.read()
            except (FileNotFoundError, ProcessLookupError):
                pass

    def takes_signals(self):
        """They are blocked, for its loop: from here on it is lmmsd that decides what they do."""
        return any(int(m[1], 16) >> (signal.SIGTERM - 1) & 1
                   for text in self.read("status") for m in [re.search(r"^SigBlk:\s+(\w+)", text, re.M)] if m)

    def holds_command(self):
        return any(text.strip() for text in self.read("children"))

    def loads(self):
        return any(text.split()[0] == SYS_BPF for text in self.read("syscall") if text.strip())

    def has_links(self):
        return own_ids(self.p.pid)["link"]

    def until(self, moment):
        """False: it was over before the moment was seen."""
        while not moment():
            if self.p.poll() is not None:
                return False
        return True

    def stop(self, sig):
        self.p.send_signal(sig)
        _, self.says = self.p.communicate(timeout=lib.TIMEOUT)
        return self.p.returncode


def stopped_at(ws, name, sig):
    """Ends by the signal, with nothing done but one line; or the signal came too late, and all was done."""
    for _ in range(TRIES):
        s = Starting(ws)
        s.until(getattr(s, name))
        status = s.stop(sig)
        if "watching" not in s.says:
            break
        assert status in (0, 128 + sig), (status, s.says)
        with open(s.out, encoding="utf-8") as f:
            assert json.load(f)["complete"]
        os.unlink(s.out)
        if os.path.exists(s.mark):
            os.unlink(s.mark)
    else:
        raise AssertionError(f"in {TRIES} starts it was never met where {name}()")
    assert status == -sig, (status, s.says)
    lines = s.says.splitlines()
    assert lines == ["lmmsd: stopped before anything was watched: 'touch' was not started"], lines
    assert os.listdir(ws.dir) == [], os.listdir(ws.dir)  # no report, nothing half-written, and it did not run


def test_signal_at_the_begin(ws):
    stopped_at(ws, "takes_signals", signal.SIGTERM)


def test_signal_while_the_command_is_held(ws):
    stopped_at(ws, "holds_command", signal.SIGHUP)


def test_signal_while_it_loads(ws):
    for sig in (signal.SIGINT, signal.SIGTERM):
        stopped_at(ws, "loads", sig)


def test_signal_while_it_attaches(ws):
    stopped_at(ws, "has_links", signal.SIGINT)


def test_stopped_start_without_a_command(ws):
    rec = ws.path("r.rec")
    for _ in range(TRIES):
        p = subprocess.Popen([lib.LMMSD, "-o", ws.path("r.json"), "--record", rec], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        ws.started.append(p)
        while not os.listdir(ws.dir):  # the recording is not begun yet
            assert p.poll() is None
        p.terminate()
        _, says = p.communicate(timeout=lib.TIMEOUT)
        if "watching" not in says:
            break
        assert p.returncode == 0 and sorted(os.listdir(ws.dir)) == ["r.json", "r.rec"]
        for name in os.listdir(ws.dir):
            os.unlink(ws.path(name))
    assert p.returncode == -signal.SIGTERM, (p.returncode, says)
    assert says == "lmmsd: stopped before anything was watched: there is no report\n", says
    assert os.listdir(ws.dir) == []


def test_missing_command_comes_first(ws):
    """It is said although BPF could not be loaded either: nobody tried."""
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}  # all of which anybody may look into
    r = ws.run([*UNPRIVILEGED, lib.LMMSD, "--", "no-such-program-anywhere"], env=env)
    assert r.returncode == 2, r
    one_line(r, "cannot start 'no-such-program-anywhere'", "PATH")
    r = ws.run([*UNPRIVILEGED, lib.LMMSD, "--", "true"], env=env)
    assert r.returncode == 3, r  # this one is there


def test_missing_process_comes_first(ws):
    p = subprocess.Popen(["true"])
    p.wait()
    r = ws.run([*UNPRIVILEGED, lib.LMMSD, "--pid", str(p.pid)])
    assert r.returncode == 5, r
    one_line(r, f"--pid {p.pid}: no such process")


def others():
    """Interpreters that every host of these tests has one more of: watched, and not the command's."""
    r = subprocess.run([lib.LMMSD, "--check"], stdout=subprocess.PIPE, text=True, check=False, timeout=lib.TIMEOUT)
    found = re.findall(r"^  yes   3\S+ +\S+ +(/\S+)", r.stdout.replace(": ", " "), re.M)
    return [path for path in found if os.path.exists(path) and not os.path.samefile(path, python())]


def test_others_follow_the_commands_own(ws):
    """A Python may run as soon as its own interpreter is watched, from its first import; the others are watched while it runs."""
    more = others()
    if not more:
        raise lib.Skip("there is only one interpreter here")
    out = ws.path("r.json")
    p = subprocess.Popen([lib.LMMSD, "--format", "json", "-o", out, "--", python(), "-c",
                          "print('up', flush=True)\ninput()\nimport colorsys"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ws.started.append(p)
    said = p.stderr.readline()
    assert re.fullmatch(r"lmmsd: watching \d+ interpreters? \(.*; \d+ more follow\)\n", said), said
    assert p.stdout.readline() == "up\n"

    class Its:
        pass

    its = Its()
    its.p = p
    for path in more:
        wait_for(f"{path} is watched too", lambda path=path: holds(its, path) or not os.path.exists(path))
    _, err = p.communicate("go\n", timeout=lib.TIMEOUT)
    assert p.returncode == 0, err
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    process = lib.only_process(report)
    assert process["from_start"] and "colorsys" in lib.by_name(process)


def test_shell_waits_for_all(ws):
    """What it starts may be any of them."""
    r = ws.lmmsd("-o", ws.path("r.json"), "--", "sh", "-c", "true")
    assert r.returncode == 0 and "watching" in r.stderr and "follow" not in r.stderr, r


def test_ctrl_c_before_the_command(ws):
    """The terminal's signal is for the held command, too."""
    for _ in range(TRIES):
        mark = ws.path("ran")
        t = Terminal([lib.LMMSD, "-o", ws.path("r.json"), "--", "touch", mark])
        children = f"/proc/{t.pid}/task/{t.pid}/children"
        while not open(children, encoding="ascii").read():
            pass
        t.ctrl_c()
        text, status = t.wait()
        if "watching" not in text:
            break
        os.path.exists(mark) and os.unlink(mark)
    assert status == -signal.SIGINT, (status, text)
    assert "stopped before anything was watched: 'touch' was not started" in text, text
    assert not os.path.exists(mark)


def test_command_on_a_file_system_that_hangs(ws):
    """The terminal is told, and Ctrl-C is heard."""
    where, server = hung_directory(ws)
    try:
        t = Terminal([lib.LMMSD, "-o", ws.path("r.json"), "--", os.path.join(where, "python3.11")])
        t.read_until("looking for the command")
        t.ctrl_c()
        t.read_until("python3.11' was not started")
        # It does not wait for what it started, which cannot even be killed before the file system answers.
        status = os.waitstatus_to_exitcode(os.waitpid(t.pid, 0)[1])
    finally:
        unmount(where, server)
    assert status == -signal.SIGINT, (status, t.text)


def test_terminal_is_told_what_it_waits_for(ws):
    """Here for a program whose file system does not answer; and a signal does not wait for that."""
    where, server = hung_directory(ws)
    try:
        p = subprocess.Popen(["sh", "-c", f"read go; PYTHONHOME=/usr exec {where}/python3.11 -I -S -c "
                              "'print(1, flush=True); import signal; signal.pause()'"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ws.started.append(p)
        meet(server, p.pid)
        p.stdin.write("go\n")
        p.stdin.flush()
        assert p.stdout.readline() == "1\n"
        t = Terminal([lib.LMMSD, "-o", ws.path("r.json"), "--pid", str(p.pid)])
        t.read_until("loading the BPF programs")
        t.ctrl_c()
        text, status = t.wait()
    finally:
        unmount(where, server)
    assert status == -signal.SIGINT, (status, text)
    assert text.rstrip().endswith("lmmsd: stopped before anything was watched: there is no report"), text
    # It was taken away before the line: nothing of it is left on the screen.
    assert "\x1b[K" in text[text.rindex("loading the BPF programs"):], text


def test_pipe_is_not_told(ws):
    w = ws.start()
    w.stop()
    assert w.lines[0].startswith("lmmsd: watching ") and not any("loading" in x for x in w.lines), w.lines


def test_duration_begins_when_it_watches(ws):
    """An observation that is shorter than its start still is one."""
    p = waiting_python([python()])
    try:
        report = ws.start("--pid", str(p.pid), "--duration", "0.1").wait()
        assert report["complete"] and [x for x in report["processes"] if x["pid"] == p.pid]
    finally:
        p.communicate("go\n", timeout=lib.TIMEOUT)


def test_programs_right_after_the_line(ws):
    """What starts behind it is seen from its first import."""
    w = ws.start()
    pid = run_pid([python(), "-c", "import colorsys"])
    process = lib.only_process(w.stop(), lambda p: p["pid"] == pid)
    assert process["from_start"] and "colorsys" in lib.by_name(process)
