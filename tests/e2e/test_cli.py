# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The command line as a user meets it: flags, exit codes, and what the command gets of it."""
import json
import os
import re
import signal
import subprocess

import lib
from cli import NOBODY, one_line, python
from service import LMMSCTL

REPORT = """
import sys
print(sys.stdin.read().upper(), end='')
print('to stderr', file=sys.stderr)
import colorsys
"""


def test_help_and_version(ws):
    """What they say is in tests/unit/test_options.c."""
    r = ws.lmmsd("--help")
    assert r.returncode == 0 and r.stderr == "" and r.stdout.startswith("lmmsd"), r
    with open(os.path.join(lib.REPO, "VERSION"), encoding="ascii") as f:
        version = f.read().strip()
    r = ws.lmmsd("--version")
    assert r.returncode == 0 and r.stderr == "" and r.stdout.startswith(f"lmmsd {version}"), r


def test_wrong_option(ws):
    """One line on stderr, status 2; tests/unit/test_options.c has the kinds of errors."""
    r = ws.lmmsd("--duration", "soon")
    assert r.returncode == 2 and r.stdout == "", r
    one_line(r, "'soon'")
    r = ws.run([LMMSCTL, "apps", "--bogus"])
    assert r.returncode == 2 and r.stdout == "", r
    assert re.fullmatch(r"lmmsctl: .*--bogus.*\n", r.stderr), r


def test_no_such_pid(ws):
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as f:
        pid = f.read().strip()  # process ids are below it
    r = ws.lmmsd("--pid", pid)
    assert r.returncode == 5, r
    one_line(r, pid, "no such process")
    assert r.stdout == ""


def test_pid_that_is_not_python(ws):
    p = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    try:
        r = ws.lmmsd("--pid", str(p.pid))
    finally:
        p.stdin.close()
        lib.wait(p)
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
    for command, word in [("no-such-command-here", "no such program"),
                          (ws.path("absent"), "no such program"),
                          (not_executable, "not executable"),
                          (no_interpreter, "interpreter is missing"),
                          (ws.dir, "executable")]:
        r = ws.lmmsd("-o", out, "--", command)
        assert r.returncode == 2, (command, r)
        last = r.stderr.splitlines()[-1]
        assert last.startswith("lmmsd: ") and word in last and command in last, (command, last)
        assert not os.path.exists(out), command


def test_exit_status_is_the_commands(ws):
    r = ws.lmmsd("--", "sh", "-c", "exit 255")
    assert r.returncode == 255, r
    r = ws.lmmsd("--", python(), "-c", f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    assert r.returncode == 128 + signal.SIGSEGV, r


def test_streams_are_the_commands(ws):
    r = ws.lmmsd("--", python(), "-c", REPORT, input="given\n")
    assert r.returncode == 0, r
    assert r.stdout.startswith("GIVEN\n") and "colorsys" in r.stdout, r.stdout[:300]
    assert "to stderr\n" in r.stderr
    assert [x for x in r.stderr.splitlines() if x.startswith("lmmsd: watching ")], r.stderr
    out = ws.path("report.txt")
    r = ws.lmmsd("-o", out, "--", python(), "-c", REPORT, input="given\n")
    assert r.returncode == 0 and r.stdout == "GIVEN\n", r
    with open(out, encoding="utf-8") as f:
        assert "colorsys" in f.read()


def test_command_inherits_nothing_of_ours(ws):
    """No descriptor, no blocked or ignored signal, the same limits."""
    program = ws.write("shows.py", """
import os, resource
print(sorted(int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)))
print([x for x in open("/proc/self/status")
       if x[:6] in ("SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewP")])
print([resource.getrlimit(n)
       for n in (resource.RLIMIT_NOFILE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_CORE)])
print(len(os.environ), os.getcwd(), os.getpgid(0) == os.getpgid(os.getppid()))
""")
    bare = ws.run([python(), "-B", program])
    r = ws.lmmsd("-o", ws.path("r.json"), "--", python(), "-B", program)

    def without_glibcs(text):
        # 32 and 33 are glibc's own: no program with threads can pass on that they were ignored
        return re.sub(r"(SigIgn:\\t)([0-9a-f]+)",
                      lambda m: f"{m[1]}{int(m[2], 16) & ~(3 << 31):x}", text)

    assert bare.stdout and without_glibcs(r.stdout) == without_glibcs(bare.stdout), \
        (bare.stdout, r.stdout)


def test_watching_comes_before_the_command(ws):
    r = ws.run([lib.LMMSD, "-o", ws.path("r.json"), "--", python(), "-c",
                "import sys; print('ran', file=sys.stderr)"])
    lines = r.stderr.splitlines()
    watching = [i for i, x in enumerate(lines)
                if re.match(r"lmmsd: watching \d+ interpreters? \(.*\)$", x)]
    assert watching and lines.index("ran") > watching[0], lines


def test_command_that_is_not_python(ws):
    rec = ws.path("run.rec")
    r = ws.lmmsd("--format", "json", "--record", rec, "--", "true")
    assert r.returncode == 0 and json.loads(r.stdout)["processes"] == [], r
    r = ws.lmmsd("--replay", rec)
    assert r.returncode == 0 and r.stdout, r


def test_grandchildren(ws):
    """Watched through programs that are not Python."""
    run = ws.watch(["sh", "-c", f"env {python()} -c 'import colorsys'; true"])
    yield
    process = lib.only_process(run.report)
    assert "colorsys" in lib.by_name(process) and process["from_start"]


def test_refused_command_does_not_start(ws):
    marker = ws.path("ran")
    r = ws.lmmsd("--pid", "1", "-o", ws.path("x/y"), "--", "touch", marker)
    assert r.returncode == 2 and not os.path.exists(marker)


def test_sudo(ws):
    env = {**os.environ, "SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody",
           "SUDO_COMMAND": "x"}
    program = ("import os; print(os.getresuid(), os.getresgid(), os.getgroups(), "
               "os.environ.get('HOME'), "
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
