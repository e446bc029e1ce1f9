# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The command line as a user meets it: flags, exit codes, streams, privileges, endings, interpreters that come and go."""
import glob
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import lib

NOBODY = 65534
UNPRIVILEGED = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--bounding-set", "-all",
                "--inh-caps", "-all"]
REPORT = "import sys; print(sys.stdin.read().upper(), end=''); print('to stderr', file=sys.stderr); import colorsys"


def until(fn, what, seconds=30):
    """Polls, bounded, for what has no event to wait for."""
    end = time.monotonic() + seconds
    while True:
        got = fn()
        if got:
            return got
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)  # lint: allow(sleeps) a bounded poll of /proc


def python():
    """Debian's own: every user may run it."""
    return lib.system_python().command[0]


def one_line(r, *words):
    lines = r.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("lmmsd: "), r.stderr
    for word in words:
        assert word in lines[0], (word, lines[0])


def own_ids(pid):
    """Ids of the programs and links that a process holds."""
    ids = {"prog": set(), "link": set()}
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        try:
            with open(path, encoding="ascii") as f:
                text = f.read()
        except FileNotFoundError:
            continue
        link = re.search(r"^link_id:\s+(\d+)", text, re.M)
        prog = re.search(r"^prog_id:\s+(\d+)", text, re.M)
        if link:
            ids["link"].add(int(link[1]))
        elif prog:
            ids["prog"].add(int(prog[1]))
    return ids


def links(watching):
    return len(own_ids(watching.p.pid)["link"])


def alive(ids):
    """Those of the ids that the kernel still has."""
    env = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
    left = []
    for kind, numbers in ids.items():
        out = subprocess.run(["bpftool", "-j", kind, "show"], stdout=subprocess.PIPE, env=env, check=True,
                             timeout=lib.TIMEOUT).stdout
        left += [(kind, o["id"]) for o in json.loads(out) if o["id"] in numbers]
    return left


def in_ws_binary(ws):
    """lmmsd where everybody can reach it."""
    path = ws.path("lmmsd")
    shutil.copy(lib.LMMSD, path)
    os.chmod(path, 0o755)
    return path


def copy_python(ws, name="copied/bin/python3.11"):
    path = ws.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(os.path.realpath(python()), path)
    os.chmod(path, 0o755)
    return path


def waiting_python(argv, text="import colorsys"):
    """A Python that says that it is up, waits for a line, runs the text, and ends."""
    p = subprocess.Popen([*argv, "-c", f"print('up', flush=True)\ninput()\n{text}\nprint('went on', flush=True)"],
                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.stdout.readline() == "up\n"
    return p


# ---- flags

def test_help_and_version(ws):
    r = ws.lmmsd("--help")
    assert r.returncode == 0 and r.stderr == "" and r.stdout.startswith("lmmsd"), r
    for flag in ("--pid", "--duration", "--format", "-o", "--app", "--uid", "--record", "--replay", "--config", "--db",
                 "--reviews", "--web.listen-address", "--web.config.file", "--probe", "--usage", "--check", "--strict",
                 "--service", "--version"):
        assert flag in r.stdout, flag
    assert all(len(line) <= 80 for line in r.stdout.splitlines())
    with open(os.path.join(lib.REPO, "VERSION"), encoding="ascii") as f:
        version = f.read().strip()
    r = ws.lmmsd("--version")
    assert r.returncode == 0 and r.stderr == "" and r.stdout.startswith(f"lmmsd {version}"), r


def test_wrong_flags(ws):
    for argv, word in [
            (["--bogus"], "--bogus"), (["-x"], "-x"), (["--pid"], "--pid"), (["--pid", "x"], "'x'"),
            (["--pid", "1,,2"], "--pid"), (["--pid", "0"], "'0'"), (["--pid", "99999999999"], "--pid"),
            (["python3"], "lmmsd -- python3"), (["--"], "command"), (["--format", "xml"], "'xml'"),
            (["--duration", "soon"], "'soon'"), (["--duration", "-1"], "--duration"), (["--duration", "nan"], "'nan'"),
            (["--app", "("], "'('"), (["--uid", "root"], "'root'"), (["--probe", "magic"], "'magic'"),
            (["--usage", "maybe"], "'maybe'"), (["--strict"], "--check"), (["-o", ""], "-o"),
            (["--check", "--duration", "1"], "--duration"), (["--pid", "1", "--", "true"], "--pid"),
            (["--replay", "a", "--record", "b"], "--replay"), (["--version=1"], "--version")]:
        r = ws.lmmsd(*argv)
        assert r.returncode == 2 and r.stdout == "", (argv, r)
        one_line(r, word)


def test_no_such_pid(ws):
    p = subprocess.Popen(["true"])
    p.wait()
    r = ws.lmmsd("--pid", str(p.pid))
    assert r.returncode == 5, r
    one_line(r, str(p.pid), "no such process")
    assert r.stdout == ""


def test_pid_that_is_not_python(ws):
    p = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    try:
        r = ws.lmmsd("--pid", str(p.pid))
    finally:
        p.stdin.close()
        p.wait(timeout=lib.TIMEOUT)
    assert r.returncode == 4 and r.stdout == "", r
    one_line(r, str(p.pid), "--check")


def test_pid_of_a_kernel_thread(ws):
    """It has no program at all."""
    r = ws.lmmsd("--pid", "2")
    assert r.returncode == 4 and r.stdout == "", r
    one_line(r, "--pid 2")


def test_commands_that_cannot_start(ws):
    not_executable = ws.write("plain.txt", "text\n")
    no_interpreter = ws.write("broken.py", "#!/no/such/python\n")
    os.chmod(no_interpreter, 0o755)
    out = ws.path("never.json")
    for command, word in [("no-such-command-here", "no such program"), (ws.path("absent"), "no such program"),
                          (not_executable, "not executable"), (no_interpreter, "interpreter is missing"),
                          (ws.dir, "executable")]:
        r = ws.lmmsd("-o", out, "--", command)
        assert r.returncode == 2, (command, r)
        last = r.stderr.splitlines()[-1]
        assert last.startswith("lmmsd: ") and word in last and command in last, (command, last)
        assert not os.path.exists(out), command


# ---- the command's own

def test_exit_status_is_the_commands(ws):
    for status in (0, 1, 42, 255):
        r = ws.lmmsd("--", "sh", "-c", f"exit {status}")
        assert r.returncode == status, (status, r)
    for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        r = ws.lmmsd("--", python(), "-c", f"import os; os.kill(os.getpid(), {int(sig)})")
        assert r.returncode == 128 + sig, (sig, r)


def test_streams_are_the_commands(ws):
    r = ws.run([lib.LMMSD, "--", python(), "-c", REPORT], stdin=None, input="given\n")
    assert r.returncode == 0, r
    assert r.stdout.startswith("GIVEN\n") and "colorsys" in r.stdout, r.stdout[:300]
    assert "to stderr\n" in r.stderr
    assert [x for x in r.stderr.splitlines() if x.startswith("lmmsd: watching ")], r.stderr
    out = ws.path("report.txt")
    r = ws.run([lib.LMMSD, "-o", out, "--", python(), "-c", REPORT], stdin=None, input="given\n")
    assert r.returncode == 0 and r.stdout == "GIVEN\n", r
    with open(out, encoding="utf-8") as f:
        assert "colorsys" in f.read()


def test_command_inherits_nothing_of_ours(ws):
    """No descriptor, no blocked or ignored signal, the same limits."""
    program = ws.write("shows.py", """
import os, resource
print(sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)))
print([x for x in open("/proc/self/status") if x[:6] in ("SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewP")])
print([resource.getrlimit(n) for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_CORE)])
print(os.environ == os.environ, len(os.environ), os.getcwd(), os.getpgid(0) == os.getpgid(os.getppid()))
""")
    bare = ws.run([python(), "-B", program])
    r = ws.lmmsd("-o", ws.path("r.json"), "--", python(), "-B", program)

    def without_glibcs(text):
        # 32 and 33 are glibc's own: no program with threads can pass on that they were ignored
        return re.sub(r"(SigIgn:\\t)([0-9a-f]+)", lambda m: f"{m[1]}{int(m[2], 16) & ~(3 << 31):x}", text)

    assert bare.stdout and without_glibcs(r.stdout) == without_glibcs(bare.stdout), (bare.stdout, r.stdout)


def test_watching_comes_before_the_command(ws):
    r = ws.run([lib.LMMSD, "-o", ws.path("r.json"), "--", python(), "-c", "import sys; print('ran', file=sys.stderr)"])
    lines = r.stderr.splitlines()
    watching = [i for i, x in enumerate(lines) if re.match(r"lmmsd: watching \d+ interpreters? \(.*\)$", x)]
    assert watching and lines.index("ran") > watching[0], lines


def test_command_that_is_not_python(ws):
    r = ws.lmmsd("--format", "json", "--", "true")
    assert r.returncode == 0 and json.loads(r.stdout)["processes"] == [], r
    r = ws.lmmsd("--", "true")
    assert r.returncode == 0 and r.stdout, r


def test_grandchildren(ws):
    """Watched through programs that are not Python."""
    report = ws.profile(["sh", "-c", f"env {python()} -c 'import colorsys'; true"])
    process = lib.only_process(report)
    assert "colorsys" in lib.by_name(process) and process["from_start"]


# ---- outputs

def test_unwritable_output(ws):
    """Found out before anything starts."""
    marker = ws.path("started")
    for target in (ws.path("no/such/dir/r.json"), ws.dir, "/proc/r.json"):
        for flag in ("-o", "--record"):
            r = ws.lmmsd(flag, target, "--", "touch", marker)
            assert r.returncode not in (0, 70) and r.stdout == "", (flag, target, r)
            one_line(r, target)
            assert not os.path.exists(marker), (flag, target)
    assert os.listdir(ws.dir) == [], os.listdir(ws.dir)


def test_output_is_replaced_at_once(ws):
    out = ws.write("r.json", "old")
    os.chmod(out, 0o640)
    r = ws.lmmsd("-o", out, "--", python(), "-c", f"print(open({out!r}).read()); import os; print(os.listdir({ws.dir!r}))")
    assert r.stdout == "old\n['r.json']\n", r
    with open(out, encoding="utf-8") as f:
        assert json.load(f)["complete"] is True
    assert os.stat(out).st_mode & 0o777 == 0o640
    assert os.listdir(ws.dir) == ["r.json"]


def test_full_disk(ws):
    """An error and an exit code; nothing half-written is left."""
    where = ws.path("full")
    os.mkdir(where)
    script = ('mount -t tmpfs -o size=16k tmpfs "$1" || exit 99; shift 1; dir=$1; shift; "$@"; r=$?; '
              'ls -A "$dir" >&2; exit $r')
    for flag, name in (("-o", "r.json"), ("--record", "r.rec")):
        r = ws.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", where, where, lib.LMMSD,
                    flag, os.path.join(where, name), "--", python(), "-c", "import asyncio, unittest.mock"])
        if r.returncode == 99:
            raise lib.Skip("a tmpfs cannot be mounted here")
        assert r.returncode == 70, (flag, r)
        last = r.stderr.splitlines()[-1]
        assert last.startswith("lmmsd: ") and "No space left" in last and name in last, (flag, r.stderr)


def test_closed_stdout(ws):
    """lmmsd | head: no error, no signal."""
    r = ws.run(["sh", "-c", '"$@" | true; true', "sh", lib.LMMSD, "--format", "json", "--", python(), "-c", "import asyncio"])
    assert "annot write" not in r.stderr, r.stderr


def test_no_stdout(ws):
    """Its number must not become another file's, into which the report would be written."""
    rec = ws.path("run.rec")
    r = ws.run(["sh", "-c", '"$@" >&-', "sh", lib.LMMSD, "--record", rec, "--", python(), "-c", "import colorsys"])
    assert r.returncode == 70 and "cannot write the report to 'stdout'" in r.stderr, r
    r = ws.lmmsd("--replay", rec, "--format", "json")
    assert r.returncode == 0 and "colorsys" in lib.by_name(lib.only_process(json.loads(r.stdout))), r.stderr
    # a command has what its caller gave it
    r = ws.run(["sh", "-c", '"$@" >&-', "sh", lib.LMMSD, "-o", ws.path("r.json"), "--", "sh", "-c", "[ ! -e /proc/self/fd/1 ]"])
    assert r.returncode == 0, r


# ---- endings

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
        assert 0.4 < time.monotonic() - began < 20
        assert report["complete"]
    finally:
        out, _ = p.communicate("go\n", timeout=lib.TIMEOUT)
    assert out == "went on\n" and p.returncode == 0


class Terminal:
    """lmmsd on a terminal of its own, as a person has it: the Ctrl-C there is the kernel's."""

    def __init__(self, argv):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(argv[0], argv)
        self.text = ""

    def read_until(self, word):
        while word not in self.text:
            assert select.select([self.fd], [], [], lib.TIMEOUT)[0], f"never said {word!r}: {self.text}"
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
        return self.text.replace("\r\n", "\n"), os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


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
    program, out = ws.write("patient.py", PATIENT.replace("input()", "import signal; signal.pause()")), ws.path("r.json")
    t = Terminal([lib.LMMSD, "-o", out, "--", python(), "-c",
                  f"import os; os.setsid(); os.execv({python()!r}, ['python3', {program!r}])"])
    t.read_until("up\r\n")
    t.ctrl_c()
    text, status = t.wait()
    assert status == 9 and "interrupted\n" in text, (status, text)


def test_nohup(ws):
    """A SIGHUP that is ignored at the start stays ignored."""
    out = ws.path("r.json")
    p = subprocess.Popen(["nohup", lib.LMMSD, "-o", out], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True)
    ws.started.append(p)
    for line in p.stderr:
        if line.startswith("lmmsd: watching "):
            break
    p.send_signal(signal.SIGHUP)
    pid = run_pid([python(), "-c", "import colorsys"])
    assert p.poll() is None
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=lib.TIMEOUT)
    assert p.returncode == 0
    with open(out, encoding="utf-8") as f:
        assert [x for x in json.load(f)["processes"] if x["pid"] == pid]


def test_command_that_leaves_others_running(ws):
    """The report does not wait for them, and says so."""
    left = "import colorsys, sys, time\nprint('up', flush=True)\nsys.stdin.read()"
    program = ws.write("leaves.py", f"import subprocess, sys\np = subprocess.Popen([sys.executable, '-c', {left!r}], stdout=-1)\n"
                       "print(p.stdout.readline())\n")
    p = subprocess.Popen([lib.LMMSD, "-o", ws.path("r.json"), "--", python(), program], text=True, stdin=subprocess.PIPE,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    p.wait(timeout=lib.TIMEOUT)
    _, err = p.communicate(timeout=lib.TIMEOUT)  # and ends the one that was left
    assert "1 Python process that" in err and "still runs" in err, err
    with open(ws.path("r.json"), encoding="utf-8") as f:
        others = [x for x in json.load(f)["processes"] if x["ended"] is None]
    assert p.returncode == 0 and len(others) == 1 and "colorsys" in lib.by_name(others[0]), others


def test_duration_with_a_command(ws):
    p = subprocess.Popen([lib.LMMSD, "--duration", "0.2", "-o", ws.path("r.json"), "--", "cat"], text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.wait(timeout=lib.TIMEOUT)
    out, err = p.communicate("still there\n", timeout=lib.TIMEOUT)
    assert p.returncode == 0 and out == "still there\n" and "'cat' goes on" in err, (out, err)


def test_terminate_with_a_command(ws):
    """SIGTERM to lmmsd alone reaches the command."""
    out = ws.path("r.json")
    p = subprocess.Popen([lib.LMMSD, "-o", out, "--", python(), "-c", "import colorsys; print('up', flush=True); input()"],
                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert p.stdout.readline() == "up\n"
    p.terminate()
    p.wait(timeout=lib.TIMEOUT)
    p.communicate()
    assert p.returncode == 128 + signal.SIGTERM, p.returncode
    with open(out, encoding="utf-8") as f:
        assert "colorsys" in lib.by_name(lib.only_process(json.load(f)))


def test_killed_lmmsd_leaves_nothing(ws):
    p = waiting_python([python()])
    w = ws.start("--pid", str(p.pid))
    ids = own_ids(w.p.pid)
    assert ids["prog"] and len(ids["link"]) >= 4 and len(alive(ids)) == sum(map(len, ids.values())), ids
    w.p.kill()
    w.p.communicate(timeout=lib.TIMEOUT)
    until(lambda: not alive(ids), "programs and links of a killed lmmsd go away")
    out, _ = p.communicate("go\n", timeout=lib.TIMEOUT)
    assert out == "went on\n" and p.returncode == 0
    assert os.listdir(ws.dir) == []


def test_command_of_a_killed_lmmsd_goes_on(ws):
    done = ws.path("done")
    p = subprocess.Popen([lib.LMMSD, "--", python(), "-c", "import os; print(os.getpid(), flush=True); input(); "
                          f"import colorsys; open({done!r}, 'w').close(); print('went on', flush=True)"],
                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    int(p.stdout.readline())
    ids = own_ids(p.pid)
    p.kill()
    until(lambda: not alive(ids), "programs and links of a killed lmmsd go away")
    out, _ = p.communicate("go\n", timeout=lib.TIMEOUT)
    assert out == "went on\n" and os.path.exists(done)


def test_normal_end_leaves_nothing(ws):
    w = ws.start()
    ids = own_ids(w.p.pid)
    assert ids["prog"] and ids["link"]
    w.stop()
    until(lambda: not alive(ids), "programs and links go away")  # the kernel frees them after a grace period


def test_held_command_dies_with_lmmsd(ws):
    """The command waits while lmmsd attaches; an error then must not leave it waiting, nor run it."""
    marker = ws.path("ran")
    r = ws.lmmsd("--pid", "1", "-o", ws.path("x/y"), "--", "touch", marker)
    assert r.returncode == 2 and not os.path.exists(marker)


# ---- privileges

def test_no_privilege(ws):
    lmmsd = in_ws_binary(ws)
    marker = ws.path("ran")
    for argv in ([], ["--duration", "1"], ["--", "touch", marker]):
        r = ws.run([*UNPRIVILEGED, lmmsd, *argv], cwd="/")
        assert r.returncode == 3 and r.stdout == "", (argv, r)
        one_line(r, "root", "CAP_BPF")
    assert not os.path.exists(marker)
    r = ws.run([*UNPRIVILEGED, lmmsd, "--check"], cwd="/")
    assert r.returncode == 3, r
    assert "NO    BPF programs" in r.stdout and r.stderr == "", r
    assert "root" in r.stdout.splitlines()[-1] and "CAP_BPF" in r.stdout.splitlines()[-1], r.stdout
    assert ws.run([*UNPRIVILEGED, lmmsd, "--help"], cwd="/").returncode == 0


def test_root_without_capabilities(ws):
    """Root in a container: the user is 0, the capabilities are not there."""
    r = ws.run(["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", lib.LMMSD, "--", "true"])
    assert r.returncode == 3, r
    one_line(r, "CAP_BPF")


def test_pid_namespace(ws):
    """Pids of a namespace are not those that the kernel side sees: refused, not an empty report."""
    own = ["unshare", "--pid", "--fork", "--mount-proc"]
    if ws.run([*own, "true"]).returncode:
        raise lib.Skip("no PID namespace can be made here")
    r = ws.run([*own, lib.LMMSD, "--", python(), "-c", "pass"])
    assert r.returncode == 4 and "--pid=host" in r.stderr and len(r.stderr.splitlines()) == 1, r


def test_sudo(ws):
    env = {**os.environ, "SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody", "SUDO_COMMAND": "x"}
    program = ("import os; print(os.getresuid(), os.getresgid(), os.getgroups(), os.environ.get('HOME'), "
               "[k for k in os.environ if k.startswith('SUDO')]); import colorsys")
    out = ws.path("r.json")
    r = ws.lmmsd("-o", out, "--", python(), "-c", program, env=env, cwd="/")
    ids = (NOBODY,) * 3
    assert r.returncode == 0 and r.stdout == f"{ids} {ids} [{NOBODY}] /nonexistent []\n", r
    with open(out, encoding="utf-8") as f:
        process = lib.only_process(json.load(f))
    assert process["uid"] == NOBODY and "colorsys" in lib.by_name(process)
    assert os.stat(out).st_uid == os.getuid()
    for bad in ("nobody", "-1", "4294967295"):
        r = ws.lmmsd("--", "true", env={**env, "SUDO_UID": bad})
        assert r.returncode != 0 and r.stderr.splitlines()[-1].startswith("lmmsd: "), (bad, r)


def test_check(ws):
    r = ws.lmmsd("--check")
    assert r.returncode == 0 and r.stderr == "", r
    lines = r.stdout.splitlines()
    assert lines[0].startswith("kernel ") and "interpreters" in lines and lines[-1] == "lmmsd can watch this host", lines
    real = os.path.realpath(python())
    assert any(x.split()[:3] == ["yes", lib.system_python().text, "callsite"] and x.split()[3] == real for x in lines), lines
    assert not any("\x1b" in x for x in lines)


def test_check_strict(ws):
    r = ws.lmmsd("--check", "--strict")
    assert r.returncode == 0 and r.stderr == "", r
    assert r.stdout.splitlines()[-1] == "lmmsd can watch this host"


def test_check_with_a_wanted_probe(ws):
    r = ws.lmmsd("--check", "--probe", "entry")
    mine = [x for x in r.stdout.splitlines() if os.path.realpath(python()) in re.split("[ :]+", x)]
    assert len(mine) == 1 and " entry " in mine[0] and "costly" in mine[0], mine


# ---- what to watch

def test_uid_filter(ws):
    program = ws.write("anyone.py", "import colorsys\n")
    w = ws.start("--uid", str(NOBODY))
    assert ws.run([python(), program]).returncode == 0
    assert ws.run([*UNPRIVILEGED, python(), program], cwd="/").returncode == 0
    report = w.stop()
    process = lib.only_process(report, lambda p: program in p["cmdline"])
    assert process["uid"] == NOBODY and "colorsys" in lib.by_name(process)
    assert all(p["uid"] == NOBODY for p in report["processes"])


def test_app_filter(ws):
    wanted, other = ws.write("wanted.py", "import colorsys\n"), ws.write("other.py", "import colorsys\n")
    w = ws.start("--app", "/wanted[.]py$")
    for program in (wanted, other):
        assert ws.run([python(), program]).returncode == 0
    report = w.stop()
    assert [p["app"] for p in report["processes"]] == [os.path.basename(ws.dir) + "/wanted.py"]


def test_usage_off(ws):
    program = ws.write("often.py", "import colorsys\ndef f():\n    import colorsys\nfor _ in range(10): f()\n")
    process = lib.only_process(ws.profile([python(), program], "--usage", "off"))
    assert lib.by_name(process)["colorsys"]["uses"] == 1
    process = lib.only_process(ws.profile([python(), program], "--usage", "on"))
    assert lib.by_name(process)["colorsys"]["uses"] == 11


def test_forced_probes(ws, py):
    """Each way to probe sees the same loads."""
    argv = py("-I", "-S", "-c", "import colorsys, json\ntry:\n    import nothing_here\nexcept ImportError: pass")
    seen = {}
    for probe in ("usdt", "callsite", "entry"):
        out = ws.path(probe + ".json")
        r = ws.lmmsd("--probe", probe, "-o", out, "--", *argv)
        assert r.returncode == 0, r
        with open(out, encoding="utf-8") as f:
            report = json.load(f)
        lib.check_sane(report)
        if probe == "usdt" and py.kind != "usdt":
            assert not any(p["modules"] for p in report["processes"])
            assert "not watching '" in r.stderr and "USDT" in r.stderr, r.stderr
            continue
        process = lib.only_process(report)
        assert process["probe"] == probe, (process["probe"], probe)
        assert report["lost"] == {}, (probe, report["lost"])
        seen[probe] = [row[:2] for row in lib.oracle_rows(process)]
    first = next(iter(seen.values()))
    assert {"colorsys", "json", "nothing_here"} <= {name for name, _ in first}
    for probe, rows in seen.items():
        assert rows == first, (probe, [r for r in rows if r not in first], [r for r in first if r not in rows])


# ---- configuration

def test_configuration(ws):
    good = ws.write("good.conf", "[observe]\nusage = off\napp = ^python -c$\n")
    program = "def f():\n    import colorsys\nfor _ in range(10): f()"
    process = lib.only_process(ws.profile([python(), "-c", program], "--config", good))
    assert lib.by_name(process)["colorsys"]["uses"] == 1
    process = lib.only_process(ws.profile([python(), "-c", program], "--config", good, "--usage", "on"))
    assert lib.by_name(process)["colorsys"]["uses"] == 10


def test_configuration_errors(ws):
    for text, line in [("[observe]\nusage = perhaps\n", 2), ("[observe]\n\nno_such_key = 1\n", 3),
                       ("[nowhere]\nx = 1\n", 2), ("[limits]\nring_kib = 100\n", 2), ("# fine\n[observe\n", 2),
                       ("[observe]\napp = (\n", 2), ("garbage\n", 1), ("[web]\nconfig_file = relative\n", 2)]:
        path = ws.write("bad.conf", text)
        r = ws.lmmsd("--config", path, "--", "true")
        assert r.returncode == 2 and r.stdout == "", (text, r)
        one_line(r, f"{path}:{line}:")
    r = ws.lmmsd("--config", ws.path("absent.conf"), "--", "true")
    assert r.returncode == 5, r
    one_line(r, ws.path("absent.conf"))


def test_small_limits(ws):
    """What is over a limit is counted, never silently left out."""
    conf = ws.write("small.conf", "[limits]\nmax_modules = 100\n")
    out = ws.path("r.json")
    r = ws.lmmsd("--config", conf, "-o", out, "--", python(), "-c", "import asyncio, unittest.mock, http.server")
    assert r.returncode == 0, r
    with open(out, encoding="utf-8") as f:
        report = json.load(f)
    assert report["lost"].get("limit_modules", 0) > 0 and report["complete"] is False, report["lost"]


# ---- terminals

def on_a_terminal(argv, env):
    """The command's output on a pseudo terminal."""
    master, slave = os.openpty()
    p = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, **env}, close_fds=True)
    os.close(slave)
    data = b""
    while True:
        try:
            some = os.read(master, 65536)
        except OSError:
            break
        if not some:
            break
        data += some
    os.close(master)
    assert p.wait(timeout=lib.TIMEOUT) == 0, data
    return data


def test_colour(ws):
    argv = [lib.LMMSD, "--", python(), "-c", "import asyncio"]
    env = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    os.environ.pop("NO_COLOR", None)
    assert re.search(rb"\x1b\[[0-9;]*m", on_a_terminal(argv, env))
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        data = on_a_terminal(argv, {**env, **plain})
        assert not re.search(rb"\x1b\[[0-9;]*m", data), data[:400]
        assert b"asyncio" in data


def test_ascii_where_the_locale_is(ws):
    for locale, ascii_only in (("C.UTF-8", False), ("C", True)):
        r = subprocess.run([lib.LMMSD, "--", python(), "-X", "utf8", "-c", "import asyncio"], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, env={**os.environ, "LC_ALL": locale}, check=True,
                           timeout=lib.TIMEOUT)
        assert r.stdout.isascii() == ascii_only, (locale, r.stdout[:300])


# ---- interpreters that come and go

def complete_run(report, pid):
    process = lib.only_process(report, lambda p: p["pid"] == pid)
    return process["from_start"], lib.oracle_rows(process)[0][0], "colorsys" in lib.by_name(process)


def bare_first(argv):
    """The name of the load that ends first, by the interpreter's own word."""
    r = subprocess.run([*argv, "-X", "importtime", "-c", "pass"], stderr=subprocess.PIPE, text=True, check=True,
                       timeout=lib.TIMEOUT)
    return lib.importtime(r.stderr)[0][0]


def run_pid(argv):
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    assert p.wait(timeout=lib.TIMEOUT) == 0
    return p.pid


def test_new_interpreter(ws):
    """One that appears after the start: the second run is complete from its first import."""
    w = ws.start()
    before = links(w)
    path = copy_python(ws)
    run_pid([path, "-c", "import colorsys"])
    until(lambda: links(w) > before, "attached to the new interpreter")
    pid = run_pid([path, "-c", "import colorsys"])
    report = w.stop()
    assert complete_run(report, pid) == (True, bare_first([path]), True)
    process = lib.only_process(report, lambda p: p["pid"] == pid)
    assert process["exe"] == path and process["lost"] == {}, (process["exe"], process["lost"])


def test_short_lived_new_interpreter(ws):
    """Each process of an unknown interpreter may end before it can be looked at; one of many is enough."""
    fresh = ws.path("python-brief")
    shutil.copy(os.path.realpath(python()), fresh)
    w = ws.start()
    for _ in range(60):
        assert ws.run([fresh, "-I", "-S", "-c", "pass"]).returncode == 0
    report = w.stop()
    seen = [p for p in report["processes"] if p["exe"] == fresh and p["from_start"]]
    assert seen, [(p["exe"], p["from_start"]) for p in report["processes"]]


def test_replaced_interpreter(ws):
    """An upgrade: another file under the same name."""
    path = copy_python(ws)
    w = ws.start()
    before = links(w)
    run_pid([path, "-c", "pass"])
    until(lambda: links(w) == before + 1, "attached to the old file")
    os.rename(copy_python(ws, "fresh/python3.11"), path)
    run_pid([path, "-c", "pass"])
    until(lambda: links(w) == before + 2, "attached to the new file")
    pid = run_pid([path, "-c", "import colorsys"])
    report = w.stop()
    assert complete_run(report, pid) == (True, bare_first([path]), True)


def test_deleted_interpreter(ws):
    """The file is gone, its process runs on."""
    path = copy_python(ws)
    p = waiting_python([path])
    os.unlink(path)
    try:
        w = ws.start()
        p.stdin.write("go\n")
        p.stdin.flush()
        assert p.stdout.readline() == "went on\n"
        report = w.stop()
    finally:
        p.communicate(timeout=lib.TIMEOUT)
    process = lib.only_process(report, lambda q: q["pid"] == p.pid)
    assert "colorsys" in lib.by_name(process) and process["from_start"] is False


def test_command_with_a_new_interpreter(ws):
    """A path that nobody knows: found from the command's name, complete from the first import."""
    path = copy_python(ws)
    script = ws.write("tool", f"#!{path} -sP\nimport colorsys\n")
    os.chmod(script, 0o755)
    for argv in ([path, "-c", "import colorsys"], [script], ["env", path, "-c", "import colorsys"]):
        report = ws.profile(argv)
        process = lib.only_process(report)
        assert complete_run(report, process["pid"]) == (True, bare_first([path]), True), argv
