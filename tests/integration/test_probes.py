#!/usr/bin/env python3
"""Workers are taken out and in by what real servers say of their health: nginx, gRPC's health service, a TCP port."""

import json
import os
import signal
import socket

from bench import BROKER6, Skip, need_tool, run_cases, wait_until

WORKER4, WORKER6 = "10.77.0.2", "fd77::2"
PORT = 9000
SERVICE = "my.Service"
SETTINGS = """
[probe]
interval = "100ms"
timeout = "100ms"
rise = 2
fall = 3
[breaker]
ejected-share-max = "{share}"
"""
SOON_S = 5


def start(bench, share="100%"):
    path = os.path.join(bench.folder, "mcplane.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SETTINGS.format(share=share))
    return bench.start_appliance("--config", path)


def breaker(bench, name="w"):
    done = bench.run("mcplane-ctl", "breaker", "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return next(breaker for breaker in json.loads(done.stdout)["breakers"] if breaker["name"] == name)


def probe(bench, name="w"):
    done = bench.run("mcplane-ctl", "nodes", "--json", "--admin", bench.admin)
    assert done.returncode == 0, done.stderr
    return next(node for node in json.loads(done.stdout)["nodes"] if node["name"] == name)["probe"]


def expect_in(bench, said):
    """Tasks are answered, as many as prove a worker that was out."""
    wait_until("in", SOON_S, lambda: breaker(bench)["state"] != "open")
    for number in range(3):
        code, outcome = bench.send("--action", "generate", "--prompt", f"{number}")
        assert (code, outcome["outcome"]) == (0, "result"), outcome
    wait_until("closed", SOON_S, lambda: breaker(bench)["state"] == "closed")
    assert (probe(bench)["health"], probe(bench)["said"]) == ("up", said), probe(bench)


def expect_out(bench, reason, said):
    """Tasks are refused, and reports say why."""
    wait_until(f"out: {reason}", SOON_S, lambda: breaker(bench)["reason"] == reason)
    wait_until(said, SOON_S, lambda: probe(bench)["said"] == said)
    assert breaker(bench)["state"] == "open", breaker(bench)
    assert bench.node("w")["breaker"] == "open" and bench.node("w")["state"] == "up", bench.node("w")
    code, outcome = bench.send("--action", "generate", "--prompt", "anyone?")
    assert (code, outcome["outcome"], outcome["reason"]) == (1, "rejected", "no_worker"), outcome


class Nginx:
    """Answers /health with 200 while `healthy` is there, else with 503. One process, so that ending it is all."""

    def __init__(self, bench):
        need_tool("nginx")
        self.bench = bench
        self.healthy = os.path.join(bench.folder, "healthy")
        self.config = os.path.join(bench.folder, "nginx.conf")
        self.set_healthy(True)
        temporary = "".join(f"{kind}_temp_path {bench.folder}/{kind};" for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"""
                daemon off; master_process off; pid {bench.folder}/nginx.pid; error_log stderr;
                events {{}}
                http {{ access_log off; {temporary}
                  server {{ listen {WORKER4}:{PORT};
                    location = /health {{ if (!-f {self.healthy}) {{ return 503; }} return 200 "fine"; }}
                    location = /empty {{ return 204; }} }} }}""")

    def set_healthy(self, healthy):
        if healthy:
            with open(self.healthy, "w", encoding="utf-8"):
                pass
        else:
            os.remove(self.healthy)

    def start(self):
        return self.bench.start("nginx", ["nginx", "-e", "stderr", "-c", self.config])


def http_as_nginx_says(bench):
    nginx = Nginx(bench)
    appliance = start(bench)
    bench.start_worker("w", "--probe", f"http:{PORT}/health")
    assert probe(bench)["asks"] == f"http:{PORT}/health", probe(bench)
    expect_out(bench, "health probe awaited", "connection refused")
    server = nginx.start()
    expect_in(bench, "HTTP 200")
    nginx.set_healthy(False)
    expect_out(bench, "health probe fails", "HTTP 503")
    nginx.set_healthy(True)
    expect_in(bench, "HTTP 200")
    bench.end(server)
    expect_out(bench, "health probe fails", "connection refused")
    nginx.start()
    expect_in(bench, "HTTP 200")
    log = bench.log_of(appliance)
    assert log.count("opens: health probe fails") == 2, log
    assert log.count(f"health probe http:{PORT}/health of worker 'w'") == 5, log


def http_with_the_status_typed(bench):
    start(bench)
    Nginx(bench).start()
    bench.start_worker("w", "--probe", f"http:{PORT}/empty=204")
    expect_in(bench, "HTTP 204")
    bench.start_worker("other", "--probe", f"http:{PORT}/empty", "--action", "other")
    wait_until("an answer", SOON_S, lambda: probe(bench, "other")["said"] == "HTTP 204")
    assert probe(bench, "other")["health"] == "awaited"


def grpc_as_its_health_service_says(bench):
    server_path = os.environ.get("GRPC_HEALTH_SERVER")
    if not server_path:
        raise Skip("libgrpc++-dev was not there at build time (scripts/deps installs it)")
    start(bench)
    for name, asks, action in (("w", f"grpc:{PORT}/{SERVICE}", "generate"), ("whole", f"grpc:{PORT}", "other"),
                               ("unknown", f"grpc:{PORT}/no.Service", "third")):
        bench.start_worker(name, "--probe", asks, "--action", action)
    expect_out(bench, "health probe awaited", "connection refused")
    server = bench.start("grpc", [server_path, f"{WORKER4}:{PORT}", SERVICE])
    expect_in(bench, "SERVING")
    wait_until("whole", SOON_S, lambda: probe(bench, "whole")["health"] == "up")
    wait_until("unknown", SOON_S, lambda: probe(bench, "unknown")["said"] == "gRPC status 5, service unknown")
    assert breaker(bench, "unknown")["state"] == "open"
    server.send_signal(signal.SIGUSR1)
    expect_out(bench, "health probe fails", "NOT_SERVING")
    assert probe(bench, "whole")["said"] == "NOT_SERVING", probe(bench, "whole")
    server.send_signal(signal.SIGUSR2)
    expect_in(bench, "SERVING")
    bench.end(server, signal.SIGKILL)
    expect_out(bench, "health probe fails", "connection refused")


def tcp_while_the_port_listens(bench):
    start(bench)
    for name, broker, address in (("w", None, WORKER4), ("w", BROKER6, WORKER6)):
        listener = socket.create_server((address, PORT), family=socket.AF_INET6 if broker else socket.AF_INET)
        worker = bench.start_worker(name, "--probe", f"tcp:{PORT}", **({"broker": broker} if broker else {}))
        expect_in(bench, "connected")
        listener.close()
        expect_out(bench, "health probe fails", "connection refused")
        bench.end(worker)
        wait_until("left", SOON_S, lambda: not bench.node("w"))


def some_stay_in_when_all_fail(bench):
    start(bench, share="50%")
    server = Nginx(bench).start()
    for name in ("w", "v"):
        bench.start_worker(name, "--probe", f"http:{PORT}/health")
        wait_until("in", SOON_S, lambda: breaker(bench, name)["state"] == "closed")
    bench.end(server)
    wait_until("down", SOON_S, lambda: all(probe(bench, name)["health"] == "down" for name in ("w", "v")))

    def states():
        return sorted((breaker(bench, name)["state"], breaker(bench, name)["reason"]) for name in ("w", "v"))

    wait_until("one of them out", SOON_S, lambda: states() == [
        ("closed", "held back: too many of its pool are out"), ("open", "health probe fails")])
    code, outcome = bench.send("--action", "generate", "--prompt", "anyone?")
    assert code == 0, outcome


run_cases(http_as_nginx_says, http_with_the_status_typed, grpc_as_its_health_service_says, tcp_while_the_port_listens,
          some_stay_in_when_all_fail)
