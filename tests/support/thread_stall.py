"""Stops exactly one thread of another process for a while, by ptrace: SIGSTOP would stop them all.

The thread that calls stopped() is the tracer, so enter and leave it on the same one.
"""

import contextlib
import ctypes
import os
import time

PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # waitpid: threads too

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)


def ptrace(request, tid):
    if libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x} of thread {tid}")


@contextlib.contextmanager
def stopped(tid):
    """The thread stands still inside the block; its process runs on."""
    ptrace(PTRACE_SEIZE, tid)
    try:
        ptrace(PTRACE_INTERRUPT, tid)
        os.waitpid(tid, WALL)
        yield
    finally:
        ptrace(PTRACE_DETACH, tid)


def stop_for(tid, seconds):
    with stopped(tid):
        time.sleep(seconds)


def status_of(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)


def threads_of(pid):
    """{tid: its status}."""
    return {int(tid): status_of(pid, tid) for tid in os.listdir(f"/proc/{pid}/task")}


def waited_s(pid, tids):
    """How long those threads, one after the other, were ready to run and did not: others had their CPUs."""
    total = 0
    for tid in tids:
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[1])
    return total / 1e9


def core_threads(pid):
    """The appliance's dataplane cores, as EAL names them."""
    return [tid for tid, status in threads_of(pid).items() if status["Name"].startswith("rte-worker")]


def control_thread(pid):
    """The appliance's control thread, as it names itself."""
    found = [tid for tid, status in threads_of(pid).items() if status["Name"] == "control"]
    assert len(found) == 1, {tid: status["Name"] for tid, status in threads_of(pid).items()}
    return found[0]
