# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Bad input: refused before anything is done, with one line that says what to do; files of others
stay as they are, and a report that was measured is not lost."""
import hashlib
import json
import os
import re
import sqlite3
import subprocess

import lib
from cli import python
from service import LMMSCTL, Service

SUFFIXES = (".json", ".speedscope.json", ".txt", ".log", ".folded")
TWO = """import os, colorsys
if os.fork() == 0:
    import csv
    os._exit(0)
os.wait()
raise SystemExit(7)
"""


def one_line(r, *words):
    """What it says, on one line."""
    assert re.fullmatch(r"lmms(d|ctl): [^\n]+\n", r.stderr), r.stderr
    assert all(w in r.stderr for w in words), (words, r.stderr)
    return r.stderr


def test_unknown_suffix(ws):
    marker, rec = ws.path("started"), ws.path("a.rec")
    ws.lmmsd("--record", rec, "-o", ws.path("r.json"), "--", python(), "-c", "pass")
    for name in ("x.docx", "x.", "x.json.gz", "a.b/../x.pdf"):
        for argv in (["--", "touch", marker], ["--replay", rec], ["--duration", "1"]):
            r = ws.lmmsd("-o", ws.path(name), *argv)
            assert r.returncode == 2 and r.stdout == "", (name, argv, r)
            one_line(r, name)
            assert all(s in r.stderr for s in (*SUFFIXES, "--format")), r.stderr
            assert not os.path.exists(marker) and not os.path.exists(ws.path(name)), (name, argv)
    r = ws.lmmsd("-o", ws.path("x.docx"), "--format", "json", "--replay", rec)
    assert r.returncode == 0 and json.load(open(ws.path("x.docx"), encoding="utf-8"))["complete"], r
    # no suffix: the format for people
    for name in ("report", ".report"):
        assert ws.lmmsd("-o", ws.path(name), "--replay", rec).returncode == 0
        assert "interpreter" in open(ws.path(name), encoding="utf-8").read(), name
    r = ws.lmmsd("-o", "/dev/stdout", "--replay", rec)
    assert r.returncode == 0 and "interpreter" in r.stdout, r


def test_unknown_suffix_of_an_answer(ws):
    for verb, has in ((["review"], ".html"), (["check"], ".sarif"), (["apps"], ".json"),
                      (["baseline", "list"], ".json"),
                      (["modules", "--app", "a"], ".json"), (["deps", "--app", "a", "m"], ".json"),
                      (["why", "--app", "a", "m"], ".json"),
                      (["verify", "--app", "a", "--baseline", "b"], ".json"),
                      (["profile-imports", "json"], ".json")):
        out = ws.path("r.pdf")
        r = ws.run([LMMSCTL, *verb, "-o", out])
        assert r.returncode == 2 and r.stdout == "", (verb, r)
        one_line(r, "r.pdf", has)
        assert not os.path.exists(out)
    r = ws.run([LMMSCTL, "profile-imports", "json", "-o", ws.path("no/such.json")])
    assert r.returncode == 5 and one_line(r, "no/such.json"), r
    for argv, word in ((["profile-imports", "--db", "x", "json"], "--db"),
                       (["baseline", "delete", "x", "--format", "json"], "--format"),
                       (["baseline", "delete", "x", "-o", "y"], "-o"),
                       (["apps", "--runs", "3"], "--runs")):
        r = ws.run([LMMSCTL, *argv])
        assert r.returncode == 2 and one_line(r, word), (argv, r)


def test_a_fifo_has_one_reader(ws):
    """It is opened once: a look whether it can be would be its reader's end."""
    fifo = ws.path("pipe.json")
    os.mkfifo(fifo)
    reader = subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE, text=True)
    ws.started.append(reader)
    r = ws.lmmsd("-o", fifo, "--", python(), "-c", "import colorsys")
    text = reader.communicate(timeout=lib.TIMEOUT)[0]
    assert r.returncode == 0 and "colorsys" in lib.by_name(lib.only_process(json.loads(text))), r


def test_flags_without_effect(ws):
    for mode, flags in ((["--check"], ["--app", "x"]), (["--check"], ["--uid", "0"]),
                        (["--check"], ["--usage", "on"]),
                        (["--check"], ["--db", "x"]), (["--replay", "x"], ["--duration", "3"]),
                        (["--replay", "x"], ["--probe", "usdt"]),
                        (["--replay", "x"], ["--uid", "0"]),
                        (["--replay", "x"], ["--usage", "off"]),
                        (["--replay", "x"], ["--reviews", "x"]),
                        (["--service"], ["-o", "x"]), (["--service"], ["--format", "json"]),
                        (["--service"], ["--pid", "1"]),
                        (["--service"], ["--strict"]), (["--pid", "1"], ["--db", "x"]),
                        (["--pid", "1"], ["--web.listen-address", "off"]),
                        ([], ["--textfile.path", "/x.prom"]),
                        ([], ["--cloudwatch.endpoint", "off"])):
        for argv in ([*mode, *flags], [*flags, *mode]):
            r = ws.lmmsd(*argv)
            assert r.returncode == 2 and r.stdout == "", (argv, r)
            one_line(r, "exclude each other" if "--pid" in argv and "--service" in argv
                     else "--output" if "-o" in argv else flags[0])
    r = ws.lmmsd("--db", "x", "--", "touch", ws.path("started"))
    assert r.returncode == 2 and not os.path.exists(ws.path("started")), r


def test_importtime_of_several_to_stdout(ws):
    """A file each, in the working directory; COMMAND's status stays."""
    program = ws.write("two.py", TWO)
    os.mkdir(ws.path("out"))
    for options, name in ((["--format", "importtime"], r"importtime\.\d+\.log"),
                          (["-o", "many.log"], r"many\.\d+\.log"),
                          (["--format", "importtime", "-o", "/dev/stdout"],
                           r"importtime\.\d+\.log")):
        r = ws.lmmsd(*options, "--", python(), program, cwd=ws.path("out"))
        assert r.returncode == 7 and r.stdout == "", r
        files = sorted(os.listdir(ws.path("out")))
        assert len(files) == 2 and all(re.fullmatch(name, f) for f in files), files
        for f in files:
            assert f"'{f}'" in r.stderr, r.stderr
            with open(os.path.join(ws.path("out"), f), encoding="utf-8") as text:
                assert text.readline().startswith("import time: self [us]")
            os.unlink(os.path.join(ws.path("out"), f))


def kept(ws, r):
    """Where the report is that did not fit where it should."""
    assert r.returncode == 70 and "No space left" in r.stderr.splitlines()[-1], r
    where = re.search(r"; it is in '(.*)'$", r.stderr.splitlines()[-1]).group(1)
    assert where.startswith(ws.dir + "/lmmsd-"), where
    with open(where, encoding="utf-8") as f:
        return f.read()


def test_a_full_disk_costs_no_report(ws):
    env = {**os.environ, "TMPDIR": ws.dir}
    r = ws.lmmsd("--format", "json", "-o", "/dev/full", "--", python(), "-c", "import colorsys",
                 env=env)
    assert "colorsys" in lib.by_name(lib.only_process(json.loads(kept(ws, r)))), r
    with open("/dev/full", "w", encoding="utf-8") as full:
        r = ws.lmmsd("--", python(), "-c", "import colorsys", env=env, stdout=full)
    assert "colorsys" in kept(ws, r)


def state(path):
    st = os.lstat(path)
    return (st.st_ino, st.st_size, st.st_mtime_ns, st.st_mode,
            hashlib.sha256(open(path, "rb").read()).hexdigest() if os.path.isfile(path) else None)


def refused(ws, db, word, code=2):
    """By the daemon and by lmmsctl, with nothing touched and nothing beside it."""
    before, there = state(db), sorted(os.listdir(ws.dir))
    r = ws.lmmsd("--service", "--db", db, "--reviews", ws.dir, "--web.listen-address", "off",
                 "--duration", "1")
    assert r.returncode == code, r
    one_line(r, db, word)
    for argv in (["apps"], ["review"], ["baseline", "save", "x", "--app", "a"],
                 ["baseline", "delete", "x"]):
        r = ws.run([LMMSCTL, *argv, "--db", db])
        assert r.returncode == (4 if code == 4 else 5) and r.stdout == "", (argv, r)
        one_line(r, db, word)
    assert state(db) == before and sorted(os.listdir(ws.dir)) == there, os.listdir(ws.dir)


def test_files_that_are_no_database_of_lmmsd(ws):
    refused(ws, ws.write("notes.txt", "Dear diary,\n" * 1000), "text")
    refused(ws, ws.write("one", "1"), "text")
    with open(ws.path("binary"), "wb") as f:
        f.write(bytes(range(256)) * 64)
    refused(ws, ws.path("binary"), "no database of lmmsd")
    for mode in ("DELETE", "WAL"):
        db = sqlite3.connect(ws.path(mode + ".db"))
        db.execute("PRAGMA journal_mode = " + mode)
        db.execute("CREATE TABLE cookies(a)")
        db.commit()
        db.close()
        refused(ws, ws.path(mode + ".db"), "another program")
    # another program has it open, and all it holds is in its WAL
    db = sqlite3.connect(ws.path("live.db"))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("CREATE TABLE cookies(a)")
    db.commit()
    refused(ws, ws.path("live.db"), "another program")
    db.close()
    os.mkdir(ws.path("directory"))
    refused(ws, ws.path("directory"), "a directory")


def test_a_device_is_no_database(ws):
    r = ws.lmmsd("--service", "--db", "/dev/null", "--reviews", ws.dir)
    assert r.returncode == 2 and one_line(r, "/dev/null", "no plain file"), r
    assert not os.path.exists("/dev/null-lock")


def test_a_database_one_schema_newer(ws):
    with Service(ws) as s:
        s.stop()
    os.rename(s.db, ws.path("newer.db"))
    db = sqlite3.connect(ws.path("newer.db"))
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.execute(f"PRAGMA user_version = {version + 1}")
    db.close()
    refused(ws, ws.path("newer.db"), "newer", code=4)


def test_no_directory_is_made(ws):
    """Only below the state directory, and beside the database."""
    for db, reviews in (("no/a.db", "."), ("no/such/a.db", "."), ("a.db", "/nonexistent/reviews"),
                        ("here/a.db", "reviews"),
                        ("here/a.db", "here/../reviews"), ("file/a.db", "here")):
        os.makedirs(ws.path("here"), exist_ok=True)
        ws.write("file", "")
        db, reviews = os.path.join(ws.dir, db), os.path.join(ws.dir, reviews)
        there = sorted(os.listdir(ws.dir))
        r = ws.lmmsd("--service", "--db", db, "--reviews", reviews, "--web.listen-address", "off")
        assert r.returncode == 5 and r.stdout == "", (db, reviews, r)
        one_line(r, "directory")
        assert sorted(os.listdir(ws.dir)) == there and os.listdir(ws.path("here")) == [], (db,
                reviews)
        assert not os.path.exists("/nonexistent")
    for env, reviews in (({}, "db/reviews/of/here"),
                         ({"STATE_DIRECTORY": f"/other:{ws.path('state')}"}, "state/reviews")):
        with Service(ws, "--reviews", ws.path(reviews), env=env) as s:
            s.stop()
        assert os.path.isdir(ws.path(reviews)), reviews


def test_many_rules(ws):
    """More than any host has work; beyond the limit the line is named."""
    def rules(n):
        return ws.write("rules.conf", "[app.rules]\n" +
                        "".join(f"rule{i} = no such program {i}\n" for i in range(n)) +
                        "found = tool\\.py\n")

    tool, out = ws.write("tool.py", "import colorsys\n"), ws.path("r.json")
    for n in (256, 1023):
        r = ws.lmmsd("--config", rules(n), "-o", out, "--", python(), tool)
        assert r.returncode == 0, r
        with open(out, encoding="utf-8") as f:
            assert lib.only_process(json.load(f))["app"] == "found", n
    r = ws.lmmsd("--config", rules(1024), "--", python(), tool)
    assert r.returncode == 2, r
    one_line(r, "rules.conf:1026", "1024")
