# SPDX-License-Identifier: MIT
#
# Sourced: sets compiler to the second compiler, the first of these that is installed, or to nothing.
compiler=
for candidate in clang-14 clang clang-19 clang-22 clang-23; do
	if command -v "$candidate" >/dev/null; then
		compiler=$candidate
		break
	fi
done
