// SPDX-License-Identifier: MIT

// What Go's crypto/x509 says of certificates that `socle ca` made. A judge from outside, run by
// hand, for the project does not need Go:
//
//	go run tests/ca/go_x509.go CA/ca.pem CA/issued/*.pem
//
// It refuses what has a critical extension that crypto/x509 does not handle, an alternative name of
// directory names among them, and prints one line for each certificate. go-attestation v0.6.4, whose
// ParseEKCertificate in the package x509 checks a certificate against the TCG's profile, took those of
// EKs too.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func read(path string) *x509.Certificate {
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	certificate, err := x509.ParseCertificate(data)
	if err != nil {
		panic(fmt.Sprint(path, ": ", err))
	}
	return certificate
}

func main() {
	roots := x509.NewCertPool()
	roots.AddCert(read(os.Args[1]))
	// Go knows none of the TCG's purposes, so any will do here.
	options := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	failed := false
	for _, path := range os.Args[2:] {
		certificate := read(path)
		_, err := certificate.Verify(options)
		fmt.Println(path, certificate.Subject, certificate.UnhandledCriticalExtensions, err)
		failed = failed || err != nil
	}
	if failed {
		os.Exit(1)
	}
}
