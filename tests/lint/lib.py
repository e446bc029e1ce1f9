# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the lints share: which files there are, and how a lint ends. A lint is one test, however many files it reads.

A line with "lint: allow(NAME) reason" is left out by the lint NAME; the reason is not optional.
"""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(TOP)
BUILD = os.environ.get("BUILD", "build")
VERSION = open("VERSION").read().strip()
SKIPPED_DIRS = {".git", os.path.basename(BUILD), "build", "__pycache__", "corpus"}


def files(*tops, suffixes=None):
    """Files under the directories, sorted; suffixes: only these."""
    for top in tops:
        for path, dirs, names in os.walk(top):
            dirs[:] = sorted(d for d in dirs if d not in SKIPPED_DIRS)
            for name in sorted(set(names) - SKIPPED_DIRS):  # .git is a file in a worktree
                full = os.path.normpath(os.path.join(path, name))
                if suffixes is None or name.endswith(tuple(suffixes)):
                    yield full


def text(path):
    """The file's text; None: it is no text, or a link."""
    if os.path.islink(path) or not os.path.isfile(path):
        return None
    with open(path, "rb") as f:
        data = f.read()
    if b"\0" in data:
        return None
    return data.decode("utf-8", "replace")


def is_script(path, content):
    return content.startswith("#!") or path.endswith((".sh", ".py"))


def without_comments(source):
    """C text with comments and strings blanked; line numbers stay."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''

    def blank(m):
        s = m.group(0)
        return '""' if s[0] == '"' else "' '" if s[0] == "'" else re.sub(r"[^\n]", " ", s)

    return re.sub(pattern, blank, source, flags=re.S)


class Lint:
    def __init__(self, what):
        self.name = os.path.basename(sys.argv[0])
        self.what = what
        self.good = self.bad = self.skipped = 0

    def allowed(self, line):
        return re.search(r"lint: allow\(%s\) \S" % self.name, line) is not None

    def check(self, path, problems):
        """One thing that was checked, and what is wrong with it."""
        problems = list(problems)
        for problem in problems:
            print(f"{path}: {problem}")
        if problems:
            self.bad += 1
        else:
            self.good += 1

    def skip(self, what, why):
        print(f"SKIP {what}: {why}")
        self.skipped += 1

    def grep(self, path, pattern, why, comments=True):
        """Checks that no line of the file matches."""
        content = text(path)
        if content is None:
            return
        lines = content.split("\n")
        bare = lines if comments else without_comments(content).split("\n")
        self.check(path.rstrip(), (
            f"{n + 1}: {lines[n].strip()[:80]}: {why}"
            for n in range(len(lines))
            if re.search(pattern, bare[n]) and not self.allowed(lines[n])))

    def done(self):
        checked = self.good + self.bad
        print(f"{'FAIL' if self.bad else 'ok'} {self.name}: {self.what}: {checked} checked, {self.bad} bad")
        if not checked and not self.skipped:
            print(f"FAIL {self.name}: found nothing to check")
            self.bad = 1
        passed = 1 if checked and not self.bad else 0
        print(f"{passed} passed, {1 if self.bad else 0} failed, {self.skipped} skipped")
        sys.exit(1 if self.bad else 0)


def compile_alone(command, source):
    """Compiler messages about this source text; empty when it is fine."""
    r = subprocess.run(command + ["-x", "c", "-fsyntax-only", "-"], input=source, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return r.stdout.strip() if r.returncode else ""
