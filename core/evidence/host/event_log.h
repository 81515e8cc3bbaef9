/* SPDX-License-Identifier: MIT */
/*
 * The event log that firmware and boot loaders keep beside the PCRs, as Linux shows it in
 * /sys/kernel/security/tpm0/binary_bios_measurements: TCG PC Client Platform Firmware Profile
 * Specification 1.06, section 10, the crypto-agile form alone.
 *
 * A log is anybody's word. Replayed against quoted PCRs it proves its digests; what an event *says*
 * is proved only where its digest is the hash of those very bytes. event_log_open() checks the form
 * of the whole file, so that reading its events afterwards cannot fail, and event_log_judge() what
 * its events say of themselves and of their order.
 */
#ifndef SOCLE_CORE_EVIDENCE_HOST_EVENT_LOG_H
#define SOCLE_CORE_EVIDENCE_HOST_EVENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/host/error.h"

#define EVENT_LOG_MAX (4u << 20) /* bytes; those of real machines have up to some 100 KiB */
#define EVENT_LOG_BANKS_MAX 4u	 /* SHA-1, SHA-256, SHA-384 and SHA-512 */
#define EVENT_LOG_DIGEST_MAX 64u /* bytes */
#define EVENT_LOG_PCRS 24u

/* Section 10.4.1: what a PC has, then what UEFI has. */
enum event_type {
	EVENT_POST_CODE = 0x1,
	EVENT_NO_ACTION = 0x3,
	EVENT_SEPARATOR = 0x4,
	EVENT_ACTION = 0x5,
	EVENT_TAG = 0x6,
	EVENT_S_CRTM_CONTENTS = 0x7,
	EVENT_S_CRTM_VERSION = 0x8,
	EVENT_CPU_MICROCODE = 0x9,
	EVENT_PLATFORM_CONFIG_FLAGS = 0xa,
	EVENT_TABLE_OF_DEVICES = 0xb,
	EVENT_COMPACT_HASH = 0xc,
	EVENT_IPL = 0xd,
	EVENT_NONHOST_CODE = 0xf,
	EVENT_NONHOST_CONFIG = 0x10,
	EVENT_NONHOST_INFO = 0x11,
	EVENT_OMIT_BOOT_DEVICE_EVENTS = 0x12,
	EVENT_POST_CODE2 = 0x13,

	EVENT_EFI_VARIABLE_DRIVER_CONFIG = 0x80000001,
	EVENT_EFI_VARIABLE_BOOT = 0x80000002,
	EVENT_EFI_BOOT_SERVICES_APPLICATION = 0x80000003,
	EVENT_EFI_BOOT_SERVICES_DRIVER = 0x80000004,
	EVENT_EFI_RUNTIME_SERVICES_DRIVER = 0x80000005,
	EVENT_EFI_GPT_EVENT = 0x80000006,
	EVENT_EFI_ACTION = 0x80000007,
	EVENT_EFI_PLATFORM_FIRMWARE_BLOB = 0x80000008,
	EVENT_EFI_HANDOFF_TABLES = 0x80000009,
	EVENT_EFI_PLATFORM_FIRMWARE_BLOB2 = 0x8000000a,
	EVENT_EFI_HANDOFF_TABLES2 = 0x8000000b,
	EVENT_EFI_VARIABLE_BOOT2 = 0x8000000c,
	EVENT_EFI_GPT_EVENT2 = 0x8000000d,
	EVENT_EFI_HCRTM_EVENT = 0x80000010,
	EVENT_EFI_VARIABLE_AUTHORITY = 0x800000e0,
	EVENT_EFI_SPDM_FIRMWARE_BLOB = 0x800000e1,
	EVENT_EFI_SPDM_FIRMWARE_CONFIG = 0x800000e2,
	EVENT_EFI_SPDM_DEVICE_POLICY = 0x800000e3,
	EVENT_EFI_SPDM_DEVICE_AUTHORITY = 0x800000e4,
};

struct event_log_bank {
	uint16_t algorithm; /* TPM_ALG_* */
	uint16_t size;	    /* bytes of a digest */
};

/* An opened log. The bytes stay the caller's, who keeps them unchanged while this is in use. */
struct event_log {
	const uint8_t *data;
	size_t size;
	size_t first; /* where the events begin that are behind the one of the log's form */
	struct event_log_bank banks[EVENT_LOG_BANKS_MAX];
	size_t bank_count;
	uint32_t event_count;	  /* with the first */
	uint32_t extended;	  /* bit n: an event extends PCR n */
	uint8_t startup_locality; /* PCR 0 begins with it: 0, 3, or 4 after hardware's own start */
};

struct event_log_event {
	uint32_t number; /* as tpm2_eventlog counts: the first, of the log's form, is 0 */
	size_t offset;	 /* in the file */
	uint32_t pcr;
	uint32_t type;				     /* enum event_type, or anything else */
	const uint8_t *digests[EVENT_LOG_BANKS_MAX]; /* in the order of the log's banks */
	const uint8_t *data;
	size_t size;
};

/* Where event_log_next() stands; {0} starts behind the event of the log's form. */
struct event_log_cursor {
	size_t pos;
	uint32_t number;
};

/* How the digest of an event stands to its data. */
enum event_proof {
	EVENT_CLAIMED, /* it is of something else, as a file: what the data say is anybody's word */
	EVENT_PROVED,  /* it is the hash of the bytes that event_log_words() gives */
	EVENT_REFUTED, /* it should be, for this type, and is not */
};

/* The bytes that are proved: all of an event's data, or the part that was hashed. */
struct event_words {
	const uint8_t *data;
	size_t size;
};

/* Checks the form of the whole file. False, and *error names the event and its offset. */
bool event_log_open(struct event_log *log, const void *data, size_t size, struct host_error *error);

/* The next event; false after the last. */
bool event_log_next(const struct event_log *log, struct event_log_cursor *cursor,
		    struct event_log_event *event);

/*
 * Whether the event's digests, in every bank, are of its data. *words is set when they are. Shim
 * before 15.3 left out the last byte of a variable, and GRUB hashes what stands behind a prefix.
 */
enum event_proof event_log_proof(const struct event_log *log, const struct event_log_event *event,
				 struct event_words *words);

/* Whether the event's digests, in every bank, are of these bytes. */
bool event_log_hashes(const struct event_log *log, const struct event_log_event *event,
		      const void *data, size_t size);

/*
 * Whether a digest is of these bytes in any bank. For what an event must not be: digests in banks
 * that nobody quoted may be anything.
 */
bool event_log_hashes_in_any(const struct event_log *log, const struct event_log_event *event,
			     const void *data, size_t size);

/*
 * What the events say of themselves and of their order: each in a PCR of its type, no data that
 * their digests refute (section 10.4.1), one separator in each of PCRs 0 to 7, of the value for a
 * boot that went well, and none of the firmware's own events behind it (section 3.3.4). A log's
 * types are hashed by nothing: so what is a separator by its digest has to be called one, or all
 * behind it could pass for the firmware's; and in PCR 7 are only types that their data prove, or a
 * variable could be passed over. False, and *error names the event.
 */
bool event_log_judge(const struct event_log *log, struct host_error *error);

/*
 * What the PCRs of a bank hold after all events. False when the log has no such bank, or no memory
 * was left. A PCR that no event extends has the value of a start: zeros, or ones for 17 to 22.
 */
bool event_log_replay(const struct event_log *log, uint16_t algorithm,
		      uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX], size_t *digest_size);

/* The name of a type as the specification has it, or NULL. */
const char *event_type_name(uint32_t type);

#endif
