#!/bin/sh
# SPDX-License-Identifier: MIT
# The vtpm service driven by unmodified tpm2-tools, and what a guest must not be able to do to it.
#	vtpm_test.sh SOCLE PROFILE
set -eu

socle=$1 profile=$2
dir=$(mktemp -d)
mkfifo "$dir/up"
"$socle" vtpm serve --profile "$profile" --port 0 >"$dir/up" 2>"$dir/log" &
serve=$!
trap 'kill $serve 2>/dev/null; wait; rm -rf "$dir"' EXIT
read -r _ port <"$dir/up"
export TPM2TOOLS_TCTI="mssim:host=127.0.0.1,port=$port"
export TSS2_LOG=all+none
cd "$dir"

fail() {
	echo "vtpm_test: $1"
	cat "$dir/log"
	exit 1
}

# Runs one tool, and frees the three object slots for the next: no resource manager is between.
step() {
	name=$1
	shift
	"$@" >"$dir/out" 2>&1 || { cat "$dir/out"; fail "$name"; }
	tpm2_flushcontext -t >"$dir/out" 2>&1 || fail "flush after: $name"
}

refused() {
	name=$1
	code=$2
	shift 2
	if TSS2_LOG= "$@" >"$dir/out" 2>&1; then fail "$name was not refused"; fi
	grep -qi "$code" "$dir/out" || { cat "$dir/out"; fail "$name: not $code"; }
}

banks() {
	tpm2_getcap pcrs | awk '/\[ 0,/ { sub(":", "", $2); print $2 }' | tr '\n' ' '
}

[ "$(banks)" = "sha256 sha384 " ] || fail "PCR banks are $(banks)"

step "create the EK" tpm2_createek -c ek.ctx -G rsa -u ek.pem -f pem
step "create the EK's TPMT" tpm2_readpublic -c ek.ctx -f tpmt -o ek.tpmt
[ "$(stat -c %s ek.tpmt)" = 314 ] || fail "the L-1 EK is not 314 bytes"
step "create an AK" tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem -n ak.name
step "extend a PCR" tpm2_pcrextend 16:sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
step "quote" tpm2_quote -c ak.ctx -l sha256:0,16 -q 1122334455667788 -m q.msg -s q.sig -o q.pcrs
step "check the quote" tpm2_checkquote -u ak.pem -m q.msg -s q.sig -f q.pcrs -g sha256 -q 1122334455667788

# MakeCredential on another machine, ActivateCredential here.
printf 'a secret of 32 bytes, 0123456789' >secret
step "make a credential" tpm2_makecredential -T none -u ek.pem -G rsa -s secret -n "$(od -An -vtx1 ak.name | tr -d ' \n')" -o cred
step "start a policy session" tpm2_startauthsession --policy-session -S s.ctx
step "authorize" tpm2_policysecret -S s.ctx -c e
step "activate" tpm2_activatecredential -c ak.ctx -C ek.ctx -i cred -o answer -P "session:s.ctx"
cmp -s secret answer || fail "the activated secret differs"
step "end the session" tpm2_flushcontext s.ctx

# The endorsement seed is out of the guest's reach: it does not know the platform authorization.
refused "ChangeEPS" 0x9A2 tpm2_changeeps
refused "ChangePPS" 0x9A2 tpm2_changepps

# The guest may clear the TPM; the EK is the same afterwards.
step "clear" tpm2_clear -c l
step "create the EK again" tpm2_createek -c ek2.ctx -G rsa -u ek2.pem -f pem
cmp -s ek.pem ek2.pem || fail "the EK changed"
echo "vtpm_test: passed"
