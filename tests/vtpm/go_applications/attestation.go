// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"

	"github.com/google/go-attestation/attest"
)

// channel is a TPM without an event log.
type channel struct{ net.Conn }

func (channel) MeasurementLog() ([]byte, error) { return nil, nil }

// attestation does with go-attestation what a platform and its verifier do: the endorsement key of the first
// certificate, a credential that the attestation key solves, a quote, and a certified key that signs.
func attestation(socket, _ string) error {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	tpm, err := attest.OpenTPM(&attest.OpenConfig{CommandChannel: channel{conn}})
	if err != nil {
		return err
	}
	defer tpm.Close()
	ak, err := tpm.NewAK(nil)
	if err != nil {
		return fmt.Errorf("NewAK: %w", err)
	}
	defer ak.Close(tpm)
	for _, check := range []func(*attest.TPM, *attest.AK) error{activate, quote, certify} {
		if err := check(tpm, ak); err != nil {
			return err
		}
	}
	return nil
}

func activate(tpm *attest.TPM, ak *attest.AK) error {
	eks, err := tpm.EKCertificates()
	if err != nil {
		return fmt.Errorf("EKCertificates: %w", err)
	}
	if len(eks) == 0 {
		return errors.New("no certificate of an endorsement key")
	}
	parameters := attest.ActivationParameters{EK: eks[0].Public, AK: ak.AttestationParameters()}
	secret, credential, err := parameters.Generate()
	if err != nil {
		return fmt.Errorf("Generate: %w", err)
	}
	solved, err := ak.ActivateCredentialWithEK(tpm, *credential, eks[0])
	if err != nil {
		return fmt.Errorf("ActivateCredentialWithEK: %w", err)
	}
	if !bytes.Equal(secret, solved) {
		return errors.New("the credential's secret differs")
	}
	return nil
}

func quote(tpm *attest.TPM, ak *attest.AK) error {
	public, err := attest.ParseAKPublic(ak.AttestationParameters().Public)
	if err != nil {
		return err
	}
	banks, err := tpm.PCRBanks()
	if err != nil {
		return fmt.Errorf("PCRBanks: %w", err)
	}
	for _, bank := range banks {
		if bank != attest.HashSHA1 && bank != attest.HashSHA256 {
			continue // the library reads no others
		}
		nonce := []byte("a nonce")
		q, err := ak.Quote(tpm, nonce, bank)
		if err != nil {
			return fmt.Errorf("Quote of %v: %w", bank, err)
		}
		pcrs, err := tpm.PCRs(bank)
		if err != nil {
			return fmt.Errorf("PCRs of %v: %w", bank, err)
		}
		if err := public.Verify(*q, pcrs, nonce); err != nil {
			return fmt.Errorf("Verify of %v: %w", bank, err)
		}
	}
	return nil
}

func certify(tpm *attest.TPM, ak *attest.AK) error {
	key, err := tpm.NewKey(ak, &attest.KeyConfig{Algorithm: attest.ECDSA, Size: 256})
	if err != nil {
		return fmt.Errorf("NewKey: %w", err)
	}
	defer key.Close()
	certified := key.CertificationParameters()
	public, err := attest.ParseAKPublic(ak.AttestationParameters().Public)
	if err != nil {
		return err
	}
	if err := certified.Verify(attest.VerifyOpts{Public: public.Public, Hash: crypto.SHA256}); err != nil {
		return fmt.Errorf("the key's certification: %w", err)
	}
	private, err := key.Private(key.Public())
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte("message"))
	signature, err := private.(crypto.Signer).Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return fmt.Errorf("Sign: %w", err)
	}
	if !ecdsa.VerifyASN1(key.Public().(*ecdsa.PublicKey), digest[:], signature) {
		return errors.New("the signature is wrong")
	}
	return nil
}
