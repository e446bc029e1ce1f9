# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""What the daemon serves: metrics that Prometheus and others can read, pages, and who may have them."""
import base64
import contextlib
import json
import os
import re
import signal
import socket
import subprocess

import lib
import web
from service import Service, wait_for
from web import WebService

PROGRAM = "import json, colorsys\ndef later():\n    import csv\nlater()\nprint(json.dumps(colorsys.__name__))\n"
DIR = f"web{os.getpid()}"  # other tests on this host have shops, too
APP = DIR + "/manage.py"
QUOTED = DIR + "%2Fmanage.py"


def shop(ws):
    return lib.system_python()(ws.write(APP, PROGRAM))


def test_metrics(ws):
    argv = shop(ws)
    with WebService(ws) as s:
        s.run(argv, 4)
        s.wait_value("lmmsd_runs_total", 4, app=APP)
        text = s.get("/metrics")
        openmetrics = s.get("/metrics", Accept=web.OPENMETRICS)
        assert text.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert openmetrics.headers["Content-Type"] == web.OPENMETRICS + "; charset=utf-8"
        assert text.headers["Vary"] == "Accept"
        web.promtool(text.text)
        families = {f.name: f for f in web.open_families(openmetrics.text)}
        assert families["lmmsd_runs"].type == "counter" and families["lmmsd_build"].type == "info"
        assert families["lmmsd_import_seconds"].unit == "seconds"
        # the same samples in both, with the same labels
        ours = {(n, labels) for n, of in web.samples(text.text).items() for labels in of if not n.endswith("_created")}
        theirs = {(x.name, frozenset(x.labels.items())) for f in families.values() for x in f.samples
                  if not x.name.endswith("_created")}
        assert ours ^ theirs == set(), ours ^ theirs
        check_against_database(s, web.samples(text.text))
        s.stop()


def check_against_database(s, m):
    """The counters say what the database says, with its classes."""
    app = s.apps()[APP]
    assert m["lmmsd_runs_total"][frozenset({("app", APP)})] == app["runs"] == 4
    warm = m["lmmsd_warm_runs_total"][frozenset({("app", APP)})]
    assert warm == app["cold_start"]["n"] == m["lmmsd_cold_start_seconds_count"][frozenset({("app", APP)})], (warm, app)
    rows = {r["name"]: r for r in s.json("modules", "--app", APP)["modules"]}
    name = "json.decoder"
    of = {"app": APP, "module": name}
    assert m["lmmsd_import_seconds_count"][frozenset(of.items())] == rows[name]["ms"]["n"] == warm
    assert m["lmmsd_runs_using_total"][frozenset(of.items())] == 4
    assert m["lmmsd_module_uses_total"][frozenset({**of, "placement": "module"}.items())] == 4
    mean = m["lmmsd_import_seconds_sum"][frozenset(of.items())] / warm * 1000
    assert rows[name]["ms"]["ci95"][0] * 0.99 <= mean <= rows[name]["ms"]["ci95"][1] * 1.01, (mean, rows[name])
    levels = m["lmmsd_module_function_level"]
    assert levels[frozenset(of.items())] == (rows[name]["tier"] == "FUNCTION_LEVEL")
    assert m["lmmsd_module_uses_total"][frozenset({"app": APP, "module": "csv", "placement": "function"}.items())] == 4
    assert sum(v for k, v in m["lmmsd_module_uses_total"].items() if ("app", APP) in k) == \
        m["lmmsd_app_uses_total"][frozenset({("app", APP)})]


def test_own_counters(ws):
    with WebService(ws) as s:
        m = s.metrics()
        n = int(re.search(r"watching (\d+) interpreters", s.said("watching "))[1])
        assert sum(m["lmmsd_attached_interpreters"].values()) == n, m["lmmsd_attached_interpreters"]
        assert all(set(dict(k)) == {"python", "probe"} for k in m["lmmsd_attached_interpreters"])
        assert sum(m["lmmsd_events_lost_total"].values()) == 0 and len(m["lmmsd_events_lost_total"]) >= 20
        assert len(m["lmmsd_reprofile_triggers_total"]) == 6
        with open(f"/proc/{s.p.pid}/status", encoding="ascii") as f:
            rss = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1]) * 1024
        assert abs(m["process_resident_memory_bytes"][frozenset()] - rss) < 8e6
        fds = len(os.listdir(f"/proc/{s.p.pid}/fd"))
        assert abs(m["process_open_fds"][frozenset()] - fds) <= 8, (m["process_open_fds"], fds)
        boot = float(open("/proc/uptime", encoding="ascii").read().split()[0])
        assert 0 < m["process_start_time_seconds"][frozenset()] and boot > 0
        assert m["lmmsd_build_info"]
        if "lmmsd_bpf_run_seconds_total" in m:
            assert 0 <= m["lmmsd_overhead_ratio"][frozenset()] < 1
        else:
            s.said("lmmsd_bpf_run_seconds_total and lmmsd_overhead_ratio are left out")
        s.stop()


def test_a_server_counts_once(ws):
    """A process that goes on: counted while it runs, its later uses come, and its end adds no run."""
    argv = lib.system_python()(ws.write(DIR + "/server.py", "import json, sys\nprint('up', flush=True)\n"
                                        "for line in sys.stdin:\n    import json\n    print('did', flush=True)\n"))
    config = ws.write("own.conf", "[service]\ncheckpoint_s = 1\n")
    with WebService(ws, "--config", config) as s:
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ws.started.append(server)
        assert server.stdout.readline() == "up\n"
        of = {"app": DIR + "/server.py"}
        s.wait_value("lmmsd_runs_total", 1, **of)
        first = s.value("lmmsd_module_uses_total", module="json", placement="module", **of)
        for _ in range(10):
            server.stdin.write("x\n")
            server.stdin.flush()
            assert server.stdout.readline() == "did\n"
        s.wait_value("lmmsd_module_uses_total", first + 10, module="json", placement="module", **of)
        server.stdin.close()
        server.wait()
        wait_for("its end", lambda: s.value("lmmsd_watched_processes") is not None and s.runs(DIR + "/server.py") == 1
                 and s.ctl("review", "--format", "json").returncode == 0)
        s.run(shop(ws))
        s.wait_value("lmmsd_runs_total", 1, app=APP)  # written after it
        assert s.value("lmmsd_runs_total", **of) == 1
        assert s.value("lmmsd_module_uses_total", module="json", placement="module", **of) == first + 10
        s.stop()


def test_pages(ws):
    argv = shop(ws)
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
    argv = shop(ws)
    with WebService(ws) as s:
        s.run(argv, 3)
        s.wait_runs(APP, 3)
        ours = json.loads(s.get("/api/v1/review?app=" + QUOTED).text)
        theirs = s.json("review", "--app", APP, "--month", ours["period"]["since"][:7])
        assert ours["schema"] == "lmms.review/1" and [a["app"] for a in ours["apps"]] == [APP]
        for a in (ours["apps"][0], theirs["apps"][0]):
            a.pop("checklist")  # says who asked
        assert ours["apps"] == theirs["apps"]
        assert APP in [a["app"] for a in json.loads(s.get("/api/v1/review").text)["apps"]]
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
        s.run(shop(ws))
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


def raw(address, request):
    """All of the answer to these bytes."""
    with contextlib.closing(socket.create_connection(address, timeout=lib.TIMEOUT)) as c:
        answer = b""
        try:
            c.sendall(request)
            c.shutdown(socket.SHUT_WR)
            while part := c.recv(65536):
                answer += part
        except OSError:  # it may close while we write
            pass
        return answer


def test_hostile_requests(ws):
    with WebService(ws) as s:
        host = b"Host: x\r\n"
        answers = {
            b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n" + host + b"\r\n": {414, 431},
            b"GET /metrics HTTP/1.1\r\n" + host + b"X: " + b"a" * 100000 + b"\r\n\r\n": {431},
            b"GET /metrics HTTP/1.1\r\n" + host + b"X-a: b\r\n" * 5000 + b"\r\n": {431},
            b"GET /metrics HTTP/1.1\r\n" + host + b"Content-Length: 99999999999999999999\r\n\r\n": {400, 413},
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500: {400, None},
            b"GET\r\n\r\n": {400, None},
            b"\0" * 10000: {400, 414, 431, None},
        }
        for request, wanted in answers.items():
            answer = raw(s.address, request)
            m = re.match(rb"HTTP/1\.1 (\d+)", answer)
            status = int(m[1]) if m else None
            assert status in wanted, (request[:60], status, wanted, answer[:200])
        # two requests on one connection, one after the other without waiting
        both = raw(s.address, b"GET /-/healthy HTTP/1.1\r\n" + host + b"\r\nGET /-/ready HTTP/1.1\r\n" + host +
                   b"Connection: close\r\n\r\n")
        assert both.count(b"HTTP/1.1 200") == 2, both
        s.get("/metrics")
        s.stop()


def test_slow_clients(ws):
    """1000 that drip, and 50 that do not read: who asks properly is answered, and what runs is counted."""
    argv = shop(ws)
    with WebService(ws) as s:
        s.get("/metrics")
        with web.SlowClients(s.address, 1000, readers=50) as slow:
            for n in range(1, 6):
                slow.drip()
                s.run(argv)
                s.wait_value("lmmsd_runs_total", n, app=APP)
                s.get("/")
                s.get("/api/v1/review")
            assert s.value("lmmsd_events_lost_total", reason="ring_full") == 0
        with open(f"/proc/{s.p.pid}/status", encoding="ascii") as f:
            rss = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) * 1024
        assert rss < 64 << 20, f"{rss >> 20} MiB"
        s.stop()


HOSTILE = r"""import sys
from importlib.machinery import ModuleSpec
class Finder:
    find_spec = staticmethod(lambda name, path=None, target=None: ModuleSpec(name, Finder) if name[:2] == "h_" else None)
    create_module = staticmethod(lambda spec: None)
    exec_module = staticmethod(lambda module: None)
sys.meta_path.insert(0, Finder)
for i in range(int(sys.argv[2])):
    __import__("h_" + sys.argv[1] + "_" + str(i) + "\n\"\\" + "x" * 100)
"""


def test_hostile_names(ws):
    """120 apps, 60,000 modules, all of other names: the page stays short, the daemon small. (tests/unit has 10,000 apps.)"""
    program = ws.write("hostile.py", HOSTILE)
    for i in range(120):
        os.makedirs(ws.path(f"app{i}"))
        os.symlink(program, ws.path(f"app{i}/main.py"))
    with WebService(ws) as s:
        script = 'seq 0 119 | xargs -P 2 -I@ "$@" -I -S -B ' + ws.dir + "/app@/main.py @ 500"
        r = ws.run(["sh", "-c", script, "sh", *lib.system_python()()])
        assert r.returncode == 0, r.stderr
        # an app that lost its series took its run along; at most 10 did
        wait_for("all of them", lambda: sum(s.metrics().get("lmmsd_runs_total", {0: 0}).values()) >= 110)
        for accept in ("", web.OPENMETRICS):
            page = s.get("/metrics", Accept=accept).text
            n = sum(not line.startswith("#") for line in page.splitlines())
            assert 500 < n < 4000, n
        web.promtool(s.get("/metrics").text)
        web.open_families(page)
        m = s.metrics()
        assert len(m["lmmsd_runs_total"]) <= 33
        assert m["lmmsd_runs_total"][frozenset({("app", "_other")})] > 60
        with open(f"/proc/{s.p.pid}/status", encoding="ascii") as f:
            rss = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1]) * 1024
        assert rss < 64 << 20, f"{rss >> 20} MiB"
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


def test_addresses(ws):
    with WebService(ws, listen="[::1]:0") as s:
        assert s.url.startswith("http://[::1]:")
        s.get("/-/healthy")
        s.stop()
    with WebService(ws, listen=":0") as s:
        port = s.address[1]
        for host in ("127.0.0.1", "::1"):
            with contextlib.closing(socket.create_connection((host, port), timeout=lib.TIMEOUT)):
                pass
        s.stop()
    with Service(ws) as s:  # off
        assert not any("serving" in x for x in s.lines if x)
        s.stop()


def test_port_taken(ws):
    """One line; the observation goes on; and it serves once the port is free."""
    argv = shop(ws)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with WebService(ws, listen=f"127.0.0.1:{port}") as s:
            line = s.said("cannot listen on")
            assert f"'127.0.0.1:{port}'" in line and "already in use" in line and "observation goes on" in line, line
            s.run(argv)
            s.wait_runs(APP, 1)
            assert sum("cannot listen" in x for x in s.lines if x) == 1
            other.close()
            s.p.send_signal(signal.SIGHUP)  # or half a minute
            s.get("/metrics")
            s.stop()


def test_bad_addresses(ws):
    for bad in ("nonsense", "1.2.3.4", "::1:80", "[::1]", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:x", "[::1:80"):
        with Service(ws, "--web.listen-address", bad) as s:
            assert "HOST:PORT" in s.said("is no address"), s.lines
            s.stop()


def test_systemd_socket(ws):
    """As a socket unit gives it: descriptor 3, LISTEN_PID, LISTEN_FDS."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        conf = ws.write("lmmsd.conf", "")
        p = subprocess.Popen(["/bin/sh", "-c", 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"',
                              str(listening.fileno()), lib.LMMSD, "--service", "--db", ws.path("db/l.db"), "--reviews",
                              ws.path("r"), "--config", conf], pass_fds=[listening.fileno()], stderr=subprocess.PIPE,
                             text=True, stdin=subprocess.DEVNULL)
        ws.started.append(p)
        for line in p.stderr:
            if "serving" in line:
                break
        assert f"http://127.0.0.1:{port}/" in line, line
        assert b"200 OK" in raw(("127.0.0.1", port), b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        p.send_signal(signal.SIGTERM)
        assert p.wait(timeout=lib.TIMEOUT) == 0
        p.stderr.close()


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_tls(ws):
    crt, _ = web.certificate(ws, "server")
    config = ws.write("web.yml", "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
                      "  min_version: TLS12\nhttp_server_config:\n  http2: false\n  headers:\n"
                      "    Strict-Transport-Security: max-age=600\n    X-Frame-Options: SAMEORIGIN\n")
    with WebService(ws, "--web.config.file", config) as s:
        s.context = web.trusting(crt)
        assert s.url.startswith("https://")
        r = s.get("/metrics")
        assert r.headers["Strict-Transport-Security"] == "max-age=600"
        assert r.headers.get_all("X-Frame-Options") == ["SAMEORIGIN"]
        curl = ws.run([web.need_program("curl", "curl"), "-sS", "--cacert", crt, s.url + "-/healthy"])
        assert curl.stdout == "healthy\n", curl.stderr
        old = ws.run(["curl", "-sS", "--cacert", crt, "--tls-max", "1.1", s.url])
        assert old.returncode != 0, "TLS 1.1 was taken"
        assert b"healthy" not in raw(s.address, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        # another certificate, without a restart
        crt2, _ = web.certificate(ws, "server")
        s.p.send_signal(signal.SIGHUP)
        s.said("certificates and passwords anew")
        s.context = web.trusting(crt2)
        s.get("/metrics")
        # one that cannot be used: the good one stays
        ws.write("server.key", "nonsense")
        s.p.send_signal(signal.SIGHUP)
        assert "server.key" in s.said("the web server stays as it was")
        s.get("/metrics")
        s.stop()


def test_client_certificates(ws):
    crt, _ = web.certificate(ws, "server")
    web.certificate(ws, "ca")
    client = web.certificate(ws, "client", ca="ca")
    stranger = web.certificate(ws, "stranger")
    config = ws.write("web.yml", "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
                      "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n")
    with WebService(ws, "--web.config.file", config) as s:
        s.context = web.trusting(crt, client)
        s.get("/metrics")
        s.context = web.trusting(crt)
        s.get("/metrics", status=403)
        s.context = web.trusting(crt, stranger)
        try:
            s.get("/metrics", status=403)
        except OSError:  # the handshake may fail before
            pass
        s.stop()


def test_passwords(ws):
    config = ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'secret')}\n"
                      f"  bob.smith: '{web.bcrypt(ws, 'pass:word', cost='10')}'\n")
    with WebService(ws, "--web.config.file", config) as s:
        assert "Basic" in s.get("/metrics", status=401).headers["WWW-Authenticate"]
        s.get("/-/healthy")
        s.get("/-/ready")
        for _ in range(3):  # checked, then remembered
            s.get("/metrics", Authorization=basic("alice", "secret"))
            s.get("/api/v1/review", Authorization=basic("bob.smith", "pass:word"))
        for user, password in (("alice", "Secret"), ("alice", ""), ("alice", "pass:word"), ("nobody", "secret"), ("", "")):
            s.get("/metrics", status=401, Authorization=basic(user, password))
        for junk in ("Basic", "Basic !!!", "Bearer x", "Basic YWxpY2U="):
            s.get("/metrics", status=401, Authorization=junk)
        s.get("/nothing", status=401)
        ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'other')}\n")
        s.p.send_signal(signal.SIGHUP)
        s.said("certificates and passwords anew")
        s.get("/metrics", status=401, Authorization=basic("alice", "secret"))
        s.get("/metrics", Authorization=basic("alice", "other"))
        s.stop()


def test_wrong_passwords_hold_nothing_up(ws):
    """Each costs a second of a processor, but not of the loop."""
    config = ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'secret', cost='5')}\n"
                      f"  slow: {web.bcrypt(ws, 'secret', cost='13')}\n")
    with WebService(ws, "--web.config.file", config) as s, contextlib.ExitStack() as stack:
        s.get("/metrics", Authorization=basic("alice", "secret"))
        asking = [stack.enter_context(contextlib.closing(s.connection())) for _ in range(24)]
        for c in asking:
            c.request("GET", "/metrics", headers={"Authorization": basic("slow", "wrong")})
        s.get("/-/healthy")
        s.get("/metrics", Authorization=basic("alice", "secret"))
        busy = [c.getresponse().status for c in asking[20:]]
        assert set(busy) <= {401, 503} and 503 in busy, busy
        s.stop()


def test_bad_web_config(ws):
    """One line that says where and what; nothing is served rather than too much; the observation goes on."""
    argv = shop(ws)
    web.certificate(ws, "server")
    web.certificate(ws, "other")
    tls = "tls_server_config:\n  cert_file: server.crt\n"
    cases = [
        ("tls_server_config:\n  cert_fil: x\n", "web.yml:2: unknown key 'cert_fil'"),
        ("nonsense: 1\n", "web.yml:1: unknown key 'nonsense'"),
        (tls, "has no key_file"),
        (tls + "  key_file: nowhere.key\n", "nowhere.key': No such file"),
        (tls + "  key_file: other.key\n", "cannot be used"),
        (tls + "  key_file: server.key\n  min_version: SSL3\n", "web.yml:4: min_version: 'SSL3' is none of TLS10"),
        (tls + "  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n", "needs client_ca_file"),
        ("basic_auth_users:\n  alice: secret\n", "web.yml:2: the user 'alice': this is no bcrypt hash"),
        ("basic_auth_users: [a]\n", "takes no list"),
        ("basic_auth_users:\n  a: b: c\n", "web.yml:2: "),
        ("- a\n", "a mapping is expected"),
    ]
    for text, wanted in cases:
        with WebService(ws, "--web.config.file", ws.write("web.yml", text)) as s:
            line = s.said("no metrics and pages are served")
            assert wanted in line and "the observation goes on" in line, (wanted, line)
            s.run(argv)
            wait_for("a run", lambda: os.path.exists(s.db) and s.runs(APP) >= 1)
            s.stop()
    with WebService(ws, "--web.config.file", ws.path("nowhere.yml")) as s:
        assert "No such file" in s.said("cannot read the web configuration file")
        # it is mended: served within half a minute, or at once
        ws.write("nowhere.yml", "")
        s.p.send_signal(signal.SIGHUP)
        s.get("/metrics")
        s.stop()


def test_prometheus(ws):
    """A real one scrapes the page, in OpenMetrics, without an error."""
    argv = shop(ws)
    with WebService(ws) as s, web.prometheus(ws, ["%s:%d" % s.address]) as ask:
        s.run(argv, 3)
        s.wait_value("lmmsd_runs_total", 3, app=APP)

        def value(query):
            data = ask("query?query=" + query)
            return float(data["result"][0]["value"][1]) if data and data["result"] else None

        wait_for("10 scrapes", lambda: (value("count_over_time(up[5m])") or 0) >= 10)
        assert value("min_over_time(up[5m])") == 1
        target = ask("targets")["activeTargets"][0]
        assert target["health"] == "up" and target["lastError"] == "", target
        assert value(f"lmmsd_runs_total%7Bapp=%22{APP}%22%7D") == 3
        assert value("count(lmmsd_import_seconds_bucket)") > 50
        assert value("count(%7B__name__=~%22lmmsd_.*_created%22%7D)") > 0, "it did not ask for OpenMetrics"
        assert value("max_over_time(scrape_samples_scraped[5m])") < 4000
        s.stop()
