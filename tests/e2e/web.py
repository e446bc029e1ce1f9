# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A daemon that serves, and clients of it: polite, slow and hostile ones."""
import contextlib
import http.client
import json
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import types

import lib
from service import Service, wait_for

sys.path.append(os.path.join(lib.REPO, "tests/prom"))
import servers  # noqa: E402

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROGRAM = "import json, colorsys\ndef later():\n    import csv\nlater()\nprint(json.dumps(colorsys.__name__))\n"
# other tests on this host have shops, too; and their apps would take series from ours
DIR = f"web{os.getpid()}"
ONLY = f"^{DIR}/"
APP = DIR + "/manage.py"
QUOTED = DIR + "%2Fmanage.py"
SCRAPE_S = 2


def shop(ws):
    return lib.system_python()(ws.write(APP, PROGRAM))


def raw(address, request):
    """All of the answer to these bytes."""
    with contextlib.closing(socket.create_connection(address, timeout=lib.TIMEOUT)) as c:
        answer = b""
        with contextlib.suppress(OSError):  # it may close while we write, and have answered
            c.sendall(request)
            c.shutdown(socket.SHUT_WR)
        try:
            while part := c.recv(65536):
                answer += part
        except OSError:  # reset, since it had not read all
            pass
        return answer


def run_until_warm(s, argv, runs=0):
    """Runs APP, of which there are so many runs, until one was warm: soon after a boot more than
    the first are not. How many there are."""
    while not s.value("lmmsd_warm_runs_total", app=APP):
        s.run(argv)
        runs += 1
        s.wait_value("lmmsd_runs_total", runs, app=APP)
    return runs


class WebService(Service):
    def __init__(self, ws, *args, listen="127.0.0.1:0", **kw):
        own = [] if "--app" in args else ["--app", ONLY]
        super().__init__(ws, "--web.listen-address", listen, *own, *args, **kw)
        self.context = None

    @property
    def url(self):
        return re.search(r"https?://\S+?:\d+/", self.said("serving metrics and pages on "))[0]

    @property
    def address(self):
        host, port = re.match(r"https?://(.*):(\d+)/", self.url).groups()
        return host.strip("[]"), int(port)

    def connection(self):
        host, port = self.address
        if self.url.startswith("https"):
            return http.client.HTTPSConnection(host, port, timeout=lib.TIMEOUT, context=self.context)
        return http.client.HTTPConnection(host, port, timeout=lib.TIMEOUT)

    def get(self, path, method="GET", status=200, **headers):
        """The answer, its body as .text."""
        with contextlib.closing(self.connection()) as c:
            c.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            r = c.getresponse()
            r.text = r.read().decode()
        assert r.status == status, f"{method} {path}: {r.status}, wanted {status}: {r.text[:300]}"
        return r

    def metrics(self):
        """{name: {labels: value}}, labels as a frozenset of pairs."""
        return samples(self.get("/metrics").text)

    def value(self, name, **labels):
        return self.metrics().get(name, {}).get(frozenset(labels.items()))

    def wait_value(self, name, want, **labels):
        return wait_for(f"{name} {labels} {want}", lambda: (self.value(name, **labels) or 0) >= want)


def samples(page):
    parser = need("prometheus_client.parser", "python3-prometheus-client")
    found = {}
    for family in parser.text_string_to_metric_families(page):
        for s in family.samples:
            labels = frozenset(s.labels.items())
            assert labels not in found.setdefault(s.name, {}), f"twice: {s}"
            found[s.name][labels] = s.value
    return found


def open_families(page):
    parser = need("prometheus_client.openmetrics.parser", "python3-prometheus-client")
    return list(parser.text_string_to_metric_families(page))


def need(module, package):
    try:
        return __import__(module, fromlist=["x"])
    except ImportError:
        raise lib.Skip(f"no {module}: package {package}") from None


def need_program(name, package):
    if not shutil.which(name):
        raise lib.Skip(f"no {name}: package {package}")
    return name


def promtool(page):
    """What `promtool check metrics` has to say of a page in the text format, the only one that it reads."""
    need_program("promtool", "prometheus")
    r = subprocess.run(["promtool", "check", "metrics"], input=page, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, check=False)
    return r.stdout if r.returncode == 0 else f"{r.returncode}: {r.stdout}"


def as_text(families):
    """Families that the OpenMetrics parser read, as text 0.0.4: both sides are Prometheus's own library."""
    exposition = need("prometheus_client.exposition", "python3-prometheus-client")
    return exposition.generate_latest(types.SimpleNamespace(collect=lambda: families)).decode()


def both_pages(s):
    """(the text answer, the OpenMetrics answer, its families); promtool is silent on each, by way of a strict parser on the second."""
    text, openmetrics = s.get("/metrics"), s.get("/metrics", Accept=OPENMETRICS)
    assert promtool(text.text) == "", promtool(text.text)
    families = open_families(openmetrics.text)
    again = as_text(families)
    assert promtool(again) == "", promtool(again)
    assert sum(not line.startswith("#") for line in again.splitlines()) == sum(len(f.samples) for f in families)
    return text, openmetrics, families


def raise_limit(n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < n:
        if hard < n:
            raise lib.Skip(f"no {n} descriptors: RLIMIT_NOFILE is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


class SlowClients:
    """n connections that each have sent part of a request, and others that asked and do not read."""

    def __init__(self, address, n, readers=0):
        raise_limit(n + readers + 256)
        self.address = address
        self.senders, self.readers = [], []
        with contextlib.ExitStack() as stack:
            for i in range(n + readers):
                s = stack.enter_context(socket.socket())
                if i < readers:  # a small window, so that the answer stays with the server
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                s.connect(address)
                if i < readers:
                    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 4)
                    self.readers.append(s)
                else:
                    s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                    self.senders.append(s)
            self.stack = stack.pop_all()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def drip(self):
        """A byte from everyone; who was put out comes again, as an attacker would. How many had to."""
        again = 0
        for i, s in enumerate(self.senders):
            try:
                s.sendall(b"x")
            except OSError:
                again += 1
                s.close()
                self.senders[i] = s = self.stack.enter_context(socket.socket())
                s.connect(self.address)
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        return again


def certificate(ws, name, ca=None, days="2"):
    """NAME.crt and NAME.key in the workspace, for localhost; signed by ca, or by itself."""
    need_program("openssl", "openssl")
    crt, key = ws.path(name + ".crt"), ws.path(name + ".key")
    sign = ["-CA", ws.path(ca + ".crt"), "-CAkey", ws.path(ca + ".key")] if ca else []
    r = ws.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                key, "-out", crt, "-days", days, "-subj", "/CN=" + name, "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1", *sign])
    assert r.returncode == 0, r.stderr
    return crt, key


def trusting(crt, client=None):
    context = ssl.create_default_context(cafile=crt)
    if client:
        context.load_cert_chain(*client)
    return context


def bcrypt(ws, password, cost="5"):
    need_program("htpasswd", "apache2-utils")
    r = ws.run(["htpasswd", "-nbBC", cost, "user", password])
    assert r.returncode == 0, r.stderr
    return r.stdout.strip().split(":", 1)[1]


@contextlib.contextmanager
def prometheus(ws, targets):
    """A real one that scrapes these; gives what asks its API."""
    need_program("prometheus", "prometheus")
    config = json.dumps({
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s"},
        "scrape_configs": [{"job_name": "lmmsd", "static_configs": [{"targets": targets}]}]})
    os.mkdir(ws.path("prometheus"))
    with servers.Prometheus(ws.path("prometheus"), config=config) as server:
        yield lambda path: json.loads(servers.get(server.url + "/api/v1/" + path))["data"]
