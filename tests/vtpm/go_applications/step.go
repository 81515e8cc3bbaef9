// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"go.step.sm/crypto/kms/apiv1"
	"go.step.sm/crypto/kms/tpmkms"
)

// step uses step-ca's and step-kms-plugin's TPM: an attestation key, a key that it attests, a signature, and the
// key found again by its name.
func step(socket, folder string) error {
	ctx := context.Background()
	store := fmt.Sprintf("tpmkms:device=%s;storage-directory=%s", socket, folder)
	kms, err := tpmkms.New(ctx, apiv1.Options{Type: apiv1.TPMKMS, URI: store})
	if err != nil {
		return err
	}
	if _, err := kms.CreateKey(&apiv1.CreateKeyRequest{Name: "tpmkms:name=ak;ak=true"}); err != nil {
		return fmt.Errorf("the attestation key: %w", err)
	}
	for _, name := range []string{"tpmkms:name=plain", "tpmkms:name=attested;attest-by=ak"} {
		made, err := kms.CreateKey(&apiv1.CreateKeyRequest{Name: name, SignatureAlgorithm: apiv1.SHA256WithRSA, Bits: 2048})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		signer, err := kms.CreateSigner(&apiv1.CreateSignerRequest{SigningKey: made.Name})
		if err != nil {
			return fmt.Errorf("%s: %w", made.Name, err)
		}
		digest := sha256.Sum256([]byte(name))
		signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return fmt.Errorf("%s signs: %w", made.Name, err)
		}
		public := made.PublicKey.(*rsa.PublicKey)
		if err := rsa.VerifyPKCS1v15(public, crypto.SHA256, digest[:], signature); err != nil {
			return fmt.Errorf("%s: %w", made.Name, err)
		}
		again, err := kms.GetPublicKey(&apiv1.GetPublicKeyRequest{Name: made.Name})
		if err != nil {
			return fmt.Errorf("%s again: %w", made.Name, err)
		}
		if !public.Equal(again) {
			return fmt.Errorf("%s is another key the second time", made.Name)
		}
	}
	return kms.Close()
}
