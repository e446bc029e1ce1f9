# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
import os

pid = os.fork()
if pid == 0:
    import bisect
    os._exit(7)
os.waitpid(pid, 0)
import keyword
