# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""An automounter that never mounts: autofs.py DIRECTORY, in a mount namespace of its own. Says "up", or why not; at the end of
stdin, how often it was asked.
"""
import ctypes
import os
import select
import sys


def main():
    asked, kernel = os.pipe()
    os.set_inheritable(kernel, True)
    os.setpgid(0, 0)
    options = f"fd={kernel},pgrp={os.getpgrp()},minproto=5,maxproto=5,indirect".encode()
    if ctypes.CDLL(None, use_errno=True).mount(b"automount", sys.argv[1].encode(), b"autofs", 0, options):
        print("mount:", os.strerror(ctypes.get_errno()))
        return
    os.close(kernel)
    print("up", flush=True)
    times = 0
    while 0 not in (ready := select.select([asked, 0], [], [])[0]):
        os.read(asked, 300)  # struct autofs_v5_packet
        times += 1
    print("asked", times + (asked in ready), "times")


main()
