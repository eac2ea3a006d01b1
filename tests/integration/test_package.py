#!/usr/bin/env python3
"""The Debian package, in a copy of this machine that nothing leaves: it installs, serves, and goes without a trace.

Arguments: the folder of the binaries. The copy is an overlay over /, whose upper half is then all that changed."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

from bench import PEER4, TAP, Skip, ip, need_tool, run_cases, wait_until

import admin_client  # bench made it known

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BROKER = "10.77.0.1"
# What dpkg and the tools of user accounts keep by themselves.
KEPT = ("/var/lib/dpkg/", "/var/log/", "/var/cache/", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow",
        "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock", "/run/", "/tmp/", "/var/backups/")


class Copy:
    """Changes to it are in its upper folder."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="mcplane-package-")
        try:
            mount("-t", "tmpfs", "tmpfs", self.folder)
        except subprocess.CalledProcessError as error:
            os.rmdir(self.folder)
            raise Skip("this machine does not allow mounts") from error
        self.upper, self.root = self.path("upper"), self.path("root")
        for name in ("upper", "work", "root"):
            os.mkdir(self.path(name))
        mount("-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={self.upper},workdir={self.path('work')}",
              self.root)
        for name in ("proc", "sys", "dev"):
            mount("--rbind", "/" + name, os.path.join(self.root, name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *command):
        done = subprocess.run(("chroot", self.root) + command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def changed(self):
        """Files that are not as they are on this machine, but for what tools keep by themselves."""
        paths = []
        for folder, folders, names in os.walk(self.upper):
            at = folder[len(self.upper):] or "/"
            paths += [os.path.join(at, name) for name in names]
            paths += [path for path in (os.path.join(at, name) for name in folders) if not os.path.isdir(path)]
        return sorted(path for path in paths if not path.startswith(KEPT))

    def end(self):
        subprocess.run(("umount", "--recursive", "--lazy", self.root), check=False)
        subprocess.run(("umount", "--lazy", self.folder), check=False)
        os.rmdir(self.folder)


def mount(*arguments):
    subprocess.run(("mount",) + arguments, check=True, capture_output=True)


def make_package(bench):
    need_tool("dpkg-deb")
    build = os.path.join(bench.binaries, "..", "..")
    done = subprocess.run([os.path.join(ROOT, "scripts", "package"), "--output", bench.folder, build],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def account(copy):
    return [line for line in copy.run("cat", "/etc/passwd").splitlines() if line.startswith("mcplane:")]


def serve_once(bench, copy):
    """As its unit starts it: the installed binary, its user, its capabilities, its configuration file."""
    admin = os.path.join(copy.root, "run/mcplane/admin.sock")
    with open(os.path.join(copy.root, "etc/mcplane/mcplane.toml"), "a", encoding="utf-8") as file:
        file.write("[client]\nrate = \"100k/s\"\n")
    copy.run("install", "-d", "-o", "mcplane", "-g", "mcplane", "/run/mcplane")
    privileges = "+net_admin,+net_raw,+ipc_lock"
    broker = bench.start("mcplane", [
        "chroot", copy.root, "setpriv", "--reuid=mcplane", "--regid=mcplane", "--clear-groups",
        "--inh-caps=" + privileges, "--ambient-caps=" + privileges, "--bounding-set=-all," + privileges, "--no-new-privs",
        "mcplane", "--config", "/etc/mcplane/mcplane.toml", "--ip", BROKER + "/24", "--port", "tap:" + TAP])

    def healthy():
        assert broker.poll() is None, bench.log_of(broker)
        return admin_client.healthy(admin)

    wait_until("installed appliance", 20, healthy)
    ip("link", "set", TAP, "up")
    ip("address", "add", PEER4, "dev", TAP)
    worker = bench.start("mcplane-worker", ["chroot", copy.root, "mcplane-worker", "--broker", BROKER, "--backend", "echo"])
    wait_until("worker", 10, lambda: admin_client.ask(admin, "/readyz") == "ready\n")
    answer = json.loads(copy.run("mcplane-ctl", "send", "--broker", BROKER, "--action", "generate", "--prompt", "hi",
                                 "--json"))
    assert answer["text"] == "hi", answer
    assert bench.end(worker) == 0
    assert bench.end(broker) == 0, bench.log_of(broker)


def package_installs_serves_and_leaves_nothing(bench):
    package = make_package(bench)
    copy = Copy()
    try:
        before = copy.changed()
        shutil.copy(package, os.path.join(copy.root, "tmp", "mcplane.deb"))
        copy.run("dpkg", "--install", "/tmp/mcplane.deb")
        assert account(copy), "no user mcplane"
        listed = copy.run("dpkg", "--listfiles", "mcplane").splitlines()
        for path in ("/usr/bin/mcplane", "/usr/bin/mcplane-ctl", "/usr/bin/mcplane-load", "/usr/bin/mcplane-worker",
                     "/usr/lib/systemd/system/mcplane.service", "/etc/mcplane/mcplane.toml", "/etc/default/mcplane",
                     "/usr/include/mcplane/client.h"):
            assert path in listed, path
        assert copy.run("dpkg", "--verify", "mcplane") == ""
        assert copy.run("mcplane", "--config", "/etc/mcplane/mcplane.toml", "--check").endswith(": sound\n")
        serve_once(bench, copy)

        copy.run("dpkg", "--remove", "mcplane")
        left = [path for path in copy.changed() if path not in before]
        assert left == ["/etc/default/mcplane", "/etc/logrotate.d/mcplane", "/etc/mcplane", "/etc/mcplane/mcplane.toml"], (
            f"settings alone stay: {left}")
        copy.run("dpkg", "--purge", "mcplane")
        left = [path for path in copy.changed() if path not in before]
        assert left == [], left
        assert not account(copy), "the user is still there"
    finally:
        copy.end()


if os.geteuid() != 0:
    sys.exit(77)
run_cases(package_installs_serves_and_leaves_nothing)
