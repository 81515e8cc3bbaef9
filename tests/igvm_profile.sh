#!/bin/sh
# SPDX-License-Identifier: MIT
# A wrong vTPM profile stops `socle igvm build` with file, line and reason, before anything else of
# the build can; Socle's own profiles do not.
#	igvm_profile.sh SOCLE PROFILES
set -eu

socle=$1 profiles=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/archive/profile"
printf 'no ELF file' >"$dir/monitor"

# The build cannot succeed with this monitor: what matters is what it stops at.
build() {
	if "$socle" igvm build --monitor "$dir/monitor" --archive "$dir/archive" -o "$dir/out" \
		2>"$dir/err"; then
		echo "igvm_profile: a file that is no monitor was taken"
		exit 1
	fi
	[ ! -e "$dir/out" ] || { echo "igvm_profile: something was written"; exit 1; }
}

cp "$profiles"/*.conf "$dir/archive/profile"
build
! grep -q profile/ "$dir/err" || { cat "$dir/err"; exit 1; }

sed 's/unique zero/unique one/' "$profiles/google.conf" >"$dir/archive/profile/google.conf"
line=$(grep -n 'unique one' "$dir/archive/profile/google.conf" | head -n 1 | cut -d: -f1)
build
grep -q "profile/google.conf:$line: unique is given, zero or random" "$dir/err" || {
	cat "$dir/err"
	exit 1
}
echo "igvm_profile: passed"
