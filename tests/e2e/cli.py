# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the tests of the command line share."""
import contextlib
import glob
import os
import re
import subprocess

import lib
from service import wait_for

NOBODY = 65534
UNPRIVILEGED = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--bounding-set", "-all",
                "--inh-caps", "-all"]


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


def holds(watching, path):
    """Is the file of this name open in lmmsd? What it has looked at it keeps only when it is attached to it."""
    wanted = os.stat(path)
    for fd in glob.glob(f"/proc/{watching.p.pid}/fd/*"):
        try:
            has = os.stat(fd)
        except FileNotFoundError:
            continue
        if (has.st_dev, has.st_ino) == (wanted.st_dev, wanted.st_ino):
            return True
    return False


def probed_paths(pid):
    """Paths of the programs that a process has uprobes in; None where this kernel shows none."""
    paths = None
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as f:
            found = re.findall(r"^path:\t(.*)$", f.read(), re.M)
            paths = [*(paths or []), *found] if found else paths
    return paths


def run_until_attached(watching, argv):
    """A process may end before it can be looked at, so it is run until it was."""
    before = own_ids(watching.p.pid)["link"]

    def run():
        run_pid(argv)
        paths = probed_paths(watching.p.pid)
        if paths is not None:
            return holds(watching, argv[0]) and argv[0] in paths
        # held, and links came: it is open while lmmsd looks at it, too
        return holds(watching, argv[0]) and own_ids(watching.p.pid)["link"] - before

    wait_for(f"attached to {argv[0]}", run)


def waiting_python(argv, text="import colorsys"):
    """A Python that says that it is up, waits for a line, runs the text, and ends."""
    p = subprocess.Popen([*argv, "-c", f"print('up', flush=True)\ninput()\n{text}\nprint('went on', flush=True)"],
                         text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.stdout.readline() == "up\n"
    return p


def run_pid(argv):
    p = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    assert p.wait(timeout=lib.TIMEOUT) == 0
    return p.pid
