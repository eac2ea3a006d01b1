"""Asks an appliance over its admin socket."""

import http.client
import json
import socket

TIMEOUT_S = 5


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(admin, path):
    """The body of an answer; '' while nobody answers."""
    connection = UnixConnection(admin)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()


def healthy(admin):
    return ask(admin, "/healthz") == "ok\n"


def info(admin):
    return json.loads(ask(admin, "/v1/info"))
