# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A program bare and watched."""
import os

import lib

CLEAN = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}


def same(ws, argv, *options, env=None, **kw):
    """Runs it bare and watched: same output, same status. Returns the report."""
    env = {**CLEAN, **(env or {})}
    bare = ws.run(argv, env=env, **kw)
    report = ws.profile(argv, *options, status=bare.returncode if bare.returncode >= 0 else 128 - bare.returncode,
                        env=env, **kw)
    errors = "".join(x for x in ws.last.stderr.splitlines(True) if not x.startswith("lmmsd: "))
    assert (ws.last.stdout, errors) == (bare.stdout, bare.stderr), (bare.stdout[-500:], ws.last.stdout[-500:],
                                                                   bare.stderr[-500:], errors[-500:])
    return report


def one(report):
    assert report["lost"] == {}, report["lost"]
    return lib.only_process(report)
