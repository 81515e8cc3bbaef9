#!/bin/sh
# SPDX-License-Identifier: MIT
#
# The TPM's side of an attestation, by tpm2-tools. socle-guest runs it:
#
#	attest.sh evidence DIR	reads nonce.bin and manifest.bin; makes the keys and the quote
#	attest.sh activate DIR	reads challenge.bin; writes the credential to answer.bin
#	attest.sh certificates DIR	reads ca.pem; verifies the certificates that evidence left
#
# The quote's qualifying data is the nonce itself, all 64 bytes.
set -eu

step=$1
cd "$2"
: "${TPM2TOOLS_TCTI:=device:/dev/tpmrm0}"
export TPM2TOOLS_TCTI

# The PCR that takes this boot's command line, and those that the quote covers.
event_pcr=15
quoted=sha256:0,1,2,3,4,5,6,7,8,9,15

hex_sha256() {
	sha256sum "$1" | cut -c 1-64
}

# Names the tool that failed, in the last line that anyone sees.
run() {
	"tpm2_$@" || {
		echo "tpm2_$1: failed with status $?"
		exit 1
	}
}

has() {
	grep -qi "0x$1\$" indices
}

read_index() {
	if has "$1"; then
		run nvread -Q -C o "0x$1" -o "$2"
	fi
}

evidence() {
	# The endorsement key: template L-1 of the TCG EK Credential Profile, which is the tool's own.
	run createek -Q -G rsa -c ek.ctx -u ek.pub -f pem
	run createak -Q -C ek.ctx -G ecc -g sha256 -s ecdsa -c ak.ctx -u ak.pub -f pem -n ak.name
	run pcrextend -Q "$event_pcr:sha256=$(hex_sha256 /proc/cmdline)"
	run quote -Q -c ak.ctx -l "$quoted" -q "$(xxd -p -c 64 nonce.bin)" -g sha256 \
		-m quote.msg -s quote.sig -f plain -o quote.pcrs
	# The certificates of the RSA and the ECC endorsement key, where the profile's CA issued some.
	rm -f ./*.der ek-ecc-p256.pub evidence.bin
	run getcap handles-nv-index >indices
	if has 1C00002; then
		# The first is that of the RSA key; which the second is depends on the tool's version.
		run getekcertificate -Q -o ek-rsa2048.der
		read_index 1C0000A ek-ecc-p256.der
		run createek -Q -G ecc -c ek-ecc.ctx -u ek-ecc-p256.pub -f pem
	fi
	# Of the signing keys, where Google and Azure have them, and Azure's report.
	read_index 1C10000 ak-rsa2048.der
	read_index 1C10002 ak-ecc-p256.der
	read_index 1C101D0 ak-rsa2048.der
	if has 1400001; then
		# As on Azure: what the guest writes here is in the next report.
		has 1400002 || run nvdefine -Q -C o -s 64 0x1400002
		run nvwrite -Q -C o -i nonce.bin 0x1400002
	fi
	read_index 1400001 evidence.bin
	# REPORT_DATA of the SVSM's report, for a second report to try the verifier with.
	cat nonce.bin manifest.bin | sha512sum | cut -c 1-128 | xxd -r -p >binding.bin
}

activate() {
	run startauthsession -Q --policy-session -S session.ctx
	run policysecret -Q -S session.ctx -c endorsement
	run activatecredential -Q -c ak.ctx -C ek.ctx -i challenge.bin -o answer.bin \
		-P session:session.ctx
}

# The root is the host's word: this shows that the tools of any guest can do it, no more.
certificates() {
	for certificate in ./*.der; do
		openssl verify -CAfile ca.pem "$certificate" || {
			echo "openssl verify: $certificate is not by the authority"
			exit 1
		}
	done
}

case $step in
evidence) evidence ;;
activate) activate ;;
certificates) certificates ;;
*)
	echo "unknown step '$step'"
	exit 1
	;;
esac
