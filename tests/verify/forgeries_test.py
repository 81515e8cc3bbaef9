#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Both verifiers over what somebody forged who can sign (forgeries.py): any difference between them fails,
in the verdict or in the checks that fail, and so does a verdict other than the rules want.

    forgeries_test.py SOCLE [STRIDE]

STRIDE, 1 at first: every so many bytes of quotes, manifests, selectors and contexts."""

import json
import sys
import tempfile
from pathlib import Path

import forgeries
import verify_test as common
from chains import Chain
from evidence import mine, own

DEPTHS = {"full": [], "keys": ["--keys-only"], "report": ["--report-only"]}
OWN = (*common.OWN, "ca.crt")


class Judge:
    """Evidence in two folders, with some files changed at a time."""

    def __init__(self, socle, folder, evidence):
        self.socle, self.folder = socle, folder
        self.options = ["--trust-emulated", *DEPTHS[evidence.options["depth"]], "--measurement",
                        evidence.options["measurement"]]
        folder.mkdir()
        mine(folder).mkdir()
        self.files = dict(evidence.files)
        if "challenge" in evidence.options:
            self.files["challenge.json"] = json.dumps(evidence.options["challenge"]).encode()
        self.write(self.files)

    def write(self, files):
        for name, data in files.items():
            ((mine(self.folder) if name in OWN else self.folder) / name).write_bytes(data)

    def judge(self, name, files, trusted=None):
        """trusted: what the verdict has to be, where that is known beforehand."""
        self.write(files)
        arguments = [*self.options, *own(self.folder)]
        code, out, err = common.socle_verify(self.socle, *arguments)
        common.agree(name, arguments, code, out)
        common.result(trusted is None or (code == 0) == trusted, name, f"exit status {code}: {err}")
        self.write({file: self.files[file] for file in files})
        return code == 0


def check_reports(socle, top):
    """Of reports alone: each word, and the signature."""
    count = 0
    for vlek in (False, True):
        chain = Chain(vlek=vlek)
        folder = chain.write(top / f"report-{vlek}")
        arguments = ["--trust-emulated", "--report-only", *own(folder)]
        cases = [*forgeries.reports(chain)] if not vlek else []
        cases += [(name, report, False) for name, report in forgeries.signatures(chain)]
        for name, report, free in cases:
            (folder / "report.bin").write_bytes(report)
            common.expect_verdict(socle, f"forged report, VLEK {vlek}, {name}", free, arguments)
            count += 1
    return count


def check_bound(socle, top, stride):
    bound = forgeries.Bound()
    judge = Judge(socle, top / "attested", bound.good)
    judge.judge("good evidence", {}, True)
    count = trusted = 0
    for cases in (bound.quotes(stride), bound.manifests(stride), bound.selectors(stride),
                  bound.contexts(stride), bound.values()):
        for name, files in cases:
            trusted += judge.judge(name, files)
            count += 1
    challenged = Judge(socle, top / "challenged", bound.challenged)
    challenged.judge("good evidence with a challenge", {}, True)
    for name, files in forgeries.challenged_keys(bound):
        trusted += challenged.judge(name, files)
        count += 1
    return count, trusted


def main():
    socle, stride = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1
    common.result.what = "forgeries"
    with tempfile.TemporaryDirectory() as top:
        count = check_reports(socle, Path(top))
        more, trusted = check_bound(socle, Path(top), stride)
    print(f"{count + more} forgeries; of those with a manifest {trusted} change nothing that decides")
    return common.result.finish()


if __name__ == "__main__":
    sys.exit(main())
