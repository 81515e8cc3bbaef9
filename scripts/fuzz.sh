#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fuzzes by coverage (libFuzzer): builds the fuzzer with clang, runs it, and says what it reached.
#
#	scripts/fuzz.sh calls|selector|report|igvm [SECONDS]
#
# calls: a hostile guest and host against the monitor's protocols on the model, any calls in any
# order (monitor/protocol/tests/fuzz_calls.c). selector: core/tpm/selector's parser. report: what may be
# a report, a host's table or a revocation list (core/evidence/host). igvm: the reader of IGVM files, from
# small ones with every header.
# The corpus grows in build/fuzz/NAME; an input that breaks something is left in build/fuzz.
set -eu

case ${1-} in
calls) program=monitor/protocol/tests/fuzz-calls longest=8192 ;;
selector) program=core/tpm/tests/fuzz-selector longest=1100 ;;
report) program=core/evidence/tests/fuzz-report-input longest=16384 ;;
igvm) program=core/image/tests/fuzz-igvm longest=16384 ;;
*)
	echo "usage: $0 calls|selector|report|igvm [SECONDS]" >&2
	exit 1
	;;
esac
cd "$(dirname "$0")/.."
build=build/clang
compiler=$(command -v clang-14 || command -v clang)
[ -f $build/build.ninja ] || CC=$compiler meson setup $build
ninja -C $build -j 2 $program
mkdir -p "build/fuzz/$1"
[ "$1" != igvm ] || core/image/tests/igvm_corpus.py build/fuzz/igvm
# One input is a whole session. From nothing it would take hours to grow that long.
[ -n "$(ls "build/fuzz/$1")" ] || for i in 1 2 3 4 5 6 7 8; do
	head -c $longest /dev/urandom >"build/fuzz/$1/seed$i"
done
exec $build/$program -max_len=$longest -len_control=0 -max_total_time="${2-300}" -print_final_stats=1 \
	-print_coverage=1 -artifact_prefix=build/fuzz/ "build/fuzz/$1"
