#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What a Debian does in distro_test.py: two lives of one machine, with a LUKS volume on its second disk. Each result is a
# line on the second serial port, as the kernel and systemd write into the first one; distro_test.py knows which must come.
#
#	lives [early]	early: before anything but the first file system could have loaded the TPM's driver
set -u
exec >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 -opost 2>/dev/null
export PATH=/usr/sbin:/usr/bin:/sbin:/bin TPM2TOOLS_TCTI=device:/dev/tpmrm0
disk=/dev/vdb
umask 077
kept=/var/lib/distro
life=1
[ ! -e $kept/recovery ] || life=2
log=/run/distro.log

say() {
	echo "@$life $*"
}

# result NAME COMMAND...: how it ended, and why not well.
result() {
	name=$1
	shift
	if "$@" >$log 2>&1; then
		say "ok $name"
	else
		say "not ok $name: $(tail -n 6 $log | tr '\n\r' '; ')"
	fi
}

# The command fails.
fails() {
	! "$@"
}

# The command fails and says so.
refuses() {
	words=$1
	shift
	if "$@" >/run/distro.said 2>&1; then
		echo "it did not fail"
		return 1
	fi
	grep -F -- "$words" /run/distro.said || {
		cat /run/distro.said
		return 1
	}
}

# ---- The volume ----

# By systemd's unit for the line in crypttab.
open_volume() {
	systemctl start systemd-cryptsetup@data.service && test -b /dev/mapper/data && return
	journalctl -b -u systemd-cryptsetup@data.service -o cat --no-pager | tail -n 6
	return 1
}

# The unit that the boot has started may still be at it.
gives_up() {
	for _ in $(seq 60); do
		[ "$(systemctl is-active systemd-cryptsetup@data.service)" = activating ] || break
		sleep 2
	done
	systemctl is-failed systemd-cryptsetup@data.service
}

holds() {
	head -c 512 /dev/mapper/data | grep -a "of the first launch"
}

close_volume() {
	systemctl stop systemd-cryptsetup@data.service && test ! -e /dev/mapper/data
}

make_volume() {
	mkdir -p $kept
	echo first >$kept/password
	cryptsetup luksFormat --batch-mode --uuid 50c1e000-0000-4000-8000-000000000001 --pbkdf pbkdf2 \
		--pbkdf-force-iterations 1000 $disk $kept/password &&
		systemd-cryptenroll --unlock-key-file=$kept/password --recovery-key $disk | tr -d '\n' >$kept/recovery &&
		systemd-cryptenroll --unlock-key-file=$kept/recovery --wipe-slot=password $disk &&
		echo "data UUID=50c1e000-0000-4000-8000-000000000001 none tpm2-device=auto,nofail,headless=true" \
			>/etc/crypttab &&
		systemctl daemon-reload
}

# By these PCRs alone: a policy of systemd-pcrlock's, which the first boot of an image may have made, is of another TPM then.
enroll() {
	systemd-cryptenroll --unlock-key-file=$kept/recovery --wipe-slot=tpm2 --tpm2-device=auto --tpm2-pcrlock= \
		--tpm2-pcrs="$1" $disk
}

fill_volume() {
	echo "of the first launch" | dd of=/dev/mapper/data conv=fsync
}

open_by_recovery_key() {
	systemd-cryptsetup attach data $disk $kept/recovery || return 1
	holds
	held=$?
	systemd-cryptsetup detach data && return $held
}

extend() {
	tpm2_pcrextend "$1:sha256=2222222222222222222222222222222222222222222222222222222222222222"
}

# ---- Agents in containers ----

nonce=$(printf '5a%.0s' $(seq 64))
requests=/sys/kernel/config/svsm/attest

# A system with nothing but the agent, which has no libraries. Not in /run: nothing there may be executed.
make_container() {
	mkdir -p "$1/usr/bin" "$1/out" "$1/etc" && cp /usr/bin/socle-guest "$1/usr/bin/"
}

# contain FOLDER OPTION... -- WORD...: the agent as process 1 there.
contain() {
	folder=$1
	shift
	systemd-nspawn --quiet --register=no --directory="$folder" "$@"
}

attest_in() {
	contain "$1" --bind=/sys/kernel/config --bind=/dev/tpmrm0 /usr/bin/socle-guest attest "$2" "$3" \
		--nonce "$nonce" -o /out
}

# A signing key of RSA-3072 (TPMT_PUBLIC) with this number as its unique field: the TPM searches seconds for its primes.
make_template() {
	perl -e 'print pack "H*", shift' 0001000b00050072000000100014000b0c00000000000004"$(printf %08x "$2")" \
		>"$1/out/template"
}

two_at_once() {
	make_template /var/c1 1 && make_template /var/c2 2 || return 1
	attest_in /var/c1 --template /out/template >/run/c1.log 2>&1 &
	one=$!
	attest_in /var/c2 --template /out/template >/run/c2.log 2>&1 &
	two=$!
	most=0
	while kill -0 $one 2>/dev/null && kill -0 $two 2>/dev/null; do
		set -- $requests/*
		[ ! -d "$1" ] || [ $# -le $most ] || most=$#
	done
	wait $one && wait $two || {
		cat /run/c1.log /run/c2.log
		return 1
	}
	cmp /var/c1/out/nonce.bin /var/c2/out/nonce.bin && [ -s /var/c1/out/report.bin ] && [ -s /var/c2/out/report.bin ] ||
		return 1
	[ $most -eq 2 ] || {
		echo "$most requests at once"
		return 1
	}
}

# In the middle of its request, whose folder stays, and the next one removes it.
killed_and_again() {
	make_template /var/c1 3 || return 1
	attest_in /var/c1 --template /out/template >/run/c1.log 2>&1 &
	one=$!
	set -- $requests/*
	while [ ! -d "$1" ] && kill -0 $one 2>/dev/null; do
		set -- $requests/*
	done
	pkill -KILL -x socle-guest || return 1
	wait $one
	[ -d "$1" ] || {
		echo "it left no folder"
		return 1
	}
	attest_in /var/c1 --key ak-ecc-p256 && [ ! -d "$1" ]
}

# ---- COCONUT's release tests: what its test plan has of a Linux guest's TPM ----

seal() {
	cd /run && echo "a secret of this guest" >secret && tpm2_createprimary -Q -c primary.ctx &&
		tpm2_create -Q -C primary.ctx -i secret -u seal.pub -r seal.priv "$@" &&
		tpm2_load -Q -C primary.ctx -u seal.pub -r seal.priv -c seal.ctx
}

unseals() {
	cd /run && tpm2_unseal -c seal.ctx "$@" >unsealed && cmp unsealed secret
}

seal_to_pcrs() {
	cd /run && tpm2_pcrread -Q -o pcrs sha256:0,1,2,3 &&
		tpm2_createpolicy -Q --policy-pcr -l sha256:0,1,2,3 -f pcrs -L policy && seal -L policy
}

log_names_a_program() {
	tpm2_eventlog /sys/kernel/security/tpm0/binary_bios_measurements >/run/events &&
		grep EV_EFI_BOOT_SERVICES_APPLICATION /run/events
}

# By the stock interface, with COCONUT's manifest: the endorsement key, which tpm2_createek makes again.
report_binds_the_key() {
	request=/sys/kernel/config/tsm/report/release
	cd /run && mkdir -p $request && head -c 64 /dev/zero | tr '\0' '\377' >nonce && cat nonce >$request/inblob &&
		echo svsm >$request/service_provider &&
		echo c476f1eb-0123-45a5-9641-b4e7dde5bfe3 >$request/service_guid &&
		cat $request/outblob >report && cat $request/manifestblob >manifest && rmdir $request &&
		tpm2_createek -Q -c ek.ctx -G rsa -u ek.pub && tail -c +3 ek.pub | cmp - manifest || return 1
	bound=$(tail -c +81 report | head -c 64 | od -An -v -tx1 | tr -d ' \n')
	[ "$bound" = "$(cat nonce manifest | sha512sum | cut -d' ' -f1)" ]
}

# ---- The lives ----

pcr() {
	say "pcr $1 $(cat /sys/class/tpm/tpm0/pcr-sha256/"$1")"
}

first_life() {
	say "# pcrlock $(ls -l /var/lib/systemd/pcrlock.json)"
	say "# failed units: $(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1 | tr '\n' ' ')"
	say "# $(dmesg | grep -m 1 'ima: ' | cut -d']' -f2)"
	pcr 7
	pcr 11
	result "LUKS: a volume with a recovery key" make_volume
	result "LUKS: enrolled to PCR 7" enroll 7
	result "LUKS: opened by crypttab" open_volume
	result "LUKS: filled" fill_volume
	result "LUKS: closed" close_volume
	result "LUKS: opened again in the same launch" open_volume
	result "LUKS: and holds what it held" holds
	result "LUKS: closed again" close_volume

	result "COCONUT: seal" seal
	result "COCONUT: unseal" unseals
	result "COCONUT: seal with PCRs" seal_to_pcrs
	result "COCONUT: unseal with PCRs" unseals -p pcr:sha256:0,1,2,3
	result "COCONUT: self test" tpm2_selftest -f
	result "COCONUT: event log" log_names_a_program
	result "COCONUT: report" report_binds_the_key

	make_container /var/c1
	make_container /var/c2
	result "agent: two containers at once, as process 1" two_at_once
	result "agent: killed in its request, and started again" killed_and_again
	result "agent: says that configfs is not mounted" refuses "configfs is not mounted" \
		contain /var/c1 /usr/bin/socle-guest attest --key ak-ecc-p256 --nonce "$nonce" -o /out
	result "agent: says what is read-only" refuses "Read-only file system" \
		contain /var/c1 --bind-ro=/sys/kernel/config /usr/bin/socle-guest attest --key ak-ecc-p256 --nonce "$nonce" -o /out
	result "agent: says that there is no TPM" refuses "/dev/tpmrm0" \
		contain /var/c1 /usr/bin/socle-guest quote --key ak-ecc-p256 --nonce "$nonce" -o /out

	result "COCONUT: PCR 3 extended" extend 3
	result "COCONUT: not unsealed any more" fails tpm2_unseal -c /run/seal.ctx -p pcr:sha256:0,1,2,3
	result "LUKS: PCR 7 extended" extend 7
	result "LUKS: not opened any more" fails open_volume
	result "LUKS: by the recovery key" open_by_recovery_key
	result "phase units: masked" systemctl mask systemd-pcrphase-sysinit.service systemd-pcrphase.service \
		systemd-pcrphase-initrd.service systemd-pcrmachine.service systemd-pcrfs-root.service systemd-pcrextend.socket
	say end
	sync
	systemctl reboot
}

second_life() {
	say "# pcrlock $(ls -l /var/lib/systemd/pcrlock.json)"
	say "# failed units: $(systemctl list-units --failed --plain --no-legend | cut -d' ' -f1 | tr '\n' ' ')"
	pcr 7
	pcr 11
	result "LUKS: crypttab's unit gives up after a reboot" gives_up
	result "LUKS: and has not opened it" fails test -e /dev/mapper/data
	journalctl -b -u systemd-cryptsetup@data.service -o cat --no-pager | tail -n 6 | while read -r line; do
		say "# $line"
	done
	result "LUKS: by the recovery key" open_by_recovery_key
	result "LUKS: enrolled to PCR 11" enroll 11
	result "LUKS: opened by crypttab" open_volume
	result "LUKS: and holds what it held" holds
	result "LUKS: closed" close_volume
	result "LUKS: opened again in the same launch" open_volume
	result "LUKS: closed again" close_volume
	result "LUKS: PCR 11 extended" extend 11
	result "LUKS: not opened any more" fails open_volume
	say end
	sync
	systemctl poweroff
}

if [ "${1:-}" = early ]; then
	result "TPM: has-tpm2 before udev" systemd-analyze has-tpm2
	tr '\n' ' ' <$log | sed "s/^/@$life # has-tpm2: /"
	echo
	exit
fi
if [ $life = 1 ]; then
	first_life
else
	second_life
fi
