// SPDX-License-Identifier: MIT

// An example of libsocle-verify in Go: judges a report by a policy, and prints each check.
//
//	go build -o example   # pkg-config finds the library
//	example POLICY REPORT VCEK_OR_VLEK [OWN_ROOT]
//
// The exit status is that of `socle verify`. The last line says whether an emulated machine's root is below it:
// then it proves nothing about any hardware.
package main

// #cgo pkg-config: socle-verify
// #include <socle-verify.h>
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"os"
)

// A text that the library fills on failure.
type problem [C.SOCLE_ERROR_SIZE]C.char

func (p *problem) at() *C.char { return &p[0] }

func (p *problem) error() error { return errors.New(C.GoString(p.at())) }

func readPolicy(json []byte) (*C.struct_socle_policy, error) {
	var p problem
	text := C.CBytes(json)
	defer C.free(text)
	policy := C.socle_policy_read((*C.char)(text), C.size_t(len(json)), p.at())
	if policy == nil {
		return nil, p.error()
	}
	return policy, nil
}

func addFile(evidence *C.struct_socle_evidence, part C.enum_socle_part, path string) error {
	var p problem
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	bytes := C.CBytes(data)
	defer C.free(bytes)
	if !C.socle_evidence_add(evidence, part, bytes, C.size_t(len(data)), p.at()) {
		return fmt.Errorf("%s: %w", path, p.error())
	}
	return nil
}

func printVerdict(verdict *C.struct_socle_verdict) {
	for i := C.size_t(0); ; i++ {
		var failure *C.char
		name := C.socle_verdict_check(verdict, i, nil, &failure, nil)
		if name == nil {
			return
		}
		fmt.Printf("%-16s %s\n", C.GoString(name), C.GoString(failure))
	}
}

func printConclusion(verdict *C.struct_socle_verdict) {
	text := "refused"
	if C.socle_verdict_status(verdict) == C.SOCLE_TRUSTED {
		text = "trusted"
	}
	if C.socle_verdict_emulated(verdict) {
		text += " (emulated)"
	}
	fmt.Println("verdict:", text)
}

func judge(words []string) (C.enum_socle_status, error) {
	json, err := os.ReadFile(words[0])
	if err != nil {
		return 0, err
	}
	policy, err := readPolicy(json)
	if err != nil {
		return 0, err
	}
	defer C.socle_policy_free(policy)
	evidence := C.socle_evidence_new()
	if evidence == nil {
		return 0, errors.New("out of memory")
	}
	defer C.socle_evidence_free(evidence)
	for i, part := range []C.enum_socle_part{C.SOCLE_REPORT, C.SOCLE_CERT_SIGNER, C.SOCLE_OWN_ROOT} {
		if i+1 < len(words) {
			if err := addFile(evidence, part, words[i+1]); err != nil {
				return 0, err
			}
		}
	}
	var p problem
	verdict := C.socle_verify(evidence, policy, p.at())
	if verdict == nil {
		return 0, p.error()
	}
	defer C.socle_verdict_free(verdict)
	printVerdict(verdict)
	printConclusion(verdict)
	return C.socle_verdict_status(verdict), nil
}

func main() {
	if len(os.Args) < 4 || len(os.Args) > 5 {
		fmt.Fprintln(os.Stderr, "usage: example POLICY REPORT VCEK_OR_VLEK [OWN_ROOT]")
		os.Exit(1)
	}
	status, err := judge(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(int(status))
}
