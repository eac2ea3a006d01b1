"""One dpdk-testpmd, driven by its prompt: begins and ends forwarding, and says what its port has sent."""

import os
import pty
import re
import select
import shlex
import subprocess
import time

import rig

PROMPT = "testpmd> "
ANSWER_S = 20
LINK_S = 10
MBUFS, DESCRIPTORS = 4096, 1024  # as mcplane-load --reflect has


def virtio_user(path):
    """The device that connects to a vhost-user socket, as mcplane-load's is."""
    return f"net_virtio_user0,path={path},queues=1,queue_size={DESCRIPTORS},mrg_rxbuf=0,in_order=1,packed_vq=1"


class Testpmd:
    """Forwards on one CPU; its prompt is on another. Its output is a terminal's, so that lines come at once."""

    def __init__(self, device, cpu, prompt_cpu, hugepages, *flags):
        memory = ["--in-memory", "--single-file-segments"] if hugepages else ["--no-huge", "--no-shconf"]
        self.command = ["dpdk-testpmd", *memory, "--no-telemetry", "-m", "256", "--no-pci", "--lcores",
                        f"0@{prompt_cpu},1@{cpu}", f"--vdev={device}", "--", "-i", "--nb-cores=1",
                        f"--total-num-mbufs={MBUFS}", f"--rxd={DESCRIPTORS}", f"--txd={DESCRIPTORS}",
                        "--record-burst-stats", *flags]
        self.output, other_end = pty.openpty()
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=other_end, stderr=other_end)
        except FileNotFoundError:
            os.close(self.output)
            raise rig.Unavailable("dpdk-testpmd is not installed (scripts/deps installs it)") from None
        finally:
            os.close(other_end)

    def __enter__(self):
        try:
            self.answer()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        rig.end(self.process)
        self.process.stdin.close()
        os.close(self.output)

    def answer(self):
        """What it prints until it asks for the next command."""
        text, give_up = "", time.monotonic() + ANSWER_S
        while PROMPT not in text:
            ready, _, _ = select.select([self.output], [], [], max(0, give_up - time.monotonic()))
            try:
                part = os.read(self.output, 65536) if ready else b""
            except OSError:  # its end of the terminal is closed
                part = b""
            if not part:
                raise rig.Failure(f"testpmd says no more: {shlex.join(self.command)}\n{text.strip()}")
            text += part.decode(errors="replace")
        return text

    def say(self, command):
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        return self.answer()

    def wait_for_link(self):
        give_up = time.monotonic() + LINK_S
        while "Link status: up" not in self.say("show port info 0"):
            if time.monotonic() > give_up:
                raise rig.Failure(f"the port's link does not come up: {shlex.join(self.command)}")
            time.sleep(0.05)

    def sent(self, seconds, interval_s):
        """(frames/s by interval, mean bytes of a frame), by its own counters and its own clock."""
        self.say("show port stats 0")
        frames_per_s, bits_per_s = [], []
        for _ in range(round(seconds / interval_s)):
            time.sleep(interval_s)
            text = self.say("show port stats 0")
            frames, bits = (int(re.search(rf"Tx-{unit}ps:\s+(\d+)", text).group(1)) for unit in "pb")
            frames_per_s.append(frames)
            bits_per_s.append(bits)
        return frames_per_s, sum(bits_per_s) / 8 / sum(frames_per_s) if any(frames_per_s) else 0.0

    def stop(self):
        """Ends forwarding. Returns the share of its polls that found nothing, and the frames its port refused."""
        text = self.say("stop")
        bursts = re.search(r"RX-bursts\s*:\s*\d+ \[(.*?)\]", text, re.DOTALL)
        empty = re.search(r"(\d+)% of 0 pkts", bursts.group(1)) if bursts else None
        return (int(empty.group(1)) / 100 if empty else 0.0), int(re.search(r"TX-dropped: (\d+)", text).group(1))
