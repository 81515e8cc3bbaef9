#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Applications that use a TPM, unmodified, each against swtpm and against `socle vtpm serve` in the same
shape: what works with the one works with the other. docs/vtpm-serve.md has a table of what each needs.

    applications_test.py SOCLE PROFILE_DIR
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from results import Results  # noqa: E402
from served import World, swtpm  # noqa: E402

result = Results("vtpm applications")

TIME_S = 180
PROVIDER = "/usr/lib/x86_64-linux-gnu/ossl-modules/tpm2.so"
# Name, what has to be there, and a script that ends with 0 when all of it works.
APPLICATIONS = (
    ("tpm2-tools, a key", ["tpm2_createprimary"], """
tpm2_createprimary -Q -C o -c primary.ctx && tpm2_create -Q -C primary.ctx -G ecc256:ecdsa-sha256 -u key.pub -r key.priv -c key.ctx
echo message >message && tpm2_flushcontext -t && tpm2_sign -Q -c key.ctx -g sha256 -o signature message
tpm2_flushcontext -t && tpm2_verifysignature -Q -c key.ctx -g sha256 -m message -s signature"""),
    ("tpm2-tools, a secret sealed to PCRs", ["tpm2_createpolicy"], """
echo secret >secret
tpm2_createpolicy -Q --policy-pcr -l sha256:16 -L policy
tpm2_createprimary -Q -C o -c primary.ctx && tpm2_create -Q -C primary.ctx -i secret -L policy -u u -r r -c sealed.ctx
tpm2_flushcontext -t && [ "$(tpm2_unseal -c sealed.ctx -p pcr:sha256:16)" = secret ]
tpm2_flushcontext -t && tpm2_pcrextend 16:sha256=$(printf %064d 1) && ! tpm2_unseal -c sealed.ctx -p pcr:sha256:16"""),
    ("tpm2-openssl, RSA", [PROVIDER], """
openssl genpkey -provider tpm2 -propquery provider=tpm2 -algorithm RSA -pkeyopt bits:2048 -out key.pem
openssl pkey -provider tpm2 -provider base -in key.pem -pubout -out public.pem
echo message | openssl dgst -sha256 -binary >digest
openssl pkeyutl -provider tpm2 -provider base -sign -inkey key.pem -in digest -pkeyopt digest:sha256 -out signature
openssl pkeyutl -verify -pubin -inkey public.pem -in digest -pkeyopt digest:sha256 -sigfile signature"""),
    ("tpm2-openssl, EC", [PROVIDER], """
openssl genpkey -provider tpm2 -propquery provider=tpm2 -algorithm EC -pkeyopt group:P-256 -out key.pem
openssl req -provider tpm2 -provider default -propquery '?provider=tpm2' -x509 -key key.pem -subj /CN=tpm -out certificate.pem
openssl verify -CAfile certificate.pem certificate.pem"""),
    ("clevis", ["clevis-encrypt-tpm2", "jose"], """
echo secret | clevis encrypt tpm2 '{"pcr_bank":"sha256","pcr_ids":"16"}' >secret.jwe
tpm2_flushcontext -t && [ "$(clevis decrypt <secret.jwe)" = secret ]"""),
    ("FAPI", ["tss2_provision"], """
tss2_provision && tss2_createkey -p HS/SRK/key -t sign,noDa -a ''
head -c 32 /dev/zero >digest && tss2_sign -p HS/SRK/key -d digest -o signature -f && tss2_verifysignature -p HS/SRK/key -d digest -i signature
tss2_getrandom -n 16 -o random -f && tss2_createseal -p HS/SRK/sealed -t noDa -a '' -i digest && tss2_unseal -p HS/SRK/sealed -o out -f && cmp out digest"""),
)


@contextlib.contextmanager
def ours(world):
    with world.served("--swtpm", "--flags", "startup-clear", profile="suite") as it:
        yield it.port


def fapi_config(folder, tcti):
    """FAPI's own, with its stores here; no certificate of the endorsement key is looked for."""
    config = {"profile_name": "P_ECCP256SHA256", "profile_dir": "/etc/tpm2-tss/fapi-profiles/",
              "user_dir": str(folder / "user"), "system_dir": str(folder / "system"), "log_dir": str(folder / "log"),
              "tcti": tcti, "system_pcrs": [], "ek_cert_less": "yes"}
    for name in ("user", "system", "log"):
        (folder / name).mkdir()
    (folder / "fapi.json").write_text(json.dumps(config))


def run(script, port):
    """(whether it worked, the last line that it said)"""
    tcti = f"swtpm:host=127.0.0.1,port={port}"
    with tempfile.TemporaryDirectory() as folder:
        fapi_config(Path(folder), tcti)
        environment = dict(os.environ, TPM2TOOLS_TCTI=tcti, TPM2OPENSSL_TCTI=tcti, TSS2_LOG="all+none",
                           TSS2_FAPICONF=str(Path(folder) / "fapi.json"))
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=folder, env=environment, text=True,
                              capture_output=True, timeout=TIME_S, check=False)
        subprocess.run(["tpm2_flushcontext", "-t"], env=environment, capture_output=True, check=False)
    return done.returncode == 0, (done.stderr + done.stdout).strip()[-300:]


def main():
    socle, profiles = sys.argv[1:3]
    table = []
    with tempfile.TemporaryDirectory() as work:
        world = World(socle, profiles, Path(work))
        for name, needs, script in APPLICATIONS:
            missing = [need for need in needs if not shutil.which(need) and not Path(need).exists()]
            if missing:
                result.skip(name, f"no {' '.join(missing)}")
                continue
            state = Path(tempfile.mkdtemp(dir=work))
            with swtpm(state, "--flags", "not-need-init,startup-clear") as port:
                theirs = run(script, port)
            with ours(world) as port:
                mine = run(script, port)
            table.append((name, theirs[0], mine[0]))
            result(mine[0] or not theirs[0], f"{name}: swtpm {theirs[0]}, ours {mine[0]}", mine[1])
    print(f"{'application':40} swtpm ours")
    for name, theirs, mine in table:
        print(f"{name:40} {'works' if theirs else 'fails':5} {'works' if mine else 'fails'}")
    return result.finish()


if __name__ == "__main__":
    sys.exit(main())
