# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""PEP 810: one that wakes, one that sleeps on."""
lazy import colorsys
lazy import bisect
import parts.far


def use():
    return colorsys.rgb_to_hsv(0, 0, 0)


use()
