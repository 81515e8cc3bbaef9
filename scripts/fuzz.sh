#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Fuzzes by coverage (libFuzzer): builds the fuzzer with clang, runs it, and says what it reached.
#
#	scripts/fuzz.sh calls|selector|report|log|igvm|policy|evidence|request|chain|quote|parts|folder|fetched [SECONDS]
#
# calls: a hostile guest and host against the monitor's protocols on the model, any calls in any
# order (monitor/protocol/tests/fuzz_calls.c). selector: core/tpm/selector's parser. report: what may be
# a report, a host's table or a revocation list (core/evidence/host). log: the event log of a boot. igvm: the reader of IGVM files, from
# small ones with every header. policy, evidence: what libsocle-verify reads, and judges. request: what a client of
# `socle verify serve` sends. chain: certificates, in DER and PEM. quote: what a TPM says of PCRs and keys. parts: one part of
# evidence. folder: folders of evidence, the kernel's names among them. fetched: what AMD's server gives `socle certs fetch`.
# The corpus grows in build/fuzz/NAME; an input that breaks something is left in build/fuzz.
set -eu

case ${1-} in
calls) program=monitor/protocol/tests/fuzz-calls longest=8192 ;;
selector) program=core/tpm/tests/fuzz-selector longest=1100 ;;
report) program=core/evidence/tests/fuzz-report-input longest=16384 ;;
log) program=core/evidence/tests/fuzz-event-log longest=16384 ;;
igvm) program=core/image/tests/fuzz-igvm longest=16384 ;;
policy) program=tools/libverify/tests/fuzz-policy longest=8192 ;;
evidence) program=tools/libverify/tests/fuzz-evidence longest=16384 ;;
request) program=tools/verify_serve/tests/fuzz-request longest=32768 ;;
chain) program=core/evidence/tests/fuzz-chain longest=8192 ;;
quote) program=core/tpm/tests/fuzz-quote longest=2048 ;;
parts) program=tools/libverify/tests/fuzz-parts longest=8192 ;;
folder) program=tools/verify/tests/fuzz-folder longest=16384 ;;
fetched) program=tools/certs/tests/fuzz-fetched longest=8192 ;;
*)
	echo "usage: $0 calls|selector|report|log|igvm|policy|evidence|request|chain|quote|parts|folder|fetched [SECONDS]" >&2
	exit 1
	;;
esac
cd "$(dirname "$0")/.."
build=build/clang
. scripts/clang.sh
[ -n "$compiler" ] || {
	echo "fuzz: clang is not installed" >&2
	exit 1
}
[ -f $build/build.ninja ] || CC=$compiler meson setup $build
ninja -C $build -j 2 $program
mkdir -p "build/fuzz/$1"
case $1 in
igvm) core/image/tests/igvm_corpus.py build/fuzz/igvm ;;
report | selector | log | policy | evidence | request | chain | quote | parts | folder | fetched)
	tests/verify/fuzz_corpus.py "$1" "build/fuzz/$1"
	;;
esac
# One input is a whole session. From nothing it would take hours to grow that long.
[ -n "$(ls "build/fuzz/$1")" ] || for i in 1 2 3 4 5 6 7 8; do
	head -c $longest /dev/urandom >"build/fuzz/$1/seed$i"
done
# What a folder's reader says of each input is not to be read by anybody.
quiet=0
[ "$1" != folder ] || quiet=2
exec $build/$program -close_fd_mask=$quiet -max_len=$longest -len_control=0 -max_total_time="${2-300}" -print_final_stats=1 \
	-print_coverage=1 -artifact_prefix=build/fuzz/ "build/fuzz/$1"
