// SPDX-License-Identifier: MIT
//! Writes a report and its certificates as Trustee's verifier of kind "snp" reads them (deps/verifier/src/snp
//! there: an object of attestation_report and cert_chain, both by the crate `sev`), or within what its key
//! broker is sent, by the crate `kbs-types`.
//!
//!     trustee-evidence evidence|attestation REPORT [VCEK|VLEK|ASK|ARK FILE]...

use serde::Serialize;
use sev::firmware::{
    guest::AttestationReport,
    host::{CertTableEntry, CertType},
};
use std::{env, error::Error, fs};

#[derive(Serialize)]
struct SnpEvidence {
    attestation_report: AttestationReport,
    cert_chain: Option<Vec<CertTableEntry>>,
}

fn certificate(pair: &[String]) -> Result<CertTableEntry, Box<dyn Error>> {
    let cert_type = match pair[0].as_str() {
        "VCEK" => CertType::VCEK,
        "VLEK" => CertType::VLEK,
        "ASK" => CertType::ASK,
        "ARK" => CertType::ARK,
        other => return Err(format!("no certificate is called {other}").into()),
    };
    Ok(CertTableEntry {
        cert_type,
        data: fs::read(&pair[1])?,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = env::args().skip(1).collect();
    let report = fs::read(&words[1])?;
    let chain = words[2..]
        .chunks(2)
        .map(certificate)
        .collect::<Result<Vec<_>, _>>()?;
    let evidence = serde_json::to_value(SnpEvidence {
        attestation_report: AttestationReport::from_bytes(&report)?,
        cert_chain: (!chain.is_empty()).then_some(chain),
    })?;
    if words[0] == "evidence" {
        println!("{evidence}");
        return Ok(());
    }
    let attestation = kbs_types::Attestation {
        init_data: None,
        runtime_data: kbs_types::RuntimeData {
            nonce: "bm9uY2U=".into(),
            tee_pubkey: kbs_types::TeePubKey::RSA {
                alg: "RSA-OAEP-256".into(),
                k_mod: "AQAB".into(),
                k_exp: "AQAB".into(),
            },
        },
        tee_evidence: kbs_types::CompositeEvidence {
            primary_evidence: evidence,
            additional_evidence: String::new(),
        },
    };
    println!("{}", serde_json::to_string(&attestation)?);
    Ok(())
}
