# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
from . import far
from .far import value
