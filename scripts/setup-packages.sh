#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages that Socle needs, and only those that are missing.
#
#	scripts/setup-packages.sh [build] [demo] [check] [applications] [suites] [package] [release] [disks]
#
# build: compiling everything. demo: running the demo too. check: the tests and the second compiler.
# applications: what uses a TPM. suites: what TPM suites of others need. package: Debian packages.
# release: clean systems, and building twice. disks: making disks for guests.
# Without an argument: build and demo. Says nothing when there is nothing to do.
set -eu

die() {
	echo "setup-packages: $*" >&2
	exit 1
}

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $codename in
bookworm)
	compiler=gcc-12
	second_compiler="clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14"
	tcti_device=libtss2-tcti-device0
	tcti_swtpm=libtss2-tcti-swtpm0
	static_crypto=
	;;
trixie)
	compiler=gcc-14
	second_compiler="clang libclang-rt-19-dev"
	tcti_device=libtss2-tcti-device0t64
	tcti_swtpm=libtss2-tcti-swtpm0t64
	# This libcrypto is built with them, and the services link it statically.
	static_crypto="zlib1g-dev libzstd-dev"
	;;
forky)
	compiler=gcc-16
	second_compiler="clang-22 libclang-rt-22-dev"
	tcti_device=libtss2-tcti-device0t64
	tcti_swtpm=libtss2-tcti-swtpm0t64
	static_crypto="zlib1g-dev libzstd-dev"
	;;
*) die "made for Debian 12 (bookworm), 13 (trixie) and 14 (forky); this is '$codename'" ;;
esac

build="gcc $compiler libc6-dev make meson ninja-build pkg-config python3 binutils
	libssl-dev libjansson-dev liblzma-dev libtpms-dev libmicrohttpd-dev libcurl4-openssl-dev libcmocka-dev $static_crypto
	kmod ca-certificates debian-archive-keyring"
demo="qemu-system-x86 tpm2-tools $tcti_device busybox-static openssl xz-utils zstd mount"
check="$second_compiler strace swtpm swtpm-tools ovmf $tcti_swtpm python3-cryptography python3-jsonschema
	python3-prometheus-client python3-venv etcd-server fish
	groff-base zsh acpica-tools device-tree-compiler xxd"

applications="clevis-tpm2 clevis-luks cryptsetup-bin jose tpm2-openssl libtpm2-pkcs11-1 libtpm2-pkcs11-tools opensc
	openssh-client tpm2-initramfs-tool tpm2-abrmd libtss2-tcti-tabrmd0 dbus socat jq xxd swtpm-tools libtss2-dev libclang-dev
	protobuf-compiler python3-venv python3-alembic python3-cffi python3-gpg python3-gnupg python3-jinja2
	python3-jsonschema python3-lark python3-packaging python3-psutil python3-requests python3-sqlalchemy
	python3-tornado python3-yaml python3-zmq"
suites="tpm2-abrmd libtss2-tcti-tabrmd0 dbus autoconf automake libtool libtss2-dev libwolfssl-dev python3-tpm2-pytss python3-pytest python3-yaml xxd faketime"
package="debhelper dh-dkms dh-python dpkg-dev fakeroot git lintian libzstd-dev zlib1g-dev"
release="libvirt-daemon libvirt-clients libvirt-daemon-driver-qemu mmdebstrap reprotest faketime disorderfs"

disks="mmdebstrap genext2fs e2fsprogs uidmap mtools dosfstools fdisk binutils qemu-utils"

wanted=
[ $# -gt 0 ] || set -- build demo
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	demo) wanted="$wanted $demo" ;;
	check) wanted="$wanted $check" ;;
	applications) wanted="$wanted $applications" ;;
	suites) wanted="$wanted $suites" ;;
	package) wanted="$wanted $package" ;;
	release) wanted="$wanted $release" ;;
	disks) wanted="$wanted $disks" ;;
	*) die "unknown group '$group': build, demo, check, applications, suites, package, release or disks" ;;
	esac
done

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root="sudo -n"
	if ! $as_root true 2>/dev/null; then
		echo "setup-packages: these packages are missing, and installing them needs root:" >&2
		echo "	apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
fi

echo "installing:$missing"
log=$(mktemp)
# Nobody shall look at a silent terminal: what apt-get says last, now and then.
(while sleep 8 >/dev/null 2>&1; do echo "... $(tail -n 1 "$log" | tr -d '\r' | cut -c 1-90)"; done) &
teller=$!
trap 'kill $teller 2>/dev/null; rm -f "$log"' EXIT
# A machine that was just set up has no package lists; an old one may have stale ones.
install() {
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		$missing >"$log" 2>&1
}
if ! install; then
	$as_root apt-get update -q >>"$log" 2>&1 || true
	install || {
		tail -n 5 "$log" >&2
		die "apt-get could not install:$missing"
	}
fi
