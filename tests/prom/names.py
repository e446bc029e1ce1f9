# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The metrics that there are, and those in a query."""
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))


def metrics():
    """{name: its labels}"""
    with open(os.path.join(HERE, "metrics.txt"), encoding="utf-8") as f:
        return {words[0]: set(words[1:]) for words in (line.split() for line in f) if words and words[0] != "#"}


def recorded():
    with open("packaging/prometheus/lmmsd.rules.yml", encoding="utf-8") as f:
        return set(re.findall(r"- record: (\S+)", f.read()))


def used(query):
    bare = re.sub(r'"[^"]*"', '""', query)
    return set(re.findall(r"(?<![\w:$])((?:[a-z_]+:)?(?:lmmsd|process)_\w+(?::\w+)?|up(?=\{))", bare))


def unknown(query, recorded=()):
    return sorted(used(query) - set(metrics()) - set(recorded))


def unknown_labels(query, extra):
    """(metric, label) of matchers that the metric has not."""
    have, found = metrics(), []
    for name, inside in re.findall(r"([\w:]+)\{([^}]*)\}", query):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"(?:[^"\\]|\\.)*"', '""', inside)):
            if name in have and label not in have[name] | extra:
                found.append((name, label))
    return found
