# SPDX-License-Identifier: MIT
#
# What the first programs of the tests' guests begin with: file systems, a place for results, and an
# end. Results go to the second serial port: into the first one the kernel writes when it likes, in
# the middle of any line.
PATH=/bin
export PATH

mount -t devtmpfs dev /dev
exec >/dev/ttyS1
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run

# end WORD...: the words are the last line; the machine stops when all lines are out.
end() {
	echo "$*"
	busybox stty -F /dev/ttyS1 onlcr
	poweroff -f
	sleep 60
}

# load [MODULE]: loads all modules but this one, and mounts configfs.
load() {
	for module in $(cat /lib/modules/order); do
		[ "$module" != "$1" ] || continue
		insmod "/lib/modules/$module" || end "failed: insmod $module"
	done
	mount -t configfs config /sys/kernel/config || end "failed: mount /sys/kernel/config"
}
