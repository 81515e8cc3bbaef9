#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Gets QEMU as a newer suite of Debian has it, with all the libraries that it needs, and unpacks it under
# build/qemu-SUITE: to run the machine on a second QEMU. Nothing is installed.
#
#	scripts/fetch-qemu.sh [--suite trixie|forky] [--dir DIR]
#
# Leaves DIR/qemu-system-x86_64, which runs it, DIR/version (what that says of itself) and DIR/packages (name,
# version and SHA-256 of each package). With those there, it does nothing.
set -eu

usage() {
	echo "usage: $0 [--suite trixie|forky] [--dir DIR]" >&2
	exit 1
}
suite=trixie
here=$(cd "$(dirname "$0")/.." && pwd)
dir=
while [ $# -gt 0 ]; do
	[ -n "${2:-}" ] || usage
	case $1 in
	--suite) suite=$2 ;;
	--dir) dir=$2 ;;
	*) usage ;;
	esac
	shift 2
done
case $suite in
trixie | forky) : "${dir:=$here/build/qemu-$suite}" ;;
*) usage ;;
esac

die() {
	echo "fetch-qemu: $*" >&2
	exit 1
}

if [ -s "$dir/version" ] && [ -s "$dir/packages" ]; then
	echo "qemu: $(cat "$dir/version")"
	exit 0
fi

. "$here/scripts/debian-suite.sh"
suite_mirror
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
# What an earlier run left unfinished is of no use.
rm -rf "$dir/root" "$dir/root.new" "$dir/apt"
suite_open "$dir/apt" "$suite"

# As if nothing were installed. Only the files are wanted: no package is configured.
private apt-get install --download-only --yes --no-install-recommends qemu-system-x86 >>"$apt/log" 2>&1 || {
	tail -n 5 "$apt/log" >&2
	die "cannot download qemu-system-x86 from $uri $suite"
}
# base-files first: it makes /lib and /lib64 links to /usr.
(cd "$apt/cache/archives" && private apt-get download base-files) >>"$apt/log" 2>&1 ||
	die "cannot download base-files from $uri $suite"
mkdir -p "$dir/root.new"
for deb in "$apt"/cache/archives/base-files_*.deb "$apt"/cache/archives/*.deb; do
	dpkg-deb -x "$deb" "$dir/root.new"
done
for deb in "$apt"/cache/archives/*.deb; do
	# shellcheck disable=SC2016 # for dpkg-deb
	echo "$(dpkg-deb -W --showformat '${Package} ${Version}' "$deb") $(sha256sum "$deb" | cut -d' ' -f1)" \
		>>"$apt/packages"
done
mv "$dir/root.new" "$dir/root"
mv "$apt/packages" "$dir/packages"
rm -rf "$apt"

# Its own loader and libraries: this system's may be older.
cat >"$dir/qemu-system-x86_64" <<'END'
#!/bin/sh
root=$(cd "$(dirname "$0")" && pwd)/root
QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu
export QEMU_MODULE_DIR
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \
	"$root/usr/bin/qemu-system-x86_64" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" "$@"
END
chmod +x "$dir/qemu-system-x86_64"
version=$("$dir/qemu-system-x86_64" --version | head -n 1)
[ -n "$version" ] || die "what was unpacked does not run"
echo "$version" >"$dir/version"
echo "qemu: $version"
