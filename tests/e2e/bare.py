# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A program bare and watched."""
import os

import lib

CLEAN = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}


def same(ws, argv, env=None, **kw):
    """Runs it bare and watched: same output, same status. Returns the watched run."""
    env = {**CLEAN, **(env or {})}
    bare = ws.run(argv, env=env, **kw)
    status = bare.returncode if bare.returncode >= 0 else 128 - bare.returncode
    run = ws.watch(argv, status=status, env=env, **kw)
    assert (run.stdout, run.stderr) == (bare.stdout, bare.stderr), (
        bare.stdout[-500:], run.stdout[-500:], bare.stderr[-500:], run.stderr[-500:])
    return run


def one(report):
    """The report's only process, of which nothing was lost."""
    assert lib.lost(report) == {}, report["lost"]
    return lib.only_process(report)
