/* SPDX-License-Identifier: MIT */
/*
 * Messages between the monitor and its services, and between services.
 *
 * A service is a static Linux executable. Descriptor 3 is its request channel: read() takes one
 * whole request, write() gives its one reply; the first read() says that the service is ready.
 * Further descriptors are capabilities that services.conf grants. Every channel keeps message
 * boundaries (SOCK_SEQPACKET under Linux); a read() into too small a buffer fails with EMSGSIZE.
 * All integers are little-endian.
 */
#ifndef SOCLE_ABI_SERVICE_H
#define SOCLE_ABI_SERVICE_H

#include "abi/types.h"

#define SERVICE_FD_REQUESTS 3
/*
 * The log is readable by the host, so it is not descriptor 2: nothing that a library prints to
 * stderr (libtpms dumps commands, authorization values included) may reach it.
 */
#define SERVICE_FD_LOG 7
#define SERVICE_MESSAGE_MAX (256u << 10)
/* Bytes that one write() to the log or the host channel, or a read() of it, moves at most. */
#define SERVICE_STREAM_MAX 256u

struct service_request {
	uint32_t op;
	uint32_t size; /* payload bytes that follow */
};
ABI_SIZE(struct service_request, 8);

/*
 * Set in operations that only the monitor asks for. The monitor refuses a service that writes such
 * a request to the channel of another one (EPERM).
 */
#define SERVICE_OP_MONITOR 0x40000000

struct service_reply {
	uint32_t status; /* enum service_status */
	uint32_t size;
};
ABI_SIZE(struct service_reply, 8);

enum service_status {
	SERVICE_OK = 0,
	SERVICE_ERR_FORMAT = 1,	     /* the request is not what its operation wants */
	SERVICE_ERR_UNSUPPORTED = 2, /* unknown operation, service GUID or manifest version */
	SERVICE_ERR_NO_MEMORY = 3,
	SERVICE_ERR_FAILED = 4, /* the service's own work failed; its log says why */
	SERVICE_ERR_BUSY = 5,	/* the host would not answer; the same request may be tried again */
};

/* vtpm */
enum vtpm_op {
	VTPM_OP_COMMAND =
		1, /* struct vtpm_command, TPM command -> struct vtpm_response, response */
	VTPM_OP_MANIFEST =
		2, /* u32 manifest version -> manifest; or nothing: one of its keys was made that
		      were left for later, and others are left: the same again */
	VTPM_OP_SELECT = 3,   /* u32 manifest version, selector -> struct vtpm_select_reply, ... */
	VTPM_OP_REMEMBER = 4, /* struct vtpm_remember, order, what was made -> as to a selector */
	VTPM_OP_SEEDS = 5,    /* nothing -> struct vtpm_seeds, load */
	/* Nothing -> what ATTEST_OP_RUNTIME_DATA wants; and what that gave -> nothing. */
	VTPM_OP_EVIDENCE_OF = 6,
	VTPM_OP_EVIDENCE = 7,
	/*
	 * Primes that are found ahead: nothing -> struct prime_order, or nothing; struct
	 * prime_found -> nothing.
	 */
	VTPM_OP_AHEAD_NEXT = 8,
	VTPM_OP_AHEAD_FOUND = 9,
	/* Nothing -> u32: makes a key that was left for later; how many are left then. */
	VTPM_OP_KEYS = 10,
};

/* Its capabilities. */
#define VTPM_FD_HOST_CHANNEL 4
#define VTPM_FD_ATTEST 5
#define VTPM_FD_PROFILE 6 /* docs/profiles.md */

#define VTPM_COMMAND_MAX 4096u

struct vtpm_command {
	uint8_t locality;
	uint8_t reserved[3];
};
ABI_SIZE(struct vtpm_command, 4);

struct vtpm_response {
	uint32_t flags; /* VTPM_EVIDENCE_ASKED, VTPM_AHEAD_WAITS */
};
ABI_SIZE(struct vtpm_response, 4);
/*
 * The guest has written what its evidence is to be made anew with (docs/profiles.md):
 * VTPM_OP_EVIDENCE_OF, ATTEST_OP_RUNTIME_DATA, VTPM_OP_EVIDENCE, before the guest gets the
 * response.
 */
#define VTPM_EVIDENCE_ASKED 1u
/* There is a prime to be found ahead: VTPM_OP_AHEAD_NEXT has it. */
#define VTPM_AHEAD_WAITS 2u

/*
 * What a selector leads to. SELECT_MANIFEST: the manifest follows. SELECT_CREATE: the key has to be
 * made; an order for the twin follows. It makes the key, loaded with the seeds of that generation,
 * and VTPM_OP_REMEMBER, with order and answer, gives its manifest. SELECT_REFUSED: by the rules of
 * docs/spec/create-and-attest.md. SELECT_TPM_ERROR: code is the TPM's.
 */
enum vtpm_select {
	SELECT_MANIFEST = 0,
	SELECT_CREATE = 1,
	SELECT_REFUSED = 2,
	SELECT_TPM_ERROR = 3,
};

struct vtpm_select_reply {
	uint32_t outcome;	  /* enum vtpm_select */
	uint32_t code;		  /* TPM_RC */
	uint64_t seed_generation; /* a number that changes when the TPM's seeds do */
};
ABI_SIZE(struct vtpm_select_reply, 16);

/* SELECT_CREATE, without an order, is the answer when the seeds are others by now. */
struct vtpm_remember {
	uint64_t seed_generation; /* of the seeds that the key was made from */
	uint32_t manifest_version;
	uint32_t order_size;
	uint32_t made_size;
	uint32_t reserved; /* 0 */
};
ABI_SIZE(struct vtpm_remember, 24);

/* What TWIN_OP_LOAD wants follows. */
struct vtpm_seeds {
	uint64_t generation;
};
ABI_SIZE(struct vtpm_seeds, 8);

/*
 * twin: the vtpm's second instance, the same executable started under the name "twin". It can store
 * nothing. What LOAD makes of it is what it is set back to after each CREATE.
 */
enum twin_op {
	TWIN_OP_LOAD = 1,   /* struct twin_load, permanent state of a vTPM -> nothing */
	TWIN_OP_CREATE = 2, /* struct twin_order, template -> u32 TPM_RC, struct twin_made */
};

#define TWIN_PROOF_SIZE 32u

/*
 * The permanent state that follows has the endorsement seed, which is all that matters to a key,
 * and whatever else the TPM keeps for good, NV memory and authorizations among it.
 */
struct twin_load {
	/*
	 * The HMAC key by which the twin's TPM certifies what it makes, new with each load and
	 * known to the vtpm alone besides.
	 */
	uint8_t proof_key[TWIN_PROOF_SIZE];
};
ABI_SIZE(struct twin_load, 32);

struct twin_order {
	uint8_t challenge[TWIN_PROOF_SIZE]; /* the vtpm's, random */
};
ABI_SIZE(struct twin_order, 32);

/*
 * The public area follows, then a TPMS_ATTEST of TPM2_CertifyCreation with the challenge. mac is
 * that command's signature: HMAC with SHA-256 by the proof key.
 */
struct twin_made {
	uint32_t public_size;
	uint32_t attest_size;
	uint8_t mac[TWIN_PROOF_SIZE];
};
ABI_SIZE(struct twin_made, 40);

/*
 * ahead: finds primes of RSA keys before anybody asks for the keys. It has no TPM of the guest's,
 * no seed and no grant but the log: a prime is a function of its order alone, and the order is a
 * secret as the key is. Its first request has it test what it does, on a TPM of its own.
 */
enum ahead_op {
	AHEAD_OP_FIND = 1, /* struct prime_order -> struct prime_found */
};

#define PRIME_BITS_MAX 2048u /* of RSA 4096 */
#define PRIME_SEED_SIZE 48u  /* AES-256 key and counter */

/* The deterministic generator that libtpms draws a primary key from (SP 800-90A, CTR_DRBG). */
struct prime_state {
	uint64_t reseed_counter;
	uint8_t seed[PRIME_SEED_SIZE];
	uint32_t last_value[4];
	uint32_t level;	   /* by which rules numbers are drawn: libtpms's SEED_COMPAT_LEVEL */
	uint32_t reserved; /* 0 */
};
ABI_SIZE(struct prime_state, 80);

/* The next prime of so many bits that fits the exponent. */
struct prime_order {
	struct prime_state state;
	uint32_t bits; /* a multiple of 64 */
	uint32_t exponent;
};
ABI_SIZE(struct prime_order, 88);

struct prime_found {
	struct prime_order order;
	struct prime_state after;	     /* the generator, once the prime is found */
	uint64_t words[PRIME_BITS_MAX / 64]; /* the prime, its lowest word first; zeros above */
};
ABI_SIZE(struct prime_found, 424);

/*
 * attest: each operation is one purpose of a report at VMPL 0, and the service gives each its tag
 * or its form itself (docs/spec/create-and-attest.md, section 6.1). What is called manifest here is
 * the vTPM's, and bytes that are none, or not one that answers the request, get no report
 * (SERVICE_ERR_FORMAT). All answer with a struct attest_reply, report and certificates, but for
 * ATTEST_OP_RUNTIME_DATA, which has the runtime data in place of certificates.
 */
enum attest_op {
	/* Before the guest runs, asked for by the vtpm. */
	ATTEST_OP_CA = 1, /* struct attest_request, profile's name, manifest: abi/ca.h */
	/*
	 * struct attest_runtime, TPMT_PUBLIC; REPORT_DATA = SHA-256(runtime data), then zeros: how
	 * Azure's paravisor binds its runtime data (docs/profiles.md), which the service makes. The
	 * monitor asks for it, too, when the guest does.
	 */
	ATTEST_OP_RUNTIME_DATA = 2,
	/* The guest's calls: struct attest_request, selector, manifest. */
	ATTEST_OP_SERVICES = SERVICE_OP_MONITOR | 1, /* call 0, without a selector */
	ATTEST_OP_SINGLE = SERVICE_OP_MONITOR | 2,   /* call 1, and 2 with or without one */
};

/* REPORT_DATA = SHA-512(nonce || what the operation puts there || manifest) */
struct attest_request {
	uint8_t nonce[64];
	uint32_t manifest_version;
	uint32_t selector_size;
	uint32_t manifest_size;
	uint32_t reserved; /* 0 */
};
ABI_SIZE(struct attest_request, 80);

#define ATTEST_USER_DATA_SIZE 64u
struct attest_runtime {
	uint8_t user_data[ATTEST_USER_DATA_SIZE];
};
ABI_SIZE(struct attest_runtime, 64);

/* Reply payload: this, then report and certificate table, without padding. */
struct attest_reply {
	uint32_t report_size;
	uint32_t certificates_size;
};
ABI_SIZE(struct attest_reply, 8);

/*
 * Capability "amd-sp": write() a struct service_request with an amdsp_op, then read() the reply.
 * The monitor owns the message counter: SEQNO tells the number that the next SEND must carry, and
 * does not move it; SEND refuses any other, moves it before the host first sees the message, and
 * repeats exactly these bytes while the host is busy.
 */
enum amdsp_op {
	AMDSP_OP_KEY = 1,   /* -> VMPCK0, 32 bytes */
	AMDSP_OP_SEQNO = 2, /* -> u64 */
	/* Sealed message -> u32 certificate bytes, sealed response (one page), certificates. */
	AMDSP_OP_SEND = 3,
};

#endif
