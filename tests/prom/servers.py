# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A real Prometheus and a real VictoriaMetrics on the loopback interface, with samples of the past."""
import glob
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from service import exit_status, wait_for  # noqa: E402

LISTENING = "0A"  # in /proc/net/tcp


def listening_port(pid):
    """Of the one TCP port at which a process listens, as the kernel has it; None: it does not
    yet."""
    ports = {}
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
            for words in map(str.split, f):
                if words[3] == LISTENING:
                    ports[f"socket:[{words[9]}]"] = int(words[1].rpartition(":")[2], 16)
    found = set()
    for fd in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found.add(ports.get(os.readlink(fd)))
        except FileNotFoundError:  # it goes on, and has closed it
            pass
    found.discard(None)
    assert len(found) < 2, found
    return found.pop() if found else None


def get(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=120) as answer:
        return answer.read()


class Server:
    """A program that is told to listen at port 0 of 127.0.0.1, once it answers at the path."""

    def __init__(self, name, command, directory, path):
        self.log = open(os.path.join(directory, name + ".log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        try:
            port = wait_for(f"a port of {name}",
                            lambda: self.alive() and listening_port(self.process.pid))
            self.url = f"http://127.0.0.1:{port}"
            wait_for(f"an answer of {name}", lambda: self.alive() and self.answers(path))
        except BaseException:
            self.stop()
            raise

    def alive(self):
        if self.process.poll() is None:
            return True
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            raise AssertionError("it does not start: " + f.read()[-2000:])

    def answers(self, path):
        try:
            get(self.url + path)
            return True
        except OSError:  # or a status that is an error: it is not ready yet
            return False

    def stop(self):
        self.process.terminate()
        try:
            exit_status(self.process)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Prometheus(Server):
    """data: a file of OpenMetrics with times, or None."""

    def __init__(self, directory, data=None, config="global: {}\n"):
        tsdb, path = os.path.join(directory, "tsdb"), os.path.join(directory, "prometheus.yml")
        os.makedirs(tsdb, exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        if data:
            subprocess.run(["promtool", "tsdb", "create-blocks-from", "--max-block-duration=10000h", "openmetrics", data, tsdb],
                           check=True, stdout=subprocess.DEVNULL)
        super().__init__("prometheus", ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={tsdb}",
                                        "--storage.tsdb.retention.time=100y",
                                        "--web.listen-address=127.0.0.1:0", "--web.enable-lifecycle"],
                         directory, "/-/ready")


class VictoriaMetrics(Server):
    """data: a file of text format with times in ms."""

    def __init__(self, directory, data=None, options=()):
        super().__init__("victoria", ["victoria-metrics", f"-storageDataPath={os.path.join(directory, 'victoria')}",
                                      "-httpListenAddr=127.0.0.1:0", "-retentionPeriod=100y",
                                      "-search.latencyOffset=0s", "-loggerLevel=WARN", *options],
                         directory, "/health")
        if data:
            with open(data, "rb") as f:
                get(self.url + "/api/v1/import/prometheus", f.read())
            get(self.url + "/internal/force_flush")


def have(*programs):
    return all(shutil.which(p) for p in programs)
