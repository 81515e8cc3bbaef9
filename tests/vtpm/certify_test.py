#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""EK and platform certificates for a TPM that `socle vtpm serve` serves: its keys out of it, certified
by `socle ca certify`, and back into NV memory, where tpm2-tools find them and openssl verifies them;
swtpm_cert makes certificates of the same parts, and its own go in as well. What is wrong is refused,
and changes nothing.

    certify_test.py SOCLE PROFILE_DIR
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import World  # noqa: E402

result = Results("vtpm certify")

# TCG EK Credential Profile 2.5, section 2.2.1: NV indices of certificates, and usual handles of their keys;
# that of the platform is in the TCG's Registry of Reserved TPM 2.0 Handles and Localities, table 2.
PLACES = {"ek-rsa2048": (0x01C00002, 0x81010001), "ek-ecc-p256": (0x01C0000A, 0x8101000A),
          "ek-h1-rsa2048": (0x01C00012, 0x81010012), "ek-h2-ecc-p256": (0x01C00014, 0x81010014),
          "ek-h3-ecc-p384": (0x01C00016, 0x81010016)}
PLATFORM = 0x01C08000
# H-7 (ibid., annex B): RSA 4096
H7 = """
key ek-h7-rsa4096
	role ek
	hierarchy endorsement
	template 0001 000c 000300f2 0030 \
b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12 \
0006 0100 0043 0010 1000 00000000 0000
	unique given
	handle none
"""


class Place:
    def __init__(self, world):
        self.socle, self.work, self.profile = world.socle, world.work, world.profiles / "tcg.conf"
        self.state, self.keys, self.certificates, self.ca = (self.work / name for name in
                                                             ("state", "keys", "certificates", "ca"))

    def run(self, *words):
        return subprocess.run([self.socle, *map(str, words)], capture_output=True, text=True, timeout=60,
                              check=False)

    def make_keys(self, state=None, keys=None):
        return self.run("vtpm", "keys", "--profile", self.profile, "--state", state or self.state, "-o",
                        keys or self.keys)

    def certify(self, *words, keys=None, certificates=None):
        return self.run("ca", "certify", *words, "-o", certificates or self.certificates, self.ca,
                        keys or self.keys)

    def take(self, certificates=None, profile=None, state=None):
        return self.run("vtpm", "certify", "--profile", profile or self.profile, "--state",
                        state or self.state, certificates or self.certificates)


def text_of(der):
    return subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-text"], input=der,
                          capture_output=True, check=True).stdout.decode()


def check_in_tpm(world, place):
    with world.served("--state", place.state) as it:
        def tool(*words):
            return it.tool("mssim", *words)

        found = set(map(lambda word: int(word, 16), re.findall(r"0x[0-9A-Fa-f]+", tool(
            "tpm2_getcap", "handles-nv-index").stdout.decode())))
        wanted = {index for index, _ in PLACES.values()} | {PLATFORM}
        result(wanted <= found, "tpm2_getcap tells of each certificate", sorted(map(hex, found)))
        # Of several, tpm2-tools 5.8 gives them in another order than those before; each is read by its index below.
        first = place.work / "first.rsa"
        tool("tpm2_getekcertificate", "-o", first)
        result(first.exists() and first.read_bytes() == (place.certificates / "ek-rsa2048.der").read_bytes(),
               "tpm2_getekcertificate gives the RSA key's")
        for name, (index, handle) in PLACES.items():
            pem, public = place.work / f"{name}.pem", place.work / f"{name}.public.pem"
            der = tool("tpm2_nvread", hex(index)).stdout
            result(der == (place.certificates / f"{name}.der").read_bytes(), f"{name}: tpm2_nvread gives what was made")
            subprocess.run(["openssl", "x509", "-inform", "DER", "-out", pem], input=der, check=False)
            verify = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", place.ca / "ca.pem", pem],
                                    capture_output=True, text=True, check=False)
            result(verify.returncode == 0, f"{name}: openssl verifies what tpm2_nvread gives", verify.stderr)
            tool("tpm2_readpublic", "-c", hex(handle), "-f", "pem", "-o", public)
            named = subprocess.run(["openssl", "x509", "-in", pem, "-noout", "-pubkey"], capture_output=True,
                                   check=False).stdout
            result(public.exists() and named == public.read_bytes(),
                   f"{name}: it is for the key at {handle:#x}")
        der = tool("tpm2_nvread", hex(PLATFORM)).stdout
        result(der == (place.certificates / "platform.der").read_bytes(), "the platform's")
        locked = tool("tpm2_nvreadpublic", hex(PLATFORM)).stdout.decode()
        result("0x62072801" in locked, "it is locked, as swtpm_setup has it", locked)
        result(tool("tpm2_nvundefine", "-C", "o", hex(PLATFORM)).returncode != 0, "and no guest takes it away")


def extensions(text):
    """Names and object identifiers of a certificate's extensions, and those within its other name."""
    return sorted(re.findall(r"^ {12}X509v3 [^:]*|^ {12}[0-9.]+(?=:)", text, re.MULTILINE)), \
        sorted(set(re.findall(r"2\.23\.133\.[0-9.]+(?= ?=)", text)))


def swtpm_certificate(place, kind, public, name):
    """One of swtpm_cert, for the same key and by the same authority."""
    path = place.work / f"swtpm-{kind}.pem"
    more = {"platform": ["--platform-manufacturer", "Socle", "--platform-model", "Socle",
                         "--platform-version", "1"]}.get(kind, [])
    made = subprocess.run(
        ["swtpm_cert", "--tpm2", "--type", kind, "--pubkey", public, "--signkey", place.ca / "ca.key",
         "--issuercert", place.ca / "ca.pem", "--out-cert", path, "--days", "100", "--serial", "77",
         "--subject", f"CN={name}", "--tpm-manufacturer", "id:49424D00", "--tpm-model", "swtpm",
         "--tpm-version", "id:20191023", "--tpm-spec-family", "2.0", "--tpm-spec-level", "0",
         "--tpm-spec-revision", "164", *more], capture_output=True, text=True, check=False)
    if made.returncode:
        raise RuntimeError(made.stdout + made.stderr)
    return subprocess.run(["openssl", "x509", "-in", path, "-outform", "DER"], capture_output=True,
                          check=True).stdout


def test_beside_swtpm(world, place):
    public = place.work / "ek-rsa2048.public.pem"
    for kind, name in (("platform", "platform"), ("ek", "ek-rsa2048")):
        theirs = swtpm_certificate(place, kind, public, name)
        mine, other = (text_of(der) for der in ((place.certificates / f"{name}.der").read_bytes(), theirs))
        for what, ours, swtpms in zip(("extensions", "names"), extensions(mine), extensions(other)):
                result(set(swtpms) <= set(ours), f"{name}: {what} that swtpm_cert's has", (ours, swtpms))
        purpose = [re.search(r"X509v3 Extended Key Usage: .*\n +(.*)", text)[1] for text in (mine, other)]
        result(purpose[0] == purpose[1], f"{name}: one purpose with swtpm_cert's", purpose)
        if kind == "platform":
            # Newer versions of OpenSSL have a name for it.
            result(purpose[0] in ("2.23.133.8.2", "Platform Attribute Certificate"), "the platform's purpose", purpose)
        folder = place.work / f"by-swtpm-{kind}"
        folder.mkdir()
        (folder / f"{name}.der").write_bytes(theirs)
        taken = place.take(folder)
        result(taken.returncode == 0, f"{name}: swtpm_cert's own goes in", taken.stderr)
        with world.served("--state", place.state) as it:
            index = PLATFORM if kind == "platform" else PLACES[name][0]
            result(it.tool("mssim", "tpm2_nvread", hex(index)).stdout == theirs,
                   f"{name}: in place of the one before")


def stored(place):
    """What lies behind header and number of each copy (tools/vtpm/state_file.c)."""
    return [(place.state / name).read_bytes()[128 + 56:] for name in ("vtpm.state", "vtpm.state.copy")]


def folder_with(place, label, files):
    folder = place.work / f"bad-{label}"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def refused(run, pattern, what):
    result(run.returncode == 1 and run.stderr.count("\n") == 1 and re.search(pattern, run.stderr),
           f"refused: {what}", (run.returncode, run.stderr))


def test_bad_certificates(place):
    good = {path.stem: path.read_bytes() for path in place.certificates.glob("*.der")}
    other = place.work / "other"
    other.mkdir()
    place.make_keys(other / "state", other / "keys")
    place.certify("--platform", "ek-rsa2048", keys=other / "keys", certificates=other / "certificates")
    foreign = (other / "certificates" / "ek-rsa2048.der").read_bytes()
    rsa = good["ek-rsa2048"]
    place.make_keys()  # a power-on by itself may be the first after the TPM was used
    before = stored(place)
    for label, files, pattern in (
            ("another TPM's", {"ek-rsa2048.der": foreign}, r"another key"),
            ("one bad of two", {"ek-ecc-p256.der": good["ek-ecc-p256"], "ek-rsa2048.der": foreign},
             r"ek-rsa2048\.der: .*another key"),
            ("swapped names", {"ek-h1-rsa2048.der": rsa}, r"another key"),
            ("the platform of another TPM", {"platform.der": (other / "certificates" / "platform.der").read_bytes()},
             r"no endorsement key of this TPM"),
            ("an AK's for an EK", {"platform.der": good["ak-rsa2048"]}, r"no endorsement key"),
            ("an unknown name", {"ek-rsa1024.der": rsa}, r"no key of this name"),
            ("two names of one key", {"ek-h3-ecc-p384.der": good["ek-h3-ecc-p384"],
                                      "ek-ecc-p384.der": good["ek-h3-ecc-p384"]}, r"another one"),
            ("no DER", {"ek-rsa2048.der": b"certificate"}, r"ek-rsa2048\.der: "),
            ("bytes behind it", {"ek-rsa2048.der": rsa + b"\0"}, r"ek-rsa2048\.der: "),
            ("cut short", {"ek-rsa2048.der": rsa[:-1]}, r"ek-rsa2048\.der: "),
            ("too long", {"ek-rsa2048.der": rsa + bytes(2048)}, r"ek-rsa2048\.der: "),
            ("an empty one", {"ek-rsa2048.der": b""}, r"ek-rsa2048\.der: "),
            ("none that has a place", {"ak-rsa2048.der": good["ak-rsa2048"]}, r"no NV index"),
            ("none", {"README": b"text"}, r"no NV index")):
        run = place.take(folder_with(place, label.replace(" ", "-").replace("'", ""), files))
        refused(run, pattern, label)
    result(stored(place) == before, "the TPM's state is what it was")
    refused(place.take(place.work / "nowhere"), r"nowhere: No such file", "no folder")
    profile = place.work / "changed.conf"
    profile.write_text(place.profile.read_text().replace("manifests 0 1", "manifests 1"))
    refused(place.take(profile=profile), r"another profile", "another profile")


def test_bad_keys(world, place):
    rsa = (place.keys / "ek-rsa2048.pub").read_bytes()
    with world.served() as it:
        plain = place.work / "plain.pub"
        made = it.tool("mssim", "tpm2_createprimary", "-C", "e", "-G", "rsa2048:rsassa-sha256", "-a",
                       "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign", "-c",
                       place.work / "plain.ctx")
        result(made.returncode == 0, "a signing key that is not restricted", made.stderr)
        it.tool("mssim", "tpm2_readpublic", "-c", place.work / "plain.ctx", "-o", plain)
    serial = (place.ca / "serial").read_text()
    for label, files, pattern in (
            ("a key that signs anything", {"a.pub": plain.read_bytes()}, r"a\.pub: the key would serve for anything"),
            ("a bad key beside a good one", {"a.pub": rsa, "b.pub": plain.read_bytes()}, r"b\.pub: "),
            ("no TPM2B_PUBLIC", {"a.pub": rsa[2:]}, r"a\.pub: it is no TPM2B_PUBLIC"),
            ("a key cut short", {"a.pub": rsa[:-1]}, r"a\.pub: "),
            ("a key and more", {"a.pub": rsa + b"\0"}, r"a\.pub: "),
            ("an even modulus", {"a.pub": rsa[:-1] + b"\0"}, r"no valid public key"),
            ("a file that is empty", {"a.pub": b""}, r"a\.pub: "),
            ("the platform's name", {"platform.pub": rsa}, r"platform\.pub: "),
            ("a long name", {"a" * 64 + ".pub": rsa}, r"too long"),
            ("no key", {"a.pem": rsa}, r"there is no NAME\.pub")):
        run = place.certify(keys=folder_with(place, "key-" + label.replace(" ", "-").replace("'", ""), files),
                            certificates=place.work / "never")
        refused(run, pattern, label)
    for name in ("ak-rsa2048", "nobody"):
        refused(place.certify("--platform", name, certificates=place.work / "never"), r"no endorsement key",
                f"the platform by {name}")
    result(not (place.work / "never").exists() and (place.ca / "serial").read_text() == serial,
           "no certificate was made")


def test_rsa4096(place):
    """libtpms before 0.11 has no RSA 4096, and before 0.10 no profiles: each is said by name."""
    version = tuple(map(int, subprocess.run(["pkg-config", "--modversion", "libtpms"], capture_output=True,
                                            text=True, check=True).stdout.split(".")))
    for label, more in (("key", ""), ("profile", "tpm-profile default-v2\n")):
        profile, state = place.work / f"4096-{label}.conf", place.work / f"4096-{label}"
        profile.write_text(place.profile.read_text().replace("manifests 0 1\n", f"manifests 0 1\n{more}") + H7)
        made = place.run("vtpm", "keys", "--profile", profile, "--state", state, "-o", state / "keys")
        if more and version >= (0, 11):
            size = (state / "keys" / "ek-h7-rsa4096.pub").stat().st_size
            result(made.returncode == 0 and size > 512, "RSA 4096 with libtpms 0.11", made.stderr)
            continue
        named = "tpm-profile default-v2" if more else "ek-h7-rsa4096"
        result(made.returncode == 1 and re.search(rf"{named} needs .*this is libtpms [0-9.]+", made.stderr),
               f"RSA 4096, {label}: refused by name", made.stderr)
        result(not (state / "vtpm.state").exists(), f"RSA 4096, {label}: and no TPM is left")


def main():
    socle, profiles = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        place = Place(world)
        for run in (place.run("ca", "init", place.ca), place.make_keys(),
                    place.certify("--platform", "ek-rsa2048"), place.take()):
            result(run.returncode == 0, "the way in", run.stderr)
        check_in_tpm(world, place)
        test_beside_swtpm(world, place)
        test_bad_certificates(place)
        test_bad_keys(world, place)
        test_rsa4096(place)
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
