# SPDX-License-Identifier: MIT
"""Event logs and the rules about them, as docs/evidence.md and docs/policy.md have them: for the second verifier."""

import hashlib
import struct

HASHES = {0x0004: hashlib.sha1, 0x000B: hashlib.sha256, 0x000C: hashlib.sha384, 0x000D: hashlib.sha512}
NO_ACTION, SEPARATOR, ACTION, IPL, CONFIG, AUTHORITY, EFI_ACTION = 3, 4, 5, 0xD, 0x80000001, 0x800000E0, 0x80000007
BOOT = (0x80000002, 0x8000000C)
VERSION = 8
# Types whose digest is of their data, and those of which it is of something else.
OF_DATA = {4, 5, 8, 0x12, CONFIG, *BOOT, 0x80000006, EFI_ACTION, 0x8000000D, AUTHORITY, 0x800000E3, 0x800000E4}
# Of a variable the last byte may be missing: shim leaves it out.
CUT = {CONFIG, *BOOT, AUTHORITY}
OF_OTHER = {3, *(0x80000000 | n for n in (3, 4, 5, 8, 9, 0xA, 0xB, 0x10, 0xE1, 0xE2))}
VOLUMES = (0x80000008, 0x8000000A)
IN_7 = {SEPARATOR, ACTION, EFI_ACTION, CONFIG, AUTHORITY, 0x800000E3, 0x800000E4}
PREFIXES = (b"grub_cmd: ", b"kernel_cmdline: ", b"module_cmdline: ", b"grub_cmd ", b"grub_kernel_cmdline ")
GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
SHIM = bytes.fromhex("50ab5d6046e00043abb63dd810dd8b23")
SETTINGS = ("SbatLevel", "MokListTrusted")
SECTIONS = (".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".dtbauto", ".uname", ".sbat",
            ".pcrpkey", ".profile", ".hwids", ".efifw")
SYSTEM = (8, 9, 11, 12, 13)
# Of these a log says all.
LOGGED = (*range(10), *range(11, 15))


class Refused(Exception):
    """The log is none, or does not hold."""


def need(condition, text):
    if not condition:
        raise Refused(text)


class Cut:
    """Bytes that are taken from the front."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        need(len(self.data) - self.at >= size, "cut short")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")


class Event:
    def __init__(self, c, banks):
        self.pcr, self.type, count = c.number(4), c.number(4), c.number(4)
        need(count == len(banks), "digests")
        self.digests = {}
        for _ in range(count):
            bank = c.number(2)
            need(bank in banks and bank not in self.digests, "bank")
            self.digests[bank] = c.take(HASHES[bank]().digest_size)
        self.data = c.take(c.number(4))

    def is_of_in_any(self, data):
        return any(HASHES[bank](data).digest() == digest for bank, digest in self.digests.items())

    def is_of(self, data):
        return all(HASHES[bank](data).digest() == digest for bank, digest in self.digests.items())

    def words(self):
        """What was hashed, as far as the data have it, or None."""
        tries = [self.data] + [self.data[:-1]] * (len(self.data) > 0 and (self.type in CUT or self.type not in OF_DATA))
        if self.type in BOOT:
            tries.append(variable(self.data)[2] if variable(self.data) else None)
        elif self.type not in OF_DATA:
            tries += [self.data[len(p):].rstrip(b"\0") for p in PREFIXES if self.data.startswith(p)]
        return next((one for one in tries if one is not None and self.is_of(one)), None)


def variable(data):
    """(vendor, name, value, whether no byte is missing) of a UEFI_VARIABLE_DATA, or None."""
    if len(data) < 32:
        return None
    name, value = struct.unpack_from("<QQ", data, 16)
    if name > len(data) // 2 or value > len(data) or len(data) < 32 + 2 * name:
        return None
    text = data[32:32 + 2 * name].decode("utf-16-le", errors="replace")
    return data[:16], text, data[32 + 2 * name:][:value], len(data) - 32 - 2 * name >= value


def read(data):
    """(banks, events) of a crypto-agile log."""
    c = Cut(data)
    need(c.number(4) == 0 and c.number(4) == NO_ACTION and not any(c.take(20)), "form")
    form = Cut(c.take(c.number(4)))
    need(form.take(16) == b"Spec ID Event03\0", "signature")
    need(form.number(4) < 2 and form.take(2) == b"\0\2", "class or version")
    form.take(1)
    need(form.number(1) in (1, 2), "words")
    banks = []
    count = form.number(4)
    need(1 <= count <= 4, "banks")
    for _ in range(count):
        bank, size = form.number(2), form.number(2)
        need(bank in HASHES and HASHES[bank]().digest_size == size and bank not in banks, "bank")
        banks.append(bank)
    form.take(form.number(1))
    need(form.at == len(form.data), "form")
    events = []
    while c.at < len(data):
        events.append(Event(c, banks))
    return banks, events


def locality(event, extended):
    """Where PCR 0 starts, if this event says it."""
    name = b"StartupLocality\0"
    if not event.data.startswith(name):
        return None
    need(len(event.data) == 17 and event.pcr == 0 and 0 not in extended and event.data[16] in (0, 3, 4), "locality")
    return event.data[16]


def in_its_pcr(event):
    if event.type in (7, 8):
        return event.pcr == 0
    if event.type in BOOT:
        return event.pcr == 1
    if event.type == AUTHORITY:
        return event.pcr == 7
    if event.type == CONFIG:
        return event.pcr in (1, 3, 5, 7)
    if event.pcr == 7:
        return event.type in IN_7
    return event.type < CONFIG or event.pcr < 8


def judge(data):
    """The banks and events of a log that holds, and the start of PCR 0."""
    banks, events = read(data)
    start, extended, separated = 0, set(), set()
    for event in events:
        zeros = [not any(digest) for digest in event.digests.values()]
        if event.type == NO_ACTION:
            need(all(zeros), "it extends nothing")
            said = locality(event, extended)
            need(said is None or not start, "locality")
            start = said or start
            continue
        need(event.pcr < 24 and not any(zeros), "PCR or digest")
        extended.add(event.pcr)
        need(in_its_pcr(event), "another PCR")
        need(event.type not in OF_DATA or event.words() is not None, "refuted")
        behind = event.pcr in separated
        need(not behind or event.pcr not in (0, 2, 3), "behind the separator")
        need(not behind or event.pcr != 1 or event.type in BOOT, "behind the separator")
        need(not behind or event.type != CONFIG, "behind the separator")
        if event.type == SEPARATOR:
            need(event.data == bytes(4) and not (behind and event.pcr < 8), "separator")
            separated.add(event.pcr)
        elif event.pcr < 8 and not behind and event.type != 7:
            need(not event.is_of_in_any(bytes(4)), "a separator by another name")
    need(separated >= set(range(8)), "no separator")
    return banks, [event for event in events if event.type != NO_ACTION], start


def replay(events, bank, start):
    size = HASHES[bank]().digest_size
    values = {}
    for event in events:
        first = bytes(size - 1) + bytes([start]) if event.pcr == 0 else (
            b"\xff" if 17 <= event.pcr <= 22 else b"\0") * size
        values[event.pcr] = HASHES[bank](values.get(event.pcr, first) + event.digests[bank]).digest()
    return values


class Boot:
    """A log, held against quoted values, {(bank, pcr): bytes}."""

    def __init__(self, data, quoted):
        self.error = self.quote_error = None
        self.quoted = quoted
        self.events, self.replayed = [], []
        try:
            banks, self.events, start = judge(data)
        except Refused as error:
            self.error = str(error) or "none"
            return
        for bank in banks:
            if any(place[0] == bank for place in quoted):
                values = replay(self.events, bank, start)
                rest = {pcr: bytes(HASHES[bank]().digest_size) for pcr in LOGGED
                        if pcr not in values and (bank, pcr) in quoted}
                if any(quoted.get((bank, pcr)) != value for pcr, value in {**values, **rest}.items()):
                    self.quote_error = "another value"
                self.replayed.append(bank)
        if not set(self.replayed) - {0x0004}:
            self.quote_error = "no bank"

    def holds(self):
        need(self.error is None and self.quote_error is None, "the log")

    def secure_boot(self, wanted):
        self.holds()
        said = [v[2] if v[3] and e.type == CONFIG else b"??"
                for e, v in ((e, variable(e.words())) for e in self.events if e.pcr == 7)
                if v and v[:2] == (GLOBAL, "SecureBoot")]
        need(len(said) == 1 and len(said[0]) < 2 and any(said[0]) == wanted, "secure boot")

    def signers(self, wanted):
        self.holds()
        behind, found, before = False, False, set()
        for event in self.events:
            if event.pcr != 7 or event.type == SEPARATOR:
                behind = behind or event.pcr == 7
                continue
            if not behind and event.type != AUTHORITY:
                it = variable(event.words())
                if it is None or it[:2] not in before:
                    before.add(it and it[:2])
                    continue
            what = variable(event.words()) if event.type == AUTHORITY else None
            need(what, "it says nothing of who signed")
            if what[0] == SHIM and (what[1] in SETTINGS or
                                    what[1] == "MokSBState" and what[3] and not any(what[2])):
                continue
            need(any(hashlib.sha256(value).digest() in wanted for value in (what[2], what[2][16:])), "another signer")
            found = True
        need(found, "nobody signed")

    def listed(self, event, digests):
        return any(event.digests[bank] in digests for bank in self.replayed)

    def measured(self, event, texts):
        forms = [form for text in texts for t in (text, text + "\0") for form in (t.encode(), t.encode("utf-16-le"))]
        return any(event.digests[bank] == HASHES[bank](form).digest() for form in forms
                   for bank in self.replayed if bank != 0x0004)

    def firmware(self, wanted):
        """One volume may be another: OVMF's first phase has written into its own, as it runs there."""
        self.holds()
        version = differed = whole = False
        for event in self.events:
            if event.pcr == 0 and event.type != SEPARATOR:
                need(not event.is_of_in_any(bytes(4)), "a separator by another name")
                found = self.listed(event, wanted)
                need(found or (version and not differed and event.type in VOLUMES), "another firmware")
                version = version or event.type == VERSION
                differed = differed or not found
                whole = found and event.type in VOLUMES
        need(version and whole, "no firmware")

    def programs(self, wanted):
        self.holds()
        found = False
        for event in self.events:
            short = event.type in (ACTION, EFI_ACTION) and len(event.data) <= 128 and \
                all(32 <= b < 127 for b in event.data)
            if event.pcr == 4 and event.type != SEPARATOR and not short:
                need(self.listed(event, wanted), "another program")
                found = True
        need(found, "no program")

    def all_quoted(self):
        need(all((bank, pcr) in self.quoted for bank in self.replayed for pcr in SYSTEM), "not quoted")

    def files(self, files, texts):
        self.holds()
        self.all_quoted()
        for event in self.events:
            section = event.pcr == 11 and any(event.is_of(name.encode() + b"\0") for name in SECTIONS)
            need(event.pcr not in SYSTEM or section or event.is_of(bytes(4)) or self.listed(event, files) or
                 self.measured(event, texts), "another file")

    def command_line(self, texts):
        self.holds()
        self.all_quoted()
        need(any(event.pcr in SYSTEM and self.measured(event, texts) for event in self.events), "no command line")
