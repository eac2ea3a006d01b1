#!/usr/bin/env python3
"""Keeps datagrams in flight, over one kernel socket, to a host that sends each back.

Usage: bounce.py ADDRESS PORT BYTES IN_FLIGHT. Lost ones are replaced when nothing comes back for a
while. Ends with SIGTERM.
"""

import select
import socket
import sys

BUFFER_BYTES = 8 << 20  # the kernel counts far more than its bytes for a datagram
SILENCE_S = 0.1
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h; root may pass the system's limit


def main():
    address, (port, datagram_bytes, in_flight) = sys.argv[1], map(int, sys.argv[2:])
    datagram = bytes(datagram_bytes)
    bouncer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bouncer.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    bouncer.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES)
    bouncer.connect((address, port))
    bouncer.setblocking(False)
    send, receive, into = bouncer.send, bouncer.recv_into, bytearray(65536)
    owed = in_flight
    while True:
        try:
            for _ in range(owed):
                send(datagram)
            owed = 0
            while owed < in_flight:
                receive(into)
                owed += 1
        except BlockingIOError:
            if owed == 0 and not select.select([bouncer], [], [], SILENCE_S)[0]:
                owed = in_flight


if __name__ == "__main__":
    main()
