module socle/tests/vtpm/applications

go 1.26.0

require (
	github.com/foxboron/go-tpm-keyfiles v0.0.0-20260902202739-8c9c2d1005f4
	github.com/google/go-attestation v0.6.4
	go.step.sm/crypto v0.92.0
)
