# SPDX-License-Identifier: MIT
#
# Packages of any suite of Debian, with an apt of its own: the system's own apt state is neither changed nor
# needed up to date. The mirror and the keyring come from the configured Debian entry, all else lies in one
# folder. To be sourced by a script that has die().

source_files() {
	eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
	ls "$list" "$parts"/*.list "$parts"/*.sources 2>/dev/null || true
}

# suite_mirror: sets uri and option, what stands between "deb" and the suite.
suite_mirror() {
	command -v apt-get >/dev/null || die "needs apt-get: this script knows only Debian"
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# Where the system gets the release from, whichever way its sources are written, and whether or not
	# it ever downloaded their lists.
	uri=$(apt-get update --print-uris | sed -n "s|^'\([^']*\)/dists/$codename/InRelease'.*|\1|p" |
		head -n 1)
	[ -n "$uri" ] || die "no configured apt source offers Debian '$codename'"

	# The keyring file that the Debian entry names; without one, apt's trusted keys stand.
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
}

# suite_open FOLDER SUITE...: fetches the lists of these suites into FOLDER, for private().
suite_open() {
	apt=$1
	shift
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	: >"$apt/packages"
	: >"$apt/sources.list"
	for name; do
		echo "deb [arch=amd64$option] $uri $name main" >>"$apt/sources.list"
	done
	private apt-get update >"$apt/log" 2>&1 || {
		tail -n 5 "$apt/log" >&2
		die "cannot read the package lists of $uri $*"
	}
}

# suite_unpack ROOT PACKAGE [VERSION]: downloads it, unpacks it into ROOT, and notes its name, version and SHA-256 in
# $apt/packages. Sets version, and deb, the file.
suite_unpack() {
	(cd "$apt/cache/archives" && private apt-get download "$2${3:+=$3}") >>"$apt/log" 2>&1 || {
		tail -n 5 "$apt/log" >&2
		die "cannot download $2${3:+ $3} from $uri"
	}
	deb=$(ls -t "$apt/cache/archives/${2}_"*.deb | head -n 1)
	version=$(dpkg-deb -f "$deb" Version)
	dpkg-deb -x "$deb" "$1"
	echo "$2 $version $(sha256sum "$deb" | cut -d' ' -f1)" >>"$apt/packages"
}

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
