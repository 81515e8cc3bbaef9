#!/bin/sh
# SPDX-License-Identifier: MIT
#
# For scripts/make-debian.sh --hook: puts the guest's side of Socle into a Debian where the package socle-guest would
# put it, makes its first file system anew, and adds what distro_test.py runs there.
#
#	DISTRO_MODULE=KO DISTRO_AGENT=ELF DISTRO_SOURCES=TREE distro_hook.sh SYSTEM
set -eu

system=$1
tree=$DISTRO_SOURCES
set -- "$system"/usr/lib/modules/*
release=${1##*/}

for_kernel=$(modinfo -F vermagic "$DISTRO_MODULE" | cut -d' ' -f1)
[ "$for_kernel" = "$release" ] || {
	# distro_test.py makes both anew, of one kernel.
	echo "distro_hook: the module is for $for_kernel and the system has $release" >&2
	exit 0
}

put() {
	install -D -m "$1" "$2" "$system/$3"
}

put 644 "$DISTRO_MODULE" "usr/lib/modules/$release/updates/socle_tpm.ko"
put 755 "$DISTRO_AGENT" usr/bin/socle-guest
put 644 "$tree/guest/system/60-socle.rules" usr/lib/udev/rules.d/60-socle.rules
put 644 "$tree/guest/system/socle-guest@.service" usr/lib/systemd/system/socle-guest@.service
put 755 "$tree/guest/system/initramfs-hook" usr/share/initramfs-tools/hooks/socle
chroot "$system" depmod "$release"
chroot "$system" update-initramfs -u -k "$release"

put 755 "$tree/tests/guest/distro_lives.sh" usr/lib/distro/lives
mkdir -p "$system/etc/systemd/system/sysinit.target.wants" "$system/etc/systemd/system/multi-user.target.wants"
# Before udev of the real system could load anything: what is there is the first file system's doing.
cat >"$system/etc/systemd/system/distro-early.service" <<'END'
[Unit]
DefaultDependencies=no
Before=systemd-udevd.service systemd-udev-trigger.service cryptsetup-pre.target sysinit.target
[Service]
Type=oneshot
ExecStart=/usr/lib/distro/lives early
END
cat >"$system/etc/systemd/system/distro-lives.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/usr/lib/distro/lives
END
ln -s ../distro-early.service "$system/etc/systemd/system/sysinit.target.wants/"
ln -s ../distro-lives.service "$system/etc/systemd/system/multi-user.target.wants/"
