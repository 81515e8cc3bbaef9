# SPDX-License-Identifier: MIT
# A short front for the build: `make demo` and `make check` do all their own set-up.

OUT := build/out
JOBS ?= 2
CPUS ?= 2
PREFIX ?= /usr/local
DESTDIR ?=

# Messages of other programs are read by the scripts.
export LC_ALL := C.UTF-8

# Set-up comes before what needs it, whatever make -j says; ninja is told how many JOBS.
.NOTPARALLEL:

.PHONY: all bench tests demo demo-direct demo-disk check check-slow check-guests check-machine trial-kit check-attacks check-peers \
	check-firmware check-tpm-applications check-tpm-suites check-release deb dist sbom static guest guest7 install uninstall format clean \
	setup-demo setup-disks setup-check setup-release

all: $(OUT)/build.ninja
	ninja -C $(OUT) -j $(JOBS)

# Newer versions of Meson leave the tests' programs out of the default target.
tests: all
	ninja -C $(OUT) -j $(JOBS) meson-test-prereq

# Boots a Debian from a disk by OVMF under Socle, and attests it, firmware, loader and kernel with it; then once more, with
# the kernel's command line changed by the host, which the verifier does not trust.
# Programs are built while Debian's packages are fetched.
demo: setup-disks $(OUT)/build.ninja
	scripts/demo-vm.py --programs $(OUT) --cpus $(CPUS) --build $(JOBS)

# The short one, which `make check` has: an unmodified Debian kernel, without firmware and disk, under Socle, attested.
demo-direct: setup-demo all guest
	scripts/demo.py --programs $(OUT) --cpus $(CPUS)

# Boots a Debian from a disk under OVMF, as an ordinary SNP guest, to its login and power-off.
demo-disk: setup-disks all
	scripts/demo-disk.py --programs $(OUT) --cpus $(CPUS)

# All tests but the slow ones. The last line counts them. SLOWER=N is for a slow computer: each test program's limit is N
# times as long.
check: setup-check tests guest
	scripts/check.py --programs $(OUT) $(if $(SLOWER),--slower $(SLOWER))

check-slow: setup-check tests guest guest7
	scripts/check.py --programs $(OUT) --slow $(if $(SLOWER),--slower $(SLOWER))

# Ordinary SNP guests by firmware, of every kind, from disks too: 15 minutes on a quiet computer. check-slow has a sample.
check-guests: setup-check tests guest guest7
	tests/guest/matrix.py --programs $(OUT)
	tests/guest/disk_test.py --programs $(OUT) --by image --cpus 2 --work build/disk-image
	tests/guest/net_test.py --programs $(OUT) --device e1000 --cpus 2 --work build/net-e1000
	tests/attacks/twin_test.py --programs $(OUT)
	scripts/fetch-ovmf.sh --suite forky --dir build/ovmf-forky
	tests/demo/predicted_boot_test.py --programs $(OUT) --firmware build/ovmf-forky/OVMF.fd --build-dir build/predicted-boot

# Guests under Socle by firmware: each way of boot, measured, and judged by policies made of the files, of which check-slow
# has a sample; and a stock Debian with what its users do with a TPM.
check-firmware: setup-check tests guest guest7
	tests/guest/matrix.py --programs $(OUT) --under-socle
	tests/guest/distro_test.py --programs $(OUT)

# Rules of the specifications, by tiny guests on the emulated machine; `check` has them, too.
check-machine: setup-check tests
	tests/machine/run.py --programs $(OUT)

# The same guests for a host with SEV-SNP, and what they say here, in build/trial-kit.
trial-kit: setup-check tests
	scripts/trial-kit --programs $(OUT)

# Attacks of a guest on Socle, which `check` has, too.
check-attacks: setup-check tests
	tests/attacks/run.py --programs $(OUT)

# What others wrote beside ours, over evidence, forgeries and images; the go and cargo commands fetch it.
# COCONUT is an image of COCONUT-SVSM, COCONUT_TESTS one of its tests, COCONUT_CALLS one with our guest as
# firmware, IGVMMEASURE its program, TRUSTEE a checkout of Trustee, where there
# are such (docs/peers.md).
check-peers: setup-check tests
	tests/peers/peers_test.py --programs $(OUT)
	tests/peers/igvm_test.py --programs $(OUT)
	tests/peers/firmware_digest_test.py --programs $(OUT)
	tests/peers/eventlog_test.py --programs $(OUT)
	tests/peers/measured_boot_test.py --programs $(OUT)
	tests/peers/firmware_pcr_test.py --programs $(OUT)
	tests/peers/ear_test.py --programs $(OUT)
	tests/peers/trustee_test.py --programs $(OUT) $(if $(TRUSTEE),--trustee $(TRUSTEE))
	tests/peers/coconut_test.py --programs $(OUT) $(if $(COCONUT),--image $(COCONUT)) \
		$(if $(COCONUT_TESTS),--tests $(COCONUT_TESTS)) $(if $(IGVMMEASURE),--igvmmeasure $(IGVMMEASURE))
	tests/peers/core_calls_test.py $(OUT)/tools/socle $(OUT)/monitor/monitor.elf $(OUT)/services/services \
		$(OUT)/tests/peers/guest/core-calls $(OUT)/tests/peers/guest/firmware-page $(OUT)/tests/peers/keys \
		$(if $(COCONUT_CALLS),--coconut $(COCONUT_CALLS))

# Applications that use a TPM, each against swtpm and against `socle vtpm serve`.
check-tpm-applications: setup-check all
	@scripts/setup-packages.sh applications
	tests/vtpm/applications_test.py $(OUT)/tools/socle profiles

# Test suites of others, with both; SOURCES is a folder of unpacked sources of those in C (docs/vtpm-serve.md). ONLY="NAME..."
# runs some.
check-tpm-suites: setup-check all
	@scripts/setup-packages.sh suites
	tests/vtpm/suites_test.py $(OUT)/tools/socle profiles $(if $(SOURCES),--source $(SOURCES)) $(addprefix --only ,$(ONLY))

# What an exit of the machine and a core call cost, in instructions, a Linux on the machine beside plain QEMU, the vTPM, as ratios, in
# build/bench.json, firmware, a disk and a network beside plain QEMU, and a boot under Socle beside one without.
bench: setup-check all guest
	bench/exit_cost.py --programs $(OUT) --check
	bench/call_cost.py --programs $(OUT) --check
	bench/interrupts.py --programs $(OUT) --check
	bench/start.py --programs $(OUT) --rounds 5 --check
	bench/ahead.py --programs $(OUT) --check
	bench/machine_speed.py --programs $(OUT) --check
	bench/run.py --programs $(OUT)
	bench/device_speed.py --programs $(OUT) --check
	bench/boot_speed.py --programs $(OUT) --check

# The guest's kernel, module and initramfs.
guest: all
	scripts/fetch-kernel.sh
	scripts/build-guest.sh build/kernel $(OUT) build/guest

# The same with Debian's newest 7.x kernel, and the compiler of its suite.
guest7: all
	scripts/fetch-kernel.sh --series 7
	scripts/build-guest.sh build/kernel7 $(OUT) build/guest7

# Below DESTDIR and PREFIX; uninstall removes the same files.
install uninstall: all
	PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' scripts/install.sh $@ $(OUT)

# Debian packages of what is committed, with lintian's report, and its sources as one archive.
deb:
	@scripts/setup-packages.sh build package
	scripts/build-deb.sh

dist:
	scripts/dist.sh

# socle as one static file with what it starts, for people without Debian.
static:
	scripts/build-static.sh

# What the build consists of, as an SPDX document beside the archive of its sources.
sbom: all
	archive=$$(scripts/dist.sh) && out="$${archive%.tar.xz}.spdx.json" && \
		scripts/sbom.py --programs $(OUT) --archive "$$archive" "$$out" && echo "$$out"

# What CI has no time for, by hand and as root; each part adds its dated row to docs/release.md. PARTS="NAME..." runs some.
check-release:
	@scripts/setup-packages.sh build demo check package release
	tests/release/release.py $(PARTS) $(if $(SOURCES),--source $(SOURCES))

setup-demo:
	@scripts/setup-packages.sh build demo

setup-disks:
	@scripts/setup-packages.sh build demo disks

setup-check:
	@scripts/setup-packages.sh build demo check disks

$(OUT)/build.ninja:
	meson setup $(OUT)

format:
	scripts/format.sh

clean:
	rm -rf build
