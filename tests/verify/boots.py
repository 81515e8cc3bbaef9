# SPDX-License-Identifier: MIT
"""Event logs made by hand, and evidence with a quote of whatever values: three ways of boot."""

import hashlib
import json
import struct
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "spec")]
import make_attestation  # noqa: E402
import make_chain  # noqa: E402
import make_verdicts  # noqa: E402
import rules  # noqa: E402

HASHES = {0x0004: hashlib.sha1, 0x000B: hashlib.sha256, 0x000C: hashlib.sha384, 0x000D: hashlib.sha512}
NAMES = {"sha1": 0x0004, "sha256": 0x000B, "sha384": 0x000C, "sha512": 0x000D}
NO_ACTION, SEPARATOR, ACTION, TAG, CONTENTS, VERSION, IPL = 3, 4, 5, 6, 7, 8, 0xD
CONFIG, BOOT, APPLICATION, GPT, EFI_ACTION, BLOB = (0x80000000 | n for n in (1, 2, 3, 6, 7, 8))
AUTHORITY = 0x800000E0
GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
DATABASE = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")
SHIM = bytes.fromhex("50ab5d6046e00043abb63dd810dd8b23")


def wide(text, end=True):
    return (text + "\0" * end).encode("utf-16-le")


def variable(vendor, name, value):
    return vendor + struct.pack("<QQ", len(name), len(value)) + wide(name, False) + value


class Log:
    """Events with what each digest is of: (pcr, type, hashed, data)."""

    def __init__(self, banks=(0x000B, 0x000C)):
        self.banks, self.events = banks, []

    def add(self, pcr, kind, hashed, data=None):
        """hashed: bytes, or for a digest of something big {bank: digest}."""
        self.events.append((pcr, kind, hashed, hashed if data is None else data))
        return self

    def digest(self, event, bank):
        _, kind, hashed, _ = event
        if kind == NO_ACTION:
            return bytes(HASHES[bank]().digest_size)
        return hashed[bank] if isinstance(hashed, dict) else HASHES[bank](hashed).digest()

    def bytes(self, events=None):
        banks = b"".join(struct.pack("<HH", b, HASHES[b]().digest_size) for b in self.banks)
        form = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(self.banks)) + banks + b"\0"
        made = struct.pack("<II", 0, NO_ACTION) + bytes(20) + struct.pack("<I", len(form)) + form
        for event in self.events if events is None else events:
            pcr, kind, _, data = event
            made += struct.pack("<III", pcr, kind, len(self.banks))
            made += b"".join(struct.pack("<H", b) + self.digest(event, b) for b in self.banks)
            made += struct.pack("<I", len(data)) + data
        return made

    def pcrs(self, bank=0x000B):
        """What a TPM holds after it, {pcr: bytes}: by this test's own arithmetic."""
        values = {}
        for event in self.events:
            if event[1] != NO_ACTION:
                size = HASHES[bank]().digest_size
                old = values.get(event[0], (b"\xff" if 17 <= event[0] <= 22 else b"\0") * size)
                values[event[0]] = HASHES[bank](old + self.digest(event, bank)).digest()
        return values

    def quoted(self, bank=0x000B):
        """What an agent quotes of them: also what nothing was extended into."""
        return {**{n: bytes(HASHES[bank]().digest_size) for n in (*range(10), *range(11, 15))}, **self.pcrs(bank)}


def signature(certificate, owner=bytes(range(16))):
    return owner + certificate


def firmware(log, secure=False):
    """What OVMF measures until it boots something."""
    log.add(0, VERSION, wide("edk2 by hand"))
    log.add(0, BLOB, b"a firmware volume", struct.pack("<QQ", 0x820000, 0xE0000))
    for name, vendor in (("SecureBoot", GLOBAL), ("PK", GLOBAL), ("KEK", GLOBAL), ("db", DATABASE), ("dbx", DATABASE)):
        value = bytes([secure]) if name == "SecureBoot" else b"keys" * secure
        log.add(7, CONFIG, variable(vendor, name, value))
    log.add(1, BOOT, variable(GLOBAL, "BootOrder", b"\0\0\1\0"))
    entry = b"\1\0\0\0\4\0" + wide("Debian") + b"\x7f\xff\4\0"
    log.add(1, BOOT, variable(GLOBAL, "Boot0000", entry))
    log.add(4, EFI_ACTION, b"Calling EFI Application from Boot Option")
    for pcr in range(8):
        log.add(pcr, SEPARATOR, bytes(4))
    if secure:
        log.add(7, AUTHORITY, variable(DATABASE, "db", signature(b"a certificate")))
    return log


def program(log, what, path=b"a device path"):
    return log.add(4, APPLICATION, what, path)


def direct(command_line="console=ttyS0 root=/dev/vda", **more):
    """-kernel: the kernel's EFI stub measures what it was given."""
    log = program(firmware(Log(**more)), b"a kernel")
    log.add(9, TAG, wide(command_line), struct.pack("<II", 0x8F3B22ED, 20) + b"LOADED_IMAGE::LoadOptions\0")
    log.add(9, TAG, b"an initrd", struct.pack("<II", 0x8F3B22EC, 13) + b"Linux initrd\0")
    return log.add(5, EFI_ACTION, b"Exit Boot Services Invocation")


def grub(command_line="/vmlinuz root=/dev/vda quiet", secure=True, **more):
    """shim, GRUB, kernel."""
    log = firmware(Log(**more), secure)
    program(log, b"shim")
    log.add(7, AUTHORITY, variable(SHIM, "SbatLevel", b"sbat,1,2024\n"))
    log.add(7, AUTHORITY, variable(SHIM, "Shim", b"a distribution's certificate"))
    program(log, b"grub")
    for words in ("set root=hd0", f"linux {command_line}"):
        log.add(8, IPL, words.encode(), b"grub_cmd: " + words.encode() + b"\0")
    log.add(9, IPL, b"a kernel", b"/vmlinuz\0")
    log.add(8, IPL, command_line.encode(), b"kernel_cmdline: " + command_line.encode() + b"\0")
    log.add(9, IPL, b"an initrd", b"/initrd.img\0")
    return program(log, b"a kernel")


def unified(command_line="root=/dev/vda ro", sections=((".linux", b"a kernel"), (".osrel", b"ID=debian\n"),
                                                       (".initrd", b"an initrd")), **more):
    """systemd's loader and a unified kernel, whose command line came from the loader's entry."""
    log = firmware(Log(**more))
    program(log, b"systemd-boot")
    program(log, b"a unified kernel")
    for name, content in sections:
        log.add(11, IPL, name.encode() + b"\0", wide(name))
        log.add(11, IPL, content, wide(name))
    log.add(12, IPL, wide(command_line), wide(command_line))
    return program(log, b"a kernel")


class World(make_verdicts.World):
    def __init__(self):
        super().__init__({name: make_attestation.Key(name) for name in ("ek-ecc-p256", "ak-ecc-p256")})

    def quoted(self, folder, values):
        """Evidence with an attested AK that quoted these values, {bank: {pcr: bytes}}; the words for both verifiers."""
        evidence = self.attested()
        evidence.files.update(quote_files(self.ak, make_attestation.NONCE, values))
        own = Path(f"{folder}.mine")
        for path in (Path(folder), own):
            path.mkdir(exist_ok=True)
        for name, data in evidence.files.items():
            (own if name in make_verdicts.OWN else Path(folder)).joinpath(name).write_bytes(data)
        (own / "measurement.hex").write_text(make_chain.MEASUREMENT.hex())
        return ["--mine", own, folder]


def quote_files(key, nonce, values):
    banks = sorted(values)
    ordered = [values[b][n] for b in banks for n in sorted(values[b])]
    masks = {b: sum(1 << n for n in values[b]) for b in banks}
    digest = rules.HASHES[key.public.scheme[1]](b"".join(ordered)).digest()
    signer = rules.primary_name(key.public.name())
    message = b"\xffTCG" + struct.pack(">HH", 0x8018, len(signer)) + signer + struct.pack(">H", len(nonce)) + nonce
    message += struct.pack(">QIIBQ", 5_000, 1, 0, 1, 0x2016051100162800) + struct.pack(">I", len(banks))
    message += b"".join(struct.pack(">HB", b, 3) + masks[b].to_bytes(3, "little") for b in banks)
    message += struct.pack(">H", len(digest)) + digest
    choice = b"".join(struct.pack("<HB", b, 3) + masks[b].to_bytes(4, "little") + b"\0" for b in banks)
    lists = [ordered[i:i + 8] for i in range(0, len(ordered), 8)]
    file = struct.pack("<I", len(banks)) + choice.ljust(128, b"\0") + struct.pack("<I", len(lists))
    for some in lists:
        file += struct.pack("<I", len(some)) + b"".join(
            struct.pack("<H", len(v)) + v.ljust(64, b"\0") for v in some).ljust(8 * 66, b"\0")
    return {"quote.msg": message, "quote.sig": key.sign(message), "quote.pcrs": file}


def write_policy(path, boot, **more):
    Path(path).write_text(json.dumps({"format": 1, "allow": {"emulated": True}, "boot": boot, **more}))
    return path
