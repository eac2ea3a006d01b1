"""A VLAN device in user space, since not every kernel has one: what it sends leaves `parent` with an 802.1Q tag, and
what arrives there under that tag it receives without it."""

import fcntl
import os
import select
import socket
import struct
import threading

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 263, 8, 4
ETH_P_ALL, ETH_P_8021Q = 0x0003, 0x8100
# struct tpacket_auxdata: status, length, captured, link and network offsets, tag, tag protocol.
AUXDATA, TAG_VALID = struct.Struct("=IIIHHHH"), 0x10
MACS_BYTES, FRAME_BYTES_MAX = 12, 2048


class VlanDevice:
    def __init__(self, parent, name, tag):
        self.tag = tag
        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.wire.bind((parent, ETH_P_ALL))
        self.relayed = 0
        self.stop_reader, self.stop_writer = os.pipe()
        self.thread = threading.Thread(target=self._relay)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.write(self.stop_writer, b"x")
        self.thread.join()
        self.wire.close()
        for descriptor in (self.tap, self.stop_reader, self.stop_writer):
            os.close(descriptor)

    def _relay(self):
        while True:
            readable, _, _ = select.select((self.tap, self.wire, self.stop_reader), (), ())
            if self.stop_reader in readable:
                return
            if self.tap in readable:
                frame = os.read(self.tap, FRAME_BYTES_MAX)
                self.wire.send(frame[:MACS_BYTES] + struct.pack("!HH", ETH_P_8021Q, self.tag) + frame[MACS_BYTES:])
            if self.wire in readable:
                self._receive()

    def _receive(self):
        # The kernel takes the tag out of the frame and tells it beside.
        frame, ancillary, _, address = self.wire.recvmsg(FRAME_BYTES_MAX, socket.CMSG_SPACE(AUXDATA.size))
        if address[2] == PACKET_OUTGOING:
            return
        for level, kind, data in ancillary:
            status, *_, tag, _ = AUXDATA.unpack(data[:AUXDATA.size])
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA) and status & TAG_VALID and tag & 0xFFF == self.tag:
                os.write(self.tap, frame)
                self.relayed += 1
