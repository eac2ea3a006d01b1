"""A headless Chromium, driven by its DevTools protocol over a pair of pipes: no port, no library.

https://chromedevtools.github.io/devtools-protocol/"""

import base64
import fcntl
import json
import os
import select
import subprocess
import time

TIMEOUT_S = 30
# Chromium reads commands from the first and writes answers to the second; each ends with a NUL.
COMMANDS_FD, ANSWERS_FD = 3, 4


def _high_pipe():
    """Both ends above what the browser's own will be."""
    ends = []
    for end in os.pipe():
        ends.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10))
        os.close(end)
    return ends


class Browser:
    def __init__(self, folder, cpus=None):
        """folder: where it keeps its profile; the caller removes it."""
        commands, self._commands = _high_pipe()
        self._answers, answers = _high_pipe()

        def set_up():
            os.dup2(commands, COMMANDS_FD)
            os.dup2(answers, ANSWERS_FD)
            if cpus:
                os.sched_setaffinity(0, cpus)

        self.process = subprocess.Popen(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-component-update", "--disable-background-networking", "--hide-scrollbars",
             f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            pass_fds=(COMMANDS_FD, ANSWERS_FD), preexec_fn=set_up)
        os.close(commands)
        os.close(answers)
        self._rest, self._number, self._session = b"", 0, None
        self.errors, self.requests = [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            answer = self._read(deadline, method)
            if answer.get("id") != self._number:
                self._note(answer)
                continue
            assert "error" not in answer, f"{method}: {answer['error']}"
            return answer["result"]

    def _read(self, deadline, method):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"chromium: no answer to {method} within {TIMEOUT_S} s"
            read = os.read(self._answers, 1 << 16)
            assert read, f"chromium ended with {self.process.wait()}"
            self._rest += read
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _note(self, event):
        method, said = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(said["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(said["args"]))
        elif method == "Log.entryAdded" and said["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")

    def look(self, width=1200, height=900, dark=False, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if phone else 1,
                  mobile=phone)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def value(self, expression):
        """What it comes to in the page, as Python's."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, f"{expression}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def picture(self, path):
        """All of the page, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
