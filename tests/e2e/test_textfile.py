# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""[textfile]: the daemon's metrics in a file, read by a real node_exporter."""
import os
import re
import shutil
import signal
import sys

import lib
from service import Service, exit_status, wait_for

sys.path.append(os.path.join(lib.REPO, "tests/prom"))
import servers  # noqa: E402

OURS = f"tf{os.getpid()}"
APP = f"{OURS}/manage.py"
NAMES = ("prometheus-node-exporter", "node_exporter")


def config(ws, text):
    return ws.write("own.conf", f"[observe]\napp = ^{OURS}\n[textfile]\ninterval_s = 1\n" + text)


def content(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def until_counted(path):
    wait_for("the run in the file", lambda: f'lmmsd_runs_total{{app="{APP}"}}' in content(path))
    return content(path)


def program(ws):
    return lib.system_python()(ws.write(APP, "import json\n"))


def test_file(ws):
    os.mkdir(ws.path("d"))
    path = ws.path("d/lmmsd.prom")
    before = os.umask(0o077)
    try:
        with Service(ws, "--config", config(ws, f"path = {path}\n")) as s:
            os.umask(before)
            s.run(program(ws))
            text = until_counted(path)
            assert os.stat(path).st_mode & 0o7777 == 0o644, oct(os.stat(path).st_mode)
            samples = [x for x in text.splitlines() if x and not x.startswith("#")]
            for x in samples:
                assert re.fullmatch(r'lmmsd_\w+(\{.*\})? \S+', x), x  # no timestamp, no process_*
            assert any(x.startswith("lmmsd_build_info{") for x in samples)
            assert shutil.which("promtool"), "package prometheus"
            r = ws.run(["promtool", "check", "metrics"], stdin=None, input=text)
            assert (r.returncode, r.stdout, r.stderr) == (0, "", ""), r
            # written anew, and never there in part: whoever has it open keeps a whole one
            with open(path, encoding="utf-8") as old:
                inode = os.stat(path).st_ino
                wait_for("a new file", lambda: os.stat(path).st_ino != inode)
                assert old.read().endswith("\n") and os.fstat(old.fileno()).st_nlink == 0
            assert set(os.listdir(ws.path("d"))) <= {"lmmsd.prom", "lmmsd.prom.tmp"}
            s.stop()
    finally:
        os.umask(before)
    assert os.listdir(ws.path("d")) == [], "old numbers would be taken for new ones"


def test_node_exporter(ws):
    """All its collectors run, so that a clash with its own metrics would show."""
    exporter = next((shutil.which(n) for n in NAMES if shutil.which(n)), None)
    if exporter is None:
        raise lib.Skip("no node_exporter: package prometheus-node-exporter")
    os.mkdir(ws.path("d"))
    path = ws.path("d/lmmsd.prom")
    with Service(ws, "--config", config(ws, f"path = {path}\n")) as s:
        s.run(program(ws))
        until_counted(path)
        command = [exporter, "--web.listen-address=127.0.0.1:0",
                   f"--collector.textfile.directory={ws.path('d')}"]
        with servers.Server("node_exporter", command, ws.dir, "/") as server:
            page = servers.get(server.url + "/metrics").decode()
        with open(ws.path("node_exporter.log"), encoding="utf-8") as f:
            said = f.read()
        s.stop()
    assert "node_textfile_scrape_error 0" in page, said[-2000:]
    assert f'lmmsd_runs_total{{app="{APP}"}} 1' in page
    assert "process_resident_memory_bytes" in page and "node_load1 " in page
    assert not [x for x in said.splitlines() if "lmmsd" in x and "level=error" in x], said[-2000:]


def refused(ws, text, code, *parts):
    with Service(ws, "--config", ws.write("own.conf", text), wait=False) as s:
        assert exit_status(s.p) == code, (s.p.returncode, s.lines)
        line = s.said("lmmsd: ")
        assert [x for x in s.lines if x] == [line], s.lines
        for part in parts:
            assert part in line, (part, line)


def test_bad_configuration(ws):
    refused(ws, "[textfile]\npath = /tmp/lmmsd.txt\n", 2, "own.conf:2: path: ", ".prom")
    refused(ws, "[textfile]\npath = lmmsd.prom\n", 2, "own.conf:2: ", "no absolute path")
    refused(ws, "[textfile]\n\npath = /no/such/dir/lmmsd.prom\n", 5, "own.conf:3: cannot write", "No such file")
    refused(ws, "[textfile]\npath = /proc/lmmsd.prom\n", 5, "own.conf:2: cannot write")
    os.mkdir(ws.path("d.prom"))
    refused(ws, f"[textfile]\npath = {ws.path('d.prom')}\n", 2, "own.conf:2: ", "Is a directory")


def test_directory_goes_and_comes(ws):
    os.mkdir(ws.path("d"))
    path = ws.path("d/lmmsd.prom")
    with Service(ws, "--config", config(ws, f"path = {path}\n")) as s:
        wait_for("the file", lambda: os.path.exists(path))
        os.rename(ws.path("d"), ws.path("gone"))
        s.said("cannot write")
        s.run(program(ws))
        s.wait_runs(APP, 1)
        os.mkdir(ws.path("d"))
        s.said("is written again")
        until_counted(path)
        s.stop()
        assert len([x for x in s.lines if x and "node_exporter" in x]) == 2, s.lines


def test_reload(ws):
    first, second = ws.path("a.prom"), ws.path("b.prom")
    with Service(ws, "--config", config(ws, f"path = {first}\n")) as s:
        wait_for("the file", lambda: os.path.exists(first))
        config(ws, f"path = {second}\n")
        s.p.send_signal(signal.SIGHUP)
        s.said("the configuration was read again")
        wait_for("the other file", lambda: os.path.exists(second))
        assert not os.path.exists(first)
        config(ws, "path = /no/such/dir/lmmsd.prom\n")
        s.p.send_signal(signal.SIGHUP)
        s.said("own.conf:5: cannot write")
        s.said("stays as it was")
        assert os.path.exists(second)
        s.stop()
