#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds what the demo's guest is made of: the kernel module and the initramfs.
#
#	scripts/build-guest.sh KERNEL_DIR PROGRAMS_DIR OUT_DIR
#
# KERNEL_DIR is what scripts/fetch-kernel.sh left, PROGRAMS_DIR the Meson build folder with
# guest/socle-guest in it. Leaves OUT_DIR/socle_tpm.ko and OUT_DIR/initramfs.cpio.
set -eu

[ $# -eq 3 ] || {
	echo "usage: $0 KERNEL_DIR PROGRAMS_DIR OUT_DIR" >&2
	exit 1
}
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$3"
"$root/guest/module/build.sh" "$1" "$3/module"
cp "$3/module/socle_tpm.ko" "$3/socle_tpm.ko"
"$root/guest/initramfs/build.py" --kernel "$1" --module "$3/socle_tpm.ko" \
	--agent "$2/guest/socle-guest" --out "$3/initramfs.cpio"
echo "initramfs: $3/initramfs.cpio, $(($(wc -c <"$3/initramfs.cpio") >> 10)) KiB"
