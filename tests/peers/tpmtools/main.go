// SPDX-License-Identifier: MIT

// Writes a report as go-tpm-tools has it: go-sev-guest's message within an Attestation, or within an
// SevSnpSvsmAttestation. tests/peers/peers_test.py builds it.
//
//	tpmtools attestation|svsm REPORT_AND_TABLE OUTPUT
package main

import (
	"log"
	"os"

	"github.com/google/go-sev-guest/abi"
	"github.com/google/go-tpm-tools/proto/attest"
	"google.golang.org/protobuf/proto"
)

func main() {
	data, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	report, err := abi.ReportCertsToProto(data)
	if err != nil {
		log.Fatal(err)
	}
	// A TPMT_PUBLIC starts with the type of its key; nobody looks at more of it.
	key := []byte{0x00, 0x23, 0x00, 0x0b}
	attestation := &attest.Attestation{AkPub: key, EventLog: []byte("log")}
	var message proto.Message = attestation
	if os.Args[1] == "svsm" {
		message = &attest.SevSnpSvsmAttestation{
			Attestation:                attestation,
			SevSnpAttestation:          report,
			VtpmServiceManifest:        []byte("manifest"),
			VtpmServiceManifestVersion: "0",
		}
	} else {
		attestation.TeeAttestation = &attest.Attestation_SevSnpAttestation{SevSnpAttestation: report}
	}
	out, err := proto.Marshal(message)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[3], out, 0o644); err != nil {
		log.Fatal(err)
	}
}
