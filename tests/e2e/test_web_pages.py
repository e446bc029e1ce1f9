# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the daemon serves to people and programs besides metrics: pages and reviews."""
import contextlib
import json
import os
import re

import web
from web import APP, QUOTED, WebService


def test_pages(ws):
    argv = web.shop(ws)
    with WebService(ws) as s:
        s.run(argv, 2)
        s.wait_runs(APP, 2)
        s.wait_value("lmmsd_runs_total", 2, app=APP)
        page = s.get("/")
        assert page.headers["Content-Type"].startswith("text/html") and APP in page.text
        for header, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY")):
            assert page.headers[header] == value
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert not re.search(r"(src|href)=\"(https?:)?//", page.text), "something comes from elsewhere"
        for link in set(re.findall(r'href="(/[^"]*)"', page.text)):
            s.get(link.replace("&amp;", "&"))
        assert s.get("/-/healthy").text == "healthy\n" and s.get("/-/ready").text == "ready\n"
        head = s.get("/metrics", method="HEAD")
        assert head.text == "" and int(head.headers["Content-Length"]) > 1000
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            assert s.get("/metrics", method=method, status=405).headers["Allow"] == "GET, HEAD"
        s.get("/nothing", status=404)
        s.get("/metricsandmore", status=404)
        for path in ("/reviews/../lmmsd.db", "/reviews/%2e%2e/lmmsd.db", "/reviews/..%2flmmsd.db", "/reviews/lmmsd.conf",
                     "/reviews/lmmsd-2026-13.html", "/reviews/lmmsd-2026-11.html.x", "/reviews/lmmsd-2026-11.html%00"):
            s.get(path, status=404)
        s.stop()


def test_review(ws):
    argv = web.shop(ws)
    with WebService(ws) as s:
        s.run(argv, 3)
        s.wait_runs(APP, 3)
        month = s.apps()[APP]["last_seen"][:7]  # of the last run: the month may end at any time
        ours = json.loads(s.get(f"/api/v1/review?month={month}&app=" + QUOTED).text)
        theirs = s.json("review", "--app", APP, "--month", month)
        assert ours["schema"] == "lmms.review/1" and [a["app"] for a in ours["apps"]] == [APP]
        for a in (ours["apps"][0], theirs["apps"][0]):
            a.pop("checklist")  # says who asked
        assert ours["apps"] == theirs["apps"]
        assert json.loads(s.get("/api/v1/review").text)["schema"] == "lmms.review/1"
        for bad in ("month=2026", "month=2026-1", "month=2026-13", "month=", "month=2026-11-01", "month=%32026-1%00", "app=",
                    "app=a%00b", "app=" + "x" * 600):
            s.get("/api/v1/review?" + bad, status=400)
        s.get("/api/v1/review?app=nobody", status=404)
        s.get("/api/v1/review?month=2001-01&app=" + QUOTED)
        # a stored one
        os.makedirs(s.reviews, exist_ok=True)
        with open(os.path.join(s.reviews, "lmmsd-2020-01.html"), "w", encoding="utf-8") as f:
            f.write("<p>January")
        stored = s.get("/reviews/lmmsd-2020-01.html")
        assert stored.text == "<p>January" and "script-src 'unsafe-inline'" in stored.headers["Content-Security-Policy"]
        assert "lmmsd-2020-01.html" in s.get("/reviews/").text
        os.symlink("/etc/passwd", os.path.join(s.reviews, "lmmsd-2020-02.txt"))
        s.get("/reviews/lmmsd-2020-02.txt", status=404)
        s.stop()


def test_many_reviews_at_once(ws):
    """Some wait, some are told to come again; the counters come all the time."""
    with WebService(ws) as s:
        s.run(web.shop(ws))
        s.wait_runs(APP, 1)
        with contextlib.ExitStack() as stack:
            asking = [stack.enter_context(contextlib.closing(s.connection())) for _ in range(40)]
            for c in asking:
                c.request("GET", "/api/v1/review")
            s.get("/metrics")
            answers = [c.getresponse() for c in asking]
            assert {a.status for a in answers} <= {200, 503}, {a.status for a in answers}
            assert all(a.headers["Retry-After"] for a in answers if a.status == 503)
            assert any(a.status == 200 for a in answers)
        s.stop()


def test_keep_alive(ws):
    with WebService(ws) as s, contextlib.closing(s.connection()) as c:
        c.connect()
        name = c.sock.getsockname()
        for _ in range(20):
            c.request("GET", "/metrics")
            assert c.getresponse().read()
            assert c.sock and c.sock.getsockname() == name, "it was not kept"
        s.stop()
