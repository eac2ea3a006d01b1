#!/usr/bin/env python3
"""A real Prometheus scrapes an appliance under load and tells a real Alertmanager, which tells somebody."""

import http.server
import json
import os
import re
import socket
import socketserver
import threading
import urllib.parse
import urllib.request

from bench import need_tool, run_cases, wait_until

MONITORING = os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "monitoring")
LOCAL = "127.0.0.1"
ALERTMANAGER = """
route: {receiver: test, group_by: [alertname], group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h}
receivers:
  - name: test
    webhook_configs: [{url: 'http://%s:%d/', send_resolved: true}]
"""


def free_port():
    with socket.socket() as probe:
        probe.bind((LOCAL, 0))
        return probe.getsockname()[1]


class Server:
    """An HTTP server beside the test, on a port of its own, until closed."""

    def __init__(self, handler):
        self.server = socketserver.ThreadingTCPServer((LOCAL, 0), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def receiver(alerts):
    """Collects the alerts that it is told of."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            alerts.extend(body["alerts"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    return Server(Handler)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def write_configs(bench, ports):
    """The files that are shipped, in a hurry: evaluated five times a second, and the alert does not wait. The others do,
    for minutes: a machine that is busy with more than this test may be slow."""
    rules, hurried = re.subn(r"(alert: McplaneBreakerOpen\b.*?\bfor: )\w+", r"\g<1>0s",
                             read(MONITORING, "mcplane.rules.yml"), flags=re.DOTALL)
    assert hurried == 1
    write(os.path.join(bench.folder, "mcplane.rules.yml"), rules)
    config = re.sub(r"_interval: 5s", "_interval: 200ms", read(MONITORING, "prometheus.yml"))
    config = config.replace("127.0.0.1:9093", f"{LOCAL}:{ports['alertmanager']}")
    config, targets = re.subn(r"127\.0\.0\.1:4880", f"{LOCAL}:{ports['appliance']}", config)
    assert targets == 1
    write(os.path.join(bench.folder, "prometheus.yml"), config)
    write(os.path.join(bench.folder, "alertmanager.yml"), ALERTMANAGER % (LOCAL, ports["receiver"]))


def start_monitoring(bench, ports):
    bench.start("alertmanager", [
        "prometheus-alertmanager", f"--config.file={bench.folder}/alertmanager.yml",
        f"--storage.path={bench.folder}/alerts", "--cluster.listen-address=",
        f"--web.listen-address={LOCAL}:{ports['alertmanager']}"])
    bench.start("prometheus", [
        "prometheus", f"--config.file={bench.folder}/prometheus.yml", f"--storage.tsdb.path={bench.folder}/series",
        f"--web.listen-address={LOCAL}:{ports['prometheus']}"])


def query(ports, expression):
    """What Prometheus answers: values by the labels of their series; {} while it does not."""
    url = f"http://{LOCAL}:{ports['prometheus']}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return {}
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in found}


def fires(alerts, status, **labels):
    return any(alert["status"] == status and labels.items() <= alert["labels"].items() for alert in alerts)


def an_open_breaker_reaches_somebody(bench):
    need_tool("prometheus")
    need_tool("prometheus-alertmanager")
    alerts = []
    webhook = receiver(alerts)
    try:
        ports = {name: free_port() for name in ("prometheus", "alertmanager", "appliance")}
        ports["receiver"] = webhook.port
        write_configs(bench, ports)
        bench.start_appliance("--http", f"{LOCAL}:{ports['appliance']}")
        for name in ("good", "bad"):
            bench.start_worker(name)
        load = bench.start_load("--rate", "500/s", "--clients", "4")
        start_monitoring(bench, ports)
        rate = "sum(rate(mcplane_tasks_completed_total{outcome=\"result\"}[2s]))"
        wait_until("the rate in Prometheus", 30, lambda: 400 < next(iter(query(ports, rate).values()), 0) < 600)
        assert list(query(ports, "up").values()) == [1]
        assert not alerts, alerts

        node = bench.node("bad")["node_id"]
        done = bench.run("mcplane-ctl", "breaker", "force-open", node, "--admin", bench.admin)
        assert done.returncode == 0, done.stderr
        wait_until("the alert", 20, lambda: fires(alerts, "firing", alertname="McplaneBreakerOpen", worker="bad"))
        told = next(alert for alert in alerts if alert["labels"]["alertname"] == "McplaneBreakerOpen")
        assert told["annotations"]["summary"].startswith("worker bad gets no tasks from"), told
        assert {alert["labels"]["alertname"] for alert in alerts} == {"McplaneBreakerOpen"}, alerts

        done = bench.run("mcplane-ctl", "breaker", "force-closed", node, "--admin", bench.admin)
        assert done.returncode == 0, done.stderr
        wait_until("its end", 20, lambda: fires(alerts, "resolved", alertname="McplaneBreakerOpen", worker="bad"))
        result = bench.end_load(load)
        assert result["delivered"] == result["sent"], result
        total = "sum(mcplane_tasks_completed_total{outcome=\"result\"})"
        wait_until("the count in Prometheus", 10,
                   lambda: next(iter(query(ports, total).values()), 0) == result["delivered"])
    finally:
        webhook.close()


run_cases(an_open_breaker_reaches_somebody)
