#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Gets one exact version of Debian's unmodified 6.12 cloud kernel with its headers, and unpacks
# them under build/kernel. The system's own apt state is neither changed nor needed up to date:
# the mirror and the keyring come from the configured Debian entry, all else lies under build/.
#
#	scripts/fetch-kernel.sh [--dir DIR]
#
# Leaves DIR/root (the unpacked packages), DIR/version (the kernel's release name) and
# DIR/packages (name, version and SHA-256 of each package). With those there, it does nothing.
set -eu

series=6.12
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$here/build/kernel
if [ "${1:-}" = --dir ] && [ -n "${2:-}" ]; then
	dir=$2
elif [ $# -gt 0 ]; then
	echo "usage: $0 [--dir DIR]" >&2
	exit 1
fi

die() {
	echo "fetch-kernel: $*" >&2
	exit 1
}

report() {
	echo "kernel: linux-image-$(cat "$dir/version") ($(awk '/^linux-image-/ { print $2 }' "$dir/packages"))"
}

if [ -s "$dir/version" ] && [ -s "$dir/packages" ]; then
	report
	exit 0
fi

command -v apt-get >/dev/null || die "needs apt-get: this script knows only Debian"
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
case $codename in
bookworm) suite=bookworm-backports ;;
trixie) suite=trixie ;;
*) die "Debian 12 (bookworm) or 13 (trixie) is needed to find a $series kernel, not '$codename'" ;;
esac

# Where the system gets the release from, whichever way its sources are written, and whether or not
# it ever downloaded their lists.
uri=$(apt-get update --print-uris | sed -n "s|^'\([^']*\)/dists/$codename/InRelease'.*|\1|p" |
	head -n 1)
[ -n "$uri" ] || die "no configured apt source offers Debian '$codename'"

# The keyring file that the Debian entry names; without one, apt's trusted keys stand.
source_files() {
	eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
	ls "$list" "$parts"/*.list "$parts"/*.sources 2>/dev/null || true
}
keyring=$(source_files | while read -r file; do
	case $file in
	*.sources) awk -v RS= -v s="$codename" '
		$0 ~ "Suites:[^\n]*[ \t]" s "([ \t\n]|$)" {
			if (match($0, /Signed-By:[ \t]*\/[^ \t\n]*/)) {
				key = substr($0, RSTART, RLENGTH)
				sub(/Signed-By:[ \t]*/, "", key)
				print key
			}
		}' "$file" ;;
	*) sed -n "s/^deb .*signed-by=\(\/[^] ,]*\).* $codename main.*/\1/p" "$file" ;;
	esac
done | head -n 1)
option=
if [ -n "$keyring" ]; then
	[ -r "$keyring" ] || die "the Debian entry's keyring $keyring is not readable"
	option=" signed-by=$keyring"
fi

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt=$dir/apt
# What an earlier run left unfinished is of no use.
rm -rf "$dir/root.new" "$dir/deb"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$dir/deb"
: >"$apt/status"
echo "deb [arch=amd64$option] $uri $suite main" >"$apt/sources.list"

# As the user who runs this: apt's own user could not write here.
private() {
	tool=$1
	shift
	"$tool" -q -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" \
		-o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
		-o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

private apt-get update >"$apt/log" 2>&1 || {
	tail -n 5 "$apt/log" >&2
	die "cannot read the package lists of $uri $suite"
}

image=$(private apt-cache pkgnames "linux-image-$series." | grep -- '[0-9]-cloud-amd64$' |
	sort -V | tail -n 1)
[ -n "$image" ] || die "$uri $suite has no linux-image-$series.*-cloud-amd64"
release=${image#linux-image-}
version=$(private apt-cache show "$image" | sed -n 's/^Version: //p' | sort -V | tail -n 1)
headers=linux-headers-$release

# The image depends on nothing we use; the headers name their two companions.
companions=$(private apt-cache show "$headers=$version" | sed -n 's/^Depends: //p' | tr ',' '\n' |
	sed -n 's/^ *\(linux-[^ ]*\).*/\1/p' | grep -E '^linux-(headers|kbuild)-' | sort -u)
[ -n "$companions" ] || die "$headers $version names no companion packages"

: >"$apt/packages"
for package in "$image" "$headers" $companions; do
	(cd "$dir/deb" && private apt-get download "$package=$version") >>"$apt/log" 2>&1 || {
		tail -n 5 "$apt/log" >&2
		die "cannot download $package $version from $uri $suite"
	}
	deb=$(ls -t "$dir/deb/${package}_"*.deb | head -n 1)
	dpkg-deb -x "$deb" "$dir/root.new"
	echo "$package $version $(sha256sum "$deb" | cut -d' ' -f1)" >>"$apt/packages"
done

rm -rf "$dir/root" "$dir/deb"
mv "$dir/root.new" "$dir/root"
mv "$apt/packages" "$dir/packages"
[ -r "$dir/root/boot/vmlinuz-$release" ] || die "$image holds no boot/vmlinuz-$release"
echo "$release" >"$dir/version"
rm -rf "$apt"
report
