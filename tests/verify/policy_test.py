#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Policies: each rule holds and fails by itself, as a file's and as an option's, and the second
verifier (../spec/verify.py) says the same; what is no policy is refused with file, place and rule; and
python3-jsonschema finds the same files well-formed as `socle verify` does.

    policy_test.py SOCLE RESIGN KEY_DIR VECTORS
"""

import copy
import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/spec"), str(ROOT / "tests/lib")]
import verify as second  # noqa: E402
import rules  # noqa: E402
from results import Results  # noqa: E402

try:
    import jsonschema
except ImportError:
    jsonschema = None

results = Results("policies")
SCHEMAS = {name: json.loads((ROOT / f"docs/{name}.schema.json").read_text())
           for name in ("policy", "verdict")}

# What the report is made to say, by offset.
FIELDS = {"family_ids": (0x10, bytes(range(16))), "image_ids": (0x20, bytes(range(16, 32))),
          "host_data": (0xC0, bytes(range(32))), "id_key_digests": (0xE0, bytes(range(48))),
          "author_key_digests": (0x110, bytes(range(100, 148)))}
CHECKS = {"family_ids": ("family-id", 4), "image_ids": ("image-id", 4), "host_data": ("host-data", 3),
          "id_key_digests": ("id-key", 4), "author_key_digests": ("author-key", 4),
          "chip_ids": ("known-chip", 3), "measurements": ("measurement", 4), "keys": ("known-key", 5)}


def is_well_formed(policy):
    try:
        jsonschema.validate(policy, SCHEMAS["policy"])
        return True
    except jsonschema.ValidationError:
        return False


class Evidence:
    """The test vector with an attested AK, and a report that has something in every field."""

    def __init__(self, socle, resign, keys, vectors, work):
        self.socle, self.work, self.resign, self.keys = socle, work, resign, keys
        self.folder, self.mine = work / "evidence", work / "mine"
        self.folder.mkdir()
        self.mine.mkdir()
        everything = json.loads((Path(vectors) / "verdicts.json").read_text())
        vector = next(v for v in everything["verdicts"] if v["name"] == "attested-ak in a list")
        for folder, names in ((self.folder, vector["files"]), (self.mine, vector["mine"])):
            for name, key in names.items():
                (folder / name).write_bytes(bytes.fromhex(everything["files"][key]))
        report = bytearray((self.folder / "report.bin").read_bytes())
        for offset, value in FIELDS.values():
            report[offset:offset + len(value)] = value
        struct.pack_into("<I", report, 4, 7)  # GUEST_SVN
        struct.pack_into("<I", report, 0x48, 1)  # there is an author key
        for at in (0x38, 0x180, 0x1E0, 0x1F0):
            report[at:at + 8] = bytes(8)
        report[0x1A0:0x1E0] = bytes(64)
        (self.folder / "report.bin").write_bytes(report)
        subprocess.run([resign, keys, self.folder / "report.bin", self.folder], check=True)
        (self.folder / "ark.pem").rename(self.mine / "ark.pem")
        self.report = (self.folder / "report.bin").read_bytes()
        self.good = self.policy()

    def policy(self):
        r = self.report
        names = [key.name().hex() for key in rules.read_manifest((self.folder / "manifest.bin").read_bytes())]
        policy = {"format": 1, "name": "all rules", "look_at": "quote", "at": "2027-01-02T03:04:05Z",
                  "allow": {"emulated": True, "masked_chip": False, "unknown_version": False},
                  "vmpl": 0, "minimum_svn": 7,
                  "minimum_tcb": {"Milan": {"bootloader": r[0x180], "tee": 0, "snp": r[0x186],
                                            "microcode": r[0x187]}, "any": {"fmc": 0},
                                  "Turin": {"fmc": 255}},
                  "policy_bits": {"required": ["reserved-one", "smt"], "forbidden": ["debug", "cxl-allow"]},
                  "measurements": {"another": "00" * 48, "this one": r[0x90:0xC0].hex()},
                  "chip_ids": {"another": "11" * 64, "this one": r[0x1A0:0x1E0].hex()},
                  "keys": {f"key {i}": name for i, name in enumerate(names)}}
        for name, (offset, value) in FIELDS.items():
            policy[name] = {"another": "ee" * len(value), "this one": r[offset:offset + len(value)].hex()}
        return policy

    def words(self, *more):
        return [*more, "--mine", self.mine, self.folder]

    def verify(self, *more):
        run = subprocess.run([self.socle, "verify", "--json", *map(str, self.words(*more))],
                             capture_output=True, text=True, check=False)
        found = json.loads(run.stdout)
        if jsonschema:
            try:
                jsonschema.validate(found, SCHEMAS["verdict"])
            except jsonschema.ValidationError as error:
                results(False, f"the verdict's schema, {more}", error)
        return run.returncode, found, run.stderr

    def write(self, policy):
        path = self.work / "policy.json"
        path.write_text(policy if isinstance(policy, str) else json.dumps(policy))
        return path

    def expect(self, name, status, failing, *more):
        """By both verifiers."""
        code, found, errors = self.verify(*more)
        fails = [c["name"] for c in found["checks"] if c["result"] == "fail"]
        results((code, fails) == (status, failing), name, f"{code}, {fails}: {errors}")
        try:
            verdict = second.verify(self.words(*more))
            results((verdict["status"], verdict["failing"]) == (status, failing),
                    f"second verifier, {name}", verdict)
        except second.Unreadable as error:
            results(status == 1, f"second verifier, {name}", error)

    def expect_policy(self, name, status, failing, policy, *more):
        if jsonschema:
            results(is_well_formed(policy), f"{name}: its schema")
        self.expect(name, status, failing, "--policy", self.write(policy), *more)


def changed(policy, **changes):
    policy = copy.deepcopy(policy)
    for name, value in changes.items():
        if value is None:
            del policy[name]
        else:
            policy[name] = value
    return policy


def check_rules(e):
    good = e.good
    e.expect_policy("all rules hold", 0, [], good)
    for name, (check, status) in CHECKS.items():
        wrong = {"another": next(iter(good[name].values()))[:-2] + "5a"}
        e.expect_policy(f"no value of {name}", status, [check], changed(good, **{name: wrong}))
    e.expect_policy("a higher SVN", 3, ["guest-svn"], changed(good, minimum_svn=8))
    milan = good["minimum_tcb"]["Milan"]
    for part in ("bootloader", "snp", "microcode"):
        e.expect_policy(f"a higher {part}", 3, ["tcb-minimum"],
                        changed(good, minimum_tcb={"Milan": {**milan, part: milan[part] + 1}}))
    e.expect_policy("a floor for another product alone", 3, ["tcb-minimum"],
                    changed(good, minimum_tcb={"Genoa": {"snp": 0}}))
    e.expect_policy("a floor for any product", 3, ["tcb-minimum"],
                    changed(good, minimum_tcb={"any": {"snp": 255}}))
    e.expect_policy("a bit that is not set", 3, ["policy-bits"],
                    changed(good, policy_bits={"required": ["single-socket"]}))
    e.expect_policy("a bit that is set", 3, ["policy-bits"],
                    changed(good, policy_bits={"forbidden": ["smt"]}))
    e.expect_policy("emulated evidence that nobody allowed", 2, ["root"], changed(good, allow=None))
    e.expect_policy("a time before the certificates", 2, ["chain"], changed(good, at="1999-12-31"))
    e.expect_policy("only the report", 3, ["vmpl"],
                    changed(good, look_at="report", vmpl=1, keys=None))
    # A number of 0 takes the place of a rule as any other.
    e.expect_policy("--vmpl 0 in the place of a level", 0, [],
                    changed(good, look_at="report", vmpl=1, keys=None), "--vmpl", "0")
    e.expect_policy("a higher SVN", 3, ["guest-svn"], changed(good, minimum_svn=8))
    e.expect_policy("--minimum-svn 0 in its place", 0, [], changed(good, minimum_svn=8), "--minimum-svn", "0")
    e.expect_policy("only keys", 0, [], changed(good, look_at="keys"))
    if len(good["keys"]) > 1:
        e.expect_policy("a key of the manifest that is not known", 5, ["known-key"],
                        changed(good, look_at="keys", keys=dict(list(good["keys"].items())[:1])))
    e.expect_policy("an ID key in the place of a measurement", 0, [], changed(good, measurements=None))
    for keys in ("id_key_digests", "author_key_digests"):
        e.expect_policy(f"an ID block's rules with {keys} alone", 0, [], changed(good, **{keys: None}))
    for cloud in ("cloud", "a cloud of 1"):
        e.expect_policy("a cloud, where a VCEK signed", 3, ["csp-id"],
                        changed(good, csp_ids={"a cloud": cloud}))
        e.expect(f"--csp-id \"{cloud}\"", 3, ["csp-id"], "--policy", e.write(good), "--csp-id", cloud)


def check_pcrs(e):
    (bank, mask), *_ = second.read_values((e.folder / "quote.pcrs").read_bytes())[0]
    digests = second.read_values((e.folder / "quote.pcrs").read_bytes())[1]
    values = dict(zip((n for n in range(24) if mask >> n & 1), (d.hex() for d in digests)))
    results(bank == 0x000B and len(values) > 2, "the vector quotes PCRs", values)
    first, last = min(values), max(values)
    other = hashlib.sha256(b"another").hexdigest()
    e.expect_policy("PCRs", 0, [],
                    changed(e.good, pcrs={"sha256": {str(first): values[first], str(last): values[last]}}))
    e.expect_policy("one of several values", 0, [],
                    changed(e.good, pcrs={"sha256": {str(last): [other, values[last]]}}))
    e.expect_policy("none of several values", 6, ["pcr-values"],
                    changed(e.good, pcrs={"sha256": {str(last): [other, other[::-1]]}}))
    e.expect_policy("a PCR that was not quoted", 6, ["pcr-values"],
                    changed(e.good, pcrs={"sha256": {str(last + 1): values[last]}}))
    e.expect_policy("a bank that was not quoted", 6, ["pcr-values"],
                    changed(e.good, pcrs={"sha512": {"0": "00" * 64}}))
    e.expect("the option in the rule's place", 6, ["pcr-values"], "--policy",
             e.write(changed(e.good, pcrs={"sha256": {str(first): values[first]}})), "--pcr", f"sha256:{first}={other}")
    for bank, digits in (("sha384", 96), ("sha512", 128)):
        e.expect(f"--pcr of {bank}", 6, ["pcr-values"], "--policy", e.write(e.good), "--pcr",
                 f"{bank}:0={'0' * digits}")
    code, _, errors = e.verify("--trust-emulated", "--pcr", f"sha256:0={other}", "--pcr",
                               f"sha256:0={values[first]}")
    results(code == 1 and "each PCR of a bank once" in errors, "a PCR by two options", errors)


def check_options(e):
    """Each without a file, and in the place of a file's rule."""
    bare = ["--trust-emulated", "--measurement", e.report[0x90:0xC0].hex()]
    signed = ["--id-key-digest", e.good["id_key_digests"]["this one"]]
    for name, option in second.LISTS.items():
        if not option:
            continue
        measured = bare + signed if name in ("family_ids", "image_ids") else bare
        if name in ("family_ids", "image_ids"):
            e.expect(f"{option}, which anybody could have signed", 1, [], *bare, option,
                     e.good[name]["this one"])
        right, wrong = e.good[name]["this one"], e.good[name]["another"]
        check, status = CHECKS[name]
        e.expect(f"{option}", 0, [], *measured, option, right)
        e.expect(f"{option}, one of two", 0, [], *measured, option, wrong, option, right)
        e.expect(f"{option}, another", status, [check], *measured, option, wrong)
        e.expect(f"{option} beside a policy", status, [check], "--policy", e.write(e.good), option, wrong)
    measured = bare + signed
    e.expect("--minimum-svn, which anybody could have signed", 1, [], *bare, "--minimum-svn", "7")
    e.expect("--minimum-svn 0, which demands nothing", 0, [], *bare, "--minimum-svn", "0")
    e.expect("--minimum-svn", 0, [], *measured, "--minimum-svn", "7")
    e.expect("--minimum-svn, more", 3, ["guest-svn"], *measured, "--minimum-svn", "8")
    e.expect("--minimum-svn and an author", 0, [], *bare, "--minimum-svn", "7", "--author-key-digest",
             e.good["author_key_digests"]["this one"])
    e.expect("--minimum-tcb beside a policy", 3, ["tcb-minimum"], "--policy", e.write(e.good),
             "--minimum-tcb", "0,0,0,0,255")
    e.expect("--report-only beside a policy", 0, [], "--policy",
             e.write(changed(e.good, keys=None)), "--report-only")
    e.expect("--trust-emulated beside a policy", 0, [], "--policy",
             e.write(changed(e.good, allow={"emulated": False})), "--trust-emulated")
    e.expect("an ID key alone", 0, [], "--trust-emulated", "--id-key-digest",
             e.good["id_key_digests"]["this one"])
    e.expect("neither image nor ID key", 1, [], "--trust-emulated")
    check_replaced(e)


# A rule of the file that is none, and an option that takes its place: it is refused all the same.
REPLACED = [
    ({"measurements": 5}, ["--measurement", "00" * 48], "measurements: an object"),
    ({"measurements": {"m": "00"}}, ["--measurement", "00" * 48], "measurements.m: 96 hexadecimal"),
    ({"allow": 5}, ["--trust-emulated"], "allow: an object"),
    ({"allow": {"emulated": "yes"}}, ["--trust-emulated"], "allow.emulated: true or false"),
    ({"allow": {"everything": True}}, ["--allow-masked-chip"], "allow.everything: there is no"),
    ({"vmpl": 4}, ["--vmpl", "0"], "vmpl: a number from 0 to 3"),
    ({"look_at": "all"}, ["--report-only"], "look_at: one of"),
    ({"at": "now"}, ["--at", "2027-01-02"], "at: YYYY"),
    ({"minimum_svn": "7"}, ["--minimum-svn", "7"], "minimum_svn: a number"),
    ({"minimum_tcb": {"Milan": {"fmc": 1}}}, ["--minimum-tcb", "0,0,0,0,0"], "minimum_tcb.Milan: it can never"),
    ({"host_data": {}}, ["--host-data", "00" * 32], "host_data: it can never hold"),
    ({"id_key_digests": {"k": "00" * 48}}, ["--id-key-digest", "11" * 48], "id_key_digests.k: zeros"),
    ({"csp_ids": {"c": "a\nb"}}, ["--csp-id", "c"], "csp_ids.c: a text"),
    ({"pcrs": {"sha1": {"0": "00" * 20}}}, ["--pcr", "sha256:0=" + "00" * 32], "pcrs.sha1: there is no"),
]


def check_replaced(e):
    for rule, option, wanted in REPLACED:
        path = e.write(changed(e.good, **rule))
        code, found, errors = e.verify("--policy", path, *option)
        results(code == 1 and errors == f"socle: {path}: {errors.split(': ', 2)[-1]}" and wanted in errors and
                errors.count("\n") == 1 and found["verdict"] == "error", f"{option[0]} in the place of {rule}", errors)


# What is refused: a change of the good policy or a text, what the error says, and whether its form is
# well (then it is a rule that can never hold, or a text that JSON has no words for).
REFUSED = [
    ("an unknown field", {"vmlp": 0}, "vmlp: there is no such field", False),
    ("an unknown field below", {"allow": {"everything": True}}, "allow.everything: there is no", False),
    ("an unknown part", {"minimum_tcb": {"Milan": {"uvod": 1}}}, "minimum_tcb.Milan.uvod: there is", False),
    ("an unknown product", {"minimum_tcb": {"Naples": {"snp": 1}}}, "minimum_tcb.Naples: the product", False),
    ("a product with its stepping", {"minimum_tcb": {"Milan-B0": {"snp": 1}}}, "Milan-B0", False),
    ("an unknown bit", {"policy_bits": {"required": ["smtt"]}}, "policy_bits.required: a bit", False),
    ("an unknown bank", {"pcrs": {"md5": {"0": "00" * 16}}}, "pcrs.md5: there is no such field", False),
    ("another format", {"format": 2}, "format: the format is not 1", False),
    ("no format", {"format": None}, "format: it is missing", False),
    ("a format in text", {"format": "1"}, "format: the format is not 1", False),
    ("another depth", {"look_at": "everything"}, "look_at: one of report, keys", False),
    ("no time", {"at": "2027-1-1"}, "at: YYYY-MM-DD", False),
    ("a day that is none", {"at": "2027-02-30"}, "at: YYYY-MM-DD", True),
    ("a word for true", {"allow": {"emulated": "yes"}}, "allow.emulated: true or false", False),
    ("VMPL 4", {"vmpl": 4}, "vmpl: a number from 0 to 3", False),
    ("VMPL -1", {"vmpl": -1}, "vmpl: a number from 0 to 3", False),
    ("VMPL 0.5", {"vmpl": 0.5}, "vmpl: a number from 0 to 3", False),
    ("an SVN beyond 32 bits", {"minimum_svn": 1 << 32}, "minimum_svn: a number", False),
    ("a part of 256", {"minimum_tcb": {"any": {"snp": 256}}}, "minimum_tcb.any.snp: a number", False),
    ("a short measurement", {"measurements": {"m": "00" * 47}}, "measurements.m: 96 hex", False),
    ("no digits", {"measurements": {"m": "zz" * 48}}, "measurements.m: 96 hexadecimal", False),
    ("a number in its place", {"measurements": {"m": 1}}, "measurements.m: 96 hexadecimal", False),
    ("a list of measurements", {"measurements": ["00" * 48]}, "measurements: an object", False),
    ("a name of nothing", {"measurements": {"": "00" * 48}}, "a name of 1 to 127", False),
    ("a long name", {"measurements": {"n" * 128: "00" * 48}}, "a name of 1 to 127", False),
    ("long host data", {"host_data": {"h": "00" * 33}}, "host_data.h: 64 hexadecimal", False),
    ("a Name of no algorithm", {"keys": {"k": "000a" + "00" * 32}}, "keys.k: the hexadecimal", False),
    ("a Name of another size", {"keys": {"k": "000b" + "00" * 48}}, "keys.k: the hexadecimal", False),
    ("a long cloud", {"csp_ids": {"c": "c" * 65}}, "csp_ids.c: a text", False),
    ("a cloud with a line's end", {"csp_ids": {"c": "cloud\n"}}, "csp_ids.c: a text", False),
    ("a cloud that is not ASCII", {"csp_ids": {"c": "cl\u00f6ud"}}, "csp_ids.c: a text", False),
    ("257 values of PCRs", {"pcrs": {"sha256": {"0": ["00" * 32] * 200, "1": ["00" * 32] * 57}}},
     "more than 256 values of PCRs", True),
    ("257 values", {"measurements": {str(i): "00" * 48 for i in range(257)}}, "more than 256", False),
    ("PCR 24", {"pcrs": {"sha256": {"24": "00" * 32}}}, "pcrs.sha256.24: a PCR", False),
    ("PCR 07", {"pcrs": {"sha256": {"07": "00" * 32}}}, "pcrs.sha256.07: a PCR", False),
    ("a PCR's short value", {"pcrs": {"sha384": {"0": "00" * 32}}}, "pcrs.sha384.0: as many", False),
    ("an empty list of measurements", {"measurements": {}}, "measurements: it can never hold", False),
    ("an empty list for a PCR", {"pcrs": {"sha256": {"1": []}}}, "pcrs.sha256.1: it can never", False),
    ("nothing allowed", {"allow": {}}, "allow: nothing is in it", False),
    ("a chip with the id 0", {"chip_ids": {"c": "00" * 64}}, "chip_ids.c: it can never hold", True),
    ("an ID key of zeros", {"id_key_digests": {"k": "00" * 48}}, "id_key_digests.k: zeros are no key", True),
    ("an author of zeros", {"author_key_digests": {"k": "00" * 48}}, "author_key_digests.k: zeros are no key",
     True),
    ("a required and forbidden bit", {"policy_bits": {"required": ["smt"], "forbidden": ["smt"]}},
     "policy_bits: they can never hold", True),
    ("debugging required", {"policy_bits": {"required": ["debug"]}}, "policy_bits: they can never", True),
    ("the bit that is one forbidden", {"policy_bits": {"forbidden": ["reserved-one"]}},
     "policy_bits: they can never", True),
    ("a part that the product lacks", {"minimum_tcb": {"Milan": {"fmc": 1}}},
     "minimum_tcb.Milan: it can never hold", True),
    ("a part that no named product has", {"minimum_tcb": {"any": {"fmc": 1}, "Genoa": {"snp": 1}}},
     "minimum_tcb: it can never hold", True),
    ("VMPL 1 and keys", {"vmpl": 1, "look_at": "keys"}, "vmpl: it can never hold", True),
    ("PCRs without a quote", {"look_at": "keys", "pcrs": {"sha256": {"0": "00" * 32}}},
     "pcrs: they can never hold", True),
    ("keys without a manifest", {"look_at": "report"}, "keys: they can never hold", True),
    *((f"{rule} that anybody could have signed", {name: None for name in (
        "id_key_digests", "author_key_digests", "minimum_svn", "family_ids", "image_ids") if name != rule},
       f"{rule}: it is the host's word", False) for rule in ("minimum_svn", "family_ids", "image_ids")),
    ("a field twice", '{"format": 1,\n "format": 1}', "line 2, column", True),
    ("a field twice, below", '{"format": 1, "measurements": {"a": "%s", "a": "%s"}}' % (
        "00" * 48, "11" * 48), "duplicate", True),
    ("no JSON", "{", "line 1, column 1", True),
    ("no object", "[]", "an object is wanted", False),
    ("nothing", "", "line 1", True),
    ("more behind it", '{"format": 1} x', "line 1", True),
    ("NUL in a name", '{"format": 1, "a\\u0000b": 1}', "line 1", True),
    ("a name that would forge a line", '{"format": 1, "look_at": "report", "a\\nsocle: trusted": 1}',
     "a?socle: trusted", False),
    ("no UTF-8", '{"format": 1, "name": "\udcff"}', "line 1", True),
    ("deeper than anything", "[" * 100000, "line 1", True),
]


def check_refused(e):
    for name, what, wanted, well_formed in REFUSED:
        path = e.work / "policy.json"
        if isinstance(what, str):
            path.write_bytes(what.encode("utf-8", "surrogateescape"))
        else:
            e.write(changed(e.good, **what))
        code, found, errors = e.verify("--policy", path)
        results(code == 1 and wanted in errors and errors.startswith(f"socle: {path}: ") and
                errors.count("\n") == 1 and found["verdict"] == "error", name, errors)
        if jsonschema and not isinstance(what, str):
            results(is_well_formed(changed(e.good, **what)) == well_formed, f"{name}: its schema")
    for path, wanted in ((e.work / "none.json", "No such file"), (e.work, "")):
        code, found, errors = e.verify("--policy", path)
        results(code == 1 and str(path) in errors and wanted in errors, f"no file: {path.name}", errors)
    (e.work / "large.json").write_text(json.dumps(e.good) + " " * (256 << 10))
    code, found, errors = e.verify("--policy", e.work / "large.json")
    results(code == 1 and "large.json" in errors, "a file of more than 256 KiB", errors)


def check_explained(e):
    code, found, errors = e.verify("--policy", e.write(changed(e.good, minimum_svn=9)), "--explain")
    said = {c["name"]: c.get("found", "") for c in found["checks"]}
    results(code == 3 and said["measurement"] ==
            f"{e.report[0x90:0xC0].hex()}, which is \"this one\"", "the measurement, by its name",
            said["measurement"])
    results(said["guest-svn"] == "7" and said["vmpl"] == "0", "what a failed check found", said)
    results('which is "key' in said["known-key"], "the key, by its name", said["known-key"])
    results("ARK-" in said["root"] and "emulated" in said["root"], "the root", said["root"])
    wrong = changed(e.good, measurements={"a": "00" * 48, "b": "11" * 48})
    code, found, errors = e.verify("--policy", e.write(wrong), "--explain")
    said = {c["name"]: c.get("found", "") for c in found["checks"]}
    results(code == 4 and said["measurement"].endswith("which is none of 2"), "a value of none", said)
    code, found, errors = e.verify("--policy", e.write(e.good))
    results(not any("found" in c for c in found["checks"]), "nothing is explained unasked")
    run = subprocess.run([e.socle, "verify", *map(str, e.words("--policy", e.work / "policy.json",
                                                               "--explain"))],
                         capture_output=True, text=True, check=False)
    results(run.returncode == 0 and "found: 7\n" in run.stdout and run.stdout.endswith(
        "verdict: trusted (emulated)\n"), "as text", run.stdout)


def make(e, *words):
    return subprocess.run([str(word) for word in (e.socle, "policy", "make", "--evidence", e.folder, *words)],
                          capture_output=True, text=True, check=False)


def check_made(e):
    """A policy made of evidence: well-formed, met by that evidence and by no other."""
    path = e.work / "made.json"
    for words, look_at in (((), "quote"), (("--keys-only",), "keys"), (("--report-only",), "report")):
        run = make(e, "--mine", e.mine, *words, "-o", path)
        results(run.returncode == 0 and not run.stdout and "trust on first use" in run.stderr,
                f"made for {look_at}", run.stderr)
        policy = json.loads(path.read_text())
        results(policy["look_at"] == look_at and "first use" in policy["name"], "it says so itself", policy)
        e.expect_policy(f"the evidence meets it, {look_at}", 0, [], policy)
        e.expect(f"another image does not, {look_at}", 4, ["measurement"], "--policy", path,
                 "--measurement", "00" * 48)
    policy = json.loads(path.read_text())
    results({name: list(policy[name].values()) for name in FIELDS} ==
            {name: [e.report[at:at + len(value)].hex()] for name, (at, value) in FIELDS.items()} and
            policy["chip_ids"] == {"first use": e.report[0x1A0:0x1E0].hex()} and
            policy["minimum_svn"] == 7 and policy["minimum_tcb"]["Milan"]["microcode"] == e.report[0x187],
            "what it demands is the report's", policy)
    made = json.loads(make(e, "--mine", e.mine, "--at", "2027-01-02", "--allow-masked-chip",
                           "--allow-unknown-version").stdout)
    results(made["at"] == "2027-01-02" and made["allow"] == {
        "emulated": True, "masked_chip": True, "unknown_version": True}, "rules that are asked for", made)
    run = make(e, "--mine", e.mine, "--at", "1999-01-02", "-o", e.work / "never.json")
    results(run.returncode == 1 and "valid yet" in run.stderr and not (e.work / "never.json").exists(),
            "another time", run.stderr)
    quoted = json.loads(make(e, "--mine", e.mine).stdout)
    results(len(quoted["pcrs"]["sha256"]) > 2 and quoted["keys"], "PCRs and keys", quoted)
    results(not make(e, "--mine", e.mine, "-q", "-o", path).stderr, "quiet")
    # What does not hold by itself makes no policy.
    path.unlink()
    roots = e.work / "roots"
    roots.mkdir()
    (roots / "ark.pem").write_bytes((e.mine / "ark.pem").read_bytes())
    for name, words, wanted in (("no root of one's own", ("--report-only",), "ark.pem"),
                                ("no nonce", ("--keys-only", "--mine", roots), "nonce.bin")):
        run = make(e, *words, "-o", path)
        results(run.returncode == 1 and wanted in run.stderr and not path.exists(), name, run.stderr)
    report = e.folder / "report.bin"
    good = report.read_bytes()
    report.write_bytes(good[:0x90] + bytes([good[0x90] ^ 1]) + good[0x91:])
    run = make(e, "--mine", e.mine, "--report-only", "-o", path)
    results(run.returncode == 1 and "signature" in run.stderr and not path.exists(), "a forged report",
            run.stderr)
    report.write_bytes(good)


def unified(*sections):
    """A PE file of these sections, (name, content, size in memory or None): its headers alone mean something."""
    optional = struct.pack("<H", 0x20B) + bytes(58) + struct.pack("<I", 0x400) + bytes(44) + bytes(4)
    head = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<HH", 0x8664, len(sections)) + \
        bytes(12) + struct.pack("<HH", len(optional), 0) + optional
    body = b""
    for name, content, size in sections:
        head += struct.pack("<8s6I", name.encode(), len(content) if size is None else size, 0, len(content),
                            0x400 + len(body), 0, 0) + bytes(8)
        body += content
    return head.ljust(0x400, b"\0") + body


def check_predicted(e):
    """What a prediction refuses, and that no option is passed over."""
    kernel, uki = e.work / "kernel.efi", e.work / "uki.efi"
    inner = unified((".text", b"code", None))
    kernel.write_bytes(inner)

    def run(name, wanted, *words):
        run = subprocess.run([str(word) for word in (e.socle, "policy", "make", *words)], capture_output=True,
                             text=True, check=False)
        results((run.returncode == 0 and not run.stderr) if wanted is None else
                run.returncode == 1 and wanted in run.stderr and not run.stdout, f"predicted: {name}", run.stderr)

    run("a kernel", None, "--kernel", kernel)
    run("evidence and an image", "give --evidence, or the files", "--evidence", e.folder, "--mine", e.mine, "--image",
        kernel)
    run("an image alone", "give one of --kernel and --uki", "--image", kernel)
    for option in (("--mine", e.mine), ("--report-only",), ("--keys-only",), ("--at", "2027-01-02"),
                   ("--allow-masked-chip",), ("--allow-unknown-version",)):
        run(f"with {option[0]}", "are for --evidence", "--kernel", kernel, *option)
    for name, version in (("a letter of another alphabet", "vers\u00efon"), ("a tab", "a\tb"), ("a delete", "a\x7f")):
        results(version_refused(e, kernel, version), f"predicted: a version with {name}")
    good = ((".linux", inner, None), (".pcrsig", b"{}", None))
    for name, sections, wanted in (
            ("a unified kernel", good, None),
            ("two .pcrsig", (*good, (".pcrsig", b"{1}", None)), ".pcrsig is there twice"),
            ("a .pcrsig that grows", (good[0], (".pcrsig", b"{}", 3)), ".pcrsig is larger in memory"),
            ("two .linux", (*good, good[0]), ".linux is there twice")):
        uki.write_bytes(unified(*sections))
        run(name, wanted, "--uki", uki)


def version_refused(e, kernel, version):
    """By a firmware that is none otherwise: what is typed is read before any file."""
    run = subprocess.run([e.socle, "policy", "make", "--kernel", kernel, "--firmware", kernel, "--firmware-version",
                          version],
                         capture_output=True, text=True, check=False)
    return run.returncode == 1 and "--firmware-version: what is not printable ASCII" in run.stderr


def check_made_of(e):
    """Evidence whose floor is not what it reports, without an ID block, and with a masked chip."""
    path = e.work / "made.json"
    original = (e.folder / "report.bin").read_bytes()
    for name, changes, words, wanted in (
            ("an older TCB at launch", {0x1F0 + 7: -1}, (), lambda p: p["minimum_tcb"]["Milan"]["microcode"] ==
             original[0x187] - 1),
            ("an older boot loader at launch", {0x1F0: -1}, (), lambda p:
             (p["minimum_tcb"]["Milan"]["bootloader"], p["minimum_tcb"]["Milan"]["microcode"]) ==
             (original[0x180] - 1, original[0x187])),
            ("no ID block", {at: 0 for at in (*range(0xE0, 0x140), 0x48)}, (), lambda p: not p.keys() & {
                "id_key_digests", "author_key_digests", "family_ids", "image_ids", "minimum_svn"}),
            ("a masked chip", {at: 0 for at in range(0x1A0, 0x1E0)}, ("--allow-masked-chip",),
             lambda p: "chip_ids" not in p and p["allow"]["masked_chip"] is True)):
        report = bytearray(original)
        for at in (0x38, 0x180, 0x1E0, 0x1F0) if min(changes.values()) < 0 else ():
            report[at:at + 8] = original[0x180:0x188]
        for at, value in changes.items():
            report[at] = report[at] + value if value else 0
        (e.folder / "report.bin").write_bytes(report)
        subprocess.run([e.resign, e.keys, e.folder / "report.bin"], check=True)
        run = make(e, "--mine", e.mine, "--report-only", *words, "-o", path)
        policy = json.loads(path.read_text()) if run.returncode == 0 else {}
        results(policy and wanted(policy), f"made of {name}", policy or run.stderr)
        e.expect_policy(f"the evidence meets it, {name}", 0, [], policy or {"format": 1})
        path.unlink(missing_ok=True)
    run = make(e, "--mine", e.mine, "--report-only", "-o", path)
    results(run.returncode == 1 and "CHIP_ID is zero" in run.stderr, "a masked chip that nobody allowed", run.stderr)
    (e.folder / "report.bin").write_bytes(original)


def check_configuration(e):
    """OpenSSL's configuration is not read: this one leaves it without any algorithm."""
    path = e.work / "openssl.cnf"
    path.write_text("openssl_conf = all\n[all]\nproviders = providers\n[providers]\nnull = on\n"
                    "[on]\nactivate = 1\n")
    environment = {**os.environ, "OPENSSL_CONF": str(path)}
    run = subprocess.run(["openssl", "dgst", "-sha384", path], env=environment, capture_output=True, check=False)
    results(run.returncode != 0, "a command that reads it can do nothing", run)
    run = subprocess.run([str(word) for word in (e.socle, "verify", *e.words("--policy", e.write(e.good)))],
                         env=environment, capture_output=True, check=False)
    results(run.returncode == 0, "socle verify does not", run)


def check_spoiled(e):
    """One byte changed at random: whatever comes of it, one verdict or one line."""
    rng = random.Random(14)
    text = bytearray(json.dumps(e.good).encode())
    path, wrong = e.work / "spoiled.json", []
    for _ in range(60):
        spoiled = bytearray(text)
        spoiled[rng.randrange(len(text))] = rng.randrange(256)
        path.write_bytes(spoiled)
        code, found, errors = e.verify("--policy", path)
        ok = code in (0, 2, 3, 4, 5, 6) if found["verdict"] != "error" else \
            code == 1 and errors.count("\n") == 1
        if not ok:
            wrong.append((bytes(spoiled), code, errors))
    results(not wrong, "60 spoiled policies", wrong[:1])


def main():
    socle, resign, keys, vectors = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        evidence = Evidence(socle, resign, keys, vectors, Path(name))
        check_rules(evidence)
        check_pcrs(evidence)
        check_options(evidence)
        check_refused(evidence)
        check_explained(evidence)
        check_made(evidence)
        check_predicted(evidence)
        check_made_of(evidence)
        check_configuration(evidence)
        check_spoiled(evidence)
    if not jsonschema:
        results.skip("the JSON schemas", "python3-jsonschema is not installed")
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
