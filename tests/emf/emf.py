# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Is a line an event that CloudWatch takes? By the schema, and by what a schema cannot say."""
import json
import math
import os
import re

import jsonschema

MAX_BYTES = 256 * 1024 - 26  # CloudWatch Logs counts 26 bytes more for each event
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema.json"), encoding="utf-8") as f:
    SCHEMA = json.load(f)
jsonschema.Draft7Validator.check_schema(SCHEMA)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def unique(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice: {keys}"
    return dict(pairs)


def nonsense(text):
    raise AssertionError(f"{text} is no JSON number")


def check(line, max_bytes=MAX_BYTES):
    """The event; raises when it is none."""
    assert len(line) <= max_bytes, f"{len(line)} bytes"
    assert b"\n" not in line and b"\r" not in line
    event = json.loads(line.decode("utf-8"), object_pairs_hook=unique, parse_constant=nonsense)
    VALIDATOR.validate(event)
    for directive in event["_aws"]["CloudWatchMetrics"]:
        for name in {n for dims in directive["Dimensions"] for n in dims}:
            value = event[name]
            assert isinstance(value, str) and len(value) <= 1024, (name, value)
            assert re.fullmatch(r"[ -~]+", value) and value.strip() and value[0] != ":", (name, value)
        names = [m["Name"] for m in directive["Metrics"]]
        assert len(names) == len(set(names)), names
        for name in names:
            values = event[name] if isinstance(event[name], list) else [event[name]]
            assert 1 <= len(values) <= 100, (name, len(values))
            for v in values:
                assert isinstance(v, (int, float)) and not isinstance(v, bool), (name, v)
                assert math.isfinite(v) and abs(v) <= 2.0 ** 360, (name, v)
    return event


def values_of(event, name):
    v = event.get(name, [])
    return v if isinstance(v, list) else [v]
