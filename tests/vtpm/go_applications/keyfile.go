// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	keyfile "github.com/foxboron/go-tpm-keyfiles"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// keyFile uses the library that ssh-tpm-agent and age-plugin-tpm keep their keys with: a key with a password, a
// signature, a sealed secret.
func keyFile(socket, _ string) error {
	tpm, err := linuxudstpm.Open(socket)
	if err != nil {
		return err
	}
	defer tpm.Close()
	for _, auth := range []string{"", "password"} {
		key, err := keyfile.NewLoadableKey(tpm, tpm2.TPMAlgECC, 256, nil, keyfile.WithUserAuth([]byte(auth)))
		if err != nil {
			return fmt.Errorf("NewLoadableKey: %w", err)
		}
		read, err := keyfile.Decode(key.Bytes())
		if err != nil {
			return fmt.Errorf("Decode: %w", err)
		}
		signer, err := read.Signer(tpm, nil, []byte(auth))
		if err != nil {
			return fmt.Errorf("Signer: %w", err)
		}
		digest := sha256.Sum256([]byte("message"))
		signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return fmt.Errorf("Sign: %w", err)
		}
		public, ok := signer.Public().(*ecdsa.PublicKey)
		if !ok || public.Curve != elliptic.P256() || !ecdsa.VerifyASN1(public, digest[:], signature) {
			return errors.New("the signature is wrong")
		}
	}
	sealed, err := keyfile.NewSealedData(tpm, []byte("secret"), nil)
	if err != nil {
		return fmt.Errorf("NewSealedData: %w", err)
	}
	secret, err := keyfile.UnsealData(tpm, sealed, nil)
	if err != nil {
		return fmt.Errorf("UnsealData: %w", err)
	}
	if !bytes.Equal(secret, []byte("secret")) {
		return errors.New("the secret differs")
	}
	return nil
}
