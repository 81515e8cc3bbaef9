#!/bin/sh
# SPDX-License-Identifier: MIT
# A vTPM profile, services.conf or grant that is wrong or missing stops `socle igvm build` with file,
# line and reason, before anything else of the build can; what Socle delivers does not.
#	igvm_archive_test.sh SOCLE SERVICES_CONF PROFILES
set -eu

socle=$1 conf=$2 profiles=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
archive=$dir/archive
printf 'no ELF file' >"$dir/monitor"

fail() {
	echo "igvm_archive: $*"
	cat "$dir/err"
	exit 1
}

# What is delivered.
pack() {
	rm -rf "$archive"
	mkdir -p "$archive/profile" "$archive/services"
	printf 'no ELF file' >"$archive/services/services"
	cp "$profiles"/*.conf "$archive/profile"
	cp "$conf" "$archive/services.conf"
}

# The build cannot succeed with this monitor: what matters is what it stops at.
build() {
	build_with --archive "$archive"
}

build_with() {
	if "$socle" igvm build --monitor "$dir/monitor" "$@" -o "$dir/out" 2>"$dir/err"; then
		fail "a file that is no monitor was taken"
	fi
	[ ! -e "$dir/out" ] || fail "something was written"
}

# stops WHAT MESSAGE
stops() {
	build
	says "$1" "$2"
}

says() {
	grep -qF "igvm build: $2" "$dir/err" || fail "$1: not '$2' but"
}

# The number of the first line that holds TEXT: line TEXT FILE
line() {
	grep -nF -- "$1" "$2" | head -n 1 | cut -d: -f1
}

# In place: change FROM TO FILE
change() {
	sed "s|$1|$2|" "$3" >"$dir/changed"
	! cmp -s "$dir/changed" "$3" || fail "$3 has no $1"
	cp "$dir/changed" "$3"
}

# A line that is changed stops the build there: wrong WHAT FROM TO FILE MESSAGE
wrong() {
	pack
	change "$2" "$3" "$archive/$4"
	stops "$1" "$4:$(line "$3" "$archive/$4"): $5"
}

pack
build
! grep -qE 'profile/|services\.conf' "$dir/err" || fail "what is delivered is refused"

wrong "a profile that nobody is granted" 'unique zero' 'unique one' profile/google.conf \
	"unique is given, zero or random"
wrong "an absent profile" profile/tcg.conf profile/nope.conf services.conf \
	"the archive has no file profile/nope.conf"
wrong "an unknown role" 'role vtpm' 'role vtmp' services.conf "there is no such role"

pack
change 'profile/tcg.conf' 'other/p.conf' "$archive/services.conf"
mkdir "$archive/other"
printf '# a comment\ngarbage\n' >"$archive/other/p.conf"
stops "garbage as a profile" "other/p.conf:2: unknown keyword"
cp "$profiles/tcg.conf" "$archive/other/p.conf"
build
! grep -q 'other/' "$dir/err" || fail "a profile elsewhere is refused"

pack
rm "$archive/services/services"
at=$(line exec "$archive/services.conf")
stops "an absent executable" "services.conf:$at: the archive has no file services/services"

pack
rm "$archive/services.conf"
stops "no services.conf" "services.conf: the archive has no such file"

pack
change '^.*file profile/tcg.conf.*$' '' "$archive/services.conf"
at=$(line 'service vtpm' "$archive/services.conf")
lacks="services.conf:$at: the vtpm has no profile: it lacks grant 6 file"
stops "no profile for the vtpm" "$lacks"
pack
change 'grant 6 file' 'grant 8 file' "$archive/services.conf"
stops "a profile at another descriptor" "$lacks"

build_with
says "no archive" "services.conf: the archive has no such file"
rm -r "$archive"
mkdir "$archive"
stops "an empty archive" "services.conf: the archive has no such file"
echo "igvm_archive: passed"
