# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Every form of import, at every place, and failures."""
import colorsys
import parts.near
import parts.space.leaf
from parts import far as distant
import élan


class Holder:
    import stat


def late():
    for _ in range(7):
        import colorsys
    import parts.lazy_one


def attempt(name):
    try:
        __import__(name)
    except Exception:
        pass


late()
attempt("no_such_module")
attempt("parts.no_such_module")
attempt("parts.raises")
attempt("line\nbreak \x1b[31m")
for _ in range(5):
    __import__("colorsys")
exec("import keyword")
