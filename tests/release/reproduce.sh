#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds sources, packages and an image twice, in other paths, at other times, by other users and with
# other umasks, locales and numbers of processors, and compares them byte for byte. reprotest, of Debian,
# makes the differences and compares; the other user is made here, where root runs it.
#
#	reproduce.sh FOLDER	# gets what was built, and reprotest's log
#	reproduce.sh --once	# one of the builds, in the tree that it is called in
set -eu

# The image of the demo's services and profile, with no guest in it.
build_once() {
	# Neither build may have the other's objects.
	export CCACHE_DISABLE=1
	# The tree may be another user's; git takes this from the environment, and nobody's configuration changes.
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*"
	scripts/dist.sh made
	scripts/build-deb.sh made/deb
	dpkg-deb -x made/deb/socle_*.deb made/root
	made/root/usr/bin/socle igvm build -q -o made/socle.igvm --monitor made/root/usr/lib/socle/monitor.elf \
		--file services/services=made/root/usr/lib/socle/services \
		--file services.conf=made/root/usr/share/socle/services.conf \
		--file profile/tcg.conf=made/root/usr/share/socle/profile/tcg.conf
	made/root/usr/bin/socle igvm measure made/socle.igvm >made/measurement
	echo "built by $(id -un) in $PWD"
}

# reprotest's own change of users is sudo's, which drops the clock that reprotest has changed.
build_as_another() {
	chown -R nobody:nogroup .
	chmod a+x ..
	exec setpriv --reuid=nobody --regid=nogroup --clear-groups sh tests/release/reproduce.sh --once
}

[ $# -eq 1 ] && [ -n "$1" ] || {
	echo "usage: $0 FOLDER" >&2
	exit 1
}
if [ "$1" = --once ]; then
	case $(id -u):$PWD in
	0:*/build-experiment-*) build_as_another ;;
	*) build_once ;;
	esac
	exit
fi

top=$(cd "$(dirname "$0")/../.." && pwd)
folder=$1
rm -rf "$folder"
mkdir -p "$folder"
git clone --quiet --no-hardlinks "$top" "$folder/source"
reprotest --verbosity 0 --no-diffoscope --store-dir "$folder/made" \
	--variations=+all,-kernel,-domain_host,-fileordering,-user_group \
	-c 'sh tests/release/reproduce.sh --once' "$folder/source" \
	'made/*.tar.xz made/deb/*.deb made/socle.igvm made/measurement' \
	>"$folder/log" 2>&1 || {
	tail -n 20 "$folder/log" >&2
	echo "reproduce: two builds differ, or one failed; see $folder/log" >&2
	echo "reproduce: 0 passed, 1 failed"
	exit 1
}
grep "^built by " "$folder/log"
(cd "$folder/made/control/source-root" && sha256sum made/*.tar.xz made/deb/*.deb made/socle.igvm && cat made/measurement)
echo "reproduce: 1 passed, 0 failed"
