#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What real firmware, loader, stub and kernel measure, in a plain QEMU with the TPM of `socle vtpm serve`: Debian's
OVMF starts Debian's kernel by -kernel, and systemd-boot starts a unified kernel with systemd's stub. `socle policy
make` says beforehand what `socle verify` then finds, and another command line is refused; tpm2_eventlog, the kernel and
systemd-measure have the same PCRs.

    measured_boot_test.py --programs BUILD [--kernel build/kernel] [--ovmf build/ovmf-forky] [--work build/peers]

It needs scripts/fetch-kernel.sh and scripts/fetch-ovmf.sh --suite forky, and likes scripts/fetch-qemu.sh --suite forky;
for the unified kernel apt-get, which fetches the package systemd-boot-efi (nothing is installed), objcopy, mkfs.vfat
and mtools. What is not there is skipped.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / name) for name in ("lib", "verify", "spec")]
import boots  # noqa: E402
import verify as second  # noqa: E402
import suites  # noqa: E402
from results import Results  # noqa: E402

results = Results("measured boot by real firmware")
BOOT_S = 600
# no_timer_check: on a busy computer QEMU's timer is late, and the kernel would take it for broken.
LINE = "console=ttyS0 quiet no_timer_check first=1"
MEASURE = Path("/usr/lib/systemd/systemd-measure")

INIT = r"""
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static void show(const char *name, const char *path)
{
	unsigned char bytes[48];
	int file = open(path, O_RDONLY);
	long size;

	printf("BEGIN %s\n", name);
	while (file >= 0 && (size = read(file, bytes, sizeof(bytes))) > 0) {
		for (long i = 0; i < size; i++)
			printf("%02x", bytes[i]);
		printf("\n");
	}
	printf("END %s\n", name);
	fflush(stdout);
}

int main(void)
{
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("sys", "/sys", "sysfs", 0, 0);
	mount("sec", "/sys/kernel/security", "securityfs", 0, 0);
	mount("dev", "/dev", "devtmpfs", 0, 0);
	int console = open("/dev/console", O_RDWR);
	for (int i = 0; i < 3; i++)
		dup2(console, i);
	show("log", "/sys/kernel/security/tpm0/binary_bios_measurements");
	for (int i = 0; i < 24; i++) {
		char path[64], name[8];

		snprintf(path, sizeof(path), "/sys/class/tpm/tpm0/pcr-sha256/%d", i);
		snprintf(name, sizeof(name), "%d", i);
		show(name, path);
	}
	sync();
	reboot(RB_POWER_OFF);
	return 0;
}
"""


def member(name, data, mode):
    """Of a newc archive."""
    numbers = (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % n for n in numbers) + name.encode() + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def make_initrd(work):
    (work / "init.c").write_text(INIT)
    subprocess.run(["gcc", "-O2", "-static", "-o", work / "init", work / "init.c"], check=True)
    (work / "initrd").write_bytes(member("init", (work / "init").read_bytes(), 0o100755) + member("TRAILER!!!", b"", 0))
    return work / "initrd"


@contextlib.contextmanager
def tpm(socle, folder):
    path = folder / "tpm"
    with subprocess.Popen([str(word) for word in (
            socle, "vtpm", "serve", "--profile", ROOT / "profiles/firmware.conf", "--swtpm", "--socket", path,
            "--terminate")], stdout=subprocess.DEVNULL) as it:
        for _ in range(600):
            if path.exists():
                break
            time.sleep(0.1)
        yield path
        it.terminate()


class Boot:
    """One boot: the log that the kernel had, and the PCRs that it read from the TPM."""

    def __init__(self, options, name, *more):
        folder = options.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.log, self.pcrs = None, {}
        shutil.copyfile(options.ovmf / "OVMF.fd", folder / "OVMF.fd")
        with tpm(options.programs / "tools/socle", folder) as path:
            command = [options.qemu, "-nodefaults", "-display", "none", "-machine", "q35", "-cpu", "Haswell-v4",
                       "-m", "512", "-bios", folder / "OVMF.fd", "-chardev", f"socket,id=tpm,path={path}", "-tpmdev",
                       "emulator,id=tpm0,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm0", "-no-reboot", "-serial",
                       f"file:{folder / 'serial'}", *more]
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run([str(word) for word in command], stderr=subprocess.DEVNULL, timeout=BOOT_S, check=False)
        text = (folder / "serial").read_text(errors="replace").replace("\r", "")
        found = {m[1]: bytes.fromhex(re.sub(r"[^0-9a-f]", "", m[2]))
                 for m in re.finditer(r"BEGIN (\w+)\n(.*?)END \1\n", text, re.S)}
        if len(found) == 25:
            self.log = found.pop("log")
            self.pcrs = {int(n): bytes.fromhex(value.decode().strip()) for n, value in found.items()}
            (folder / "log").write_bytes(self.log)
        self.path, self.folder = folder / "log", folder
        self.ok = results(self.log, f"{name}: the system starts, and says what it measured", text[-300:])

    def by_tpm2_tools(self):
        text = subprocess.run(["tpm2_eventlog", self.path], check=True, capture_output=True, text=True).stdout
        return {int(n): bytes.fromhex(value)
                for n, value in re.findall(r"^ +(\d+) *: 0x([0-9A-Fa-f]{64})$", text.split("\npcrs:\n")[1], re.M)}


def make_policy(options, *words):
    run = subprocess.run([str(word) for word in (options.programs / "tools/socle", "policy", "make", *words)],
                         capture_output=True, text=True, check=False)
    results(run.returncode == 0, "a policy is made without a boot", run.stderr)
    return json.loads(run.stdout)


def judge(options, world, boot, name, policy, status, failing):
    """The quote is of what an agent quotes, with the values that the guest's kernel read."""
    quoted = {0x000B: {n: boot.pcrs[n] for n in (*range(10), *range(11, 15))}}
    words = world.quoted(boot.folder / "evidence", quoted)
    path = boot.folder / "policy.json"
    path.write_text(json.dumps({**policy, "allow": {"emulated": True}}))
    words = ["--policy", path, "--eventlog", boot.path, *words]
    run = subprocess.run([str(w) for w in (options.programs / "tools/socle", "verify", "--json", *words)],
                         capture_output=True, text=True, check=False)
    said = json.loads(run.stdout)
    fails = [check["name"] for check in said["checks"] if check["result"] == "fail"]
    results((run.returncode, fails) == (status, failing), f"{name}: {failing or 'trusted'}",
            (run.returncode, [c for c in said["checks"] if c["result"] == "fail"], run.stderr))
    verdict = second.verify(words)
    results((verdict["status"], verdict["failing"]) == (status, failing), f"second verifier, {name}", verdict)
    return said


def check_boot(name, boot, predicted):
    theirs = boot.by_tpm2_tools()
    results(all(boot.pcrs[n] == value for n, value in theirs.items()) and len(theirs) > 7,
            f"{name}: the TPM's PCRs are tpm2_eventlog's")
    for number, values in predicted.items():
        values = values if isinstance(values, list) else [values]
        results(boot.pcrs[int(number)].hex() in values, f"{name}: PCR {number} is what was predicted",
                (boot.pcrs[int(number)].hex(), values))


def check_firmware(boot, predicted):
    """Outside an SNP guest the firmware has written to none of its volumes when it measures them: PCR 0 is their
    files'."""
    value = bytes(32)
    for digest in (*map(bytes.fromhex, predicted.values()), hashlib.sha256(bytes(4)).digest()):
        value = hashlib.sha256(value + digest).digest()
    results(value == boot.pcrs[0], "direct: PCR 0 is what was predicted", (value.hex(), boot.pcrs[0].hex()))


def check_direct(options, world):
    words = ["-kernel", options.vmlinuz, "-initrd", options.initrd]
    boot = Boot(options, "direct", *words, "-append", LINE)
    if not boot.ok:
        return
    policy = make_policy(options, "--kernel", options.vmlinuz, "--initrd", options.initrd, "--append", LINE,
                         "--no-secure-boot", "--firmware", options.ovmf / "OVMF.fd")
    check_firmware(boot, policy["boot"]["firmware"])
    # QEMU writes into the kernel's header here, as it does for no SNP guest (target/i386, x86_load_linux()).
    kernel = bytes.fromhex(policy["boot"].pop("programs")["kernel"])
    four = policy["pcrs"]["sha256"].pop("4")
    check_boot("direct", boot, policy["pcrs"]["sha256"])
    digests = [kernel if event.type == boots.APPLICATION else event.digests[0x000B]
               for event in second.event_log.judge(boot.log)[1] if event.pcr == 4]
    value = bytes(32)
    for digest in digests:
        value = hashlib.sha256(value + digest).digest()
    results(value.hex() == four and len(digests) == 3, "direct: PCR 4 is what was predicted, for that kernel as it was",
            (value.hex(), four))
    patched = [event.digests[0x000B].hex() for event in second.event_log.judge(boot.log)[1]
               if event.pcr == 4 and event.type == boots.APPLICATION]
    policy["boot"]["programs"] = {"kernel, as QEMU gave it": patched[0]}
    said = judge(options, world, boot, "direct", policy, 0, [])
    lines = [e["words"] for e in said["boot"]["events"] if e["standing"] == "named"]
    results(lines ==
            [*(f'firmware "{name}"' for name in policy["boot"]["firmware"]), 'program "kernel, as QEMU gave it"',
                      f'command line "predicted": initrd=initrd {LINE}', 'file "initrd"'],
            "direct: firmware, kernel and command line in words", lines)
    other = make_policy(options, "--kernel", options.vmlinuz, "--initrd", options.initrd, "--append", LINE + " ro")
    del other["pcrs"]
    other["boot"]["programs"] = policy["boot"]["programs"]
    judge(options, world, boot, "direct, another command line", other, 7, ["boot-files", "boot-command-line"])
    policy["boot"]["secure_boot"] = True
    judge(options, world, boot, "direct, with secure boot demanded", policy, 7, ["secure-boot"])


def make_unified(options, line):
    """A unified kernel of systemd's stub, its loader, and the disk that both are on."""
    loaders, unified, disk = (options.work / name for name in ("loaders", "unified.efi", "disk"))
    subprocess.run([ROOT / "scripts/fetch-loaders.sh", "--dir", loaders], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([ROOT / "scripts/make-disk.py", "--loader", "systemd-boot", "--kernel", options.vmlinuz,
                    "--initrd", options.initrd, "--append", line, "--loaders", loaders, "--keep-uki", unified, disk],
                   check=True)
    return loaders / "systemd-bootx64.efi", unified, disk


def measured(options):
    """PCR 11 by systemd-measure, before any phase of the system."""
    sections = {name: options.work / f"section.{name}" for name in ("linux", "osrel", "cmdline", "initrd")}
    dumps = [f"--dump-section=.{name}={path}" for name, path in sections.items()]
    subprocess.run(["objcopy", *dumps, options.work / "unified.efi", options.work / "copy.efi"],
                   check=True)
    words = [f"--{name}={path}" for name, path in sections.items()]
    run = subprocess.run([MEASURE, "calculate", "--bank=sha256", "--phase=", *words], capture_output=True, text=True,
                         check=True)
    return re.search(r"11:sha256=(\w+)", run.stdout)[1]


def check_unified(options, world):
    missing = [tool for tool in ("objcopy", "mkfs.fat", "mcopy", "sfdisk")
               if not shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")]  # as make-disk.py finds them
    if missing:
        results.skip("a unified kernel", f"there is no {missing[0]}")
        return
    loader, unified, disk = make_unified(options, LINE)
    policy = make_policy(options, "--uki", unified, "--loader", loader, "--no-secure-boot")
    if MEASURE.exists():
        results(measured(options) in policy["pcrs"]["sha256"]["11"], "unified: PCR 11 is systemd-measure's",
                policy["pcrs"])
    else:
        results.skip("PCR 11 by systemd-measure", f"there is no {MEASURE}")
    boot = Boot(options, "unified", "-drive", f"file={disk},format=raw,if=virtio")
    if not boot.ok:
        return
    check_boot("unified", boot, policy["pcrs"]["sha256"])
    said = judge(options, world, boot, "unified", policy, 0, [])
    named = {e["words"] for e in said["boot"]["events"] if e["standing"] == "named"}
    results({'program "loader"', 'program "unified kernel"', 'program "kernel"', 'file ".linux"',
             f'command line "predicted": {LINE}'} <= named, "unified: loader, kernel and command line in words", named)
    loader, unified, _ = make_unified(options, LINE + " init=/bin/sh")
    other = make_policy(options, "--uki", unified, "--loader", loader)
    del other["pcrs"]
    judge(options, world, boot, "unified, another command line", other, 7,
          ["boot-programs", "boot-files", "boot-command-line"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--programs", type=Path, required=True, help="Meson build folder")
    parser.add_argument("--kernel", type=Path, default=ROOT / "build/kernel")
    parser.add_argument("--ovmf", type=Path, default=ROOT / "build/ovmf-forky")
    parser.add_argument("--qemu", type=Path,
                        help="forky's unless it is given: Debian 12's 7.2 runs this kernel without KVM only at times")
    parser.add_argument("--work", type=Path, default=ROOT / "build/peers")
    options = parser.parse_args()
    for command in (("fetch-kernel.sh", "--dir", options.kernel),
                    ("fetch-ovmf.sh", "--suite", "forky", "--dir", options.ovmf)):
        subprocess.run([ROOT / "scripts" / command[0], *command[1:]], check=True, stdout=subprocess.DEVNULL)
    kernels = sorted((options.kernel / "root/boot").glob("vmlinuz-*"))
    options.qemu = options.qemu or suites.qemu_of("forky")
    options.work = options.work / "measured-boot"
    options.work.mkdir(parents=True, exist_ok=True)
    options.vmlinuz, options.initrd = kernels[-1], make_initrd(options.work)
    world = boots.World()
    check_direct(options, world)
    check_unified(options, world)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
