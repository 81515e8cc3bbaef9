/* SPDX-License-Identifier: MIT */
#include "core/evidence/host/event_log.h"

#include <openssl/evp.h>
#include <string.h>

#include "abi/tpm.h"
#include "core/base/bytes.h"
#include "core/evidence/host/uefi_variable.h"

#define SPEC_ID "Spec ID Event03" /* with its NUL */
#define STARTUP_LOCALITY "StartupLocality"
#define SHA1_SIZE 20u
#define VARIABLE_HEADER 32u /* UEFI_VARIABLE_DATA: GUID, UnicodeNameLength, VariableDataLength */

struct hash {
	struct event_log_bank bank;
	const EVP_MD *(*md)(void);
};

static const struct hash hashes[] = {
	{ { TPM_ALG_SHA1, 20 }, EVP_sha1 },
	{ { TPM_ALG_SHA256, 32 }, EVP_sha256 },
	{ { TPM_ALG_SHA384, 48 }, EVP_sha384 },
	{ { TPM_ALG_SHA512, 64 }, EVP_sha512 },
};

/* How a type's digest stands to its data, by the table of section 10.4.1. */
enum hashed {
	HASHED_OTHER, /* something else */
	HASHED_MAYBE, /* the type does not say */
	HASHED_DATA,  /* the data */
	HASHED_CUT,   /* the data of a UEFI variable, which may lack their last byte */
	HASHED_VALUE, /* the same, or the variable's value alone */
};

struct event_type_row {
	uint32_t type;
	enum hashed hashed;
	const char *name;
};

static const struct event_type_row types[] = {
	{ EVENT_POST_CODE, HASHED_MAYBE, "EV_POST_CODE" },
	{ EVENT_NO_ACTION, HASHED_OTHER, "EV_NO_ACTION" },
	{ EVENT_SEPARATOR, HASHED_DATA, "EV_SEPARATOR" },
	{ EVENT_ACTION, HASHED_DATA, "EV_ACTION" },
	{ EVENT_TAG, HASHED_MAYBE, "EV_EVENT_TAG" },
	{ EVENT_S_CRTM_CONTENTS, HASHED_MAYBE, "EV_S_CRTM_CONTENTS" },
	{ EVENT_S_CRTM_VERSION, HASHED_DATA, "EV_S_CRTM_VERSION" },
	{ EVENT_CPU_MICROCODE, HASHED_MAYBE, "EV_CPU_MICROCODE" },
	{ EVENT_PLATFORM_CONFIG_FLAGS, HASHED_MAYBE, "EV_PLATFORM_CONFIG_FLAGS" },
	{ EVENT_TABLE_OF_DEVICES, HASHED_MAYBE, "EV_TABLE_OF_DEVICES" },
	{ EVENT_COMPACT_HASH, HASHED_MAYBE, "EV_COMPACT_HASH" },
	{ EVENT_IPL, HASHED_MAYBE, "EV_IPL" },
	{ EVENT_NONHOST_CODE, HASHED_MAYBE, "EV_NONHOST_CODE" },
	{ EVENT_NONHOST_CONFIG, HASHED_MAYBE, "EV_NONHOST_CONFIG" },
	{ EVENT_NONHOST_INFO, HASHED_MAYBE, "EV_NONHOST_INFO" },
	{ EVENT_OMIT_BOOT_DEVICE_EVENTS, HASHED_DATA, "EV_OMIT_BOOT_DEVICE_EVENTS" },
	{ EVENT_POST_CODE2, HASHED_MAYBE, "EV_POST_CODE2" },
	{ EVENT_EFI_VARIABLE_DRIVER_CONFIG, HASHED_CUT, "EV_EFI_VARIABLE_DRIVER_CONFIG" },
	{ EVENT_EFI_VARIABLE_BOOT, HASHED_VALUE, "EV_EFI_VARIABLE_BOOT" },
	{ EVENT_EFI_BOOT_SERVICES_APPLICATION, HASHED_OTHER, "EV_EFI_BOOT_SERVICES_APPLICATION" },
	{ EVENT_EFI_BOOT_SERVICES_DRIVER, HASHED_OTHER, "EV_EFI_BOOT_SERVICES_DRIVER" },
	{ EVENT_EFI_RUNTIME_SERVICES_DRIVER, HASHED_OTHER, "EV_EFI_RUNTIME_SERVICES_DRIVER" },
	{ EVENT_EFI_GPT_EVENT, HASHED_DATA, "EV_EFI_GPT_EVENT" },
	{ EVENT_EFI_ACTION, HASHED_DATA, "EV_EFI_ACTION" },
	{ EVENT_EFI_PLATFORM_FIRMWARE_BLOB, HASHED_OTHER, "EV_EFI_PLATFORM_FIRMWARE_BLOB" },
	{ EVENT_EFI_HANDOFF_TABLES, HASHED_OTHER, "EV_EFI_HANDOFF_TABLES" },
	{ EVENT_EFI_PLATFORM_FIRMWARE_BLOB2, HASHED_OTHER, "EV_EFI_PLATFORM_FIRMWARE_BLOB2" },
	{ EVENT_EFI_HANDOFF_TABLES2, HASHED_OTHER, "EV_EFI_HANDOFF_TABLES2" },
	{ EVENT_EFI_VARIABLE_BOOT2, HASHED_VALUE, "EV_EFI_VARIABLE_BOOT2" },
	{ EVENT_EFI_GPT_EVENT2, HASHED_DATA, "EV_EFI_GPT_EVENT2" },
	{ EVENT_EFI_HCRTM_EVENT, HASHED_OTHER, "EV_EFI_HCRTM_EVENT" },
	{ EVENT_EFI_VARIABLE_AUTHORITY, HASHED_CUT, "EV_EFI_VARIABLE_AUTHORITY" },
	{ EVENT_EFI_SPDM_FIRMWARE_BLOB, HASHED_OTHER, "EV_EFI_SPDM_FIRMWARE_BLOB" },
	{ EVENT_EFI_SPDM_FIRMWARE_CONFIG, HASHED_OTHER, "EV_EFI_SPDM_FIRMWARE_CONFIG" },
	{ EVENT_EFI_SPDM_DEVICE_POLICY, HASHED_DATA, "EV_EFI_SPDM_DEVICE_POLICY" },
	{ EVENT_EFI_SPDM_DEVICE_AUTHORITY, HASHED_DATA, "EV_EFI_SPDM_DEVICE_AUTHORITY" },
};

/* What GRUB writes before the words that it hashes; older ones had no colon. */
static const char *const prefixes[] = {
	"grub_cmd: ", "kernel_cmdline: ", "module_cmdline: ", "grub_cmd ", "grub_kernel_cmdline ",
};

static const struct event_type_row *type_row(uint32_t type)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].type == type)
			return &types[i];
	}
	return NULL;
}

const char *event_type_name(uint32_t type)
{
	const struct event_type_row *row = type_row(type);

	return row ? row->name : NULL;
}

static bool refuse(struct host_error *error, uint32_t number, size_t offset, const char *why)
{
	return host_fail(error, "event %u, at offset %zu: %s", number, offset, why);
}

static bool refuse_event(struct host_error *error, const struct event_log_event *event,
			 const char *why)
{
	const char *name = event_type_name(event->type);

	return host_fail(error, "event %u (%s in PCR %u), at offset %zu: %s", event->number,
			 name ? name : "of an unknown type", event->pcr, event->offset, why);
}

static const struct hash *hash_of(uint16_t algorithm)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (hashes[i].bank.algorithm == algorithm)
			return &hashes[i];
	}
	return NULL;
}

/* The digest of a bank that the log has. */
static bool make_digest(const struct event_log_bank *bank, const void *data, size_t size,
			uint8_t *digest)
{
	const struct hash *hash = hash_of(bank->algorithm);

	return hash && EVP_Digest(data, size, digest, NULL, hash->md(), NULL) == 1;
}

static int bank_index(const struct event_log *log, uint16_t algorithm)
{
	for (size_t i = 0; i < log->bank_count; i++) {
		if (log->banks[i].algorithm == algorithm)
			return (int)i;
	}
	return -1;
}

static const char *take_bank(struct event_log *log, struct bytes_reader *r)
{
	const uint16_t algorithm = bytes_le16(r);
	const uint16_t size = bytes_le16(r);
	const struct hash *hash = hash_of(algorithm);

	if (!hash)
		return "a bank of a hash that is not known";
	if (hash->bank.size != size)
		return "a bank's digests have the wrong size";
	if (bank_index(log, algorithm) >= 0)
		return "a bank is there twice";
	log->banks[log->bank_count++] = hash->bank;
	return NULL;
}

/* TCG_EfiSpecIDEvent, section 10.4.5.1. */
static const char *take_form(struct event_log *log, const uint8_t *data, size_t size)
{
	struct bytes_reader r = bytes_reader_init(data, size);
	const uint8_t *signature = bytes_take(&r, sizeof(SPEC_ID));
	uint32_t platform_class = bytes_le32(&r);
	uint8_t minor = bytes_u8(&r), major = bytes_u8(&r);
	uint8_t words;
	uint32_t count;

	bytes_u8(&r); /* errata */
	words = bytes_u8(&r);
	count = bytes_le32(&r);
	if (r.bad || memcmp(signature, SPEC_ID, sizeof(SPEC_ID)) != 0)
		return "not a crypto-agile log: no Spec ID Event03";
	if (major != 2 || minor != 0)
		return "a log of another version than 2.0";
	if (platform_class > 1 || words < 1 || words > 2)
		return "platform class or size of words are none";
	if (count == 0 || count > EVENT_LOG_BANKS_MAX)
		return "no bank, or more than four";
	for (uint32_t i = 0; i < count; i++) {
		const char *wrong = take_bank(log, &r);

		if (wrong)
			return wrong;
	}
	bytes_take(&r, bytes_u8(&r)); /* of the vendor */
	return bytes_complete(&r) ? NULL : "its banks are not all there, or more than they";
}

/* The first event has the older form, TCG_PCClientPCREvent, with a SHA-1 of zeros. */
static bool open_form(struct event_log *log, struct bytes_reader *r, struct host_error *error)
{
	uint32_t pcr = bytes_le32(r), type = bytes_le32(r), size;
	const uint8_t *digest = bytes_take(r, SHA1_SIZE), *data;
	const char *wrong;

	size = bytes_le32(r);
	data = bytes_take(r, size);
	if (!data)
		return refuse(error, 0, 0, "the file ends within it");
	if (pcr != 0 || type != EVENT_NO_ACTION || !bytes_are_zero(digest, SHA1_SIZE))
		return refuse(error, 0, 0, "not a crypto-agile log: it begins with another event");
	wrong = take_form(log, data, size);
	if (wrong)
		return refuse(error, 0, 0, wrong);
	log->first = r->pos;
	log->event_count = 1;
	return true;
}

/* TCG_PCR_EVENT2: each bank of the log has its digest, in whatever order. */
static const char *take_event(const struct event_log *log, struct bytes_reader *r,
			      struct event_log_event *event)
{
	uint32_t count, size;

	event->offset = r->pos;
	event->pcr = bytes_le32(r);
	event->type = bytes_le32(r);
	count = bytes_le32(r);
	if (count != log->bank_count)
		return r->bad ? "the file ends within it" : "it has not one digest for each bank";
	for (uint32_t i = 0; i < count; i++) {
		int bank = bank_index(log, bytes_le16(r));

		if (bank < 0 || event->digests[bank])
			return r->bad ? "the file ends within it"
				      : "a digest is of no bank of the log, or there twice";
		event->digests[bank] = bytes_take(r, log->banks[bank].size);
		if (!event->digests[bank])
			return "the file ends within it";
	}
	size = bytes_le32(r);
	event->size = size;
	event->data = bytes_take(r, size);
	return event->data ? NULL : "the file ends within it";
}

static bool digests_are_zero(const struct event_log *log, const struct event_log_event *event,
			     bool all)
{
	for (size_t i = 0; i < log->bank_count; i++) {
		if (bytes_are_zero(event->digests[i], log->banks[i].size) != all)
			return !all;
	}
	return all;
}

/* Section 10.4.5.3: where PCR 0 starts, said before anything is extended into it. */
static const char *take_locality(struct event_log *log, const struct event_log_event *event)
{
	const size_t name = sizeof(STARTUP_LOCALITY);
	uint8_t locality;

	if (event->size < name || memcmp(event->data, STARTUP_LOCALITY, name) != 0)
		return NULL;
	if (event->size != name + 1 || event->pcr != 0)
		return "a start-up locality of another size or PCR";
	if (log->startup_locality != 0 || log->extended & 1)
		return "a start-up locality behind an event of PCR 0";
	locality = event->data[name];
	if (locality != 0 && locality != 3 && locality != 4)
		return "a start-up locality that there is not";
	log->startup_locality = locality;
	return NULL;
}

static const char *check_event(struct event_log *log, const struct event_log_event *event)
{
	if (event->type == EVENT_NO_ACTION)
		return digests_are_zero(log, event, true) ? take_locality(log, event)
							  : "it extends nothing, and has a digest";
	if (event->pcr >= EVENT_LOG_PCRS)
		return "there is no such PCR";
	if (digests_are_zero(log, event, false))
		return "a digest of zeros, which is none";
	log->extended |= 1u << event->pcr;
	return NULL;
}

bool event_log_open(struct event_log *log, const void *data, size_t size, struct host_error *error)
{
	struct bytes_reader r = bytes_reader_init(data, size);

	*log = (struct event_log){ .data = data, .size = size };
	if (size > EVENT_LOG_MAX)
		return host_fail(error, "a log of more than %u bytes", EVENT_LOG_MAX);
	if (!open_form(log, &r, error))
		return false;
	for (; bytes_left(&r) > 0; log->event_count++) {
		struct event_log_event event = { .number = log->event_count };
		const char *wrong = take_event(log, &r, &event);

		if (!wrong)
			wrong = check_event(log, &event);
		if (wrong)
			return refuse_event(error, &event, wrong);
	}
	return true;
}

bool event_log_next(const struct event_log *log, struct event_log_cursor *cursor,
		    struct event_log_event *event)
{
	struct bytes_reader r = bytes_reader_init(log->data, log->size);

	r.pos = cursor->pos ? cursor->pos : log->first;
	*event = (struct event_log_event){ .number = cursor->number + 1 };
	if (bytes_left(&r) == 0 || take_event(log, &r, event))
		return false;
	*cursor = (struct event_log_cursor){ r.pos, event->number };
	return true;
}

/* These bytes are what was hashed, in every bank. */
static bool hashed(const struct event_log *log, const struct event_log_event *event,
		   const uint8_t *data, size_t size, struct event_words *words)
{
	uint8_t digest[EVENT_LOG_DIGEST_MAX];

	for (size_t i = 0; i < log->bank_count; i++) {
		if (!make_digest(&log->banks[i], data, size, digest) ||
		    memcmp(digest, event->digests[i], log->banks[i].size) != 0)
			return false;
	}
	*words = (struct event_words){ data, size };
	return true;
}

bool event_log_hashes(const struct event_log *log, const struct event_log_event *event,
		      const void *data, size_t size)
{
	struct event_words words;

	return hashed(log, event, data, size, &words);
}

bool event_log_hashes_in_any(const struct event_log *log, const struct event_log_event *event,
			     const void *data, size_t size)
{
	uint8_t digest[EVENT_LOG_DIGEST_MAX];

	for (size_t i = 0; i < log->bank_count; i++) {
		if (make_digest(&log->banks[i], data, size, digest) &&
		    memcmp(digest, event->digests[i], log->banks[i].size) == 0)
			return true;
	}
	return false;
}

/* systemd's stub hashes a name in ASCII, with its NUL, and logs it in UTF-16. */
static bool hashed_as_ascii(const struct event_log *log, const struct event_log_event *event,
			    struct event_words *words)
{
	char text[64];
	size_t size = event->size / 2;

	if (event->type != EVENT_IPL || event->size % 2 || size == 0 || size > sizeof(text))
		return false;
	for (size_t i = 0; i < size; i++) {
		text[i] = (char)event->data[2 * i];
		if (event->data[2 * i + 1] || (text[i] == '\0') != (i == size - 1))
			return false;
	}
	if (!event_log_hashes(log, event, text, size))
		return false;
	*words = (struct event_words){ event->data, event->size };
	return true;
}

static bool hashed_behind_prefix(const struct event_log *log, const struct event_log_event *event,
				 struct event_words *words)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const size_t skip = strlen(prefixes[i]);
		size_t size = event->size;

		if (size < skip || memcmp(event->data, prefixes[i], skip) != 0)
			continue;
		while (size > skip && event->data[size - 1] == '\0')
			size--;
		return hashed(log, event, event->data + skip, size - skip, words);
	}
	return false;
}

/* Without their last byte, as shim has it, or a NUL behind them. */
static bool cut_hashed(const struct event_log *log, const struct event_log_event *event,
		       struct event_words *words)
{
	return hashed(log, event, event->data, event->size, words) ||
	       (event->size > 0 && hashed(log, event, event->data, event->size - 1, words));
}

enum event_proof event_log_proof(const struct event_log *log, const struct event_log_event *event,
				 struct event_words *words)
{
	const struct event_type_row *row = type_row(event->type);
	struct uefi_variable v;

	switch (row ? row->hashed : HASHED_MAYBE) {
	case HASHED_OTHER:
		return EVENT_CLAIMED;
	case HASHED_DATA:
		return hashed(log, event, event->data, event->size, words) ? EVENT_PROVED
									   : EVENT_REFUTED;
	case HASHED_CUT:
		return cut_hashed(log, event, words) ? EVENT_PROVED : EVENT_REFUTED;
	case HASHED_VALUE:
		if (cut_hashed(log, event, words) ||
		    (uefi_variable_read(&v, event->data, event->size) && v.whole &&
		     hashed(log, event, v.value, v.value_size, words)))
			return EVENT_PROVED;
		return EVENT_REFUTED;
	default:
		return cut_hashed(log, event, words) || hashed_behind_prefix(log, event, words) ||
				       hashed_as_ascii(log, event, words)
			       ? EVENT_PROVED
			       : EVENT_CLAIMED;
	}
}

/*
 * PCRs 8 and above are the system's, which could write there what looks like the firmware's word.
 */
static bool in_its_pcr(const struct event_log_event *event)
{
	switch (event->type) {
	case EVENT_S_CRTM_CONTENTS:
	case EVENT_S_CRTM_VERSION:
		return event->pcr == 0;
	case EVENT_EFI_VARIABLE_BOOT:
	case EVENT_EFI_VARIABLE_BOOT2:
		return event->pcr == 1;
	case EVENT_EFI_VARIABLE_AUTHORITY:
		return event->pcr == 7;
	case EVENT_EFI_VARIABLE_DRIVER_CONFIG:
		return event->pcr < 8 && event->pcr % 2;
	case EVENT_SEPARATOR:
	case EVENT_ACTION:
	case EVENT_EFI_ACTION:
	case EVENT_EFI_SPDM_DEVICE_POLICY:
	case EVENT_EFI_SPDM_DEVICE_AUTHORITY:
		return event->type < EVENT_EFI_VARIABLE_DRIVER_CONFIG || event->pcr < 8;
	default:
		if (event->pcr == 7) /* their data prove nothing, not even what they are */
			return false;
		return event->type < EVENT_EFI_VARIABLE_DRIVER_CONFIG || event->pcr < 8;
	}
}

/* What may follow the separator of a PCR. */
static bool behind_separator_ok(const struct event_log_event *event)
{
	if (event->pcr < 8 && event->type == EVENT_SEPARATOR)
		return false;
	switch (event->pcr) {
	case 0:
	case 2:
	case 3:
		return false;
	case 1:
		return event->type == EVENT_EFI_VARIABLE_BOOT ||
		       event->type == EVENT_EFI_VARIABLE_BOOT2;
	default:
		return event->type != EVENT_EFI_VARIABLE_DRIVER_CONFIG;
	}
}

static const char *judge_event(const struct event_log *log, const struct event_log_event *event,
			       uint32_t *separated)
{
	struct event_words words;
	uint32_t bit;

	if (event->type == EVENT_NO_ACTION) /* whose PCR may be any number */
		return NULL;
	bit = 1u << event->pcr;
	if (!in_its_pcr(event))
		return "such an event is never in this PCR";
	if (event_log_proof(log, event, &words) == EVENT_REFUTED)
		return "its data are not what its digest is of";
	if (*separated & bit && !behind_separator_ok(event))
		return "it may not come behind the PCR's separator";
	/*
	 * A part of a root of trust may be four zeros; nothing but the firmware's own name rests on
	 * PCR 0's order.
	 */
	if (event->type != EVENT_SEPARATOR)
		return event->pcr < 8 && !(*separated & bit) &&
				       event->type != EVENT_S_CRTM_CONTENTS &&
				       event_log_hashes_in_any(log, event, "\0\0\0", 4)
			       ? "a separator under another name"
			       : NULL;
	if (event->size != 4)
		return "a separator of another size";
	if (!bytes_are_zero(event->data, event->size))
		return "a separator that says the firmware failed";
	*separated |= bit;
	return NULL;
}

bool event_log_judge(const struct event_log *log, struct host_error *error)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	uint32_t separated = 0, missing;

	while (event_log_next(log, &cursor, &event)) {
		const char *wrong = judge_event(log, &event, &separated);

		if (wrong)
			return refuse_event(error, &event, wrong);
	}
	missing = 0xff & ~separated;
	if (missing)
		return host_fail(error, "PCR %d has no separator: the log does not reach the boot",
				 __builtin_ctz(missing));
	return true;
}

static bool extend(const struct event_log_bank *bank, uint8_t *pcr, const uint8_t *digest)
{
	uint8_t both[2 * EVENT_LOG_DIGEST_MAX];

	if (!digest)
		return false;
	memcpy(both, pcr, bank->size);
	memcpy(both + bank->size, digest, bank->size);
	return make_digest(bank, both, 2u * bank->size, pcr);
}

static void start_pcrs(const struct event_log *log, size_t size,
		       uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX])
{
	for (unsigned int i = 0; i < EVENT_LOG_PCRS; i++)
		memset(pcrs[i], i >= 17 && i <= 22 ? 0xff : 0, size);
	pcrs[0][size - 1] = log->startup_locality;
}

bool event_log_replay(const struct event_log *log, uint16_t algorithm,
		      uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX], size_t *digest_size)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	int bank = bank_index(log, algorithm);

	if (bank < 0)
		return false;
	*digest_size = log->banks[bank].size;
	start_pcrs(log, *digest_size, pcrs);
	while (event_log_next(log, &cursor, &event)) {
		if (event.type != EVENT_NO_ACTION &&
		    !extend(&log->banks[bank], pcrs[event.pcr], event.digests[bank]))
			return false;
	}
	return true;
}
