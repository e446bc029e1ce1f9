# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""Whatever answers instead of Prometheus: one line, the right exit status, bounded memory, no password in what is said."""
import base64
import http.server
import os
import resource
import socket
import subprocess
import threading
import zlib

from report import check, skip

NEEDS = []
EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
MEMORY = 1200 << 20


def vector(series):
    return b'{"status":"success","data":{"resultType":"vector","result":[' + series + b"]}}"


INFO = b'{"metric":{"__name__":"lmmsd_build_info","instance":"a:9748","job":"lmmsd","version":"1"},"value":[1793491200,"1"]}'


class Handler(http.server.BaseHTTPRequestHandler):
    """What to do is in the path."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(body)

    def endless(self, chunk, *, encoding=None):
        self.send_response(200)
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"%x\r\n" % len(chunk) + chunk + b"\r\n")
        except OSError:
            self.close_connection = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        what = self.path.split("/")[1]
        self.server.seen.append((self.path, self.headers, body))
        if what == "auth":
            good = "Basic " + base64.b64encode(b"me:s3cret pass").decode()
            self.answer(EMPTY if self.headers.get("Authorization") == good else b"no", 200 if self.headers.get("Authorization") == good else 401)
        elif what == "header":
            self.answer(EMPTY if self.headers.get("X-Scope-OrgID") == "team-7" else b"no org id", 200 if self.headers.get("X-Scope-OrgID") == "team-7" else 401)
        elif what == "redirect":
            self.answer(b"", 307, Location="/plain/api/v1/query")
        elif what == "circle":
            self.answer(b"", 302, Location=self.path)
        elif what == "elsewhere":
            self.answer(b"", 307, Location="file:///etc/passwd")
        elif what == "huge":
            self.endless(b'{"metric":{},"value":[1,"1"]},' * 1000)
        elif what == "nested":
            self.endless(b"[" * 100000)
        elif what == "bomb":
            packer = zlib.compressobj(9, zlib.DEFLATED, 31)
            self.answer(packer.compress(b" " * (600 << 20)) + packer.flush(), Content_Encoding="gzip")
        elif what == "hangup":
            self.close_connection = True
        elif what == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"status":"success"')
            self.close_connection = True
        elif what == "nostart":
            self.answer(EMPTY if b"process_start" in body else vector(INFO))
        elif what == "many":
            self.answer(vector(self.server.many))
        else:
            self.answer(*self.server.answers[what])


ANSWERS = {
    "plain": (EMPTY,),
    "html": (b"<!DOCTYPE html><html><body>Welcome</body></html>", 200, "text/html"),
    "missing": (b"404 page not found", 404, "text/plain"),
    "down": (b"<html>502 Bad Gateway</html>", 502, "text/html"),
    "nothing": (b"",),
    "truncated": (EMPTY[:-20],),
    "types": (b'{"status":"success","data":{"resultType":"vector","result":[{"metric":[],"value":"x"}]}}',),
    "value": (vector(b'{"metric":{"job":"lmmsd"},"value":["a",1]}'),),
    "number": (vector(b'{"metric":{"job":"lmmsd"},"value":[1,"0x"]}'),),
    "label": (vector(b'{"metric":{"job":7},"value":[1,"1"]}'),),
    "scalar": (b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}',),
    "null": (b'{"status":"success","data":null}',),
    "array": (b"[]",),
    "deep": (vector(b'{"metric":{"a":' + b"[" * 5000 + b"]" * 5000 + b'},"value":[1,"1"]}'),),
    "long": (vector(b'{"metric":{"job":"' + b"x" * 400000 + b'"},"value":[1,"1"]}'),),
    "binary": (bytes(range(256)) * 50,),
    "refuses": (b'{"status":"error","errorType":"execution","error":"query processing would load too many samples \\u001b[31m"}', 422),
}
HOSTS = 140000  # more than lmmsctl takes
# path: (exit status, a word of the one line)
EXPECTED = {
    "plain": (5, "no metric of lmmsd"), "html": (5, "not Prometheus"), "missing": (5, "404"), "down": (5, "502"), "nothing": (5, "not Prometheus"),
    "truncated": (5, "not Prometheus"), "types": (5, "not Prometheus"), "value": (5, "not Prometheus"), "number": (5, "not Prometheus"),
    "label": (5, "not Prometheus"), "scalar": (5, "not Prometheus"), "null": (5, "not Prometheus"), "array": (5, "not Prometheus"),
    "deep": (5, "not Prometheus"), "long": (5, "not Prometheus"), "binary": (5, "not Prometheus"), "refuses": (5, "too many samples"),
    "nostart": (5, "process_start_time_seconds"), "auth": (3, "who asks"), "header": (3, "who asks"), "redirect": (5, "no metric of lmmsd"),
    "circle": (5, "one address to the next"), "elsewhere": (5, "file"), "huge": (5, "longer than"), "nested": (5, "longer than"),
    "bomb": (5, "longer than"), "many": (5, "more series than"), "hangup": (5, ""), "cut": (5, ""),
}


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def review(program, url, *args):
    return subprocess.run([program, "review", "--prometheus", url, "--month", "2026-10", *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False, preexec_fn=limit)


def check_line(what, r, status, word):
    check(f"{what}: exit status {status}", r.returncode == status, f"{r.returncode}: {r.stderr}")
    check(f"{what}: one line", r.stderr.count("\n") == 1 and r.stderr.startswith("lmmsctl: ") and word in r.stderr, r.stderr)
    check(f"{what}: nothing for the terminal to obey", "\x1b" not in r.stderr, repr(r.stderr))
    check(f"{what}: no report", r.stdout == "", r.stdout[:300])


def check_secrets(program, server, url):
    port = url.rsplit(":", 1)[1]
    r = review(program, f"http://me:s3cret%20pass@127.0.0.1:{port}/auth")
    check("user and password in the URL are sent", "no metric of lmmsd" in r.stderr, r.stderr)
    check("and not shown", "s3cret" not in r.stderr, r.stderr)
    r = review(program, f"http://me:wr0ng@127.0.0.1:{port}/auth")
    check("a wrong password is refused, and not shown", r.returncode == 3 and "wr0ng" not in r.stderr, r.stderr)
    r = review(program, f"http://me:s3cret@127.0.0.1:{port}:x/")
    check("not in what is no URL either", r.returncode == 2 and "s3cret" not in r.stderr, r.stderr)
    check("queries are posted", all(path.endswith("/api/v1/query") for path, _, _ in server.seen)
          and all(body.startswith(b"query=") for _, _, body in server.seen))


def check_files(program, url, where):
    path = os.path.join(where, "headers")
    with open(path, "w", encoding="utf-8") as f:
        f.write("# the tenant\nX-Scope-OrgID: team-7\r\n\n")
    r = review(program, url + "/header", "--prometheus-headers", path)
    check("headers from a file", "no metric of lmmsd" in r.stderr, r.stderr)
    with open(path, "w", encoding="utf-8") as f:
        f.write("A: b\nno header\n")
    r = review(program, url + "/header", "--prometheus-headers", path)
    check("a bad header", r.returncode == 2 and f"{path}:2" in r.stderr and r.stderr.count("\n") == 1, r.stderr)
    r = review(program, url, "--prometheus-headers", os.path.join(where, "none"))
    check("no such file of headers", r.returncode == 5 and r.stderr.count("\n") == 1, r.stderr)
    r = review(program, "https://127.0.0.1:1", "--prometheus-ca", os.path.join(where, "none"))
    check("no such certificates", r.returncode == 5 and r.stderr.count("\n") == 1, r.stderr)


def check_usage(program):
    for args, word in ((["review", "--prometheus", "gopher://x"], "http"), (["review", "--prometheus", ""], "URL"),
                       (["review", "--prometheus", "http://x", "--db", "y"], "--db"), (["review", "--prometheus-ca", "x"], "--prometheus URL"),
                       (["modules", "--app", "x", "--prometheus", "http://x"], "says nothing")):
        r = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        check(" ".join(args), r.returncode == 2 and r.stderr.count("\n") == 1 and word in r.stderr, f"{r.returncode} {r.stderr}")


def check_tls(program, where):
    """A server with a certificate that nobody knows."""
    key, cert = os.path.join(where, "key.pem"), os.path.join(where, "cert.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                           "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if made.returncode:
        skip(f"nonsense: openssl made no certificate: {made.stderr.strip().splitlines()[-1:]}")
        return
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    with serving() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        url = f"https://127.0.0.1:{server.server_address[1]}/plain"
        check_line("unknown certificate", review(program, url), 5, "--prometheus-ca")
        r = review(program, url, "--prometheus-ca", cert)
        check("a certificate that is known", "no metric of lmmsd" in r.stderr, r.stderr)


class serving:
    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.answers, self.server.seen = ANSWERS, []
        self.server.many = b",".join(b'{"metric":{"instance":"%d","job":"lmmsd"},"value":[1793491200,"1"]}' % i for i in range(HOSTS))
        self.server.handle_error = lambda *_: None
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self.server

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def run(target, where):
    program = os.path.join(target, "lmmsctl")
    with serving() as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        for what, (status, word) in EXPECTED.items():
            check_line(what, review(program, f"{url}/{what}"), status, word)
        check_secrets(program, server, url)
        check_files(program, url, where)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        check_line("nobody there", review(program, f"http://127.0.0.1:{s.getsockname()[1]}"), 5, "connect")
    check_line("no such host", review(program, "http://prometheus.invalid:9090"), 5, "prometheus.invalid")
    check_usage(program)
    check_tls(program, where)
