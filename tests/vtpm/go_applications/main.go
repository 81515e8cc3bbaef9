// SPDX-License-Identifier: MIT

// applications uses a TPM as a Go program does, by the libraries of others:
//
//	applications attestation|step|keyfile SOCKET FOLDER
//
// SOCKET takes raw commands; FOLDER is for what the library keeps.
package main

import (
	"fmt"
	"os"
)

var uses = map[string]func(socket, folder string) error{
	"attestation": attestation,
	"keyfile":     keyFile,
	"step":        step,
}

func main() {
	if len(os.Args) != 4 || uses[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "applications attestation|step|keyfile SOCKET FOLDER")
		os.Exit(2)
	}
	if err := uses[os.Args[1]](os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
