# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""tests/e2e/stage.py: programs of many tests below one lmmsd; here it only writes a report."""
import datetime
import json
import os
import stat
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "e2e"))
sys.dont_write_bytecode = True
import lib  # noqa: E402
import stage  # noqa: E402

REPORT = {"schema": "lmms.profile/1", "complete": True, "lost": {}, "processes": []}
LMMSD = f"""#!{sys.executable}
import subprocess, sys
print("lmmsd: watching 0 interpreters ()", file=sys.stderr, flush=True)
status = subprocess.call(sys.argv[sys.argv.index("--") + 1:])
with open(sys.argv[sys.argv.index("-o") + 1], "w") as f:
    f.write({json.dumps(json.dumps(REPORT))})
sys.exit(status)
"""


class Programs(unittest.TestCase):
    """What a stage runs, and how it goes on after what goes wrong."""

    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.dir = where.name
        lmmsd = os.path.join(self.dir, "lmmsd")
        with open(lmmsd, "w", encoding="utf-8") as f:
            f.write(LMMSD)
        os.chmod(lmmsd, stat.S_IRWXU)
        patch = mock.patch.object(lib, "LMMSD", lmmsd)
        patch.start()
        self.addCleanup(patch.stop)
        self.stage = stage.Stage()
        self.addCleanup(self.stage.close)

    def test_a_program_gets_what_it_is_given(self):
        odd = "a 'quoted' \"word\"\nand $HOME `x` \\"
        run = self.stage.run(["sh", "-c", 'cat; pwd; echo "$A,$1,$HOME"; echo bad >&2', "sh", odd],
                             env={"PATH": os.environ["PATH"], "A": odd}, cwd="/", input="given\n")
        self.assertEqual(run.stdout, f"given\n/\n{odd},{odd},\n")
        self.assertEqual((run.stderr, run.returncode), ("bad\n", 0))

    def test_its_pid_is_known(self):
        run = self.stage.run(["sh", "-c", "echo $$"])
        self.assertEqual(int(run.stdout), run.pid)

    def test_the_next_one_runs_after_a_failure(self):
        for argv, status in ((["sh", "-c", "exit 3"], 3), (["/nonesuch"], 127),
                             (["sh", "-c", "kill -SEGV $$"], 139)):
            with self.assertRaisesRegex(AssertionError, f"status {status}, wanted 0"):
                self.stage.run(argv)
            self.assertEqual(self.stage.run(argv, status=status).returncode, status)
        self.assertEqual(self.stage.run(["echo", "on"]).stdout, "on\n")
        self.stage.finish()

    def test_one_that_hangs_is_killed(self):
        os.mkfifo(f"{self.dir}/never")
        with mock.patch.object(lib, "TIMEOUT", 3), \
                self.assertRaisesRegex(AssertionError, "no progress"):
            self.stage.run(["cat", f"{self.dir}/never"])
        self.assertEqual(self.stage.run(["echo", "on"]).stdout, "on\n")

    def test_the_report_is_there_at_the_end(self):
        run = self.stage.run(["true"])
        with self.assertRaisesRegex(AssertionError, "after the test's yield"):
            _ = run.report
        self.stage.finish()
        self.assertEqual(run.report, REPORT)

    def test_lmmsd_that_fails(self):
        self.stage.p.kill()
        with self.assertRaisesRegex(AssertionError, "status -9"):
            self.stage.finish()


def process(pid, ppid, at, lost=None):
    started = datetime.datetime.fromtimestamp(at, datetime.timezone.utc)
    return {"pid": pid, "ppid": ppid, "lost": lost or {},
            "started": started.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1 * 1000:03.0f}Z"}


def ran(pid, began, ended, *may_lose):
    run = stage.Run(None, [], may_lose)
    run.pid, run.began, run.ended = pid, began, ended
    return run


class Attribution(unittest.TestCase):
    """Whose processes and losses are whose."""

    def test_from_a_program_to_the_next_one(self):
        runs = [ran(10, 100, 101), ran(20, 101, 102)]
        # 10 executes another program; 12 is the child of a child that is no Python
        ps = [process(10, 1, 100.1), process(11, 10, 100.2), process(10, 1, 100.3),
              process(12, 99, 100.4), process(20, 1, 101.5)]
        self.assertEqual(stage.attribute(ps, runs), [])
        self.assertEqual([r.processes for r in runs], [ps[:4], ps[4:]])

    def test_a_program_that_is_no_python(self):
        runs = [ran(10, 100, 101), ran(20, 101, 102), ran(30, 102, 103)]
        ps = [process(10, 1, 100.1), process(31, 30, 102.5)]
        self.assertEqual(stage.attribute(ps, runs), [])
        self.assertEqual([r.processes for r in runs], [ps[:1], [], ps[1:]])

    def test_a_pid_that_comes_again(self):
        runs = [ran(10, 100, 101), ran(20, 200, 201)]
        ps = [process(10, 1, 100.1), process(20, 10, 100.2), process(20, 1, 200.5)]
        self.assertEqual(stage.attribute(ps, runs), [])
        self.assertEqual([r.processes for r in runs], [ps[:2], ps[2:]])

    def test_strangers(self):
        ps = [process(5, 1, 99), process(10, 1, 100.1)]
        self.assertEqual(stage.attribute(ps, [ran(10, 100, 101)]), ps[:1])

    def test_losses(self):
        runs = [ran(10, 100, 101), ran(20, 101, 102, "name_cut")]
        ps = [process(10, 1, 100.1, {"start_without_done": 2}), process(20, 1, 101.5)]
        stage.attribute(ps, runs)
        self.assertEqual([r.lost for r in runs], [{"start_without_done": 2}, {}])
        whole = stage.Stage.__new__(stage.Stage)
        whole.report = {"processes": ps,
                        "lost": {"start_without_done": 3, "name_cut": 1, "search_cut": 7,
                                 "files_slow": 1}}
        self.assertEqual(whole.lost_unseen(), {"start_without_done": 1, "name_cut": 1})
        for run in runs:
            run.take_losses(whole.lost_unseen())
        self.assertEqual([r.lost for r in runs], [{"start_without_done": 2}, {"name_cut": 1}])
