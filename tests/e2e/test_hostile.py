# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What a user of the host can do to the lmmsd that watches it."""
import contextlib
import os
import struct
import subprocess

import lib
from cli import run_pid, run_until_attached
from service import wait_for
from test_interpreters import copy_python


def odd_elf(salt):
    """A program that exports CPython's import function, is none, and does nothing but wait. Each is
    another file."""
    base, names = 0x400000, b"\0PyImport_ImportModuleLevelObject\0"
    symbols = 64 + 2 * 56
    strings = symbols + 48
    hashes = (strings + len(names) + 7) // 8 * 8
    dynamic = hashes + 24
    code = dynamic + 6 * 16
    total = code + 16
    segments = (struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, total, total, 4096) +
                struct.pack("<IIQQQQQQ", 2, 6, dynamic, base + dynamic, base + dynamic, 96, 96, 8))
    out = bytearray(total)
    for at, part in (
            (0, struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 62, 1,
                            base + code, 64, 0, 0, 64, 56, 2, 64, 0, 0)),
            (64, segments), (symbols + 24, struct.pack("<IBBHQQ", 1, 0x12, 0, 1, base + code, 16)),
            (strings, names),
            (hashes, struct.pack("<IIIII", 1, 2, 1, 0, 0)),
            (dynamic, b"".join(struct.pack("<QQ", *e) for e in (
                (4, base + hashes), (5, base + strings), (6, base + symbols), (10, len(names)),
                (11, 24), (0, 0)))),
            (code, b"\xb8\x22\0\0\0\x0f\x05\xeb\xf7"),  # 1: pause(); goto 1
            (total - 4, struct.pack("<I", salt))):
        out[at:at + len(part)] = part
    return bytes(out)


def held_below(pid, where):
    """Files of this directory that a process has open."""
    held = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            held.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return [path for path in held if path.startswith(where + "/python")]


def test_thousand_odd_programs(ws):
    """Each looks like a Python that cannot be watched. None may cost lmmsd a descriptor, or people
    a line for ever."""
    w = ws.start("-v", prefix=["prlimit", "--nofile=400:400"])
    for part in range(20):
        odd = {}
        for i in range(50):
            path = ws.path(f"python{part}.{i}")
            with open(path, "wb") as f:
                f.write(odd_elf(part * 50 + i))
            os.chmod(path, 0o755)
            odd[path] = subprocess.Popen([path])
        waiting = set(odd)
        with lib.Patience(w.p):
            while waiting:
                line = w.p.stderr.readline()
                assert line, "lmmsd ended, or said nothing more"
                w.lines.append(line)
                if "not watching" in line:
                    waiting.discard(line.split("'")[1])
        for p in odd.values():
            p.kill()
            p.wait()
    # None is held open, and of 400 descriptors enough are left to attach to a new interpreter.
    wait_for("lmmsd lets go of all odd programs", lambda: not held_below(w.p.pid, ws.dir))
    path = copy_python(ws)
    run_until_attached(w, [path, "-c", "pass"])
    pid = run_pid([path, "-c", "import colorsys"])
    process = lib.only_process(w.stop(), lambda x: x["pid"] == pid)
    assert "colorsys" in lib.by_name(process)
    assert len([line for line in w.lines if "-v names them" in line]) == 1


def hung_directory(ws, where=None, prefix=()):
    """A mounted file system that answers nobody but whom it was told of."""
    if where is None:
        where = ws.path("hung")
        os.mkdir(where)
    server = subprocess.Popen([*prefix, "python3", os.path.join(lib.HERE, "hungfs.py"), where,
                               os.path.realpath(lib.system_python().command[0])],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = server.stdout.readline()
    if said != "up\n":
        lib.talk(server)
        assert said, "the file system's server failed"
        raise lib.Skip(f"FUSE cannot be mounted here: {said.strip()}")
    return where, server


def meet(server, pid):
    server.stdin.write(f"{pid}\n")
    server.stdin.flush()
    assert server.stdout.readline() == "met\n"


def unmount(where, server, inside=()):
    """Ends those who wait in it, too."""
    subprocess.run([*inside, "umount", "-l", where], check=False)
    server.kill()
    server.communicate()


def test_modules_on_a_file_system_that_hangs(ws):
    """The program reads its module; lmmsd, which asks for the module's distribution, gets no
    answer. It goes on without."""
    where, server = hung_directory(ws)
    try:
        w = ws.start()
        p = subprocess.Popen(lib.system_python()("-B", "-c",
                                                 "input()\nimport sys\n"
                                                 f"sys.path.insert(0, {where!r})\nimport slow"),
                             stdin=subprocess.PIPE, text=True)
        meet(server, p.pid)
        lib.talk(p, "go\n")
        assert p.returncode == 0
        after = subprocess.Popen(lib.system_python()("-c", "import csv"))
        assert lib.wait(after) == 0
        report = w.stop()
        assert report["lost"].get("files_slow", 0) >= 1 and not report["complete"], report["lost"]
        process = lib.only_process(report, lambda x: x["pid"] == p.pid)
        assert lib.by_name(process)["slow"]["importer"] == "__main__"
        assert lib.by_name(process)["colorsys"]["importer"] == "slow"
        assert "csv" in lib.by_name(lib.only_process(report, lambda x: x["pid"] == after.pid))
    finally:
        unmount(where, server)


def test_interpreter_on_a_file_system_that_hangs(ws):
    """It runs already, from a file that nobody can look at any more. The others are watched all the
    same."""
    where, server = hung_directory(ws)
    starter = subprocess.Popen(["sh", "-c",
                                f"read go; PYTHONHOME=/usr exec {where}/python3.11 -I -S -c "
                                "'print(1, flush=True); import signal; signal.pause()'"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ws.started.append(starter)
    try:
        meet(server, starter.pid)
        starter.stdin.write("go\n")
        starter.stdin.flush()
        assert starter.stdout.readline() == "1\n"
        w = ws.start()
        assert "does not answer" in "".join(w.lines), w.lines
        p = subprocess.Popen(lib.system_python()("-c", "import csv"))
        assert lib.wait(p) == 0
        assert "csv" in lib.by_name(lib.only_process(w.stop(), lambda x: x["pid"] == p.pid))
        r = ws.lmmsd("--check")
        assert r.returncode == 0 and "could not be read" in r.stdout, r
    finally:
        starter.kill()
        unmount(where, server)


def test_program_that_starts_from_a_file_system_that_hangs(ws):
    """lmmsd meets it at its exec. It goes on, and so does what runs elsewhere."""
    where, server = hung_directory(ws)
    starter = None
    try:
        w = ws.start()
        starter = subprocess.Popen(["sh", "-c",
                                    f"read go; PYTHONHOME=/usr exec {where}/python3.11 -I -S -c "
                                    "'print(1, flush=True); import signal; signal.pause()'"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ws.started.append(starter)
        meet(server, starter.pid)
        starter.stdin.write("go\n")
        starter.stdin.flush()
        assert starter.stdout.readline() == "1\n"
        # If it hangs it cannot even be killed: the file system's end is what wakes it.
        with lib.Patience(server):
            while "does not answer" not in w.lines[-1] and server.poll() is None:
                w.lines.append(w.p.stderr.readline())
        assert "does not answer" in w.lines[-1], w.lines
        p = subprocess.Popen(lib.system_python()("-c", "import csv"))
        assert lib.wait(p) == 0
        assert "csv" in lib.by_name(lib.only_process(w.stop(), lambda x: x["pid"] == p.pid))
    finally:
        if starter:
            starter.kill()
        unmount(where, server)


def test_home_on_a_file_system_that_hangs(ws):
    """The search for Pythons passes it by, and says so. Mounted where only this test and its lmmsd
    see it."""
    mounted = 'mount -t tmpfs none /home && mkdir /home/u && exec "$@"'
    where, server = hung_directory(ws, "/home/u", ["unshare", "-m", "sh", "-c", mounted, "sh"])
    inside = ["nsenter", "-m", "-t", str(server.pid)]
    try:
        w = ws.start(prefix=inside)
        assert "'/home/u' does not answer" in "".join(w.lines), w.lines
        p = subprocess.Popen(lib.system_python()("-c", "import csv"))
        assert lib.wait(p) == 0
        report = w.stop()
        assert "csv" in lib.by_name(lib.only_process(report, lambda x: x["pid"] == p.pid))
        assert report["lost"]["search_cut"] >= 1, report["lost"]
        r = ws.run([*inside, lib.LMMSD, "--check"])
        assert r.returncode == 0 and "'/home/u' does not answer" in r.stderr, r
    finally:
        unmount(where, server, inside)


def test_automounter_is_left_alone(ws):
    """What it serves is mounted for who goes there. A search of all homes would mount them all, or
    wait for ever."""
    server = subprocess.Popen(["unshare", "-m", "python3", os.path.join(lib.HERE, "autofs.py"),
                               "/home"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said = server.stdout.readline()
    try:
        if said != "up\n":
            raise lib.Skip(f"autofs cannot be mounted here: {said.strip()}")
        r = ws.run(["nsenter", "-m", "-t", str(server.pid), lib.LMMSD, "--check"])
        assert r.returncode == 0, r
        assert "'/home' is left to its automounter" in r.stdout, r
        assert "does not answer" not in r.stderr, r
        server.stdin.close()
        assert server.stdout.read() == "asked 0 times\n"
    finally:
        server.kill()
        server.wait()
