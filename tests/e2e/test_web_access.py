# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Where the daemon serves, and whom: addresses, sockets, TLS, passwords; what is wrong with them is said."""
import base64
import contextlib
import http.client
import os
import select
import signal
import socket
import subprocess
import threading

import lib
import web
from service import Service, exit_status, wait_for
from web import APP, WebService


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


@contextlib.contextmanager
def taken_port(ws, *args):
    """A daemon that is to serve at a port that is ours, and that is told once it may have it. We
    keep the port all the time, so nobody else on this host can get it: with SO_REUSEADDR on both
    sides a port that one side only holds is free for the other."""
    with contextlib.closing(socket.socket()) as ours:
        ours.bind(("127.0.0.1", 0))
        with WebService(ws, *args, listen="127.0.0.1:%d" % ours.getsockname()[1]) as s:
            def make_free():
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.p.send_signal(signal.SIGHUP)  # or half a minute

            yield s, make_free


def test_port_taken(ws):
    """One line; the observation goes on; and it serves once the port is free."""
    argv = web.shop(ws)
    with taken_port(ws) as (s, make_free):
        line = s.said("cannot listen on")
        assert "'127.0.0.1:" in line and "already in use" in line, line
        assert "observation goes on" in line, line
        s.run(argv)
        s.wait_runs(APP, 1)
        assert sum("cannot listen" in x for x in s.lines if x) == 1
        make_free()
        s.get("/metrics")
        s.stop()


def test_passwords_changed_while_the_port_is_taken(ws):
    """What it serves with is what the file says when it begins to serve."""
    config = ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'leaked')}\n")
    with taken_port(ws, "--web.config.file", config) as (s, make_free):
        s.said("cannot listen on")
        ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'other')}\n")
        make_free()
        s.get("/metrics", Authorization=basic("alice", "other"))
        s.get("/metrics", status=401, Authorization=basic("alice", "leaked"))
        s.stop()


def test_bad_address(ws):
    """How many ways there are to write one wrong: tests/unit."""
    with Service(ws, "--web.listen-address", "::1:80") as s:
        assert "HOST:PORT" in s.said("'::1:80' is no address"), s.lines
        s.stop()


def check_systemd_socket(ws, *args):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]
        conf = ws.write("lmmsd.conf", "")
        os.makedirs(ws.path("db"), exist_ok=True)
        p = subprocess.Popen(["/bin/sh", "-c", 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"',
                              str(listening.fileno()), lib.LMMSD, "--service", "--db", ws.path("db/l.db"), "--reviews",
                              ws.path("db/r"), "--config", conf, *args], pass_fds=[listening.fileno()], stderr=subprocess.PIPE,
                             text=True, stdin=subprocess.DEVNULL)
        ws.started.append(p)
        line = next((x for x in p.stderr if "serving" in x), "")
        assert f"http://127.0.0.1:{port}/" in line, line
        assert b"200 OK" in web.raw(("127.0.0.1", port), b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        p.send_signal(signal.SIGTERM)
        assert exit_status(p) == 0
        p.stderr.close()


def test_systemd_socket(ws):
    """As a socket unit gives it: descriptor 3, LISTEN_PID, LISTEN_FDS. The listen address does not count then, nor does "off"."""
    check_systemd_socket(ws)
    check_systemd_socket(ws, "--web.listen-address", "off")


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
        assert b"healthy" not in web.raw(s.address, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
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
    """Each costs some of a second of a processor, but not of the loop."""
    config = ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'secret', cost='5')}\n"
                      f"  slow: {web.bcrypt(ws, 'secret', cost='11')}\n")
    with WebService(ws, "--web.config.file", config) as s, contextlib.ExitStack() as stack:
        s.get("/metrics", Authorization=basic("alice", "secret"))
        asking = [stack.enter_context(contextlib.closing(s.connection())) for _ in range(24)]
        for c in asking:
            c.request("GET", "/metrics", headers={"Authorization": basic("slow", "wrong")})
        s.get("/-/healthy")
        s.get("/metrics", Authorization=basic("alice", "secret"))
        waiting = [c for c in asking if not select.select([c.sock], [], [], 0)[0]]
        assert waiting, "it was answered after all of them"
        # how many there was room for depends on how many were checked meanwhile
        assert {c.getresponse().status for c in asking} <= {401, 503}
        s.stop()


def test_wrong_passwords_hold_no_reload_up(ws):
    """A leaked password goes, though somebody sees to it that there is always one to be checked."""
    config = ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'leaked', cost='10')}\n")
    with WebService(ws, "--web.config.file", config) as s, contextlib.ExitStack() as stack:
        s.get("/metrics", Authorization=basic("alice", "leaked"))
        stop, full = threading.Event(), threading.Event()

        def ask():
            while not stop.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(s.connection()) as c:
                    c.request("GET", "/metrics", headers={"Authorization": basic("alice", "wrong")})
                    if c.getresponse().status == 503:
                        full.set()

        asking = [threading.Thread(target=ask) for _ in range(24)]
        stack.callback(lambda: [stop.set()] + [t.join() for t in asking])
        for t in asking:
            t.start()
        wait_for("a full queue", full.is_set)
        ws.write("web.yml", f"basic_auth_users:\n  alice: {web.bcrypt(ws, 'other')}\n")
        s.p.send_signal(signal.SIGHUP)
        s.said("certificates and passwords anew")
        stop.set()
        s.stop()


def test_bad_web_config(ws):
    """One line that says where and what; nothing is served rather than too much; the observation
    goes on; and it serves when the file is mended. What else can be wrong with one: tests/unit."""
    argv = web.shop(ws)
    config = ws.write("web.yml", "tls_server_config:\n  cert_fil: x\n")
    with WebService(ws, "--web.config.file", config) as s:
        line = s.said("no metrics and pages are served")
        assert "web.yml:2: unknown key 'cert_fil'" in line, line
        assert "the observation goes on" in line, line
        s.run(argv)
        s.wait_runs(APP, 1)
        os.unlink(config)
        s.p.send_signal(signal.SIGHUP)
        assert "No such file" in s.said("cannot read the web configuration file")
        ws.write("web.yml", "")
        s.p.send_signal(signal.SIGHUP)  # or half a minute
        s.get("/metrics")
        s.stop()
    ws.write("web.yml", "tls_server_config:\n  cert_file: server.crt\n  key_file: other.key\n")
    web.certificate(ws, "server")
    web.certificate(ws, "other")
    with WebService(ws, "--web.config.file", config) as s:
        line = s.said("no metrics and pages are served")
        assert "cannot be used" in line and "the observation goes on" in line, line
        s.stop()
