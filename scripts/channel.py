# SPDX-License-Identifier: MIT
"""The host's end of the channel to socle-guest: frames of abi/channel.h over a Unix socket."""

import select
import socket
import struct
import time
import zlib

MAGIC = 0x31464353
HEADER = struct.Struct("<IIII")  # magic, type, length, crc32
PAYLOAD_MAX = 64 << 10

HELLO, NONCE, FILE, DONE, CHALLENGE, ERROR, BYE, KEY, AUTHORITY = range(1, 10)


class ChannelError(Exception):
    """The line is closed, or stays silent."""


class GuestError(Exception):
    """The guest says that a step of its own failed."""


def encode(kind, payload=b""):
    return HEADER.pack(MAGIC, kind, len(payload), zlib.crc32(payload)) + payload


class Parser:
    """Makes frames of bytes, and skips what is none."""

    def __init__(self):
        self.data = bytearray()

    def push(self, data):
        self.data += data

    def next(self):
        """The next (type, payload), or None when bytes are missing."""
        magic = struct.pack("<I", MAGIC)
        while True:
            start = self.data.find(magic)
            if start < 0:
                # The last bytes may be the start of a magic.
                del self.data[:max(0, len(self.data) - len(magic) + 1)]
                return None
            del self.data[:start]
            if len(self.data) < HEADER.size:
                return None
            _, kind, length, crc = HEADER.unpack_from(self.data)
            if length <= PAYLOAD_MAX:
                if len(self.data) < HEADER.size + length:
                    return None
                payload = bytes(self.data[HEADER.size:HEADER.size + length])
                if zlib.crc32(payload) == crc:
                    del self.data[:HEADER.size + length]
                    return kind, payload
            del self.data[:1]


def connect(path, alive, deadline):
    """A socket to the machine's serial port, which is there soon after the machine's start."""
    while True:
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(path)
            return line
        except (FileNotFoundError, ConnectionRefusedError):
            line.close()
        if not alive():
            raise ChannelError("the machine ended before the channel was there")
        if time.monotonic() > deadline:
            raise ChannelError("the machine made no channel")
        time.sleep(0.05)


class Channel:
    """alive() is asked while waiting; when it says False, waiting is over."""

    def __init__(self, path, alive, deadline):
        self.alive = alive
        self.parser = Parser()
        self.socket = connect(path, alive, deadline)

    def send(self, kind, payload=b""):
        try:
            self.socket.sendall(encode(kind, payload))
        except OSError as error:
            raise ChannelError(f"sending to the guest: {error}") from error

    def receive(self, deadline):
        """The next frame, (type, payload)."""
        while (frame := self.parser.next()) is None:
            ready, _, _ = select.select([self.socket], [], [], 0.2)
            if ready:
                data = self.socket.recv(65536)
                if not data:
                    raise ChannelError("the machine closed the channel")
                self.parser.push(data)
            elif not self.alive():
                raise ChannelError("the machine ended")
            elif time.monotonic() > deadline:
                raise ChannelError("no answer from the guest in time")
        return frame

    def expect(self, kind, deadline):
        """The payload of the next frame, which must be of this type."""
        got, payload = self.receive(deadline)
        if got == ERROR:
            raise GuestError(payload.decode(errors="replace"))
        if got != kind:
            raise ChannelError(f"the guest sent a frame of type {got} instead of {kind}")
        return payload

    def files(self, deadline):
        """All files up to DONE, name -> content."""
        files = {}
        while True:
            kind, payload = self.receive(deadline)
            if kind == DONE:
                return files
            if kind == ERROR:
                raise GuestError(payload.decode(errors="replace"))
            if kind != FILE or b"\0" not in payload:
                raise ChannelError(f"the guest sent a frame of type {kind} instead of a file")
            name, content = payload.split(b"\0", 1)
            files[name.decode(errors="replace")] = content

    def close(self):
        self.socket.close()
