#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes a small Debian system out of its packages, with mmdebstrap, without root's rights: a file system, its kernel
# and first file system, under build/debian-trixie. Nothing of this project is in it.
#
#	scripts/make-debian.sh [--suite trixie] [--dir DIR] [--include PACKAGE,...] [--hook PROGRAM] [--measuring]
#
# Leaves DIR/root.ext4 (a file system of 768 MiB, label "debian-root"), DIR/vmlinuz, DIR/initrd.img and DIR/version (that
# of the kernel) and DIR/packages (name, version and architecture of each). With those there, it does nothing, unless DIR/made-by says that another
# state of this script, or other options, made them. The system has a login
# on the first serial port, for root without a password, and no network.
#
# --include: more packages. --hook: a program that gets the system's folder and changes what it likes there, before the
# first file system is copied out; DIR/made-by has its bytes too, not those of what it reads. --measuring: with the units
# of systemd that extend PCRs and make the TPM's storage key, which are off otherwise.
set -eu

here=$(cd "$(dirname "$0")/.." && pwd)
suite=trixie
dir=
include=
hook=
measuring=
while [ $# -gt 0 ]; do
	case $1 in
	--measuring)
		measuring=1
		shift
		continue
		;;
	--suite) suite=$2 ;;
	--dir) dir=$2 ;;
	--include) include=,$2 ;;
	--hook) hook=$2 ;;
	*)
		echo "usage: $0 [--suite trixie] [--dir DIR] [--include PACKAGE,...] [--hook PROGRAM] [--measuring]" >&2
		exit 1
		;;
	esac
	shift 2
done
: "${dir:=$here/build/debian-$suite}"

die() {
	echo "make-debian: $*" >&2
	exit 1
}

# The packages that it asks for and what it makes of them are all in here.
made_by=$({
	cat "$here/scripts/make-debian.sh" ${hook:+"$hook"}
	echo "$include$measuring"
} | sha256sum)
if [ -s "$dir/version" ] && [ -s "$dir/root.ext4" ] && [ "$(cat "$dir/made-by" 2>/dev/null)" = "$made_by" ]; then
	echo "debian: kernel $(cat "$dir/version") of $suite"
	exit 0
fi

PATH=$PATH:/usr/sbin:/sbin # tune2fs, e2fsck, resize2fs, and chroot of the hooks
. "$here/scripts/debian-suite.sh"
suite_mirror
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$dir/work
# What an earlier run left unfinished is of no use, nor what another state of this script made.
rm -rf "$work" "$dir/version" "$dir/made-by"
mkdir "$work"

# What would cost an emulated processor seconds, and nobody asks for. With .updated as old as /usr systemd makes nothing
# of that anew, and what waits for a slow processor has time.
unwanted="apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer
	getty-static.service systemd-tmpfiles-clean.timer systemd-networkd.service systemd-networkd.socket
	systemd-network-generator.service systemd-hwdb-update.service systemd-pstore.service systemd-firstboot.service
	dev-hugepages.mount dev-mqueue.mount
	sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount
	getty@tty1.service systemd-journal-flush.service systemd-machine-id-commit.service systemd-random-seed.service
	systemd-udev-load-credentials.service systemd-journald-audit.socket systemd-sysext.socket"
# What extends PCR 11 and others while the system starts, so that a quote says what the stub measured there (docs/policy.md).
[ -n "$measuring" ] || unwanted="$unwanted systemd-tpm2-setup.service systemd-tpm2-setup-early.service
	systemd-pcrphase-initrd.service systemd-pcrphase-sysinit.service systemd-pcrphase.service
	systemd-pcrmachine.service systemd-pcrfs-root.service systemd-pcrextend.socket"
unwanted=$(echo "$unwanted" | tr -s '\n\t' '  ')
# The first file system has what the root file system is on, and no more: firmware, stub and kernel hash it, and an emulated
# processor takes long to unpack one. The database of hardware was a quarter of it, and says nothing of virtual devices.
# qemu_fw_cfg would read a firmware's configuration byte by byte, each an exit. With an empty machine-id a start makes one, and
# is not the first one of a system, at which systemd presets all units.
# What packages bring of documents is of no use here.
# shellcheck disable=SC2016 # $1 is the system's folder, for the hook
mmdebstrap --quiet --variant=minbase --format=ext2 \
	--include="systemd-sysv,udev,login,kmod,linux-image-cloud-amd64,initramfs-tools,zstd$include" \
	--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
		echo MODULES=list >"$1/etc/initramfs-tools/conf.d/disk"
		printf "%s\n" virtio_pci virtio_blk ext4 >"$1/usr/share/initramfs-tools/modules.d/disk"
		mkdir -p "$1/etc/initramfs-tools/hooks"
		printf "%s\n" "#!/bin/sh" "[ \"\$1\" != prereqs ] || { echo udev; exit; }" \
			"rm -f \"\$DESTDIR/usr/lib/udev/hwdb.bin\"" >"$1/etc/initramfs-tools/hooks/small"
		chmod 755 "$1/etc/initramfs-tools/hooks/small"' \
	--customize-hook='echo debian >"$1/etc/hostname"
		echo "LABEL=debian-root / ext4 errors=remount-ro 0 1" >"$1/etc/fstab"
		chroot "$1" passwd --quiet --delete root
		: >"$1/etc/machine-id"
		mkdir -p "$1/etc/systemd/system" "$1/etc/systemd/system.conf.d" "$1/etc/modprobe.d"
		printf "[Manager]\n%s\n" DefaultTimeoutStartSec=30min DefaultDeviceTimeoutSec=30min \
			>"$1/etc/systemd/system.conf.d/slow.conf"
		printf "blacklist %s\n" ahci kvm_amd powernow_k8 efi_pstore qemu_fw_cfg >"$1/etc/modprobe.d/disk.conf"' \
	--customize-hook="for unit in $unwanted; do ln -sf /dev/null \"\$1/etc/systemd/system/\$unit\"; done" \
	--customize-hook='touch -r "$1/usr" "$1/etc/.updated" "$1/var/.updated"' \
	${hook:+--customize-hook="$hook"} \
	--customize-hook="copy-out /boot $work" \
	--customize-hook='chroot "$1" dpkg-query -W -f "\${Package} \${Version} \${Architecture}\n" >"$1/packages"' \
	--customize-hook="copy-out /packages $work" --customize-hook='rm "$1/packages"' \
	"$suite" "$work/root.ext4" "deb [arch=amd64$option] $uri $suite main" >"$work/log" 2>&1 || {
	tail -n 5 "$work/log" >&2
	die "mmdebstrap made no system of $suite"
}
# It is as large as what is in it. With a journal it is what its name says.
truncate -s 768M "$work/root.ext4"
{
	tune2fs -j -L debian-root "$work/root.ext4"
	e2fsck -f -y "$work/root.ext4" || [ $? -eq 1 ]
	resize2fs "$work/root.ext4"
} >>"$work/log" 2>&1 || {
	tail -n 5 "$work/log" >&2
	die "the file system cannot be made larger"
}
for kernel in "$work"/boot/vmlinuz-*; do
	release=${kernel##*/vmlinuz-}
done
mv "$work/boot/vmlinuz-$release" "$dir/vmlinuz"
mv "$work/boot/initrd.img-$release" "$dir/initrd.img"
mv "$work/root.ext4" "$work/packages" "$dir"
rm -rf "$work"
echo "$made_by" >"$dir/made-by"
echo "$release" >"$dir/version"
echo "debian: kernel $release of $suite"
