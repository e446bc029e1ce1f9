# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""The Grafana dashboard: well-formed, every query one that a real Prometheus takes, and of metrics that there are."""
import json
import urllib.error
import urllib.parse

import names
import servers
from report import as_one, check

NEEDS = ["prometheus"]
PATH = "packaging/prometheus/grafana-lmmsd.json"
SCRAPED = {"job", "instance"}
# what Grafana puts in
VALUES = {"$__rate_interval": "4m", "$__range": "7d", "$__interval": "1m", "${datasource}": "x", "$app": ".*", "$instance": ".*"}


def filled(query):
    for name, value in VALUES.items():
        query = query.replace(name, value)
    return query


def panels(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def check_layout(dashboard):
    ids = [p["id"] for p in panels(dashboard)]
    check("each panel its id", len(ids) == len(set(ids)))
    taken = set()
    for panel in panels(dashboard):
        pos = panel["gridPos"]
        cells = {(x, y) for x in range(pos["x"], pos["x"] + pos["w"]) for y in range(pos["y"], pos["y"] + pos["h"])}
        check(f"{panel['title']}: fits", pos["x"] + pos["w"] <= 24 and not cells & taken)
        taken |= cells
        if panel["type"] == "row":
            continue
        check(f"{panel['title']}: says what it shows", panel.get("description"))
        check(f"{panel['title']}: has a unit", panel["fieldConfig"]["defaults"].get("unit"))
        check(f"{panel['title']}: asks something", panel["targets"])
        for target in panel["targets"]:
            check(f"{panel['title']}: data source is the variable", target["datasource"]["uid"] == "${datasource}")
        references = [t["refId"] for t in panel["targets"]]
        check(f"{panel['title']}: each query its letter", len(references) == len(set(references)))


def check_query(url, where, query):
    asked = filled(query)
    check(f"{where}: no variable is left", "$" not in asked, asked)
    check(f"{where}: only metrics that there are", not names.unknown(asked), names.unknown(asked))
    check(f"{where}: only labels that they have", not names.unknown_labels(asked, SCRAPED), names.unknown_labels(asked, SCRAPED))
    try:
        answer = json.loads(servers.get(url + "/api/v1/query", urllib.parse.urlencode({"query": asked}).encode()))
        check(f"{where}: is a query", answer["status"] == "success", str(answer))
    except urllib.error.HTTPError as e:
        check(f"{where}: is a query", False, f"{asked}: {e.read().decode()}")


def run(_target, where):
    with as_one(PATH):
        check_dashboard(where)


def check_dashboard(where):
    with open(PATH, encoding="utf-8") as f:
        dashboard = json.load(f)
    for key in ("title", "uid", "schemaVersion", "panels", "templating", "time"):
        check("has " + key, key in dashboard)
    check("is no import of somebody's own", "id" not in dashboard)
    variables = {v["name"]: v for v in dashboard["templating"]["list"]}
    check("variables", {"datasource", "app", "instance"} <= set(variables), sorted(variables))
    check("data source is a variable", variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus")
    check_layout(dashboard)
    with servers.Prometheus(where) as server:
        queries = [(p["title"], t["expr"]) for p in panels(dashboard) for t in p.get("targets", [])]
        queries += [(a["name"], a["expr"]) for a in dashboard["annotations"]["list"]]
        check("there are queries", len(queries) > 25)
        for title, query in queries:
            check_query(server.url, title, query)
        for name in ("app", "instance"):
            inside = variables[name]["definition"]
            metric, label = inside[len("label_values("):-1].split(", ")
            check(f"variable {name}", label in names.metrics()[metric] | SCRAPED, inside)
