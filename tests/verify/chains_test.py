#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What stands above a report, and what the report says of it: VCEK and VLEK, products, TCBs, masked
chips, versions, dates. Each case is signed as AMD would have signed it. Both verifiers judge each.

    chains_test.py SOCLE [SHARED_DIR]

SHARED_DIR holds genuine evidence and cases that failed once; without it these are skipped."""

import base64
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import chains
import report
import verify_test as common
from evidence import own
from chains import ASK, ASVK, CSP, Chain, OtherRsaKey, crl, der, extension, integer, make_chain

UNREAD = ["vcek", "product", "chip-id", "tcb"]  # when the signer's extensions are not those of its kind
UNKNOWN = "1.3.6.1.4.1.99999.1"
ALL = ("ark", "issuer", "signer")
NOT_CRITICAL, CRITICAL = ([extension(UNKNOWN, der(5), critical)] for critical in (False, True))


def spoiled(at, *values, **options):
    """A chain whose report has these bytes at that place."""
    chain = Chain(**options)
    chain.report[at:at + len(values)] = bytes(values)
    return chain


# Name, chain, options, status, failing checks.
CASES = [
    *((f"{product} by its {'VLEK' if vlek else 'VCEK'}", Chain(product, vlek), [], 0, [])
      for product in ("Milan", "Genoa", "Turin", "Venice") for vlek in (False, True)),
    # A VLEK is no VCEK, nor the reverse (AMD 57230: HWID is of a VCEK alone, CSP_ID of a VLEK).
    ("a VLEK with a chip id", Chain(vlek=True, hwid=bytes(64)), [], 2, UNREAD),
    ("a VLEK without a CSP id", Chain(vlek=True, csp=None), [], 2, UNREAD),
    ("a VLEK with an empty CSP id", Chain(vlek=True, csp=""), [], 2, UNREAD),
    ("a CSP id with a line's end", Chain(vlek=True, csp="a\nb"), [], 2, UNREAD),
    ("a CSP id that is no UTF-8", Chain(vlek=True, csp="c\udcff"), [], 2, UNREAD),
    ("a CSP id that is too long", Chain(vlek=True, csp="c" * 65), [], 2, UNREAD),
    ("a VCEK with a CSP id", Chain(csp=CSP), [], 2, UNREAD),
    ("a VCEK without a chip id", Chain(hwid=None), [], 2, UNREAD),
    ("a VCEK by an ASVK", Chain(issuer=ASVK), [], 2, ["chain"]),
    ("a VLEK by an ASK", Chain(vlek=True, issuer=ASK), [], 2, ["chain"]),
    ("a VLEK that is called a VCEK", Chain(vlek=True, signer="SEV-VCEK"), [], 2, ["chain"]),
    ("a VCEK that is called a VLEK", Chain(signer="SEV-VLEK"), [], 2, ["chain"]),
    ("the demanded cloud", Chain(vlek=True), ["--csp-id", CSP], 0, []),
    ("another cloud", Chain(vlek=True), ["--csp-id", "CN=other"], 3, ["csp-id"]),
    ("a demanded cloud and a VCEK", Chain(), ["--csp-id", CSP], 3, ["csp-id"]),
    ("a VLEK and a chip that is not said", spoiled(0x1A0, *bytes(64), vlek=True), [], 0, []),
    # Every mark, or it is no emulated chain either.
    *((f"{' and '.join(who)} without the name", Chain(unnamed=who), [], 2, ["root"])
      for who in (*((one,) for one in ALL), ALL)),
    *((f"{' and '.join(who)} without the extension", Chain(unmarked=(*who, "signer")), [], 2, ["root"])
      for who in (("ark",), ("issuer",), ALL)),
    ("no mark at all", Chain(unnamed=ALL, unmarked=ALL), [], 2, ["root"]),
    ("a signer with the extension", Chain(unmarked=()), [], 0, []),
    # Dates: the chain is valid in 2025 to 2049.
    *((f"at {time}", Chain(vlek=vlek), ["--at", time], status, ["chain"] * (status == 2))
      for vlek in (False, True)
      for time, status in (("2024-12-31T23:59:59Z", 2), ("2025-01-01T00:00:01Z", 0),
                           ("2049-12-31", 0), ("2050-01-01", 2))),
    # RFC 5280, 4.2: an unknown critical extension refuses, another is passed over.
    *((f"an unknown extension of the {who}", Chain(more={who: NOT_CRITICAL}), [], 0, [])
      for who in ("ark", "issuer", "signer")),
    *((f"an unknown critical extension of the {who}", Chain(more={who: CRITICAL}), [], 2, ["chain"])
      for who in ("ark", "issuer", "signer")),
    ("an issuer of another curve", Chain(issuer_key=make_chain.EccKey("ca", 3)), [], 2, ["chain"]),
    # AMD 57230: the authorities have 4096 bits.
    *((f"an issuer of {size} bits", Chain(issuer_key=OtherRsaKey(size)), [], 2, ["chain"])
      for size in (2048, 3072)),
    # Products.
    ("an unknown product", Chain(name="Florence"), [], 2, UNREAD),
    ("a product that starts like a known one", Chain(name="Milano"), [], 2, UNREAD),
    ("no product's name", Chain(name=""), [], 2, UNREAD),
    ("a product without a stepping", Chain(name="Milan"), [], 0, []),
    ("a Genoa of the first models", Chain("Genoa", cpu=(0x19, 0x11)), [], 0, []),
    ("another product's CPU", Chain(cpu=(0x19, 0x11)), [], 3, ["product"]),
    ("another family's CPU", Chain(cpu=(0x1A, 0x01)), [], 3, ["product"]),
    ("a CPU that is not known", Chain(cpu=(0x19, 0x20)), [], 3, ["product"]),
    ("a Turin whose CPU is a Venice", Chain("Turin", cpu=(0x1A, 0x50)), [], 3, ["product"]),
    ("a chip's id of another product's length", Chain(hwid=bytes(8)), [], 2, UNREAD),
    ("a level of the product's that is missing", Chain("Turin", levels={
        "3.1": 4, "3.2": 2, "3.3": 24, "3.8": 81}), [], 2, UNREAD),
    ("levels that the product does not have", Chain("Venice", levels={
        "3.9": 3, "3.1": 7, "3.2": 2, "3.3": 9, "3.8": 7}), [], 0, []),
    ("another level than the certificate's", Chain("Venice", levels={"3.9": 3, "3.2": 2, "3.3": 8}),
     [], 3, ["tcb"]),
    # Reserved bytes of each TCB_VERSION, the first and the last.
    *((f"byte {byte} of a {product}'s {which} TCB", spoiled(at + byte, 1, product=product), [], 3,
       ["product"]) for product, free in (("Milan", (2, 5)), ("Turin", (4, 6)), ("Venice", (3, 7)))
      for byte in free for which, at in report.TCBS.items()),
    # Order and floors; 219 is the microcode of all four.
    ("an older TCB at launch", spoiled(0x1F7, 218), [], 0, []),
    ("a newer TCB at launch", spoiled(0x1F7, 220), [], 3, ["tcb-order"]),
    ("a TCB at launch below the floor", spoiled(0x1F7, 218), ["--minimum-tcb", "0,0,0,0,219"], 3,
     ["tcb-minimum"]),
    ("a floor that is met", Chain(), ["--minimum-tcb", "0,4,1,24,219"], 0, []),
    *((f"a floor of Venice's, {floor}", Chain("Venice"), ["--minimum-tcb", floor], status,
       ["tcb-minimum"] * (status == 3))
      for floor, status in (("3,0,2,9,0", 0), ("4,0,0,0,0", 3), ("0,0,3,0,0", 3), ("0,0,0,10,0", 3),
                            ("0,1,0,0,0", 3), ("0,0,0,0,1", 3))),
    ("committed firmware that is newer", spoiled(0x1E8, 9, 9, 1, 0, 0, 0, 2), [], 3, ["tcb-order"]),
    ("current firmware that is newer", spoiled(0x1E8, 0, 0, 2, 0, 9, 9, 1), [], 0, []),
    # What hosts mask.
    ("a masked chip", spoiled(0x1A0, *bytes(64)), [], 3, ["chip-id"]),
    ("a masked chip, allowed", spoiled(0x1A0, *bytes(64)), ["--allow-masked-chip"], 0, []),
    ("another chip where masked ones are allowed", spoiled(0x1A0, 1), ["--allow-masked-chip"], 3,
     ["chip-id"]),
    ("a masked key", spoiled(0x48, 2), [], 3, ["signing-key"]),
    ("no signing key", spoiled(0x48, 7 << 2), [], 3, ["signing-key"]),
    ("an unknown signing key", spoiled(0x48, 2 << 2), [], 3, ["signing-key"]),
    ("a report with an author key", spoiled(0x48, 1), [], 0, []),
    # Versions.
    *((f"version {version}", spoiled(0, version), [], 0, []) for version in (3, 4, 5)),
    ("version 2 with a CPU", spoiled(0, 2), [], 3, ["report-format"]),
    ("version 2", spoiled(0, 2, cpu=(0, 0)), [], 0, []),
    ("version 1", spoiled(0, 1), ["--allow-unknown-version"], 3, ["report-format"]),
    ("version 6", spoiled(0, 6), [], 3, ["report-format"]),
    ("version 6, allowed", spoiled(0, 6), ["--allow-unknown-version"], 0, []),
    ("an unknown policy bit of version 6", spoiled(8, 0, 0, 3, 4), ["--allow-unknown-version"], 3,
     ["report-format"]),
    ("a reserved byte of version 5", spoiled(0x208, 1), ["--allow-unknown-version"], 3,
     ["report-format"]),
    ("all policy bits that may be set", spoiled(8, 0, 0, 0xF3, 3), [], 0, []),
    # The level.
    ("VMPL 1", spoiled(0x30, 1), [], 3, ["vmpl"]),
    ("VMPL 1 that was asked for", spoiled(0x30, 1), ["--vmpl", "1"], 0, []),
    ("VMPL 0 where 1 was asked for", Chain(), ["--vmpl", "1"], 3, ["vmpl"]),
]


def check_cases(socle, top):
    for number, (name, chain, options, status, failing) in enumerate(CASES):
        folder = chain.write(top / str(number))
        common.expect(socle, name, status, failing,
                      ["--trust-emulated", "--report-only", *options, *own(folder)])


def check_marks(socle, top):
    """Without --trust-emulated either mark refuses, and so does an unknown root without any."""
    for number, chain in enumerate((Chain(), Chain(unnamed=ALL), Chain(unmarked=ALL),
                                    Chain(unnamed=ALL, unmarked=ALL))):
        folder = chain.write(top / f"marks-{number}")
        common.expect(socle, f"real roots only, {number}", 2, ["root"], ["--report-only", *own(folder)])
        code, out, _ = common.socle_verify(socle, "--report-only", *own(folder))
        common.result(json.loads(out)["emulated"] is True, f"called emulated, {number}", code)


def check_swapped(socle, top):
    """The files of one kind, for a report that names the other."""
    folder = Chain().write(top / "swapped")
    only = ["--trust-emulated", "--report-only"]
    report = bytearray((folder / "report.bin").read_bytes())
    report[0x48] = 4
    (folder / "report.bin").write_bytes(report)
    common.expect(socle, "a VLEK's report with a VCEK's files", 1, None, [*only, *own(folder)],
                  "asvk.pem")
    common.expect(socle, "a VCEK as a VLEK", 2, ["chain", "vcek", "signature", "product", "chip-id",
                                                "tcb"],
                  [*only, "--asvk", folder / "ask.pem", "--vlek", folder / "vcek.pem",
                   *own(folder)])
    table = top / "table"
    chain = Chain(vlek=True)
    chain.write(table)
    der_of = dict(zip(("ark", "ask", "vlek"), chain.certificates()))
    for name in ("asvk.pem", "vlek.pem"):
        (table / name).unlink()
    for names in (("vlek", "ask"), ("vcek", "ask", "vlek")):
        made = common.make_table({**der_of, "vcek": Chain().certificates()[2]}, names)
        (table / "certs.bin").write_bytes(made)
        common.expect(socle, f"a table of {names} for a VLEK's report", 0, [],
                      [*only, *own(table)])


def pem_of(der, what="CERTIFICATE"):
    return f"-----BEGIN {what}-----\n".encode() + base64.encodebytes(der) + \
        f"-----END {what}-----\n".encode()


def check_order(socle, top):
    """cert_chain as it is fetched, or put together: every order of ARK, ASK and ASVK."""
    ark, ask, _ = Chain().certificates()
    asvk = Chain(vlek=True).certificates()[1]
    for vlek in (False, True):
        folder = Chain(vlek=vlek).write(top / f"order-{vlek}")
        only = ["--trust-emulated", "--report-only", "--cert-chain", folder / "cert_chain", folder]
        for count in (2, 3):
            for order in itertools.permutations((asvk if vlek else ask, ark, ask if vlek else asvk)
                                                [:count]):
                (folder / "cert_chain").write_bytes(b"".join(map(pem_of, order)))
                common.expect(socle, f"a chain of {count} in some order, VLEK {vlek}", 0, [], only)
        for name, chain in (("without the issuer", [ark, ark]), ("with two roots", [ark, ark, ask]),
                            ("with the other issuer", [ark, ask if vlek else asvk])):
            (folder / "cert_chain").write_bytes(b"".join(map(pem_of, chain)))
            common.expect(socle, f"a chain {name}", 1, None, only, "cert_chain")


def crl_cases():
    """Name, lists, options, whether the chain by a VCEK and the one by a VLEK are trusted. The serial
    numbers are 1 (ARK), 2 (ASK and ASVK) and 3 (VCEK and VLEK)."""
    indirect = chains.certificate_issuer
    sha256 = make_chain.sequence(make_chain.oid("2.16.840.1.101.3.4.2.1"), make_chain.NULL)
    short_pss = make_chain.sequence(make_chain.oid("1.2.840.113549.1.1.10"), make_chain.sequence(
        der(0xA0, sha256)))
    return [
        ("an empty list", [crl()], [], True, True),
        ("a list of others", [crl([(77,), (4,)])], [], True, True),
        ("a revoked issuer", [crl([(77,), (2,)])], [], False, False),
        ("a revoked issuer with its reason", [crl([(2, chains.REASON)])], [], False, False),
        ("a revoked root", [crl([(1,)])], [], False, False),
        # A list names what its issuer issued: 3 is no certificate of the ARK's.
        ("the signer's number among the root's", [crl([(3,)])], [], True, True),
        ("a revoked VCEK", [crl([(3, indirect(ASK))], extensions=[chains.INDIRECT])], [], False, True),
        ("a revoked VLEK", [crl([(3, indirect(ASVK))], extensions=[chains.INDIRECT])], [], True, False),
        ("the issuer of the entry before", [crl([(9, indirect(ASK)), (3,)],
                                               extensions=[chains.INDIRECT])], [], False, True),
        ("an issuer for an entry of a list of one's own", [crl([(2, indirect(ASK))])], [], True, True),
        ("two lists", [crl(), crl([(77,)])], [], True, True),
        ("two lists, the second revokes", [crl(), crl([(2,)])], [], False, False),
        ("two lists, the second is stale", [crl(), crl(following=b"250301000000Z")], [], False, False),
        ("a list of another product beside", [crl(), crl([(2,)], issuer="ARK-Genoa")], [], True, True),
        ("only a list of another product", [crl(issuer="ARK-Genoa")], [], False, False),
        ("a list by the ASK", [crl(by="issuer", issuer=ASK)], [], False, False),
        ("a list by the ASK in the root's name", [crl(by="issuer")], [], False, False),
        ("a stale list", [crl(following=b"250301000000Z")], [], False, False),
        ("a stale list, in its time", [crl(following=b"250301000000Z")], ["--at", "2025-02-01"], True,
         True),
        ("a list of later", [crl(this=b"480101000000Z")], [], False, False),
        ("a list of later, then", [crl(this=b"480101000000Z")], ["--at", "2048-02-01"], True, True),
        ("a list without an end", [crl(following=None)], [], False, False),
        ("another bit", [crl()[:-1] + bytes([crl()[-1] ^ 1])], [], False, False),
        ("another hash", [crl(algorithm=short_pss)], [], False, False),
        ("an unknown extension", [crl(extensions=NOT_CRITICAL)], [], True, True),
        ("an unknown critical extension", [crl(extensions=CRITICAL)], [], False, False),
        ("an unknown extension of an entry", [crl([(77, *NOT_CRITICAL)])], [], True, True),
        ("an unknown critical extension of an entry", [crl([(77, *CRITICAL)])], [], False, False),
        ("a list of users only", [crl(extensions=[chains.ONLY_USERS])], [], False, False),
        ("a list of some reasons", [crl(extensions=[chains.ONLY_SOME_REASONS])], [], False, False),
        ("what a delta changes", [crl(extensions=[extension("2.5.29.27", integer(1), True)])], [], False,
         False),
    ]


# What openssl says of these is the same: it knows nothing of our rules for AMD's signatures.
OPENSSL_JUDGES = ("an empty list", "a list of others", "a revoked issuer", "a stale list",
                  "a list by the ASK in the root's name", "another bit", "a list of later")


def openssl_trusts(top, folder, lists):
    """Whether openssl finds the ASK good below the root, by these lists."""
    for name in ("ark", "ask"):
        place = common.place(folder, f"{name}.pem")
        (top / f"{name}.txt").write_bytes(pem_of(place.read_bytes()))
    (top / "lists.txt").write_bytes(b"".join(pem_of(one, "X509 CRL") for one in lists))
    return subprocess.run(["openssl", "verify", "-CAfile", top / "ark.txt", "-CRLfile",
                           top / "lists.txt", "-crl_check", top / "ask.txt"], check=False,
                          capture_output=True).returncode == 0


def check_crls(socle, top):
    folders = {vlek: Chain(vlek=vlek).write(top / f"crl-{vlek}") for vlek in (False, True)}
    judged = 0
    for name, lists, options, *trusted in crl_cases():
        words = []
        for number, one in enumerate(lists):
            path = top / f"list-{number}"
            path.write_bytes(one if number == 0 else pem_of(one, "X509 CRL"))
            words += ["--crl", path]
        for (vlek, folder), good in zip(folders.items(), trusted):
            common.expect(socle, f"revocation, VLEK {vlek}: {name}", 0 if good else 2,
                          [] if good else ["revocation"],
                          ["--trust-emulated", "--report-only", *words, *options, *own(folder)])
        if name in OPENSSL_JUDGES:
            judged += 1
            common.result(openssl_trusts(top, folders[False], lists) == trusted[0],
                          f"openssl on revocation: {name}")
    common.result(judged == len(OPENSSL_JUDGES), "what openssl judges", judged)
    # Both in one file; and files that are none.
    path, folder = top / "lists", folders[False]
    only = ["--trust-emulated", "--report-only", "--crl", path, *own(folder)]
    pem = pem_of(crl(), "X509 CRL")
    path.write_bytes(b"Of Milan:\n" + pem + pem_of(crl([(2,)]), "X509 CRL"))
    common.expect(socle, "two lists in one file", 2, ["revocation"], only)
    for name, data in (("nothing", b""), ("zeros", bytes(500)), ("half a list", crl()[:-9]),
                       ("more than a list", crl() + b"\0"), ("a certificate", pem_of(
                           Chain().certificates()[0])), ("half of PEM", pem[:-40]),
                       ("a list and half of one", pem + pem[:200]),
                       ("no base64", pem.replace(b"M", b"!"))):
        path.write_bytes(data)
        common.expect(socle, f"a revocation list of {name}", 1, None, only, "lists")
    path.unlink()
    common.expect(socle, "no revocation list", 1, None, only, "lists")
    path.write_bytes(17 * pem)
    code, _, err = common.socle_verify(socle, *only)
    common.result(code == 1 and "too many" in err, "17 revocation lists", err)


# What `socle report show` says of a Turin's report, by name: literals, with their offsets in the SNP firmware
# ABI's ATTESTATION_REPORT.
SHOWN = {"version": 5, "guest_svn": 7, "vmpl": 2, "host_data": "a5" * 32, "current_firmware": "1.55.21",
         "committed_firmware": "1.55.20", "launch_mitigations": "0000000000000003",
         "cpu": {"family": 26, "model": 2, "stepping": 1, "product": "Turin"},
         "policy": {"value": "00000000000b0133", "abi": "1.51", "bits": ["smt", "reserved-one", "debug"]},
         "current_tcb": {"value": "5100000018020401", "fmc": 1, "bootloader": 4, "tee": 2, "snp": 24,
                         "microcode": 81},
         "key": {"signing": "vlek", "author": True, "masked": False}, "signature_algorithm": 1}
SHOWN_BYTES = {0x04: "07000000", 0x08: "33010b", 0x30: "02000000", 0x48: "05", 0xC0: "a5" * 32,
               0x18A: "01", 0x1E8: "153701" + "00" + "143701", 0x1F8: "03"}


def show(socle, *arguments, data=None):
    return subprocess.run([str(w) for w in (socle, "report", "show", *arguments)], input=data,
                          capture_output=True, check=False)


def check_show(socle, top):
    chain = Chain("Turin", vlek=True)
    for at, text in SHOWN_BYTES.items():
        chain.report[at:at + len(text) // 2] = bytes.fromhex(text)
    path = top / "shown.bin"
    path.write_bytes(chain.report)
    run = show(socle, "--json", path)
    found = json.loads(run.stdout or "{}")
    for name, value in SHOWN.items():
        common.result(found.get(name) == value, f"report show, {name}", found.get(name))
    text = show(socle, path).stdout.decode()
    for line in ("cpu product              Turin", "policy bits              debug",
                 "current_tcb snp          24", "key author               yes"):
        common.result(line + "\n" in text, f"report show, the line {line!r}", text)
    common.result(show(socle, "--json", "-", data=base64.b64encode(chain.report)).stdout == run.stdout,
                  "report show, base64 from standard input")
    chain.report[0x4C] = 1
    path.write_bytes(chain.report)
    common.result("problem" in json.loads(show(socle, "--json", path).stdout),
                  "report show, a reserved byte")
    for words in ([], [path, path], ["--nonsense", path], [top / "nowhere"], [top]):
        run = show(socle, *words)
        common.result(run.returncode == 1 and run.stderr.startswith(b"socle: ") and not run.stdout,
                      f"report show, misuse {words}", run.stderr)
        for command in ("report", "eventlog"):
            run = subprocess.run([str(word) for word in (socle, command, "show", *words, "--json")], check=False,
                                 capture_output=True)
            common.result(run.returncode == 1 and b"socle: " + json.loads(run.stdout)["error"].encode() + b"\n" ==
                          run.stderr, f"{command} show, misuse {words}: one object", run.stdout)
    path.write_bytes(b"no report, and no log")
    for command in ("report", "eventlog"):
        run = subprocess.run([socle, command, "show", "--json", path], check=False, capture_output=True)
        common.result(run.returncode == 1 and json.loads(run.stdout)["error"].startswith(str(path)),
                      f"{command} show, what is none: one object", run.stdout)


def check_nonce(socle, top):
    def nonce(*words):
        return subprocess.run([str(w) for w in (socle, "nonce", *words)], capture_output=True, text=True,
                              check=False)

    path = top / "nonce.bin"
    one, two = nonce("-o", path), nonce()
    common.result(one.returncode == 0 and bytes.fromhex(one.stdout) == path.read_bytes() and
                  len(path.read_bytes()) == 64, "a nonce", one.stderr)
    common.result(two.returncode == 0 and len(two.stdout) == 129 and two.stdout != one.stdout,
                  "another nonce", two.stdout)
    again = nonce("-o", path)
    common.result(again.returncode == 1 and "File exists" in again.stderr and not again.stdout and
                  bytes.fromhex(one.stdout) == path.read_bytes(), "a nonce over another", again.stderr)
    common.result(nonce("x").returncode == 1, "a nonce with an argument")


def check_misuse(socle, top):
    folder = Chain().write(top / "misuse")
    for option, value in (("--at", "2025"), ("--at", "2025-02-30"), ("--at", "2025-01-01T24:00:00Z"),
                          ("--at", "2025-01-01T00:00:00"), ("--at", "1969-12-31"),
                          ("--at", "2025-1-001"), ("--at", ""), ("--vmpl", "4"), ("--vmpl", "-1")):
        code, out, err = common.socle_verify(socle, "--report-only", option, value, folder)
        common.result(code == 1 and common.is_error(out, err) and option in err,
                      f"misuse {option} {value}", err)
    code, _, err = common.socle_verify(socle, "--vmpl", "1", folder)
    common.result(code == 1 and "--report-only" in err, "--vmpl with a manifest", err)


# The verdicts that the READMEs beside the files name.
GENUINE = [
    ("evidence/genoa-vcek", [], 0, []),
    ("evidence/turin-vcek", [], 0, []),
    ("evidence/milan-v5-vmpl1", [], 3, ["vmpl"]),
    ("evidence/milan-v5-vmpl1", ["--vmpl", "1"], 0, []),
    ("evidence/milan-vlek", ["--at", "2025-06-01"], 0, []),
    ("evidence/milan-vlek", ["--at", "2025-06-01", "--csp-id", "CN=cc-eu-west-1.amazonaws.com"], 0, []),
    ("evidence/milan-vlek", ["--at", "2025-06-01", "--csp-id", "CN=other"], 3, ["csp-id"]),
    ("evidence/milan-vlek", ["--at", "2025-12-11"], 2, ["chain"]),
    ("evidence/milan-vlek", ["--at", "2024-12-10"], 2, ["chain"]),
    # Their roots have none of the marks that an emulated one needs.
    *((f"cases/masked-chip-id{of}", ["--trust-emulated", *options], 2, ["root", *failing])
      for of in ("", "-turin")
      for options, failing in (([], ["chip-id"]), (["--allow-masked-chip"], []))),
    ("cases/masked-chip-key", ["--trust-emulated"], 2, ["root", "signature", "signing-key"]),
    ("cases/venice", ["--trust-emulated"], 2, ["root"]),
    ("cases/venice-all-oids", ["--trust-emulated"], 2, ["root"]),
]


# The product and kind of each of AMD's own certificates, by evidence that needs it.
BUILT_IN = [("evidence/genoa-vcek", []), ("evidence/turin-vcek", []),
            ("evidence/milan-v5-vmpl1", ["--vmpl", "1"]), ("evidence/milan-vlek", ["--at", "2025-06-01"])]


def check_built_in(socle, top, shared):
    """A report and the certificate of its key are enough, where AMD made both."""
    for number, (name, options) in enumerate(BUILT_IN):
        folder = top / f"built-in-{number}"
        folder.mkdir()
        for path in (shared / name).iterdir():
            if path.name in ("report.bin", "vcek.pem", "vlek.pem"):
                shutil.copy(path, folder)
        common.expect(socle, f"{name} without ARK and ASK", 0, [], ["--report-only", *options, folder])
        issuer = "asvk.pem" if "vlek" in name else "ask.pem"
        (folder / issuer).write_bytes(pem_of(Chain().certificates()[1]))
        common.expect(socle, f"{name} with an ASK of ours", 1, None,
                      ["--report-only", *options, folder], "ark.pem")
    folder = Chain().write(top / "built-in")
    (folder / "ask.pem").unlink()
    common.expect(socle, "an emulated chain without its ASK", 1, None,
                  ["--trust-emulated", "--report-only", *own(folder)], "ask.pem")


def main():
    socle, shared = sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None
    common.result.what = "chains"
    with tempfile.TemporaryDirectory() as top:
        check_cases(socle, Path(top))
        check_marks(socle, Path(top))
        check_swapped(socle, Path(top))
        check_order(socle, Path(top))
        check_crls(socle, Path(top))
        check_show(socle, Path(top))
        check_nonce(socle, Path(top))
        check_misuse(socle, Path(top))
    if shared and (shared / "evidence").is_dir():
        with tempfile.TemporaryDirectory() as top:
            check_built_in(socle, Path(top), shared)
    for name, options, status, failing in GENUINE:
        if not shared or not (shared / name).is_dir():
            common.result.skip(name, "the folder is not there")
            continue
        if "--trust-emulated" in options:
            options = [*options, "--ark", shared / name / "ark.pem"]
        common.expect(socle, f"{name} {options}", status, failing,
                      ["--report-only", *options, shared / name])
    return common.result.finish()


if __name__ == "__main__":
    sys.exit(main())
