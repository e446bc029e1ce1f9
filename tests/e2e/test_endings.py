# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""How an observation ends: signals, terminals, time, kill -9; nothing is left behind."""
import json
import os
import pty
import signal
import subprocess
import time

import lib
from cli import own_ids, python, run_pid, waiting_python
from service import wait_for


def alive(ids):
    """Those of the ids that the kernel still has."""
    env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    left = []
    for kind, numbers in ids.items():
        out = subprocess.run(["bpftool", "-j", kind, "show"], stdout=subprocess.PIPE, env=env,
                             check=True).stdout
        left += [(kind, o["id"]) for o in json.loads(out) if o["id"] in numbers]
    return left


def test_signals_end_in_a_report(ws):
    for sig in (signal.SIGINT, signal.SIGTERM):
        w = ws.start()
        pid = run_pid([python(), "-c", "import colorsys"])
        process = lib.only_process(w.stop(sig), lambda p: p["pid"] == pid)
        # The process's own losses: another program of the host may have died in an import.
        assert "colorsys" in lib.by_name(process) and process["lost"] == {}, process["lost"]


def test_duration(ws):
    p = waiting_python([python()])
    try:
        began = time.monotonic()
        report = ws.start("--pid", str(p.pid), "--duration", "0.5").wait()
        assert time.monotonic() - began > 0.4  # its own start included, however long that is
        assert report["complete"]
    finally:
        out, _ = lib.talk(p, "go\n")
    assert out == "went on\n" and p.returncode == 0


class Terminal:
    """lmmsd on a terminal of its own, as a person has it: the Ctrl-C there is the kernel's."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.text = ""

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)

    def read_until(self, word):
        with lib.Patience(self):
            while word not in self.text:
                self.text += os.read(self.fd, 4096).decode()

    def ctrl_c(self):
        os.write(self.fd, b"\x03")

    def wait(self):
        """Everything that it said, and its exit status."""
        try:
            self.read_until("\0")
        except OSError:  # nobody has the terminal open any more
            pass
        os.close(self.fd)
        _, status = os.waitpid(self.pid, 0)
        return self.text.replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


PATIENT = """
import colorsys
try:
    print("up", flush=True)
    input()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    raise SystemExit(9)
"""


def test_ctrl_c_with_a_command(ws):
    """Both get it. The command ends its way, the report comes, the status is the command's."""
    program, out = ws.write("patient.py", PATIENT), ws.path("r.json")
    t = Terminal([lib.LMMSD, "-o", out, "--", python(), program])
    t.read_until("up\r\n")
    t.ctrl_c()
    text, status = t.wait()
    assert status == 9 and text.count("interrupted\n") == 1, (status, text)
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    lib.check_sane(report)
    process = lib.only_process(report)
    assert process["exit_code"] == 9 and "colorsys" in lib.by_name(process)


def test_ctrl_c_with_a_command_in_another_session(ws):
    """The terminal does not know such a command, so lmmsd has to pass it on."""
    patient = PATIENT.replace("input()", "import signal; signal.pause()")
    program, out = ws.write("patient.py", patient), ws.path("r.json")
    t = Terminal([lib.LMMSD, "-o", out, "--", python(), "-c",
                  f"import os; os.setsid(); os.execv({python()!r}, ['python3', {program!r}])"])
    t.read_until("up\r\n")
    t.ctrl_c()
    text, status = t.wait()
    assert status == 9 and "interrupted\n" in text, (status, text)


def test_nohup(ws):
    """A SIGHUP that is ignored at the start stays ignored."""
    out = ws.path("r.json")
    p = subprocess.Popen(["nohup", lib.LMMSD, "-o", out], stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
    ws.started.append(p)
    for line in p.stderr:
        if line.startswith("lmmsd: watching "):
            break
    p.send_signal(signal.SIGHUP)
    pid = run_pid([python(), "-c", "import colorsys"])
    assert p.poll() is None
    p.send_signal(signal.SIGINT)
    lib.talk(p)
    assert p.returncode == 0
    with open(out, encoding="utf-8") as f:
        assert [x for x in json.load(f)["processes"] if x["pid"] == pid]


def test_command_that_leaves_others_running(ws):
    """The report does not wait for them, and says so."""
    left = "import colorsys, sys, time\nprint('up', flush=True)\nsys.stdin.read()"
    program = ws.write("leaves.py",
                       "import subprocess, sys\n"
                       f"p = subprocess.Popen([sys.executable, '-c', {left!r}], stdout=-1)\n"
                       "print(p.stdout.readline())\n")
    p = subprocess.Popen([lib.LMMSD, "-o", ws.path("r.json"), "--", python(), program], text=True,
                         stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lib.wait(p)
    _, err = lib.talk(p)  # and ends the one that was left
    assert "1 Python process that" in err and "still runs" in err, err
    with open(ws.path("r.json"), encoding="utf-8") as f:
        others = [x for x in json.load(f)["processes"] if x["ended"] is None]
    assert p.returncode == 0 and len(others) == 1 and "colorsys" in lib.by_name(others[0]), others


def test_duration_with_a_command(ws):
    p = subprocess.Popen([lib.LMMSD, "--duration", "0.2", "-o", ws.path("r.json"), "--", "cat"],
                         text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lib.wait(p)
    out, err = lib.talk(p, "still there\n")
    assert p.returncode == 0 and out == "still there\n" and "'cat' goes on" in err, (out, err)


def test_terminate_with_a_command(ws):
    """SIGTERM to lmmsd alone reaches the command."""
    out = ws.path("r.json")
    p = subprocess.Popen([lib.LMMSD, "-o", out, "--", python(), "-c",
                          "import colorsys; print('up', flush=True); input()"],
                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    assert p.stdout.readline() == "up\n"
    p.terminate()
    lib.wait(p)
    p.communicate()
    assert p.returncode == 128 + signal.SIGTERM, p.returncode
    with open(out, encoding="utf-8") as f:
        assert "colorsys" in lib.by_name(lib.only_process(json.load(f)))


def test_killed_lmmsd_leaves_nothing(ws):
    p = waiting_python([python()])
    w = ws.start("--pid", str(p.pid))
    ids = own_ids(w.p.pid)
    assert ids["prog"] and len(ids["link"]) >= 4, ids
    assert len(alive(ids)) == sum(map(len, ids.values())), ids
    w.p.kill()
    lib.talk(w.p)
    wait_for("programs and links of a killed lmmsd go away", lambda: not alive(ids))
    out, _ = lib.talk(p, "go\n")
    assert out == "went on\n" and p.returncode == 0
    assert os.listdir(ws.dir) == []


def test_command_of_a_killed_lmmsd_goes_on(ws):
    done = ws.path("done")
    p = subprocess.Popen([lib.LMMSD, "--", python(), "-c",
                          "import os; print(os.getpid(), flush=True); input(); "
                          f"import colorsys; open({done!r}, 'w').close(); "
                          "print('went on', flush=True)"],
                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    int(p.stdout.readline())
    ids = own_ids(p.pid)
    p.kill()
    wait_for("programs and links of a killed lmmsd go away", lambda: not alive(ids))
    out, _ = lib.talk(p, "go\n")
    assert out == "went on\n" and os.path.exists(done)


def test_normal_end_leaves_nothing(ws):
    w = ws.start()
    ids = own_ids(w.p.pid)
    assert ids["prog"] and ids["link"]
    w.stop()
    # the kernel frees them after a grace period
    wait_for("programs and links go away", lambda: not alive(ids))
