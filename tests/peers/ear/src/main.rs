// SPDX-License-Identifier: MIT
//! The crate `ear` as a reader of Socle's attestation results.
//!
//!     ear-peer veraison|ietf ES256|ES384|EdDSA JWK TOKEN
//!
//! Verifies the signature by the key and says what the crate has read, as JSON: profile, iat, verifier,
//! nonce, and of each submodule status, trustworthiness vector and the verifier's claims.

use serde_json::{json, Map, Value};
use std::error::Error;

/// Both versions have the same names for the same things, but for these two.
macro_rules! reader {
    ($name:ident, $ear:ident, $claims:ident, $evidence:ident) => {
        fn $name(algorithm: &str, key: &[u8], token: &str) -> Result<Value, Box<dyn Error>> {
            let algorithm = match algorithm {
                "ES256" => $ear::Algorithm::ES256,
                "ES384" => $ear::Algorithm::ES384,
                "EdDSA" => $ear::Algorithm::EdDSA,
                other => return Err(other.into()),
            };
            let ear = $ear::Ear::from_jwt_jwk(token, algorithm, key)?;
            ear.validate()?;
            let mut submods = Map::new();
            for (name, appraisal) in &ear.submods {
                let mut vector = Map::new();
                let mut worst = $ear::Appraisal::new();
                worst.trust_vector = appraisal.trust_vector;
                worst.update_status_from_trust_vector();
                for claim in appraisal.trust_vector {
                    if claim.is_set() {
                        vector.insert(claim.tag().to_string(), json!(claim.value()));
                    }
                }
                submods.insert(
                    name.clone(),
                    json!({
                        "status": appraisal.status,
                        "of vector": worst.status,
                        "vector": vector,
                        "claims": serde_json::to_value(&appraisal.$claims)?,
                        "evidence": serde_json::to_value(&appraisal.$evidence)?,
                    }),
                );
            }
            Ok(json!({
                "profile": ear.profile,
                "iat": ear.iat,
                "build": ear.vid.build,
                "nonce": ear.nonce.map(|nonce| serde_json::to_value(nonce)).transpose()?,
                "submods": submods,
            }))
        }
    };
}

reader!(read_veraison, ear_veraison, policy_claims, annotated_evidence);
reader!(read_ietf, ear_ietf, verifier_claims, attester_claims);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [which, algorithm, key, token] = words.as_slice() else {
        return Err("ear-peer veraison|ietf ALGORITHM JWK TOKEN".into());
    };
    let (key, token) = (std::fs::read(key)?, std::fs::read_to_string(token)?);
    let read = if which == "veraison" { read_veraison } else { read_ietf };
    println!("{}", read(algorithm, &key, token.trim())?);
    Ok(())
}
