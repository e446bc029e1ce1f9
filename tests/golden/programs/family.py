# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A process that forks inside an import, one that executes itself anew, one that is killed in an import."""
import os
import sys

if len(sys.argv) == 1:
    import forker  # noqa: F401
    os.execv(sys.executable, [sys.executable, "-S", "-E", "-B", __file__, "again"])
import colorsys  # noqa: E402,F401

pid = os.fork()
if pid == 0:
    import dies  # noqa: F401
os.waitpid(pid, 0)
sys.exit(3)
