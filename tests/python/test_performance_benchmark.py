# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""packaging/python/performance_benchmark.py, with programs in the place of lmmsd and lmmsctl that
say what a test wants."""
import contextlib
import inspect
import io
import json
import os
import pickle
import re
import stat
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "packaging", "python"))
sys.dont_write_bytecode = True
import performance_benchmark as pb  # noqa: E402


class Fakes(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.log = os.path.join(self.dir.name, "log")
        patch = mock.patch.dict(os.environ, {})
        patch.start()
        self.addCleanup(patch.stop)

    def program(self, name, body):
        """A program that notes its arguments, then does body."""
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#!{sys.executable}\nimport json, sys\nargs = sys.argv[1:]\n"
                    f"open({self.log!r}, 'a').write(json.dumps(args) + '\\n')\n{body}\n")
        os.chmod(path, stat.S_IRWXU)
        os.environ[name.upper()] = path

    def no_lmmsd(self):
        """As on a host without it."""
        os.environ["LMMSD"] = os.environ["LMMSCTL"] = os.path.join(self.dir.name, "nothing")

    def write(self, name, text):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def python(self, *args, stdin=None, **env):
        """A program of its own, in the test's directory, that finds performance_benchmark."""
        os.environ["PYTHONPATH"] = os.path.dirname(pb.__file__)
        return subprocess.run([sys.executable, "-B", *args], cwd=self.dir.name,
                              env={**os.environ, **env}, input=stdin,
                              stdin=None if stdin else subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)

    def lmmsctl(self, answer, code=0):
        self.program("lmmsctl", f"print(json.dumps({answer!r}))\nsys.exit({code})")

    def lmmsd(self, *processes):
        """One report after the other, the last again and again."""
        count = os.path.join(self.dir.name, "count")
        self.program("lmmsd", f"""import os
n = os.path.getsize({count!r}) if os.path.exists({count!r}) else 0
open({count!r}, 'a').write('x')
reports = {list(processes)!r}
report = json.dumps({{"processes": reports[min(n, len(reports) - 1)]}})
open(args[args.index('-o') + 1], 'w').write(report)""")

    def calls(self):
        with open(self.log, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


def process(**kw):
    return {"started": "2026-11-01T00:00:00Z", "cold_start_ms": 50.0, "exit_code": 0, "modules": [],
            **kw}


def load(name, depth, importer):
    return {"name": name, "depth": depth, "importer": importer, "status": "loaded"}


class Signatures(unittest.TestCase):
    def test_names_and_order(self):
        """As the decision record calls them; what is more can only be given by name."""
        for name, want in [("profile_imports", "modules=None, *, runs=10, python=None"),
                           ("measure_cold_start", "command=None, *, runs=10, app=None, db=None"),
                           ("get_usage_percent", "module, *, app=None, db=None"),
                           ("classify", "module, ms, usage_pct, *"),
                           ("get_dependencies", "module_name, *")]:
            self.assertTrue(str(inspect.signature(getattr(pb, name))).startswith("(" + want), name)


class Classify(unittest.TestCase):
    def test_table(self):
        for ms, usage, want in [(9.99, 0, pb.MODULE_LEVEL), (10, 0, pb.FUNCTION_LEVEL),
                                (10, 80.01, pb.MODULE_LEVEL),
                                (100, 80, pb.FUNCTION_LEVEL), (100, 80.01, pb.MODULE_LEVEL),
                                (100.01, 100, pb.FUNCTION_LEVEL), (0, 0, pb.MODULE_LEVEL)]:
            self.assertEqual(pb.classify("json", ms, usage), want, (ms, usage))

    def test_thresholds(self):
        self.assertEqual(pb.classify("json", 5, 0, fast_ms=2, slow_ms=4), pb.FUNCTION_LEVEL)
        self.assertEqual(pb.classify("json", 3, 60, fast_ms=2, slow_ms=4, threshold_percent=50),
                         pb.MODULE_LEVEL)
        with self.assertRaises(TypeError):
            pb.classify(5, 0, 100)  # the order before the record's


class Usage(Fakes):
    def test_of_an_app(self):
        self.lmmsctl({"app": "shop", "modules": [{"name": "json", "usage_pct": 42.5}]})
        self.assertEqual(pb.get_usage_percent("json", app="shop", db="/x/y.db"), 42.5)
        self.assertEqual(self.calls(), [["--format", "json", "--db", "/x/y.db", "modules", "--app",
                                         "shop"]])
        with self.assertRaisesRegex(pb.LmmsdError, "lmmsctl modules --app shop"):
            pb.get_usage_percent("re", app="shop")

    def test_of_all_apps(self):
        """Each by its runs; an app that does not import it says nothing."""
        self.lmmsctl({"apps": [{"app": "a", "runs": 30,
                                "modules": [{"name": "json", "usage_pct": 100}]},
                               {"app": "b", "runs": 10,
                                "modules": [{"name": "json", "usage_pct": None, "run_pct": 20}]},
                               {"app": "c", "runs": 99,
                                "modules": [{"name": "re", "usage_pct": 1}]}]})
        self.assertEqual(pb.get_usage_percent("json"), 80)
        self.assertEqual(pb.get_usage_percent("json", db="/x.db"), 80)
        self.assertEqual(self.calls()[1], ["--format", "json", "--db", "/x.db", "review"])
        with self.assertRaisesRegex(pb.LmmsdError, "no app of '/x.db' imported 'wave'"):
            pb.get_usage_percent("wave", db="/x.db")

    def test_without_a_database(self):
        """By what the calling file imports."""
        self.no_lmmsd()
        self.assertEqual(pb.get_usage_percent("json"), 100)
        self.assertEqual(pb.get_usage_percent("colorsys"), 0)
        for asked in ({"db": "/x.db"}, {"app": "shop"}):
            with self.assertRaises(pb.LmmsdError):
                pb.get_usage_percent("json", **asked)


class Program(Fakes):
    """Without modules or a command: module_imports, else the calling file, else an error that says
    both."""
    RECORD = """
from module_imports import *
from performance_benchmark import classify, get_usage_percent, measure_cold_start, profile_imports

results = profile_imports()
for module, ms in results.items():
    usage = get_usage_percent(module)
    tier = classify(module, ms, usage)
    print(f"{module} {ms:.1f} {usage:.0f} {tier}")
baseline_ms = measure_cold_start()
print(f"start {baseline_ms:.1f}")
"""
    ROW = r"%s \d+\.\d \d+ (MODULE|FUNCTION)_LEVEL$"

    def setUp(self):
        super().setUp()
        self.no_lmmsd()
        self.write("module_imports.py",
                   "import colorsys\nfrom beside import x\nimport html.entities as h\n")
        self.write("beside.py", "x = 1\n")

    def check(self, out, *modules):
        for module in modules:
            self.assertRegex(out, re.compile(self.ROW % re.escape(module), re.M))
        self.assertRegex(out, re.compile(r"start \d+\.\d$", re.M))

    def test_in_a_script(self):
        r = self.python(self.write("bench.py", self.RECORD))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.check(r.stdout, "colorsys", "beside", "html.entities")
        self.assertEqual(r.stderr.count("-X importtime"), 1, r.stderr)

    def test_from_another_directory(self):
        os.mkdir(os.path.join(self.dir.name, "sub"))
        for name in ("module_imports.py", "beside.py"):
            os.rename(os.path.join(self.dir.name, name), os.path.join(self.dir.name, "sub", name))
        r = self.python(self.write("sub/bench.py", self.RECORD))
        self.assertEqual(r.returncode, 0, r.stderr)
        self.check(r.stdout, "colorsys", "beside", "html.entities")

    def test_in_a_repl(self):
        r = self.python("-i", stdin=self.RECORD.replace("\nbaseline", "\n\nbaseline"))
        self.assertNotIn("Error", r.stderr)
        self.check(r.stdout, "colorsys", "beside")

    def test_in_pytest(self):
        self.write("test_start.py", self.RECORD + """
def test_start():
    assert set(profile_imports(runs=1)) == set(results) == {'colorsys', 'beside', 'html.entities'}
    assert 0 < measure_cold_start(runs=1) and 0 < baseline_ms and 0 <= results["colorsys"] < 500
""")
        r = self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error",
                        "test_start.py")
        if "No module named pytest" in r.stderr:
            self.skipTest("pytest is not installed")
        self.assertEqual(r.returncode, 0, r.stdout + r.stderr)

    def test_imports_of_the_calling_file(self):
        """All that the source has; what it can do without and does not have is left out."""
        os.unlink(os.path.join(self.dir.name, "module_imports.py"))
        r = self.python(self.write("bench.py", """from __future__ import annotations
import typing
import beside
from performance_benchmark import profile_imports
if typing.TYPE_CHECKING:
    import never
try:
    import nothing_like_it
except ImportError:
    import wave
def later():
    import colorsys, beside
print(list(profile_imports(runs=1)))
"""))
        self.assertEqual(r.stdout, "['typing', 'beside', 'wave', 'colorsys']\n", r.stderr)

    def test_neither(self):
        os.unlink(os.path.join(self.dir.name, "module_imports.py"))
        for call in ("profile_imports()", "measure_cold_start()", "get_usage_percent('json')"):
            r = self.python("-i", stdin=f"from performance_benchmark import *\n{call}\n")
            self.assertRegex(r.stderr,
                             r"LmmsdError: .*no module 'module_imports' in .* and no calling file")
        r = self.python(self.write("bench.py",
                                   "from performance_benchmark import *\nprofile_imports()\n"))
        self.assertRegex(r.stderr,
                         r"no module 'module_imports' .* and no import in the calling "
                                   r"file '.*bench.py'")

    def test_told_by_lmmsctl(self):
        """Where lmmsd can watch its numbers are passed on."""
        self.lmmsctl({"failed": [], "modules": [{"name": n, "ms": {"p50": ms, "ci95": None, "n": 3},
                                                 "self_ms": 1, "samples_ms": [ms]}
                                                for n,
                                                ms in (("colorsys", 1.5), ("beside", 150),
                                                       ("html.entities", 50))],
                      "apps": [{"app": "shop", "runs": 3,
                                "modules": [{"name": "html.entities", "usage_pct": 90},
                                                                      {"name": "beside",
                                                                              "usage_pct": 90}]}]})
        self.lmmsd([process(cold_start_ms=42.0)])
        r = self.python(self.write("bench.py", self.RECORD))
        self.assertEqual(r.stdout, "colorsys 1.5 100 MODULE_LEVEL\nbeside 150.0 90 FUNCTION_LEVEL\n"
                                   "html.entities 50.0 90 MODULE_LEVEL\nstart 42.0\n", r.stderr)
        self.assertIn("--format json profile-imports --runs 10".split(),
                      [c[:5] for c in self.calls()])


class ProfileImports(Fakes):
    ANSWER = {"failed": [], "modules": [
        {"name": "re", "ms": {"p50": 7.5, "ci95": [7, 8], "n": 3}, "self_ms": 1.5,
         "samples_ms": [7, 7.5, 8]},
        {"name": "json", "ms": {"p50": 12, "ci95": None, "n": 1}, "self_ms": 2,
         "samples_ms": [12]}]}

    def test_several(self):
        self.lmmsctl(self.ANSWER)
        found = pb.profile_imports(["json", "re"], runs=3, python="/p/python")
        self.assertEqual(list(found), ["json", "re"])
        self.assertEqual(found["re"], 7.5)
        self.assertEqual((found["re"].ci95, found["re"].n, found["re"].self_ms), ((7, 8), 3, 1.5))
        self.assertEqual(f"{found['json']:.1f}", "12.0")
        self.assertEqual(self.calls()[0][2:9],
                         ["profile-imports", "--runs", "3", "--python", "/p/python", "--", "json"])
        self.assertEqual(pickle.loads(pickle.dumps(found["re"])).samples_ms, [7, 7.5, 8])

    def test_one(self):
        self.lmmsctl(self.ANSWER)
        self.assertEqual(pb.profile_imports("re"), {"re": 7.5})

    def test_cannot_be_imported(self):
        self.lmmsctl({"failed": [{"name": "nope", "error": "ModuleNotFoundError: no"}],
                      "modules": []}, 5)
        with self.assertRaisesRegex(pb.LmmsdError,
                                    "'nope' cannot be imported.*ModuleNotFoundError") as e:
            pb.profile_imports("nope")
        self.assertEqual(e.exception.code, 5)

    def test_wrong_use(self):
        for bad in ([], "os; import re", "1a", [None], "a..b", "", "a\n"):
            with self.assertRaises(ValueError):
                pb.profile_imports(bad)
        with self.assertRaises(ValueError):
            pb.profile_imports("re", runs=0)

    def fallback(self):
        """Measured all the same, and said once."""
        pb._said.clear()
        with contextlib.redirect_stderr(io.StringIO()) as said:
            for _ in range(2):
                found = pb.profile_imports(["colorsys", "json"], runs=2)
        self.assertEqual(list(found), ["colorsys", "json"])
        self.assertEqual(found["colorsys"].n, 2)
        self.assertTrue(0 < found["colorsys"] < found["colorsys"] + found["json"].self_ms < 10000)
        self.assertTrue(found["json"].self_ms < found["json"], "json imports others")
        self.assertEqual(said.getvalue().count("\n"), 1, said.getvalue())
        return said.getvalue()

    def test_not_permitted(self):
        self.program("lmmsctl",
                     "print('lmmsctl: lmmsd could not watch: not permitted', file=sys.stderr)\n"
                     "sys.exit(3)")
        self.assertRegex(self.fallback(), "importtime.*not permitted .*as root")

    def test_not_watched(self):
        """A name without a time is no answer: a key that is missing would only be found much
        later."""
        nothing = {"name": "json", "ms": {"p50": None, "ci95": None, "n": 0}, "self_ms": None,
                   "samples_ms": []}
        for code, modules in ((4, [nothing]), (0, self.ANSWER["modules"][:1])):
            self.lmmsctl({"failed": [], "modules": modules}, code)
            self.assertRegex(self.fallback(),
                             "importtime.*no run of '.*' by .* was counted")

    def test_no_answer(self):
        self.program("lmmsctl",
                     "print(\"lmmsctl: cannot start 'lmmsd': No such file\", file=sys.stderr)\n"
                     "sys.exit(5)")
        self.assertRegex(self.fallback(), "cannot start 'lmmsd': No such file")

    def test_not_there(self):
        os.environ["LMMSCTL"] = os.path.join(self.dir.name, "nothing")
        self.assertRegex(self.fallback(), "cannot start.*No such file")
        del os.environ["LMMSCTL"]
        with mock.patch.dict(os.environ, {"PATH": self.dir.name}), mock.patch.object(pb, "_BUILD",
                self.dir.name):
            self.assertRegex(self.fallback(), "was not found: install lmmsd")

    def test_no_json(self):
        self.program("lmmsctl", "print('{')")
        self.assertRegex(self.fallback(), "no JSON")

    def test_cannot_be_imported_by_importtime(self):
        self.no_lmmsd()
        with self.assertRaisesRegex(pb.LmmsdError,
                                    "'nope_no' cannot be imported by .*ModuleNotFoundError") as e:
            pb.profile_imports("nope_no")
        self.assertEqual(e.exception.code, 5)
        with self.assertRaisesRegex(pb.LmmsdError, "cannot start '/no/python'"):
            pb.profile_imports("json", python="/no/python")

    def test_loaded_already(self):
        """What the interpreter itself has loaded has its own time, a built-in none."""
        self.no_lmmsd()
        found = pb.profile_imports(["os", "sys"], runs=1)
        self.assertTrue(found["os"] > 0 and found["sys"] == 0, found)


class ColdStart(Fakes):
    def test_script(self):
        self.lmmsd([process(cold_start_ms=900.0)], [process(cold_start_ms=30.0)],
                   [process(cold_start_ms=50.0)],
                   [process(cold_start_ms=40.0)])
        m = pb.measure_cold_start("app.py", runs=3)
        self.assertEqual((m, m.n, m.samples_ms), (40.0, 3, [30.0, 50.0, 40.0]))
        self.assertEqual(len(self.calls()), 4)
        self.assertEqual(self.calls()[0][-3:], ["--", sys.executable, "app.py"])

    def test_first_process_counts(self):
        later = process(started="2026-11-01T00:00:01Z", cold_start_ms=1.0)
        self.lmmsd([later, process(cold_start_ms=20.0)])
        self.assertEqual(pb.measure_cold_start(["py", "-m", "x"], runs=1), 20.0)

    def test_of_an_app(self):
        self.lmmsctl({"apps": [{"app": "shop",
                                "cold_start": {"p50": 120.5, "ci95": [110, 130], "n": 9}}]})
        m = pb.measure_cold_start(app="shop")
        self.assertEqual((m, m.ci95, m.n), (120.5, (110, 130), 9))
        with self.assertRaisesRegex(pb.LmmsdError, "lmmsctl apps"):
            pb.measure_cold_start(app="shp")

    def test_no_python(self):
        self.lmmsd([])
        with self.assertRaisesRegex(pb.LmmsdError, "no Python that lmmsd can watch"):
            pb.measure_cold_start(["true"])

    def test_failed(self):
        """A program that fails early has a short start; also where only one of the runs did."""
        for last in (1, 143):
            self.lmmsd([process()], [process()], [process(exit_code=last, cold_start_ms=1.0)])
            with self.assertRaisesRegex(pb.LmmsdError, f"'py .a b.py.' ended with status {last}"):
                pb.measure_cold_start(["py", "a b.py"], runs=2)
            os.unlink(os.path.join(self.dir.name, "count"))
        self.lmmsd([process(exit_code=None)])  # its end was not seen
        self.assertEqual(pb.measure_cold_start("app.py", runs=1), 50)

    def test_no_report(self):
        self.program("lmmsd",
                     "print('lmmsd: this kernel has no BPF', file=sys.stderr)\nsys.exit(4)")
        pb._said.clear()
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertTrue(pb.measure_cold_start([sys.executable, "-c", "pass"], runs=1) > 0)
        self.assertRegex(said.getvalue(), "importtime.*this kernel has no BPF .*lmmsd --check")

    def test_of_the_only_app(self):
        self.lmmsctl({"apps": [{"app": "shop",
                                "cold_start": {"p50": 120.5, "ci95": None, "n": 9}}]})
        self.assertEqual(pb.measure_cold_start(db="/x.db"), 120.5)
        self.lmmsctl({"apps": [{"app": "shop", "cold_start": None},
                               {"app": "b", "cold_start": None}]})
        with self.assertRaisesRegex(pb.LmmsdError, "has 2 apps: name one with app=: 'shop', 'b'"):
            pb.measure_cold_start(db="/x.db")
        with self.assertRaisesRegex(pb.LmmsdError, "no warm run of 'shop'"):
            pb.measure_cold_start(app="shop")

    def test_by_importtime(self):
        self.no_lmmsd()
        m = pb.measure_cold_start([sys.executable, "-c", "import colorsys"], runs=2)
        self.assertTrue(m > 0 and m.n == 2 and m == sum(m.samples_ms) / 2, m)
        with self.assertRaisesRegex(pb.LmmsdError, "ended with status 3"):
            pb.measure_cold_start([sys.executable, "-c", "raise SystemExit(3)"])

    def test_wrong_use(self):
        for asked in ({"app": "shop"}, {"db": "/x.db"}):
            with self.assertRaises(ValueError):
                pb.measure_cold_start("app.py", **asked)
        with self.assertRaises(TypeError):
            pb.measure_cold_start("app.py", 3)


class Dependencies(Fakes):
    def test_fresh_interpreter(self):
        self.lmmsd([process(modules=[load("site", 0, None), load("os", 1, "site"),
                                     load("json", 0, "__main__"),
                                     load("json.decoder", 1, "json"), load("re", 2, "json.decoder"),
                                     load("json.encoder", 1, "json")])])
        self.assertEqual(pb.get_dependencies("json"), ["json.decoder", "re", "json.encoder"])

    def test_of_an_app(self):
        self.lmmsctl({"deps": [{"name": "json"}, {"name": "json.decoder"}]})
        self.assertEqual(pb.get_dependencies("json", app="shop"), ["json.decoder"])

    def test_by_importtime(self):
        """In the order in which they are loaded, as lmmsd tells it."""
        self.no_lmmsd()
        self.write("outer.py", "import middle, last\n")
        self.write("middle.py", "import inner\n")
        self.write("inner.py", "")
        self.write("last.py", "import inner\n")
        os.environ["PYTHONPATH"] = self.dir.name
        self.assertEqual(pb.get_dependencies("outer"), ["middle", "inner", "last"])

    def test_cannot_be_imported(self):
        self.lmmsd([process(exit_code=1)])
        with self.assertRaisesRegex(pb.LmmsdError, "cannot be imported"):
            pb.get_dependencies("nope")


if __name__ == "__main__":
    unittest.main()
