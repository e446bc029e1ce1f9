# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""packaging/python/performance_benchmark.py, with programs in the place of lmmsd and lmmsctl that say what a test wants."""
import json
import os
import pickle
import stat
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

    def lmmsctl(self, answer, code=0):
        self.program("lmmsctl", f"print(json.dumps({answer!r}))\nsys.exit({code})")

    def lmmsd(self, *processes):
        """One report after the other, the last again and again."""
        count = os.path.join(self.dir.name, "count")
        self.program("lmmsd", f"""import os
n = os.path.getsize({count!r}) if os.path.exists({count!r}) else 0
open({count!r}, 'a').write('x')
reports = {list(processes)!r}
open(args[args.index('-o') + 1], 'w').write(json.dumps({{"processes": reports[min(n, len(reports) - 1)]}}))""")

    def calls(self):
        with open(self.log, encoding="utf-8") as f:
            return [json.loads(line) for line in f]


def process(**kw):
    return {"started": "2026-11-01T00:00:00Z", "cold_start_ms": 50.0, "exit_code": 0, "modules": [], **kw}


def load(name, depth, importer):
    return {"name": name, "depth": depth, "importer": importer, "status": "loaded"}


class Classify(unittest.TestCase):
    def test_table(self):
        for ms, usage, want in [(9.99, 0, pb.MODULE_LEVEL), (10, 0, pb.FUNCTION_LEVEL), (10, 80.01, pb.MODULE_LEVEL),
                                (100, 80, pb.FUNCTION_LEVEL), (100, 80.01, pb.MODULE_LEVEL),
                                (100.01, 100, pb.FUNCTION_LEVEL), (0, 0, pb.MODULE_LEVEL)]:
            self.assertEqual(pb.classify(ms, usage), want, (ms, usage))

    def test_thresholds(self):
        self.assertEqual(pb.classify(5, 0, fast_ms=2, slow_ms=4), pb.FUNCTION_LEVEL)
        self.assertEqual(pb.classify(3, 60, fast_ms=2, slow_ms=4, threshold_percent=50), pb.MODULE_LEVEL)


class Usage(Fakes):
    def test_formula(self):
        self.assertEqual(pb.get_usage_percent("json", {"json": 30, "re": 70}), 30)
        self.assertEqual(pb.get_usage_percent("abc", {"json": 30}), 0)
        self.assertEqual(pb.get_usage_percent("abc", {}), 0)

    def test_of_an_app(self):
        self.lmmsctl({"app": "shop", "modules": [{"name": "json", "usage_pct": 42.5}]})
        self.assertEqual(pb.get_usage_percent("json", app="shop", db="/x/y.db"), 42.5)
        self.assertEqual(self.calls(), [["--format", "json", "--db", "/x/y.db", "modules", "--app", "shop"]])
        with self.assertRaisesRegex(pb.LmmsdError, "lmmsctl modules --app shop"):
            pb.get_usage_percent("re", app="shop")

    def test_wrong_use(self):
        with self.assertRaises(ValueError):
            pb.get_usage_percent("json")
        with self.assertRaises(ValueError):
            pb.get_usage_percent("json", {}, app="shop")


class ProfileImports(Fakes):
    ANSWER = {"failed": [], "modules": [
        {"name": "re", "ms": {"p50": 7.5, "ci95": [7, 8], "n": 3}, "self_ms": 1.5, "samples_ms": [7, 7.5, 8]},
        {"name": "json", "ms": {"p50": 12, "ci95": None, "n": 1}, "self_ms": 2, "samples_ms": [12]}]}

    def test_several(self):
        self.lmmsctl(self.ANSWER)
        found = pb.profile_imports(["json", "re"], runs=3, python="/p/python")
        self.assertEqual(list(found), ["json", "re"])
        self.assertEqual(found["re"], 7.5)
        self.assertEqual((found["re"].ci95, found["re"].n, found["re"].self_ms), ((7, 8), 3, 1.5))
        self.assertEqual(f"{found['json']:.1f}", "12.0")
        self.assertEqual(self.calls()[0][2:9], ["profile-imports", "--runs", "3", "--python", "/p/python", "--", "json"])
        self.assertEqual(pickle.loads(pickle.dumps(found["re"])).samples_ms, [7, 7.5, 8])

    def test_one(self):
        self.lmmsctl(self.ANSWER)
        self.assertEqual(pb.profile_imports("re"), {"re": 7.5})

    def test_cannot_be_imported(self):
        self.lmmsctl({"failed": [{"name": "nope", "error": "ModuleNotFoundError: no"}], "modules": []}, 5)
        with self.assertRaisesRegex(pb.LmmsdError, "'nope' cannot be imported.*ModuleNotFoundError") as e:
            pb.profile_imports("nope")
        self.assertEqual(e.exception.code, 5)

    def test_wrong_use(self):
        for bad in ([], "os; import re", "1a", [None], "a..b", "", "a\n"):
            with self.assertRaises(ValueError):
                pb.profile_imports(bad)
        with self.assertRaises(ValueError):
            pb.profile_imports("re", runs=0)

    def test_not_permitted(self):
        self.program("lmmsctl", "print('lmmsctl: lmmsd could not watch: not permitted', file=sys.stderr)\nsys.exit(3)")
        with self.assertRaisesRegex(pb.LmmsdError, "not permitted .*as root") as e:
            pb.profile_imports("re")
        self.assertEqual(e.exception.code, 3)

    def test_not_watched(self):
        """A name without a time is no answer: a key that is missing would only be found much later."""
        nothing = {"name": "json", "ms": {"p50": None, "ci95": None, "n": 0}, "self_ms": None, "samples_ms": []}
        for modules in ([self.ANSWER["modules"][0], nothing], self.ANSWER["modules"][:1]):
            self.lmmsctl({"failed": [], "modules": modules})
            with self.assertRaisesRegex(pb.LmmsdError, "no run of 'json'.*lmmsd --check") as e:
                pb.profile_imports(["re", "json"])
            self.assertEqual(e.exception.code, 4)

    def test_no_answer(self):
        self.program("lmmsctl", "print(\"lmmsctl: cannot start 'lmmsd': No such file\", file=sys.stderr)\nsys.exit(5)")
        with self.assertRaisesRegex(pb.LmmsdError, "^lmmsctl: cannot start 'lmmsd': No such file$") as e:
            pb.profile_imports("re")
        self.assertEqual(e.exception.code, 5)

    def test_not_there(self):
        os.environ["LMMSCTL"] = os.path.join(self.dir.name, "nothing")
        with self.assertRaisesRegex(pb.LmmsdError, "cannot start.*No such file"):
            pb.profile_imports("re")
        del os.environ["LMMSCTL"]
        with mock.patch.dict(os.environ, {"PATH": self.dir.name}), mock.patch.object(pb, "_BUILD", self.dir.name):
            with self.assertRaisesRegex(pb.LmmsdError, "was not found: install lmmsd"):
                pb.profile_imports("re")

    def test_no_json(self):
        self.program("lmmsctl", "print('{')")
        with self.assertRaisesRegex(pb.LmmsdError, "no JSON"):
            pb.profile_imports("re")


class ColdStart(Fakes):
    def test_script(self):
        self.lmmsd([process(cold_start_ms=900.0)], [process(cold_start_ms=30.0)], [process(cold_start_ms=50.0)],
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
        self.lmmsctl({"apps": [{"app": "shop", "cold_start": {"p50": 120.5, "ci95": [110, 130], "n": 9}}]})
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
        self.program("lmmsd", "print('lmmsd: this kernel has no BPF', file=sys.stderr)\nsys.exit(4)")
        with self.assertRaisesRegex(pb.LmmsdError, "this kernel has no BPF .*lmmsd --check") as e:
            pb.measure_cold_start("app.py")
        self.assertEqual(e.exception.code, 4)

    def test_wrong_use(self):
        with self.assertRaises(ValueError):
            pb.measure_cold_start()


class Dependencies(Fakes):
    def test_fresh_interpreter(self):
        self.lmmsd([process(modules=[load("site", 0, None), load("os", 1, "site"), load("json", 0, "__main__"),
                                     load("json.decoder", 1, "json"), load("re", 2, "json.decoder"),
                                     load("json.encoder", 1, "json")])])
        self.assertEqual(pb.get_dependencies("json"), ["json.decoder", "re", "json.encoder"])

    def test_of_an_app(self):
        self.lmmsctl({"deps": [{"name": "json"}, {"name": "json.decoder"}]})
        self.assertEqual(pb.get_dependencies("json", app="shop"), ["json.decoder"])

    def test_cannot_be_imported(self):
        self.lmmsd([process(exit_code=1)])
        with self.assertRaisesRegex(pb.LmmsdError, "cannot be imported"):
            pb.get_dependencies("nope")


if __name__ == "__main__":
    unittest.main()
