# SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
"""A real Prometheus and a real VictoriaMetrics on the loopback interface, with samples of the past."""
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

READY_S = 60


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=120) as answer:
        return answer.read()


class Server:
    def __init__(self, name, command, directory, ready):
        self.log = open(os.path.join(directory, name + ".log"), "wb")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        try:
            self.wait(ready)
        except BaseException:
            self.stop()
            raise

    def wait(self, url):
        end = time.monotonic() + READY_S
        while True:
            try:
                get(url)
                return
            except (urllib.error.URLError, ConnectionError, socket.timeout):
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("does not start: see " + self.log.name) from None
                time.sleep(0.05)  # lint: allow(sleeps) a bounded poll of a server's start

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
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
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("prometheus", ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={tsdb}",
                                        "--storage.tsdb.retention.time=100y",
                                        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle"],
                         directory, self.url + "/-/ready")


class VictoriaMetrics(Server):
    """data: a file of text format with times in ms."""

    def __init__(self, directory, data=None, options=()):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        super().__init__("victoria", ["victoria-metrics", f"-storageDataPath={os.path.join(directory, 'victoria')}",
                                      f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
                                      "-search.latencyOffset=0s", "-loggerLevel=WARN", *options],
                         directory, self.url + "/health")
        if data:
            with open(data, "rb") as f:
                get(self.url + "/api/v1/import/prometheus", f.read())
            get(self.url + "/internal/force_flush")


def have(*programs):
    return all(shutil.which(p) for p in programs)
