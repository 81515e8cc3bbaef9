#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The short demo: builds socle.igvm with a kernel, boots it on the emulated SNP machine, attests the guest, verifies.

	scripts/demo.py --programs BUILD --kernel DIR --guest DIR [--build-dir build/demo-direct] [--cpus N]
		[--profile tcg|google|azure|aws] [--firmware OVMF.fd]

BUILD is the Meson build folder, --kernel what scripts/fetch-kernel.sh left, --guest what
scripts/build-guest.sh left. The last line of the output is the verdict.
"""

import argparse
import base64
import dataclasses
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import channel

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOG_LINES = 15
NONCE_SIZE = 64
SECRET_SIZE = 32
AUTHORITY_S = 60  # as long as a profile may have the vTPM wait
TPM2_ALG_SHA256 = 0x000B

# What the guest sends, and whether it is evidence or something to try the verifier with.
EVIDENCE_FILES = ("report.bin", "manifest.bin", "ek.pub", "ak.pub", "quote.msg", "quote.sig",
                  "quote.pcrs")
OTHER_FILES = ("ak.name", "report-vmpl2.bin")


@dataclasses.dataclass(frozen=True)
class Profile:
    """What the demo looks at in a profile of profiles/."""

    name: str
    # Certificates that the demo's authority issued for the vTPM before the guest ran.
    certificates: tuple = ()
    # What the vTPM tells about itself besides.
    others: tuple = ()
    # The key that is attested by a selector, and the NV index of its template, if it needs that.
    key: str = None
    key_index: str = None
    # The certificate of this key.
    key_certificate: str = None

    def request(self):
        """As the guest wants the key's name."""
        return (f"{self.key}@{self.key_index}" if self.key_index else self.key).encode()


EK_CERTIFICATES = ("ek-rsa2048.der", "ek-ecc-p256.der")
EK_ECC = "ek-ecc-p256.pub"
STORED_REPORT = "evidence.bin"
PROFILES = {profile.name: profile for profile in (
    Profile("tcg", EK_CERTIFICATES, (EK_ECC,), key="ak-ecc-p256"),
    Profile("google", (*EK_CERTIFICATES, "ak-rsa2048.der", "ak-ecc-p256.der"), (EK_ECC,),
            key="ak-ecc-p256", key_index="0x01c10003", key_certificate="ak-ecc-p256.der"),
    Profile("azure", ("ak-rsa2048.der",), (STORED_REPORT,), key="ak-rsa2048",
            key_certificate="ak-rsa2048.der"),
    Profile("aws"),
)}
# What comes of an attested key.
KEY_FILES = ("selector.bin", "context.bin", "manifest.bin", "report.bin", "certs.bin", "quote.msg",
             "quote.sig", "quote.pcrs")
EVENT_LOG = "eventlog.bin"  # where firmware has measured

# Lines of the logs that are events of timeline.json.
MARKS = (("--mark", "services_ready", "services ready"),
         ("--mark-guest", "guest_userspace", "init: started"))

# What is said of each, and what comes then.
SAY = {
    "vmpl0_entry": ("Socle runs at VMPL0", "its vTPM makes its keys"),
    "services_ready": ("its services are ready in ring 3", "Socle makes the guest's memory ready"),
    "vmpl2_entry": ("the guest starts at VMPL2", "the guest boots"),
    "guest_userspace": ("the guest runs its first program", None),
}


class StepFailed(Exception):
    def __init__(self, step, message, log=None):
        super().__init__(message)
        self.step = step
        self.log = log
        self.folder = None  # the log's, where it is not that of the whole demo


class Progress:
    """Lines for people, with seconds since the start; after QUIET_S without one it says what is being done."""

    QUIET_S = 8

    def __init__(self):
        self.start = self.said = time.monotonic()
        self.doing, self.since, self.more = None, self.start, ""
        self.lock = threading.Lock()
        threading.Thread(target=self._go_on, daemon=True).start()

    def _print(self, text):
        self.said = time.monotonic()
        print(f"[{self.said - self.start:6.1f} s] {text}", flush=True)

    def say(self, text, then=None):
        """then: what is done from now on, for which nobody has to say anything soon."""
        with self.lock:
            self._print(text)
            if then:
                self.doing, self.since, self.more = then, self.said, ""

    def begin(self, doing):
        """What is done from now on; None: nothing."""
        with self.lock:
            self.doing, self.since, self.more = doing, time.monotonic(), ""

    def go_on(self, more):
        """How far that is, for the next line."""
        with self.lock:
            self.more = f"; {more}"

    def _go_on(self):
        while True:
            time.sleep(0.5)
            with self.lock:
                now = time.monotonic()
                if self.doing and now - self.said >= self.QUIET_S:
                    self._print(f"... {self.doing}, for {now - self.since:.0f} s{self.more}")


def run(step, command, **options):
    """Runs a program to its end; its standard output, or StepFailed with its last line."""
    try:
        result = subprocess.run([str(word) for word in command], capture_output=True, **options)
    except OSError as error:
        raise StepFailed(step, str(error)) from error
    return output_of(step, command[0], result)


def output_of(step, program, result):
    """What an ended program, subprocess.CompletedProcess, wrote to its standard output, or StepFailed with its last
    line."""
    if result.returncode != 0:
        text = (result.stderr or result.stdout).decode(errors="replace").strip()
        raise StepFailed(step, text.splitlines()[-1] if text else
                         f"{program} exited with {result.returncode}")
    return result.stdout


class Authority:
    """The demo's own certificate authority, `socle ca`, for one vTPM."""

    def __init__(self, options, image, folder, root, socket, progress):
        self.folder = folder
        self.progress = progress
        self.issued_ns = None
        self.lines = []
        run("authority", [options.socle, "ca", "init", "--name", "Socle demo CA", folder])
        self.process = subprocess.Popen(
            [str(word) for word in (options.socle, "ca", "serve", "--connect", f"unix:{socket}",
                                    "--image", image, "--trust-emulated", "--ark", root, folder)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self.reader = threading.Thread(target=self._follow, daemon=True)
        self.reader.start()

    def _follow(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if line.startswith("issued"):
                self.issued_ns = time.monotonic_ns()
                self.progress.say("the authority issued certificates for the vTPM's keys")

    def check(self):
        """StepFailed unless it issued certificates."""
        if self.issued_ns is None:
            raise StepFailed("certificates", self.lines[-1] if self.lines else
                             "the vTPM asked for none", "svsm.log")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.reader.join()


class Machine:
    """A running `socle run`. more: words for it."""

    def __init__(self, options, image, folder, certificates, progress, more=()):
        self.folder = folder
        self.progress = progress
        self.socket_folder = tempfile.mkdtemp(prefix="socle-")
        self.socket = os.path.join(self.socket_folder, "channel")
        self.vmpl0_socket = os.path.join(self.socket_folder, "vmpl0")
        command = [options.socle, "run", "--cpus", str(options.cpus), "--memory", options.memory,
                   "--channel", f"unix:{self.socket}",
                   "--vmpl0-channel", f"unix:{self.vmpl0_socket}", "--log-dir", folder,
                   "--certs-out", certificates, "--report-key-dir", options.keys,
                   "--timeout", str(options.timeout)]
        for option, name, text in MARKS:
            command += [option, f"{name}={text}"]
        command += [*more, *host_option(options), *options.machine_option]
        self.process = subprocess.Popen([str(word) for word in [*command, image]],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        errors="replace")
        self.errors = []
        self.readers = [threading.Thread(target=self._follow_output, daemon=True),
                        threading.Thread(target=self._follow_errors, daemon=True)]
        for reader in self.readers:
            reader.start()

    def _follow_output(self):
        for line in self.process.stdout:
            if match := re.match(r"\[[^]]*\] machine: (\w+)$", line):
                if match[1] in SAY:
                    self.progress.say(*SAY[match[1]])

    def _follow_errors(self):
        for line in self.process.stderr:
            self.errors.append(line.strip())

    def alive(self):
        return self.process.poll() is None

    def wait_for(self, path, seconds):
        """Until a file is there that the machine makes before it starts. The first time it makes keys before, which may
        take a busy computer long."""
        end = time.monotonic() + seconds
        while not os.path.exists(path):
            if not self.alive():
                raise StepFailed("start", *self.why())
            if time.monotonic() >= end:
                raise StepFailed("start", f"the machine has not started within {seconds} s", "machine.log")
            time.sleep(0.02)

    def wait(self, seconds):
        """The exit status, or StepFailed when it does not end in time."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise StepFailed("power off", f"the machine has not ended within {seconds} s", "machine.log") from error
        for reader in self.readers:
            reader.join()
        return status

    def ended(self, seconds):
        """Whether it ends within that time by itself."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def why(self):
        """Why it ended, and the log that tells more."""
        status = self.wait(10)
        reason = "the guest powered off too early" if status == 0 else \
            f"socle run exited with {status}"
        reason = self.errors[-1] if self.errors else reason
        return reason, "svsm.log" if "VMPL 0" in reason else self.last_log()

    def last_log(self):
        """The log of the last that came to speak: the guest, the SVSM, or the machine."""
        for name in ("guest.log", "svsm.log"):
            path = self.folder / name
            if path.exists() and path.stat().st_size > 0:
                return name
        return "machine.log"

    def stop(self):
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.socket_folder, ignore_errors=True)


def pack_profile(archive, name, source=None):
    """One profile, and the services.conf that grants it in the place of the usual one."""
    granted = (ROOT / "services/services.conf").read_text()
    usual = f"file profile/{PROFILES['tcg'].name}.conf"
    if granted.count(usual) != 1:
        raise StepFailed("image", f"services.conf does not grant '{usual}' once")
    (archive / "services.conf").write_text(granted.replace(usual, f"file profile/{name}.conf"))
    (archive / "profile").mkdir()
    text = (source or ROOT / f"profiles/{name}.conf").read_text()
    if not source:  # a busy computer's authority may need longer than that of who has one
        text = re.sub(r"^certificate-timeout .*$", f"certificate-timeout {AUTHORITY_S}s", text, flags=re.MULTILINE)
    (archive / f"profile/{name}.conf").write_text(text)


def host_option(options):
    """An image is built for the host on which it runs."""
    return ["--host", options.host] if options.host else []


def kernel_options(options):
    """For the image, which holds the kernel, or for the machine, whose firmware finds it."""
    release = (options.kernel / "version").read_text().strip()
    return ["--kernel", options.kernel / "root/boot" / f"vmlinuz-{release}",
            "--initrd", options.guest / "initramfs.cpio",
            "--append", f"{options.append} socle.cpus={options.cpus}"]


def build_image(options, folder, profile=None):
    """socle.igvm, and its measurement as hex. profile: a file in the place of the usual one."""
    archive = folder / "archive"
    services = archive / "services"
    services.mkdir(parents=True)
    shutil.copy(options.programs / "services/services", services / "services")
    pack_profile(archive, options.profile.name, profile)
    image = folder / "socle.igvm"
    guest = ["--firmware", options.firmware] if options.firmware else [
        *kernel_options(options), "--cpus", options.cpus, "--memory", options.memory]
    run("image", [options.socle, "igvm", "build",
                  "--monitor", options.programs / "monitor/monitor.elf", "--archive", archive,
                  *guest, "-o", image, *host_option(options), *options.image_option])
    shutil.rmtree(archive)
    measurement = run("measure", [options.socle, "igvm", "measure", image]).decode().strip()
    if not re.fullmatch("[0-9a-f]{96}", measurement):
        raise StepFailed("measure", f"no launch digest: {measurement!r}")
    return image, measurement


def check_hello(payload, options):
    """What the guest says about itself, name -> value."""
    lines = payload.decode(errors="replace").splitlines()
    hello = dict(line.split("=", 1) for line in lines if "=" in line)
    if hello.get("cpus") != str(options.cpus):
        raise StepFailed("guest", f"it has {hello.get('cpus')} processors, not {options.cpus}",
                         "guest.log")
    return hello


def new_nonce(mine):
    """The relying party keeps what it asked: the guest's copy would prove nothing."""
    nonce = secrets.token_bytes(NONCE_SIZE)
    (mine / "nonce.bin").write_bytes(nonce)
    return nonce


def gather(line, folder, mine, options):
    """Sends a nonce and stores the guest's evidence. The files that are not evidence, by name."""
    nonce = new_nonce(mine)
    line.send(channel.NONCE, nonce)
    files = line.files(time.monotonic() + options.timeout)
    missing = [name for name in (*EVIDENCE_FILES, *OTHER_FILES) if name not in files]
    if missing:
        raise StepFailed("evidence", f"the guest did not send {missing[0]}", "guest.log")
    for name in EVIDENCE_FILES:
        (folder / name).write_bytes(files[name])
    for name in (*options.profile.certificates, *options.profile.others):
        if name not in files:
            raise StepFailed("certificates", f"the guest's TPM has no {name}", "guest.log")
        (folder / name).write_bytes(files[name])
    return {name: files[name] for name in OTHER_FILES}


def tpm_file_parts(blob):
    """The two TPM2B structures in a credential of tpm2-tools: magic, version, blob, secret."""
    magic, version = struct.unpack_from(">II", blob)
    if magic != 0xBADCC0DE or version != 1:
        raise StepFailed("challenge", "tpm2_makecredential wrote no credential")
    (size,) = struct.unpack_from(">H", blob, 8)
    return blob[8:10 + size], blob[10 + size:]


def make_challenge(folder, mine, ak_name):
    """
    Wraps a new secret for the EK of the manifest, which the report vouches for, to the AK's name.
    Returns the credential; the record is challenge.json.
    """
    manifest = (folder / "manifest.bin").read_bytes()
    secret = secrets.token_bytes(SECRET_SIZE)
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "ek").write_bytes(struct.pack(">H", len(manifest)) + manifest)
        (work / "secret").write_bytes(secret)
        run("challenge", ["tpm2_makecredential", "-Q", "-T", "none", "-u", work / "ek",
                          "-s", work / "secret", "-n", ak_name.hex(), "-o", work / "credential"])
        credential = (work / "credential").read_bytes()
    blob, seed = tpm_file_parts(credential)
    ek_name = struct.pack(">H", TPM2_ALG_SHA256) + hashlib.sha256(manifest).digest()
    (mine / "challenge.json").write_text(json.dumps({
        "ek_name": ek_name.hex(), "ak_name": ak_name.hex(), "credential_blob": blob.hex(),
        "seed": seed.hex(), "secret": secret.hex()}, indent=1) + "\n")
    return credential, secret


def challenge_guest(line, folder, mine, ak_name, options):
    credential, secret = make_challenge(folder, mine, ak_name)
    line.send(channel.CHALLENGE, credential)
    files = line.files(time.monotonic() + options.timeout)
    if "answer.bin" not in files:
        raise StepFailed("challenge", "the guest did not answer", "guest.log")
    (folder / "answer.bin").write_bytes(files["answer.bin"])
    if files["answer.bin"] != secret:
        raise StepFailed("challenge", "the guest's answer is not the secret", "guest.log")


def attest_key(line, folder, mine, options):
    """Names a key: its attestation and a quote by it come back together, for a nonce of its own."""
    folder.mkdir(exist_ok=True)
    mine.mkdir(exist_ok=True)
    nonce = new_nonce(mine)
    line.send(channel.KEY, nonce + options.profile.request())
    files = line.files(time.monotonic() + options.timeout)
    for name in KEY_FILES:
        if f"ak/{name}" not in files:
            raise StepFailed("key", f"the guest did not send ak/{name}", "guest.log")
        (folder / name).write_bytes(files[f"ak/{name}"])
    if f"ak/{EVENT_LOG}" in files:
        (folder / EVENT_LOG).write_bytes(files[f"ak/{EVENT_LOG}"])


def verify_in_guest(line, authority, options):
    """The guest's own openssl on the certificates that its TPM holds."""
    line.send(channel.AUTHORITY, (authority.folder / "ca.pem").read_bytes())
    line.files(time.monotonic() + options.timeout)


def attest(line, authority, folder, mine, options, progress):
    """The guest's hello, its evidence and the challenge. The files that are not evidence."""
    hello = check_hello(line.expect(channel.HELLO, time.monotonic() + options.timeout), options)
    progress.say(f"the guest is up: Linux {hello.get('kernel')}, {hello['cpus']} processors")
    others = gather(line, folder, mine, options)
    progress.say("the guest sent its report and its quote")
    challenge_guest(line, folder, mine, others["ak.name"], options)
    progress.say("the guest's TPM opened the credential for its key")
    if authority:
        verify_in_guest(line, authority, options)
        progress.say("openssl verify in the guest: the vTPM's certificates are the authority's")
    if options.profile.key:
        attest_key(line, folder / "ak", mine / "ak", options)
        progress.say(f"the SVSM attested {options.profile.key} in one call, and it signed a quote")
    line.send(channel.BYE)
    return others


def make_folders(folder):
    """The guest's, and the relying party's own."""
    evidence, mine = folder / "evidence", folder / "mine"
    for made in (evidence, mine):
        made.mkdir(parents=True, exist_ok=True)
    return evidence, mine


def run_machine(options, image, folder, progress, more=(), talk=attest):
    """Boots the image and attests the guest: what talk() has from it, and when. more: words for the machine."""
    evidence, mine = make_folders(folder)
    machine = Machine(options, image, folder, evidence, progress, more)
    authority = line = None
    try:
        machine.wait_for(machine.vmpl0_socket, options.timeout)
        # AMD's roots are known to all; this machine's is the relying party's to have.
        shutil.move(evidence / "ark.pem", mine / "ark.pem")
        if options.profile.certificates:
            authority = Authority(options, image, folder / "ca", mine / "ark.pem",
                                  machine.vmpl0_socket, progress)
        line = channel.Channel(machine.socket, machine.alive, time.monotonic() + options.timeout)
        others = talk(line, authority, evidence, mine, options, progress)
        marks = {"evidence": time.monotonic_ns()}
        if authority:
            authority.check()
            marks["certificates_issued"] = authority.issued_ns
        if machine.wait(options.timeout) != 0:
            raise StepFailed("power off", *machine.why())
        progress.say("the machine is off")
        progress.begin(None)
        return others, marks
    except channel.GuestError as error:
        raise StepFailed("guest", str(error), "guest.log") from error
    except channel.ChannelError as error:
        if machine.ended(30):  # it says more of why, and a busy computer takes its time
            raise StepFailed("machine", *machine.why()) from error
        raise StepFailed("machine", str(error), machine.last_log()) from error
    finally:
        if line:
            line.close()
        machine.stop()
        if authority:
            authority.stop()


def judge(options, output, words):
    """`socle verify` on a folder of evidence: its status, and its JSON, also in the file output."""
    result = subprocess.run([str(word) for word in (options.socle, "verify", "--json", *words)],
                            capture_output=True, text=True)
    output.write_text(result.stdout)
    if result.returncode == 1:
        reason = result.stderr.strip().splitlines() or ["no verdict"]
        raise StepFailed("verify", reason[-1])
    try:
        verdict = json.loads(result.stdout)
    except ValueError as error:
        raise StepFailed("verify", "no verdict") from error
    return result.returncode, verdict


def run_verify(options, output, words):
    """The verdict, which has to be that the evidence is trusted."""
    status, verdict = judge(options, output, words)
    if status != 0:
        raise StepFailed("verify", f"exit status {status}", output.name)
    return verdict


def public_number(manifest):
    """The modulus of an RSA key, or x and y of a P-256 key, at the end of a TPMT_PUBLIC."""
    if manifest[:2] == b"\x00\x01":
        return manifest[-256:]
    return manifest[-66:-34] + manifest[-32:]


def verify_evidence(evidence, mine):
    """What the vTPM stored as Azure's paravisor does: a report over data that has the key, and the nonce,
    which the guest has written to the index for it."""
    blob = (evidence / STORED_REPORT).read_bytes()
    (size,) = struct.unpack_from("<I", blob, 32 + 1184 + 16)
    data = blob[32 + 1184 + 20:32 + 1184 + 20 + size]
    if blob[:4] != b"HCLA" or len(data) != size or \
            blob[32 + 0x50:32 + 0x70] != hashlib.sha256(data).digest():
        raise StepFailed("evidence", "the stored report is not over its runtime data")
    key = next(key for key in json.loads(data)["keys"] if key["kid"] == "HCLAkPub")
    modulus = base64.urlsafe_b64decode(key["n"] + "=" * (-len(key["n"]) % 4))
    if modulus != public_number((evidence / "ak/manifest.bin").read_bytes()):
        raise StepFailed("evidence", "the stored report is over another key")
    if bytes.fromhex(json.loads(data)["user-data"]) != (mine / "nonce.bin").read_bytes():
        raise StepFailed("evidence", "the stored report does not have the guest's nonce")


def verify_certificates(folder, profile):
    """What any TPM user does: the certificates lead to the authority, and are the keys'."""
    evidence = folder / "evidence"
    for name in profile.certificates:
        run("certificates", ["openssl", "verify", "-CAfile", folder / "ca/ca.pem",
                             evidence / name])
    if EK_ECC in profile.others:
        certified = run("certificates", ["openssl", "x509", "-in", evidence / EK_CERTIFICATES[1],
                                         "-noout", "-pubkey"])
        if certified.split() != (evidence / EK_ECC).read_bytes().split():
            raise StepFailed("certificates", f"{EK_CERTIFICATES[1]} is for another key")
    if profile.key_certificate:
        number = public_number((evidence / "ak/manifest.bin").read_bytes())
        if number not in (evidence / profile.key_certificate).read_bytes():
            raise StepFailed("certificates", f"{profile.key_certificate} is for another key")


def verify(options, image, folder, progress):
    """Judges all parts of the evidence."""
    evidence, mine, profile = folder / "evidence", folder / "mine", options.profile
    words = ["--trust-emulated", "--mine", mine, "--image", image]
    if profile.certificates:
        verify_certificates(folder, profile)
        progress.say("openssl verify on the host: they are, and for the vTPM's keys")
    if STORED_REPORT in profile.others:
        verify_evidence(evidence, mine)
        progress.say("the report that the vTPM stores is over its key")
    if EK_CERTIFICATES[0] in profile.certificates:
        words += ["--ek-cert", evidence / EK_CERTIFICATES[0], "--ca", folder / "ca/ca.pem"]
    words.append(evidence)
    verdict = run_verify(options, folder / "verdict.json", words)
    progress.say(f"socle verify: {len(verdict['checks'])} checks passed")
    progress.say("that was: socle verify " + " ".join(map(shown, words)))
    if not profile.key:
        return
    # A nonce of its own, and no challenge; the other certificates are in the guest's certs.bin.
    shutil.copy(mine / "ark.pem", mine / "ak")
    verdict = run_verify(options, folder / "verdict-ak.json", [
        "--trust-emulated", "--mine", mine / "ak", "--image", image, evidence / "ak"])
    progress.say(f"socle verify: {len(verdict['checks'])} checks passed on {profile.key}, "
                 "without a round trip")
    if (evidence / "ak" / EVENT_LOG).exists():
        passed = [check["name"] for check in verdict["checks"] if check["result"] == "pass"]
        if "event-log-quote" not in passed:
            raise StepFailed("verify", "the event log was not held against the quote")
        progress.say("the log of what was booted replays to the quoted PCRs")


def shown(word):
    """As it is typed in the project's folder."""
    path = pathlib.Path(word)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(word)


def add_events(folder, marks):
    """The host's own events, beside those of the machine and on the same clock."""
    path = folder / "timeline.json"
    timeline = json.loads(path.read_text())
    for name, clock in marks.items():
        timeline["events"][name] = {"ns": clock - timeline["start_monotonic_ns"],
                                    "monotonic_ns": clock}
    path.write_text(json.dumps(timeline, indent=1) + "\n")


def demo(options, progress):
    folder = options.build_dir
    if folder.exists():
        shutil.rmtree(folder)
    _, mine = make_folders(folder)
    image, measurement = build_image(options, folder)
    (mine / "measurement.hex").write_text(measurement + "\n")
    progress.say(f"socle.igvm is built: {image.stat().st_size >> 10} KiB, "
                 f"measurement {measurement[:16]}...")
    others, marks = run_machine(options, image, folder, progress,
                                kernel_options(options) if options.firmware else ())
    if options.keep:
        for name, content in others.items():
            (folder / name).write_bytes(content)
    verify(options, image, folder, progress)
    marks["verdict"] = time.monotonic_ns()
    add_events(folder, marks)


def show_log(folder, name):
    try:
        lines = (folder / name).read_text(errors="replace").splitlines()
    except OSError:
        return
    print(f"--- the last lines of {folder / name}:", file=sys.stderr)
    for line in lines[-LOG_LINES:]:
        print(line, file=sys.stderr)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=pathlib.Path, required=True, help="Meson build folder")
    parser.add_argument("--kernel", type=pathlib.Path, default=ROOT / "build/kernel")
    parser.add_argument("--guest", type=pathlib.Path, default=ROOT / "build/guest")
    parser.add_argument("--build-dir", type=pathlib.Path, default=ROOT / "build/demo-direct")
    parser.add_argument("--keys", type=pathlib.Path, default=ROOT / "build/report-keys")
    parser.add_argument("--socle", type=pathlib.Path, help="the socle command")
    parser.add_argument("--profile", choices=PROFILES, default="tcg", help="the vTPM's profile")
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--memory", default="512M")
    parser.add_argument("--append", default="console=ttyS0 quiet panic=-1")
    parser.add_argument("--timeout", type=int, default=600, help="seconds for the machine")
    parser.add_argument("--firmware", type=pathlib.Path, help="boot it at VMPL2, and the kernel by it")
    parser.add_argument("--host", help="the machine's host, for which the image is built")
    parser.add_argument("--machine-option", action="append", default=[],
                        help="one more word for socle run")
    parser.add_argument("--image-option", action="append", default=[],
                        help="one more word for socle igvm build")
    parser.add_argument("--keep", action="store_true",
                        help="also keep what is not evidence: ak.name, report-vmpl2.bin")
    options = parser.parse_args()
    options.profile = PROFILES[options.profile]
    if options.firmware and not options.host:
        options.host = "kvm-svsm"  # which changes pages, as firmware that reads its flash wants it
    options.socle = options.socle or options.programs / "tools/socle"
    return options


def main():
    options = parse_arguments()
    progress = Progress()
    try:
        demo(options, progress)
    except StepFailed as error:
        print(f"demo: failed: {error.step}: {error}", file=sys.stderr)
        if error.log:
            show_log(options.build_dir, error.log)
        return 1
    except (OSError, KeyboardInterrupt) as error:
        print(f"demo: {error or 'interrupted'}", file=sys.stderr)
        return 1
    print("verdict: trusted (emulated)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
