# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""[cloudwatch]: the daemon's events at a listener in the place of the CloudWatch agent, valid by the format's schema."""
import contextlib
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import lib
from service import Patience, Service, exit_status, wait_for

sys.path.insert(0, os.path.join(lib.REPO, "tests/emf"))
try:
    import emf
except ModuleNotFoundError:
    emf = None

# Other programs of the host are none of ours, other runs of this test neither.
OURS = f"cw{os.getpid()}"
APP = f"{OURS}/manage.py"
ONLY = f"[observe]\napp = ^{OURS}\n"
PROGRAM = "import json, costly\nprint(json.dumps(costly.__name__))\n"
COSTLY = "import time\ntime.sleep(0.05)\n"  # lint: allow(sleeps) stands for work


class Port:
    """A port that is ours, so that agents come and go at it and no other program of this host does.
    Whoever sends to it while there is no agent is refused: of TCP, since this socket does not
    listen; of UDP, since it is connected to another one."""

    def __init__(self, kind):
        self.socket = reusable(kind)
        self.socket.bind(("127.0.0.1", 0))
        self.number = self.socket.getsockname()[1]
        if kind == "udp":
            self.socket.connect(("127.0.0.1", self.number))

    def __enter__(self):
        return self.number

    def __exit__(self, *exc):
        self.socket.close()


def reusable(kind):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return s


class Agent:
    """Listens as the CloudWatch agent does; each event that comes is checked."""

    def __init__(self, kind, port=0):
        if emf is None:
            raise lib.Skip("no Python module 'jsonschema': package python3-jsonschema")
        self.kind, self.lines = kind, queue.Queue()
        self.socket = reusable(kind)
        self.socket.bind(("127.0.0.1", port))
        self.port = self.socket.getsockname()[1]
        self.connections = []
        if kind == "tcp":
            self.socket.listen()
        threading.Thread(target=self._accept if kind == "tcp" else self._receive, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        for s in [self.socket, *self.connections]:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    @property
    def endpoint(self):
        return f"{self.kind}://127.0.0.1:{self.port}"

    def _accept(self):
        try:
            while True:
                c, _ = self.socket.accept()
                self.connections.append(c)
                threading.Thread(target=self._read, args=[c], daemon=True).start()
        except OSError:
            pass

    def _read(self, c):
        try:
            with c.makefile("rb") as f:
                for line in f:
                    if not line.endswith(b"\n"):
                        self.lines.put(AssertionError(f"a line was cut: {line[-200:]}"))
                    self.lines.put(line[:-1])
        except (OSError, ValueError):
            pass

    def _receive(self):
        try:
            while True:
                data = self.socket.recv(65536)
                if data:
                    self.lines.put(data)
        except OSError:
            pass

    def until(self, what):
        """Reads events until one is such; returns all."""
        seen, patience = [], Patience()
        while True:
            assert not patience.over(), f"it did not come, but {seen}"
            try:
                line = self.lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if isinstance(line, AssertionError):  # of the thread that reads
                raise line
            seen.append(emf.check(line, 60 * 1024 if self.kind == "udp" else emf.MAX_BYTES))
            if what(seen[-1]):
                return seen

    def until_runs(self, app, n):
        """Until so many runs of the app were told of."""
        got = [0]

        def enough(e):
            got[0] += e["Runs"] if e["app"] == app and "Runs" in e else 0
            return got[0] >= n

        seen = self.until(enough)
        assert got[0] == n, (got, seen)
        return seen


def config(ws, text):
    return ws.write("own.conf", ONLY + "[cloudwatch]\ninterval_s = 1\n" + text)


def shop(ws):
    ws.write(f"{OURS}/costly.py", COSTLY)
    return lib.system_python()(ws.write(APP, PROGRAM))


def has_module(name):
    return lambda e: e.get("module") == name and "ImportTime" in e


def sends(ws, kind):
    argv = shop(ws)
    began = time.time()
    with Agent(kind) as agent, Service(ws, "--config", config(ws, f"endpoint = {agent.endpoint}\n")) as s:
        s.run(argv, 5)
        events = agent.until_runs(APP, 5)
        assert inet_sockets(s.p.pid)  # test_off finds none
        host = [e for e in events if e["app"] == "_all"]
        assert sum(e["Runs"] for e in host) == 5 and all("EventsLost" in e for e in host), host
        starts = [v for e in events if e["app"] == APP for v in emf.values_of(e, "ColdStart")]
        assert 1 <= len(starts) <= 5 and all(v > 50 for v in starts), starts
        s.wait_runs(APP, 5)
        # the store's have no probes' time in them
        p50 = s.apps()[APP]["cold_start"]["p50"]
        assert 50 < p50 <= max(starts) * 1.01, (starts, p50)
        s.run(argv)
        events = agent.until(has_module("costly"))
        assert events[-1]["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "lmmsd"
        assert events[-1]["_aws"]["LogGroupName"] == "lmmsd"
        assert began - 1 <= events[-1]["_aws"]["Timestamp"] / 1000 <= time.time() + 1
        s.stop()


def test_tcp(ws):
    sends(ws, "tcp")


def test_udp(ws):
    sends(ws, "udp")


def test_last_interval_is_sent(ws):
    """What ran since the last event goes out at the end."""
    argv = shop(ws)
    with Agent("tcp") as agent:
        text = f"endpoint = {agent.endpoint}\ninterval_s = 3600\n"
        with Service(ws, "--config", config(ws, text)) as s:
            s.run(argv, 2)
            s.wait_runs(APP, 2)
            s.stop()
            agent.until_runs(APP, 2)


def test_hostile_names(ws):
    """Long names, control characters, no ASCII; many of them."""
    module = "m" * 200 + "\u00e9"
    app = OURS + "sh\top\u2028\U0001f40d"
    ws.write(f"{app}/{module}.py", COSTLY)
    argv = lib.system_python()(ws.write(f"{app}/x\x01y.py", f"import {module}\n"))
    with Agent("udp") as agent:
        text = f"endpoint = {agent.endpoint}\nmax_apps = 3\n"
        with Service(ws, "--config", config(ws, text)) as s:
            s.run(argv, 3)
            # lmmsd keeps no control characters in the name of an app
            seen = agent.until(lambda e: e.get("app_name") == OURS + "sh\ufffdop\ufffd\U0001f40d/x\ufffdy.py")
            assert seen[-1]["app"] == OURS + r"sh\u{fffd}op\u{fffd}\u{1f40d}/x\u{fffd}y.py", seen[-1]
            for i in range(12):
                s.run(lib.system_python()(ws.write(f"{OURS}app{i}/run.py", "import json\n")))
            total = sum(e["Runs"] for e in seen if e["app"] == "_all")
            while total < 15:
                seen += agent.until(lambda e: e["app"] == "_all")
                total += seen[-1]["Runs"]
            assert total == 15
            # an interval's other events come behind its first
            seen += agent.until(lambda e: e["app"] == "_all")
            apps = {e["app"] for e in seen}
            assert len(apps - {"_all", "_other"}) <= 3, apps
            modules = [e for e in seen if e.get("module_name") == module]
            assert modules and modules[0]["module"].isascii() and len(modules[0]["module"]) <= 250, modules
            s.stop()


def down_and_back(ws, kind):
    argv = shop(ws)
    with Port(kind) as port, Service(ws, "--config",
                                     config(ws, f"endpoint = {kind}://127.0.0.1:{port}\n")) as s:
        line = s.said("cannot send metrics")
        assert f"{kind}://127.0.0.1:{port}" in line and "refused" in line, line
        s.run(argv, 3)
        s.wait_runs(APP, 3)  # the observation goes on
        with Agent(kind, port) as agent:
            dropped = int(re.search(r"(\d+) events were dropped", s.said("again"))[1])
            # when a datagram's refusal comes late it is lost, and counted
            assert not dropped or kind == "udp", s.lines
            if not dropped:
                agent.until_runs(APP, 3)  # and nothing of it is missing
            s.run(argv)
            if not dropped:
                agent.until_runs(APP, 1)
            else:
                agent.until(lambda e: e["app"] == APP and "Runs" in e)
        s.stop()
        said = [x for x in s.lines if x and "metrics" in x]
        assert len([x for x in said if "again" in x]) == 1, said
        # a second time only if an event came between agent and daemon ending
        assert len([x for x in said if "cannot send" in x]) <= 2, said


def test_down_and_back_tcp(ws):
    down_and_back(ws, "tcp")


def test_down_and_back_udp(ws):
    down_and_back(ws, "udp")


def test_agent_hangs(ws):
    """An agent that takes no more stops nothing."""
    argv = shop(ws)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        text = f"endpoint = tcp://127.0.0.1:{silent.getsockname()[1]}\n"
        with Service(ws, "--config", config(ws, text)) as s:
            c, _ = silent.accept()
            with c:
                s.run(argv, 5)
                s.wait_runs(APP, 5)
                s.stop()


def test_agent_starts_anew(ws):
    """... between two events: nothing is said and the connection is made again."""
    argv = shop(ws)
    with Port("tcp") as port, Agent("tcp", port) as first:
        with Service(ws, "--config", config(ws, f"endpoint = {first.endpoint}\n")) as s:
            first.until(lambda e: e["app"] == "_all")
            first.close()
            with Agent("tcp", port) as second:
                s.run(argv)
                second.until_runs(APP, 1)
            s.stop()


def test_host_name(ws):
    """The endpoint may be a name."""
    with Agent("tcp") as agent:
        text = f"endpoint = tcp://localhost:{agent.port}\nhost_dimension = on\n"
        with Service(ws, "--config", config(ws, text)) as s:
            e = agent.until(lambda e: e["app"] == "_all")[-1]
            assert e["host"] == socket.gethostname()
            assert e["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["host", "app"]]
            s.stop()


def test_environment(ws):
    """As the format's own libraries; it wins over the file, a flag over it."""
    with Agent("udp") as agent, Agent("tcp") as other:
        own = config(ws, f"endpoint = {other.endpoint}\n")
        env = {"AWS_EMF_AGENT_ENDPOINT": agent.endpoint, "AWS_EMF_NAMESPACE": "Team/Start",
               "AWS_EMF_LOG_GROUP_NAME": "/team/start"}
        with Service(ws, "--config", own, env=env) as s:
            meta = agent.until(lambda e: True)[-1]["_aws"]
            assert meta["CloudWatchMetrics"][0]["Namespace"] == "Team/Start", meta
            assert meta["LogGroupName"] == "/team/start", meta
            s.stop()
        with Service(ws, "--config", own, "--cloudwatch.endpoint", other.endpoint, env=env) as s:
            other.until(lambda e: True)
            s.stop()


def read_events(path):
    with open(path, "rb") as f:
        return [emf.check(line) for line in f.read().splitlines()]


def test_file(ws):
    """A file that logrotate renames is begun anew."""
    if emf is None:
        raise lib.Skip("no Python module 'jsonschema': package python3-jsonschema")
    path = ws.path("emf.log")
    argv = shop(ws)
    with Service(ws, "--config", config(ws, f"endpoint = file://{path}\n")) as s:
        s.run(argv)
        wait_for("an event in the file", lambda: any(e["app"] == APP for e in read_events(path)))
        os.rename(path, path + ".1")
        s.run(argv)
        wait_for("a new file", lambda: os.path.exists(path) and
                 any(e["app"] == APP for e in read_events(path)))
        s.stop()
    assert os.stat(path).st_mode & 0o777 == 0o640


def test_stdout(ws):
    if emf is None:
        raise lib.Skip("no Python module 'jsonschema': package python3-jsonschema")
    with Service(ws, "--config", config(ws, "endpoint = stdout\n"), stdout=subprocess.PIPE) as s:
        for _ in range(2):
            assert emf.check(s.p.stdout.readline().encode().rstrip(b"\n"))["app"] == "_all"
        # shared with others, so not to be made non-blocking
        flags = int([x for x in open(f"/proc/{s.p.pid}/fdinfo/1", encoding="ascii") if "flags" in x][0].split()[1], 8)
        assert not flags & os.O_NONBLOCK
        s.stop()
        s.p.stdout.close()


def inet_sockets(pid):
    """Its TCP and UDP sockets; those to its own helpers are of another family."""
    inodes = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
            inodes |= {f"socket:[{line.split()[9]}]" for line in f.readlines()[1:]}
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it goes on, and has closed it
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found & inodes


def test_off(ws):
    with Service(ws, "--config", ws.write("own.conf", "")) as s:
        s.run(shop(ws))
        s.wait_runs(APP, 1)
        assert not inet_sockets(s.p.pid)
        s.stop()


def refused(ws, text, code, *parts, env=None):
    with Service(ws, "--config", ws.write("own.conf", text), env=env, wait=False) as s:
        assert exit_status(s.p) == code, (s.p.returncode, s.lines)
        line = s.said("lmmsd: ")
        assert [x for x in s.lines if x] == [line], s.lines
        for part in parts:
            assert part in line, (part, line)


def test_bad_configuration(ws):
    head = "[cloudwatch]\ninterval_s = 1\n"
    refused(ws, head + "endpoint = tcp://127.0.0.1:x\n", 2, "own.conf:3: endpoint: ", "no port")
    refused(ws, head + "endpoint = http://127.0.0.1\n", 2, "own.conf:3: ", "none of tcp://HOST:PORT")
    refused(ws, "[cloudwatch]\nnamespace = AWS/EC2\n", 2, "own.conf:2: ", "namespace")
    refused(ws, "[cloudwatch]\nlog_group = a b\n", 2, "own.conf:2: ", "log group")
    refused(ws, "[cloudwatch]\nmax_modules = 1000\n", 2, "own.conf:2: ", "from 0 to 32")
    refused(ws, "", 2, "AWS_EMF_AGENT_ENDPOINT", "none of", env={"AWS_EMF_AGENT_ENDPOINT": "nonsense"})
    refused(ws, head + f"endpoint = file://{ws.path('no/such/dir/emf.log')}\n", 5, "own.conf:3: ", "No such file")
    refused(ws, head + f"endpoint = file://{ws.dir}\n", 2, "own.conf:3: ", "Is a directory")


def test_reload(ws):
    argv = shop(ws)
    with Agent("tcp") as first, Agent("udp") as second:
        own = config(ws, f"endpoint = {first.endpoint}\n")
        with Service(ws, "--config", own) as s:
            first.until(lambda e: True)
            config(ws, f"endpoint = file://{ws.path('no/such/dir/emf.log')}\n")
            s.p.send_signal(signal.SIGHUP)
            s.said("own.conf:5: cannot write")
            s.said("stays as it was")
            s.run(argv)
            first.until_runs(APP, 1)
            # all of it or nothing: the endpoint is good, the file is not
            config(ws, f"endpoint = {second.endpoint}\n[textfile]\npath = {ws.path('no/such/dir/lmmsd.prom')}\n")
            s.p.send_signal(signal.SIGHUP)
            s.said("stays as it was", 2)
            s.run(argv)
            first.until_runs(APP, 1)
            config(ws, f"endpoint = {second.endpoint}\n")
            s.p.send_signal(signal.SIGHUP)
            s.said("the configuration was read again")
            s.run(argv, 2)
            second.until_runs(APP, 2)
            s.stop()
