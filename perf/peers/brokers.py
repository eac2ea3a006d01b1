"""The brokers that are measured beside mcplane: how each is started on one CPU, and what the load is told of it.

Each has what its users would give it: kept-alive connections on both sides, no logs, no files, one thread.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

START_S, END_S, POLL_S = 10, 5, 0.02


class Failure(Exception):
    """One line for whoever runs the comparison."""


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for held in sockets:
            held.bind(("127.0.0.1", 0))
        return [held.getsockname()[1] for held in sockets]
    finally:
        for held in sockets:
            held.close()


def listens(port, udp):
    """Whether a socket of this machine is bound to 127.0.0.1:port, and listens if it is TCP."""
    with open("/proc/net/udp" if udp else "/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return any(row[1] == f"0100007F:{port:04X}" and (udp or row[3] == "0A") for row in rows)


class Bench:
    """Starts processes on one CPU and ends them by pid; a folder for their files that is gone afterwards."""

    def __init__(self, broker_cpu, programs, workers):
        self.broker_cpu = broker_cpu
        self.programs = os.path.realpath(programs)
        self.workers = workers
        self.processes = []

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="mcplane-peer-")
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def start(self, command, *ports, udp=False, **environment):
        """The pids of a broker, its children too, once it listens on all ports."""
        log = os.path.join(self.folder, "log")
        with open(log, "wb") as output:
            process = subprocess.Popen(command, cwd=self.folder, env={**os.environ, **environment},
                                       stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                       preexec_fn=lambda: os.sched_setaffinity(0, {self.broker_cpu}))
        self.processes.append(process)
        give_up = time.monotonic() + START_S
        while not all(listens(port, udp) for port in ports):
            if process.poll() is not None or time.monotonic() > give_up:
                with open(log, encoding="utf-8", errors="replace") as file:
                    raise Failure(f"{command[0]} does not start: {' / '.join(file.read().split(chr(10))[-4:])}")
            time.sleep(POLL_S)
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            return [process.pid] + [int(pid) for pid in file.read().split()]


def nats(bench):
    port, = free_ports(1)
    pids = bench.start(["nats-server", "-a", "127.0.0.1", "-p", str(port)], port, GOMAXPROCS="1")
    return pids, ["--protocol", "nats", "--port", str(port)]


def redis(bench):
    port, = free_ports(1)
    pids = bench.start(["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"],
                       port)
    return pids, ["--protocol", "redis", "--port", str(port)]


def redis_batched(bench):
    pids, flags = redis(bench)
    return pids, ["--protocol", "redis-batched", *flags[2:]]


def zeromq(bench):
    port, backend = free_ports(2)
    pids = bench.start([os.path.join(bench.programs, "zmq_broker"), str(port), str(backend)], port, backend)
    return pids, ["--protocol", "zmq", "--port", str(port), "--backend-port", str(backend)]


def gso_udp(bench):
    port, = free_ports(1)
    pids = bench.start([os.path.join(bench.programs, "udp_broker"), str(port)], port, udp=True)
    return pids, ["--protocol", "udp", "--port", str(port)]


def http_flags(port, workers):
    return ["--protocol", "http", "--port", str(port), "--worker-ports", ",".join(map(str, workers))]


NGINX = """
daemon off;
pid nginx.pid;
{user}
worker_processes 1;
worker_cpu_affinity {cpu_mask};
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_body_temp_path .;
  proxy_temp_path .;
  upstream workers {{
    least_conn;
    {servers}
    keepalive 1024;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://workers;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
}}
"""


def nginx(bench):
    port, *workers = free_ports(1 + bench.workers)
    config = bench.write("nginx.conf", NGINX.format(
        user="user root;" if os.geteuid() == 0 else "", cpu_mask="1" + "0" * bench.broker_cpu, port=port,
        servers=" ".join(f"server 127.0.0.1:{worker} max_fails=0;" for worker in workers)))
    pids = bench.start(["nginx", "-p", bench.folder, "-e", "stderr", "-c", config], port)
    return pids, http_flags(port, workers)


HAPROXY = """
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout client 1h
  timeout server 1h
  timeout connect 5s
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend workers
backend workers
  balance leastconn
{servers}
"""


def haproxy(bench):
    port, *workers = free_ports(1 + bench.workers)
    config = bench.write("haproxy.cfg", HAPROXY.format(
        port=port, servers="\n".join(f"  server worker{i} 127.0.0.1:{p}" for i, p in enumerate(workers))))
    pids = bench.start(["haproxy", "-db", "-f", config], port)
    return pids, http_flags(port, workers)


# name: (what starts it, the program it needs, its transport)
BROKERS = {
    "GSO UDP": (gso_udp, "udp_broker", "kernel loopback UDP"),
    "Redis lists, batched": (redis_batched, "redis-server", "kernel loopback TCP"),
    "Redis lists": (redis, "redis-server", "kernel loopback TCP"),
    "ZeroMQ": (zeromq, "zmq_broker", "kernel loopback TCP"),
    "NATS": (nats, "nats-server", "kernel loopback TCP"),
    "nginx": (nginx, "nginx", "kernel loopback TCP"),
    "HAProxy": (haproxy, "haproxy", "kernel loopback TCP"),
}


def missing(programs):
    """(programs of ours, programs of packages) that are not there."""
    own = [program for program in ("peer_load", "udp_broker", "zmq_broker")
           if not os.access(os.path.join(programs, program), os.X_OK)]
    packaged = {program for _, program, _ in BROKERS.values()
                if program not in ("udp_broker", "zmq_broker") and not shutil.which(program, path=search_path())}
    return own, sorted(packaged)


def search_path():
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin"
