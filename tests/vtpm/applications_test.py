#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applications that use a TPM, unmodified, each against swtpm and against `socle vtpm serve` in the same
shape: what works with the one works with the other. docs/vtpm-serve.md has a table of what each needs.

    applications_test.py SOCLE PROFILE_DIR [--work DIR] [--only WORD]... [--verbose]

Those that Debian 12 does not have come by their languages' own commands (go, cargo, pip) into DIR; what is not
to be had is skipped by name. --only takes those whose names have the word in them.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import MANAGER, World, managed, swtpm  # noqa: E402

result = Results("vtpm applications")

HERE = Path(__file__).resolve().parent
TIME_S = 900  # against a hang
BUILD_S = 3600
PROVIDER = "/usr/lib/x86_64-linux-gnu/ossl-modules/tpm2.so"
PKCS11 = "/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1"


class Missing(Exception):
    """What an application needs and is not there."""


@dataclasses.dataclass
class Application:
    """script ends with 0 when all of it works. It finds the TPM by $TCTI, and by $SOCKET, which takes raw commands;
    manager puts tpm2-abrmd between, certified gives the TPM certificates of its endorsement keys before, by an
    authority whose own certificates are in $AUTHORITY: ours, or one of OpenSSL's and swtpm_cert's with an RSA key
    where the word is RSA (swtpm_setup's has one always). fetch is a language's command and what it is to get."""

    name: str
    needs: list
    script: str
    manager: bool = False
    certified: str = ""
    fetch: tuple = ()


DISK = """
truncate -s 24M disk && printf pass >passphrase
cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 disk passphrase"""
APPLICATIONS = (
    Application("tpm2-tools, a key", ["tpm2_createprimary"], """
tpm2_createprimary -Q -C o -c primary.ctx && tpm2_create -Q -C primary.ctx -G ecc256:ecdsa-sha256 -u key.pub \\
	-r key.priv -c key.ctx
echo message >message && tpm2_flushcontext -t && tpm2_sign -Q -c key.ctx -g sha256 -o signature message
tpm2_flushcontext -t && tpm2_verifysignature -Q -c key.ctx -g sha256 -m message -s signature"""),
    Application("tpm2-tools, a secret sealed to PCRs", ["tpm2_createpolicy"], """
echo secret >secret
tpm2_createpolicy -Q --policy-pcr -l sha256:16 -L policy
tpm2_createprimary -Q -C o -c primary.ctx && tpm2_create -Q -C primary.ctx -i secret -L policy -u u -r r -c sealed.ctx
tpm2_flushcontext -t && [ "$(tpm2_unseal -c sealed.ctx -p pcr:sha256:16)" = secret ]
tpm2_flushcontext -t && tpm2_pcrextend 16:sha256=$(printf %064d 1) && ! tpm2_unseal -c sealed.ctx -p pcr:sha256:16"""),
    Application("tpm2-openssl, RSA", [PROVIDER], """
openssl genpkey -provider tpm2 -propquery provider=tpm2 -algorithm RSA -pkeyopt bits:2048 -out key.pem
openssl pkey -provider tpm2 -provider base -in key.pem -pubout -out public.pem
echo message | openssl dgst -sha256 -binary >digest
openssl pkeyutl -provider tpm2 -provider base -sign -inkey key.pem -in digest -pkeyopt digest:sha256 -out signature
openssl pkeyutl -verify -pubin -inkey public.pem -in digest -pkeyopt digest:sha256 -sigfile signature"""),
    Application("tpm2-openssl, EC", [PROVIDER], """
openssl genpkey -provider tpm2 -propquery provider=tpm2 -algorithm EC -pkeyopt group:P-256 -out key.pem
openssl req -provider tpm2 -provider default -propquery '?provider=tpm2' -x509 -key key.pem -subj /CN=tpm \\
	-out certificate.pem
openssl verify -CAfile certificate.pem certificate.pem"""),
    Application("clevis", ["clevis-encrypt-tpm2", "jose"], """
echo secret | clevis encrypt tpm2 '{"pcr_bank":"sha256","pcr_ids":"16"}' >secret.jwe
tpm2_flushcontext -t && [ "$(clevis decrypt <secret.jwe)" = secret ]"""),
    Application("clevis, a LUKS disk", ["clevis-luks-bind", "clevis-encrypt-tpm2", "cryptsetup"], DISK + """
clevis luks bind -y -k passphrase -d disk tpm2 '{"pcr_bank":"sha256","pcr_ids":"16"}'
tpm2_flushcontext -t && clevis luks pass -d disk -s 1 >unsealed
cryptsetup open --test-passphrase --key-file unsealed disk"""),
    Application("parsec", ["parsec", "parsec-tool"], """
cat >config.toml <<END
[core_settings]
allow_root = true
[listener]
listener_type = "DomainSocket"
timeout = 10000
socket_path = "$PWD/socket"
[authenticator]
auth_type = "UnixPeerCredentials"
[[key_manager]]
name = "keys"
manager_type = "SQLite"
sqlite_db_path = "$PWD/keys.sqlite3"
[[provider]]
provider_type = "Tpm"
key_info_manager = "keys"
tcti = "$TCTI"
owner_hierarchy_auth = ""
END
parsec --config config.toml & service=$!
trap 'kill $service; wait $service || true' EXIT
export PARSEC_SERVICE_ENDPOINT=unix:$PWD/socket
until parsec-tool -t 60 ping; do kill -0 $service; sleep 0.1; done
tool="parsec-tool -t 60 -p 3"
$tool generate-random --nbytes 16
$tool create-rsa-key --key-name rsa --for-signing && $tool create-ecc-key --key-name ecc
$tool create-rsa-key --key-name secret
for key in rsa ecc; do
	$tool export-public-key --key-name $key >$key.pem && $tool sign --key-name $key message | base64 -d >signature
	printf message | openssl dgst -sha256 -verify $key.pem -signature signature
	$tool create-csr --key-name $key --cn test | openssl req -verify -noout
done
[ "$($tool decrypt --key-name secret "$($tool encrypt --key-name secret message)")" = message ]
$tool delete-key --key-name ecc && ! $tool sign --key-name ecc message""",
                fetch=("cargo", "parsec-service@1.5.0 --no-default-features --features "
                       "tpm-provider,unix-peer-credentials-authenticator", "parsec-tool@0.7.0")),
    # The last version with an agent in Python. All parts are here, and the tenant asks for a certified key; of
    # authorities it knows those with RSA keys.
    Application("keylime", ["keylime_agent", "unshare"], """
said() { for _ in $(seq 1500); do ! grep -q "$1" "$2" || return 0; sleep 0.1; done; tail -n 3 "$2"; return 1; }
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE
mkdir -p keylime/store && cp $AUTHORITY/*.pem keylime/store && echo payload >payload
ports=$((20000 + RANDOM % 8000))
sed -e "s/= 8890$/= $ports/; s/= 8891$/= $((ports + 1))/; s/= 8881$/= $((ports + 2))/" \
	-e "s/= 9002$/= $((ports + 3))/; s/= 8992$/= $((ports + 4))/; s/^tpm_hash_alg = .*/tpm_hash_alg = sha256/" \
	-e "s,^tpm_cert_store = .*,tpm_cert_store = $PWD/keylime/store/," \
	$PROGRAMS/../python/lib/python3*/site-packages/keylime/keylime.conf >keylime.conf
export KEYLIME_DIR=$PWD/keylime KEYLIME_CONFIG=$PWD/keylime.conf
agent=$(sed -n 's/^agent_uuid = //p' keylime.conf)
started= && cd keylime
start() { keylime_$1 >../$1.log 2>&1 & started="$started $!"; said "$2" ../$1.log; }
start verifier 'Starting server of process'
start registrar 'Starting Cloud Registrar'
start agent 'Registration activated'
! grep 'did not submit an ekcert' ../registrar.log
said "Starting Cloud Agent" ../agent.log
keylime_tenant -c add -t 127.0.0.1 -u $agent -f ../payload
for _ in $(seq 200); do ! keylime_tenant -c status -u $agent 2>&1 | grep '"Get Quote"' || break; sleep 1; done
keylime_tenant -c status -u $agent 2>&1 | grep '"Get Quote"'
cmp ../payload "$(find . -name decrypted_payload)"
kill $started""", certified="RSA",
                fetch=("pip", "keylime==6.4.3", "cryptography==37.0.4")),
    Application("FAPI", ["tss2_provision"], """
tss2_provision && tss2_createkey -p HS/SRK/key -t sign,noDa -a ''
head -c 32 /dev/zero >digest && tss2_sign -p HS/SRK/key -d digest -o signature -f &&
	tss2_verifysignature -p HS/SRK/key -d digest -i signature
tss2_getrandom -n 16 -o random -f && tss2_createseal -p HS/SRK/sealed -t noDa -a '' -i digest &&
	tss2_unseal -p HS/SRK/sealed -o out -f && cmp out digest"""),
    Application("tpm2-pkcs11 with OpenSSH", ["tpm2_ptool", PKCS11, "ssh-agent", "tpm2-abrmd"], """
tpm2_ptool init && tpm2_ptool addtoken --pid 1 --sopin sopin --userpin userpin --label token
tpm2_ptool addkey --algorithm ecc256 --label token --userpin userpin
ssh-keygen -D $PKCS11 >listed.pub
printf '#!/bin/sh\\necho userpin\\n' >ask && chmod +x ask
ssh-agent -P '/usr/lib/*' sh -ec '
	SSH_ASKPASS=$PWD/ask SSH_ASKPASS_REQUIRE=force ssh-add -s $PKCS11
	ssh-add -L >agent.pub && echo message >message && ssh-keygen -Y sign -f agent.pub -n file message'
echo "me $(cut -d " " -f 1,2 listed.pub)" >allowed
ssh-keygen -Y verify -f allowed -I me -n file -s message.sig <message""", manager=True),
    Application("tpm2-pkcs11 with OpenSC", ["tpm2_ptool", PKCS11, "pkcs11-tool", "tpm2-abrmd"], """
tpm2_ptool init && tpm2_ptool addtoken --pid 1 --sopin sopin --userpin userpin --label token
tpm2_ptool addkey --algorithm rsa2048 --label token --userpin userpin --id 01
tool="pkcs11-tool --module $PKCS11 --token-label token --login --pin userpin"
echo message >message && $tool --sign --mechanism SHA256-RSA-PKCS --input-file message --output-file signature
$tool --read-object --type pubkey --label "" --output-file public.der || $tool --read-object --type pubkey --id $(
	$tool --list-objects --type pubkey | sed -n 's/^ *ID: *//p') --output-file public.der
openssl dgst -sha256 -verify public.der -keyform DER -signature signature message""", manager=True),
    Application("systemd-creds", ["systemd-creds"], """
echo secret | systemd-creds --tpm2-device=$TCTI --with-key=tpm2 --tpm2-pcrs=16 --name=it encrypt - credential
[ "$(systemd-creds --tpm2-device=$TCTI --name=it decrypt credential -)" = secret ]
tpm2_pcrextend 16:sha256=$(printf %064d 1) && ! systemd-creds --tpm2-device=$TCTI --name=it decrypt credential -"""),
    # cryptsetup's token finds no TPM that is not in /sys; so the disk is opened by tpm2-tools from what the token has.
    Application("systemd-cryptenroll", ["systemd-cryptenroll", "cryptsetup", "jq"], DISK + """
PASSWORD=pass systemd-cryptenroll --tpm2-device=$TCTI --tpm2-pcrs=16 disk
cryptsetup token export --token-id 0 disk >token && jq -r '."tpm2-blob"' token | base64 -d >blob
size=$((16#$(head -c 2 blob | xxd -p) + 2)) && head -c $size blob >private && tail -c +$((size + 1)) blob >public
tpm2_createprimary -Q -C o -G ecc -c primary.ctx && tpm2_load -Q -C primary.ctx -u public -r private -c sealed.ctx
tpm2_flushcontext -t && tpm2_unseal -c sealed.ctx -p pcr:sha256:16 | base64 -w 0 >unsealed
cryptsetup open --test-passphrase --key-slot 1 --key-file unsealed disk"""),
    Application("tpm2-initramfs-tool", ["tpm2-initramfs-tool"], """
tpm2-initramfs-tool seal -T $TCTI --data secret --banks SHA256 --pcrs 16
[ "$(tpm2-initramfs-tool unseal -T $TCTI --banks SHA256 --pcrs 16)" = secret ]"""),
    Application("gotpm", ["gotpm"], """
tool="gotpm --tpm-path $SOCKET"
for algorithm in rsa ecc; do
	$tool pubkey owner --algo $algorithm --output $algorithm.pem && openssl pkey -pubin -in $algorithm.pem -noout
	$tool pubkey endorsement --algo $algorithm --output ek.pem && openssl pkey -pubin -in ek.pem -noout
	echo secret | $tool seal --algo $algorithm --pcrs 16 --output sealed
	[ "$($tool unseal --pcrs 16 --input sealed)" = secret ]
done
$tool read pcr --hash-algo sha256
tpm2_pcrextend 16:sha256=$(printf %064d 1) && ! $tool unseal --pcrs 16 --input sealed""",
                fetch=("go", "github.com/google/go-tpm-tools/cmd/gotpm@v0.3.1")),
    Application("go-attestation", ["applications"], "applications attestation $SOCKET .", certified="P-384",
                fetch=("go", "")),
    Application("step's TPM (tpmkms)", ["applications"], "applications step $SOCKET .", fetch=("go", "")),
    Application("go-tpm-keyfiles", ["applications"], "applications keyfile $SOCKET .", fetch=("go", "")),
)


def commands_for(kind, what, work):
    """How one thing is got, and what is there then."""
    name = what.split("@")[0].rsplit("/", 1)[-1]
    if kind == "cargo":
        return [["cargo", "install", "--quiet", "--profile", "dev", "--root", work, *what.split()]], (
            work / "bin" / name.removesuffix("-service"))
    if kind == "pip":
        # Debian's Python, for its packages; none of them is changed.
        python = work / "python"
        return [["/usr/bin/python3", "-m", "venv", "--system-site-packages", python],
                [python / "bin/pip", "install", "--quiet", "--no-deps", what],
                ["touch", python / what]], python / what
    if what:
        return [["go", "install", what]], work / "bin" / name
    # The versions are those of go.mod; the rest is found by go.
    shutil.copytree(HERE / "go_applications", work / "go", dirs_exist_ok=True)
    return [["go", "mod", "tidy"], ["go", "build", "-o", work / "bin/", "."]], None


def fetched(how, work):
    """What the application needs beside Debian's packages, in work/bin and work/python/bin."""
    kind, *all_of_it = how
    if not shutil.which(kind):
        raise Missing(f"no {kind}")
    environment = dict(os.environ, GOBIN=str(work / "bin"), CARGO_TARGET_DIR=str(work / "target"))
    for what in all_of_it:
        commands, made = commands_for(kind, what, work)
        if made and made.exists():
            continue
        with open(work / "fetch.log", "a", encoding="utf-8") as out:
            for command in commands:
                if subprocess.run(list(map(str, command)), cwd=work / "go", env=environment, stdout=out, stderr=out,
                                  stdin=subprocess.DEVNULL, timeout=BUILD_S, check=False).returncode:
                    raise Missing(f"{kind} could not get {what or 'what go.mod names'}: see {out.name}")


class Kinds:
    """The two TPMs, each new, in swtpm's shape, and with certificates where an application wants them."""

    def __init__(self, socle, profiles, work):
        self.socle, self.work = socle, work
        self.world = World(socle, profiles, work)

    def new(self):
        return Path(tempfile.mkdtemp(dir=self.work))

    @contextlib.contextmanager
    def swtpm(self, certified):
        folder = self.new()
        if certified:
            (folder / "swtpm").mkdir()
            self.set_swtpm_up(folder)
        with swtpm(folder, "--flags", "not-need-init,startup-clear") as port:
            yield port, folder / "authority"

    @staticmethod
    def set_swtpm_up(folder):
        authority = folder / "authority"
        authority.mkdir()
        (folder / "localca.conf").write_text(
            f"statedir = {authority}\nsigningkey = {authority}/key\nissuercert = {authority}/issuer.pem\n"
            f"certserial = {authority}/serial\n")
        (folder / "localca.options").write_text("--platform-manufacturer test\n--platform-version 1\n"
                                                "--platform-model test\n")
        (folder / "setup.conf").write_text(
            f"create_certs_tool = {shutil.which('swtpm_localca')}\n"
            f"create_certs_tool_config = {folder}/localca.conf\n"
            f"create_certs_tool_options = {folder}/localca.options\n")
        subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", folder / "swtpm", "--config", folder / "setup.conf",
                        "--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--pcr-banks", "-"],
                       capture_output=True, check=True)

    @contextlib.contextmanager
    def ours(self, certified):
        folder = self.new()
        state = []
        if certified:
            state = ["--state", folder / "tpm"]
            self.certify(folder, certified)
        with self.world.served("--swtpm", "--flags", "startup-clear", *state, profile="suite") as it:
            yield it.port, folder / "authority"

    def certify(self, folder, by):
        ca, keys, made = (folder / name for name in ("authority", "keys", "certificates"))
        tpm = ["--profile", self.world.profiles / "suite.conf", "--state", folder / "tpm"]
        self.do(self.socle, "vtpm", "keys", *tpm, "-o", keys)
        if by == "RSA":
            pem = self.do("tpm2_print", "-t", "TPM2B_PUBLIC", "-f", "pem", keys / "ek-rsa2048.pub")
            (keys / "ek-rsa2048.pem").write_bytes(pem)
            ca.mkdir()
            made.mkdir()
            self.do("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", ca / "ca.key", "-subj",
                    "/CN=authority", "-out", ca / "ca.pem")
            self.do("swtpm_cert", "--tpm2", "--type", "ek", "--pubkey", keys / "ek-rsa2048.pem", "--signkey",
                    ca / "ca.key", "--issuercert", ca / "ca.pem", "--out-cert", folder / "ek.pem", "--days", "100",
                    "--serial", "1", "--subject", "CN=tpm", "--tpm-manufacturer", "id:49424D00", "--tpm-model", "test",
                    "--tpm-version", "id:20191023", "--tpm-spec-family", "2.0", "--tpm-spec-level", "0",
                    "--tpm-spec-revision", "164")
            self.do("openssl", "x509", "-in", folder / "ek.pem", "-outform", "DER", "-out", made / "ek-rsa2048.der")
        else:
            self.do(self.socle, "ca", "init", ca)
            self.do(self.socle, "ca", "certify", "--platform", "ek-rsa2048", "-o", made, ca, keys)
        self.do(self.socle, "vtpm", "certify", *tpm, made)

    @staticmethod
    def do(*words):
        return subprocess.run([str(word) for word in words], capture_output=True, check=True).stdout


def fapi_config(folder, tcti):
    """FAPI's own, with its stores here; no certificate of the endorsement key is looked for."""
    config = {"profile_name": "P_ECCP256SHA256", "profile_dir": "/etc/tpm2-tss/fapi-profiles/",
              "user_dir": str(folder / "user"), "system_dir": str(folder / "system"), "log_dir": str(folder / "log"),
              "tcti": tcti, "system_pcrs": [], "ek_cert_less": "yes"}
    for name in ("user", "system", "log"):
        (folder / name).mkdir()
    (folder / "fapi.json").write_text(json.dumps(config))


@contextlib.contextmanager
def raw_socket(path, port):
    """A Unix socket in front of the TPM's port."""
    process = subprocess.Popen(["socat", f"UNIX-LISTEN:{path},fork", f"TCP:127.0.0.1:{port}"])
    try:
        for _ in range(100):
            if path.exists():
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def path_of(work):
    return f"{work / 'bin'}:{os.environ['PATH']}:/usr/sbin:/sbin:{work / 'python/bin'}"  # cryptsetup


def run(application, port, authority, programs):
    """(whether it worked, the last lines that it said)"""
    behind = f"swtpm:host=127.0.0.1,port={port}"
    tcti = MANAGER if application.manager else behind
    command = ["bash", "-e", "-o", "pipefail", "-c", application.script]
    if application.manager:
        command = managed(behind, *command)
    if "unshare" in application.needs:
        command = ["unshare", "--mount", *command]
    with tempfile.TemporaryDirectory() as folder:
        fapi_config(Path(folder), tcti)
        environment = dict(os.environ, TCTI=tcti, TPM2TOOLS_TCTI=tcti, TPM2OPENSSL_TCTI=tcti, TPM2_PKCS11_TCTI=tcti,
                           TPM2_PKCS11_STORE=f"{folder}/store", PKCS11=PKCS11, SYSTEMD_TPM2_DEVICE=tcti,
                           SOCKET=f"{folder}/tpm", TSS2_LOG="all+none", TSS2_FAPICONF=f"{folder}/fapi.json",
                           AUTHORITY=str(authority), PROGRAMS=str(programs), PATH=path_of(programs.parent))
        (Path(folder) / "store").mkdir()
        log = Path(folder) / "said"
        with raw_socket(Path(folder) / "tpm", port), open(log, "wb") as out:
            worked = ended_well(command, cwd=folder, env=environment, stdout=out)
        return worked, log.read_text(errors="replace").strip()


def ended_well(command, **more):
    """Whether it ended with 0 in time; whatever it left running is gone afterwards."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True,
                               **more)
    try:
        return process.wait(timeout=TIME_S) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def missing_of(application, work):
    """Why it cannot be tried, or None."""
    try:
        if application.fetch:
            fetched(application.fetch, work)
    except Missing as reason:
        return str(reason)
    missing = [need for need in application.needs
               if not shutil.which(need, path=path_of(work)) and not Path(need).exists()]
    return f"no {' '.join(missing)}" if missing else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("socle", type=os.path.abspath)
    parser.add_argument("profiles", type=os.path.abspath)
    parser.add_argument("--work", type=Path, default=Path("build/applications"))
    parser.add_argument("--only", action="append", metavar="WORD")
    parser.add_argument("--verbose", action="store_true", help="what the applications say")
    options = parser.parse_args()
    work = options.work.resolve()
    (work / "go").mkdir(parents=True, exist_ok=True)
    table = []
    with tempfile.TemporaryDirectory() as folder:
        kinds = Kinds(options.socle, options.profiles, Path(folder))
        for application in APPLICATIONS:
            name = application.name
            if options.only and not any(word in name for word in options.only):
                continue
            if reason := missing_of(application, work):
                result.skip(name, reason)
                continue
            outcomes = []
            for tpm in (kinds.swtpm, kinds.ours):
                with tpm(application.certified) as (port, authority):
                    worked, said = run(application, port, authority, work / "bin")
                outcomes.append(worked)
                if options.verbose:
                    print(said)
            table.append((name, *outcomes))
            if any(outcomes):
                result(outcomes[1], f"{name}: swtpm {outcomes[0]}, ours {outcomes[1]}", said[-600:])
            else:
                result(False, f"{name}: works with neither", said[-600:])
    print(f"{'application':48} swtpm ours")
    for name, theirs, mine in table:
        print(f"{name:48} {'works' if theirs else 'fails':5} {'works' if mine else 'fails'}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
