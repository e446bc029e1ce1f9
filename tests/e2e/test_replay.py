# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The observation ends while modules load: its report and the one on its recording are the same."""
import json
import os
import subprocess

import lib
from service import exit_status
from test_formats import difference, replayed

# Five loads are open while it waits: three in one another, and one in each of two more threads.
FILES = {
    "prog.py": "import threading\n"
               "others = [threading.Thread(target=__import__, args=['pb' + n]) for n in '12']\n"
               "for t in others:\n    t.start()\n"
               "import outer\n",
    "outer.py": "import middle\n",
    "middle.py": "import inner\n",
    "inner.py": "import hold\nhold.here()\n",
    "pb1.py": "import hold\nhold.here()\n",
    "pb2.py": "import hold\nhold.here()\n",
    "hold.py": "import os, sys\ndef here():\n    os.write(2, b'up\\n')\n    sys.stdin.read()\n",
}
OPEN = ["inner", "middle", "outer", "pb1", "pb2"]


class Program:
    """Its stdin keeps it in its five imports; its stderr says that it is there."""

    def __init__(self, ws):
        for name, text in FILES.items():
            ws.write(name, text)
        self.argv = lib.system_python()("-B", ws.path("prog.py"))
        self.held, self.hold = os.pipe()
        self.said, self.says = os.pipe()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for fd in (self.held, self.hold, self.said, self.says):
            os.close(fd)

    def until_there(self):
        """Until the innermost module of each of its three threads runs."""
        said = b""
        while said.count(b"up\n") < 3:
            part = os.read(self.said, 4096)
            assert part, said
            said += part


def open_loads(ws, report):
    process = lib.only_process(report, lambda p: p["cmdline"][-1] == ws.path("prog.py"))
    return process, sorted(m["name"] for m in process["modules"]
                           if m.get("timed") == "open" and m["name"] != "__main__")


def check_replay(ws, report):
    """The same to the last bit, and every load that is open lasts until the end."""
    again = json.loads(replayed(ws, ws.path("run.rec"), "--format", "json"))
    found = difference(report, again)
    assert found is None, found


def test_duration_ends_inside_imports(ws):
    """How long the program needs to get there depends on the host: it gets twice as long each time
    that it was too short."""
    seconds, names = 1, []
    while names != OPEN:
        assert seconds <= 64, names
        with Program(ws) as program:
            # it goes on, so it must not keep the pipes of the report's reader
            quiet = ["sh", "-c", 'exec "$@" >/dev/null 2>&1', "sh", *program.argv]
            report = ws.profile(quiet, "--duration", str(seconds), "--record", ws.path("run.rec"),
                                stdin=program.held)
        check_replay(ws, report)
        process, names = open_loads(ws, report) if report["processes"] else (None, [])
        seconds *= 2
    assert process["ended"] is None and report["complete"] is True, report


def test_stopped_inside_imports(ws):
    """The same by Ctrl-C, of the whole host."""
    rec = ws.path("run.rec")
    with Program(ws) as program:
        w = ws.start("--record", rec)
        p = subprocess.Popen(program.argv, stdin=program.held, stderr=program.says)
        ws.started.append(p)
        program.until_there()
        report = w.stop()
    check_replay(ws, report)
    process, names = open_loads(ws, report)
    assert names == OPEN and process["ended"] is None, names
    assert exit_status(p) == 0
