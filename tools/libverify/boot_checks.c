/* SPDX-License-Identifier: MIT */
/*
 * Checks on the event log: that it holds and replays to the quoted values, and what it says was
 * booted.
 *
 * A replay proves digests and their order, neither types nor what stands beside a digest. What was
 * measured before a component runs was measured by those before it; what that component itself
 * extends later may be anything, the digest of a good file included. So a rule never looks for a
 * good event: it passes over none. Each event of a PCR that a rule is about has to be one of the
 * policy's, and the first that is not is where trust ends.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/evidence/host/uefi_variable.h"
#include "tools/libverify/subject.h"

#define UNKNOWN "the event log does not hold"
#define ACTION_MAX 128u

/*
 * Where loaders and kernel measure: GRUB and Linux in 8 and 9, systemd's loader and stub in 11 to
 * 13.
 */
#define SYSTEM_PCRS (1u << 8 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 13)
/*
 * Those of which the log says all: what it leaves out has the value of a start. Linux's IMA and
 * systemd extend others, and log it elsewhere; nothing here rests on them.
 */
#define LOGGED_PCRS (0xffu | SYSTEM_PCRS | 1u << 14)
#define VARIABLES_MAX 64u /* that firmware measures of its own; there are some ten */

static const char *fail(const struct subject *s, enum boot_check check,
			const struct event_log_event *event, const char *why)
{
	struct host_error *error = &s->boot_errors[check];

	host_fail(error, "event %u, in PCR %u: %s", event->number, event->pcr, why);
	return error->text;
}

/* ---- The log ---- */

static const char *replay_error(const struct subject *s, size_t bank)
{
	uint8_t pcrs[EVENT_LOG_PCRS][EVENT_LOG_DIGEST_MAX];
	const uint16_t algorithm = s->log.banks[bank].algorithm;
	struct host_error *error = &s->boot_errors[BOOT_QUOTE];
	size_t size, quoted_size;

	if (!event_log_replay(&s->log, algorithm, pcrs, &size))
		return "out of memory";
	for (unsigned int i = 0; i < EVENT_LOG_PCRS; i++) {
		const uint8_t *value = tpm_quote_value(&s->values, algorithm, i, &quoted_size);
		const bool extended = s->log.extended >> i & 1;

		if (!extended && (!value || !(LOGGED_PCRS >> i & 1)))
			continue;
		if (!value) {
			host_fail(error, "PCR %u, which the log extends, was not quoted", i);
			return error->text;
		}
		if (quoted_size != size || memcmp(value, pcrs[i], size) != 0) {
			host_fail(error, "the log does not give PCR %u the quoted value", i);
			return error->text;
		}
	}
	return NULL;
}

static bool is_quoted(const struct subject *s, uint16_t algorithm)
{
	for (size_t i = 0; i < s->values.selection.bank_count; i++) {
		if (s->values.selection.banks[i].algorithm == algorithm &&
		    s->values.selection.banks[i].mask)
			return true;
	}
	return false;
}

/* Each bank that is in both; SHA-1 alone, which the policy does not know, proves nothing. */
static const char *take_replay(struct subject *s)
{
	bool known = false;

	if (s->values_error)
		return s->values_error;
	for (size_t i = 0; i < s->log.bank_count; i++) {
		const char *error;

		if (!is_quoted(s, s->log.banks[i].algorithm))
			continue;
		error = replay_error(s, i);
		if (error)
			return error;
		s->replayed |= 1u << i;
		known = known || policy_bank_name(s->log.banks[i].algorithm);
	}
	return known ? NULL : "no bank of SHA-256 or better is in the log and was quoted";
}

void subject_take_boot(struct subject *s)
{
	const struct file_bytes *bytes = &s->evidence->event_log;
	struct host_error *error = &s->boot_errors[BOOT_LOG];
	const char *wrong;

	if (!bytes->size || !event_log_open(&s->log, bytes->data, bytes->size, error) ||
	    !event_log_judge(&s->log, error))
		return;
	error->text[0] = '\0';
	wrong = take_replay(s);
	if (wrong && wrong != s->boot_errors[BOOT_QUOTE].text)
		host_fail(&s->boot_errors[BOOT_QUOTE], "%s", wrong);
	s->boot_known = !wrong;
}

static const char *text_of(const struct host_error *error)
{
	return error->text[0] ? error->text : NULL;
}

const char *check_event_log(const struct subject *s)
{
	return text_of(&s->boot_errors[BOOT_LOG]);
}

const char *check_event_log_quote(const struct subject *s)
{
	return s->boot_errors[BOOT_LOG].text[0] ? UNKNOWN : text_of(&s->boot_errors[BOOT_QUOTE]);
}

/* ---- Secure boot ---- */

enum policy_secure_boot subject_secure_boot(const struct subject *s)
{
	enum policy_secure_boot found = SECURE_BOOT_UNSAID;
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	struct event_words words;
	struct uefi_variable v;

	while (event_log_next(&s->log, &cursor, &event)) {
		/* By its bytes: a type is anybody's word. */
		if (event.pcr != 7 || event.type == EVENT_NO_ACTION ||
		    event_log_proof(&s->log, &event, &words) != EVENT_PROVED ||
		    !uefi_variable_read(&v, words.data, words.size) ||
		    !uefi_variable_is(&v, &uefi_global_variable, "SecureBoot"))
			continue;
		/* The judge lets no variable of the firmware's stand behind the separator. */
		if (found || event.type != EVENT_EFI_VARIABLE_DRIVER_CONFIG || !v.whole ||
		    v.value_size > 1)
			return SECURE_BOOT_UNSAID;
		/* Without a value there is no secure boot. */
		found = v.value_size && v.value[0] ? SECURE_BOOT_ON : SECURE_BOOT_OFF;
	}
	return found;
}

const char *check_secure_boot(const struct subject *s)
{
	enum policy_secure_boot found;

	if (!s->boot_known)
		return UNKNOWN;
	found = subject_secure_boot(s);
	if (found == SECURE_BOOT_UNSAID)
		return "the log does not say, or not once, whether secure boot is on";
	if (found == s->policy->secure_boot)
		return NULL;
	return found == SECURE_BOOT_ON ? "secure boot is on" : "secure boot is off";
}

static bool is_listed(const struct subject *s, enum policy_list_kind kind, const void *bytes,
		      size_t size)
{
	uint8_t digest[32];

	return EVP_Digest(bytes, size, digest, NULL, EVP_sha256(), NULL) == 1 &&
	       subject_find_value(s, kind, digest, sizeof(digest));
}

/*
 * An EFI_SIGNATURE_DATA, whose owner stands before the certificate, or as shim has it, the
 * certificate alone.
 */
static bool is_known_signer(const struct subject *s, const struct uefi_variable *v)
{
	const size_t owner = 16;

	return is_listed(s, POLICY_BOOT_SIGNERS, v->value, v->value_size) ||
	       (v->value_size > owner &&
		is_listed(s, POLICY_BOOT_SIGNERS, v->value + owner, v->value_size - owner));
}

/*
 * Variables of shim's that say which generations and lists count, and who signed nothing. With
 * MokSBState set shim verifies no more (mok.c and shim.c of its sources).
 */
static bool is_setting(const struct uefi_variable *v)
{
	static const char *const names[] = { "SbatLevel", "MokListTrusted" };

	if (uefi_variable_is(v, &uefi_shim_lock, "MokSBState"))
		return v->whole && bytes_are_zero(v->value, v->value_size);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (uefi_variable_is(v, &uefi_shim_lock, names[i]))
			return true;
	}
	return false;
}

static const char *signer_error(const struct subject *s, const struct event_log_event *event,
				bool *found)
{
	struct event_words words;
	struct uefi_variable v;

	/* Anything else could be one that the log calls otherwise. */
	if (event->type != EVENT_EFI_VARIABLE_AUTHORITY ||
	    event_log_proof(&s->log, event, &words) != EVENT_PROVED ||
	    !uefi_variable_read(&v, words.data, words.size))
		return "it does not say who signed what was booted";
	if (is_setting(&v))
		return NULL;
	if (!is_known_signer(s, &v))
		return "who signed what was booted is none of the policy's";
	*found = true;
	return NULL;
}

/* Variables that firmware has measured so far. */
struct measured {
	struct uefi_variable variables[VARIABLES_MAX];
	size_t count;
};

static bool is_same(const struct uefi_variable *a, const struct uefi_variable *b)
{
	return memcmp(a->vendor, b->vendor, sizeof(struct uefi_guid)) == 0 &&
	       a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0;
}

/*
 * Whether a variable comes again, by its bytes and not its type: firmware measures each of its own
 * once, and a second one of that name is who signed what it loaded.
 */
static bool comes_again(const struct subject *s, const struct event_log_event *event,
			struct measured *before)
{
	struct event_words words;
	struct uefi_variable v;

	if (event_log_proof(&s->log, event, &words) != EVENT_PROVED ||
	    !uefi_variable_read(&v, words.data, words.size))
		return false;
	for (size_t i = 0; i < before->count; i++) {
		if (is_same(&v, &before->variables[i]))
			return true;
	}
	if (before->count == VARIABLES_MAX)
		return true;
	before->variables[before->count++] = v;
	return false;
}

const char *check_boot_signers(const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	struct measured before = { .count = 0 };
	struct event_log_event event;
	bool behind = false, found = false;

	if (!s->boot_known)
		return UNKNOWN;
	while (event_log_next(&s->log, &cursor, &event)) {
		const char *error = NULL;

		if (event.pcr != 7 || event.type == EVENT_NO_ACTION)
			continue;
		if (event.type == EVENT_SEPARATOR)
			behind = true;
		else if (behind || event.type == EVENT_EFI_VARIABLE_AUTHORITY ||
			 comes_again(s, &event, &before))
			error = signer_error(s, &event, &found);
		if (error)
			return fail(s, BOOT_SIGNERS, &event, error);
	}
	return found ? NULL : "no signature was asked for";
}

/* ---- Programs, files and texts ---- */

static const struct policy_value *listed_digest(const struct subject *s, enum policy_list_kind kind,
						const struct event_log_event *event)
{
	for (size_t i = 0; i < s->log.bank_count; i++) {
		const struct policy_value *value;

		if (!(s->replayed >> i & 1))
			continue;
		value = subject_find_value(s, kind, event->digests[i], s->log.banks[i].size);
		if (value)
			return value;
	}
	return NULL;
}

static bool is_text(const struct subject *s, const struct policy_text *text,
		    const struct event_log_event *event, size_t bank)
{
	const struct event_log_bank *b = &s->log.banks[bank];

	for (unsigned int i = 0; i < POLICY_BANKS; i++) {
		if (policy_banks[i].algorithm != b->algorithm)
			continue;
		for (unsigned int form = 0; form < POLICY_TEXT_FORMS; form++) {
			if (memcmp(text->digests[form][i], event->digests[bank], b->size) == 0)
				return true;
		}
	}
	return false;
}

static const struct policy_text *listed_text(const struct subject *s, enum policy_text_kind kind,
					     const struct event_log_event *event)
{
	const struct policy_texts *list = &s->policy->texts[kind];

	for (size_t i = 0; i < list->count; i++) {
		for (size_t bank = 0; bank < s->log.bank_count; bank++) {
			if (s->replayed >> bank & 1 && is_text(s, &list->values[i], event, bank))
				return &list->values[i];
		}
	}
	return NULL;
}

/* A short text, which is no program whatever its digest is of. */
static bool is_action(const struct event_log_event *event)
{
	if ((event->type != EVENT_ACTION && event->type != EVENT_EFI_ACTION) ||
	    event->size > ACTION_MAX)
		return false;
	for (size_t i = 0; i < event->size; i++) {
		if (event->data[i] < ' ' || event->data[i] > '~')
			return false;
	}
	return true;
}

const char *check_boot_programs(const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	bool found = false;

	if (!s->boot_known)
		return UNKNOWN;
	while (event_log_next(&s->log, &cursor, &event)) {
		if (event.pcr != 4 || event.type == EVENT_NO_ACTION ||
		    event.type == EVENT_SEPARATOR || is_action(&event))
			continue;
		if (!listed_digest(s, POLICY_BOOT_PROGRAMS, &event))
			return fail(s, BOOT_PROGRAMS, &event,
				    "a program that is none of the policy's was started");
		found = true;
	}
	return found ? NULL : "no program was started by the firmware";
}

/*
 * systemd's stub measures the name of a section before what is in it; what it means is that alone.
 */
static const char *section_of(const struct subject *s, const struct event_log_event *event)
{
	static const char *const names[] = { ".linux", ".osrel",  ".cmdline", ".initrd",
					     ".ucode", ".splash", ".dtb",     ".dtbauto",
					     ".uname", ".sbat",	  ".pcrpkey", ".profile",
					     ".hwids", ".efifw" };

	for (size_t i = 0; event->pcr == 11 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (event_log_hashes(&s->log, event, names[i], strlen(names[i]) + 1))
			return names[i];
	}
	return NULL;
}

static bool is_separator(const struct subject *s, const struct event_log_event *event)
{
	return event_log_hashes(&s->log, event, "\0\0\0", 4);
}

/*
 * OVMF's first phase runs where its volume was unpacked to, and has written to its own variables
 * there before it measures that volume: in an SNP guest (and not in others) that there is an SVSM's
 * TPM, and where its buffer for it is (edk2, Tpm2DeviceLibDTpm). So this one volume may be another
 * than the file's, and neither the version before it nor what comes behind it.
 */
static bool is_volume(const struct event_log_event *event)
{
	return event->type == EVENT_EFI_PLATFORM_FIRMWARE_BLOB ||
	       event->type == EVENT_EFI_PLATFORM_FIRMWARE_BLOB2;
}

/*
 * The launch measurement, which has to be one of the policy's, is of the firmware that measured all
 * this.
 */
const char *check_boot_firmware(const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;
	bool version = false, differed = false, whole = false;

	if (!s->boot_known)
		return UNKNOWN;
	while (event_log_next(&s->log, &cursor, &event)) {
		bool found;

		if (event.pcr != 0 || event.type == EVENT_NO_ACTION ||
		    event.type == EVENT_SEPARATOR)
			continue;
		/*
		 * An EV_S_CRTM_CONTENTS may be one in a log that holds, and behind it the system
		 * has its say.
		 */
		if (event_log_hashes_in_any(&s->log, &event, "\0\0\0", 4))
			return fail(s, BOOT_FIRMWARE, &event, "a separator under another name");
		found = listed_digest(s, POLICY_BOOT_FIRMWARE, &event);
		if (!found && (!version || differed || !is_volume(&event)))
			return fail(s, BOOT_FIRMWARE, &event,
				    "the firmware measured of itself what is none of the policy's");
		version = version || event.type == EVENT_S_CRTM_VERSION;
		differed = differed || !found;
		whole = found && is_volume(&event);
	}
	return version && whole ? NULL : "the firmware did not measure itself to its end";
}

/* What is not quoted may hold anything, and no log has to mention it. */
static const char *unquoted_error(const struct subject *s)
{
	struct host_error *error = &s->boot_errors[BOOT_FILES];
	size_t size;

	for (size_t bank = 0; bank < s->log.bank_count; bank++) {
		for (unsigned int i = 0; s->replayed >> bank & 1 && i < EVENT_LOG_PCRS; i++) {
			if (!(SYSTEM_PCRS >> i & 1) ||
			    tpm_quote_value(&s->values, s->log.banks[bank].algorithm, i, &size))
				continue;
			host_fail(error,
				  "PCR %u, where loaders and kernels measure, was not quoted", i);
			return error->text;
		}
	}
	return NULL;
}

const char *check_boot_files(const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	const char *error = s->boot_known ? unquoted_error(s) : UNKNOWN;
	struct event_log_event event;

	if (error)
		return error;
	while (event_log_next(&s->log, &cursor, &event)) {
		if (event.type == EVENT_NO_ACTION || !(SYSTEM_PCRS >> event.pcr & 1) ||
		    is_separator(s, &event) || section_of(s, &event) ||
		    listed_digest(s, POLICY_BOOT_FILES, &event) ||
		    listed_text(s, POLICY_BOOT_WORDS, &event) ||
		    listed_text(s, POLICY_BOOT_COMMAND_LINES, &event))
			continue;
		return fail(s, BOOT_FILES, &event,
			    "it is none of the policy's files, words and command lines");
	}
	return NULL;
}

const char *check_boot_command_line(const struct subject *s)
{
	struct event_log_cursor cursor = { 0 };
	const char *error = s->boot_known ? unquoted_error(s) : UNKNOWN;
	struct event_log_event event;

	if (error)
		return error;
	while (event_log_next(&s->log, &cursor, &event)) {
		if (event.type != EVENT_NO_ACTION && SYSTEM_PCRS >> event.pcr & 1 &&
		    listed_text(s, POLICY_BOOT_COMMAND_LINES, &event))
			return NULL;
	}
	return "no command line of the policy's was measured";
}

/* ---- In words ---- */

static bool name_digest(const struct subject *s, const struct event_log_event *event,
			enum policy_list_kind kind, const char *what, char *words)
{
	const struct policy_value *value = listed_digest(s, kind, event);

	if (value)
		snprintf(words, EVENT_WORDS_MAX, "%s \"%s\"", what, value->name);
	return value;
}

static bool name_text(const struct subject *s, const struct event_log_event *event,
		      enum policy_text_kind kind, const char *what, char *words)
{
	const struct policy_text *text = listed_text(s, kind, event);

	if (text)
		snprintf(words, EVENT_WORDS_MAX, "%s \"%s\": %.350s", what, text->name, text->text);
	return text;
}

static bool name_event(const struct subject *s, const struct event_log_event *event, char *words)
{
	if (event->pcr == 0)
		return name_digest(s, event, POLICY_BOOT_FIRMWARE, "firmware", words);
	if (event->pcr == 4)
		return name_digest(s, event, POLICY_BOOT_PROGRAMS, "program", words);
	return SYSTEM_PCRS >> event->pcr & 1 &&
	       (name_digest(s, event, POLICY_BOOT_FILES, "file", words) ||
		name_text(s, event, POLICY_BOOT_WORDS, "words", words) ||
		name_text(s, event, POLICY_BOOT_COMMAND_LINES, "command line", words));
}

/* False for an event of which there is nothing to say. */
static bool describe_event(const struct subject *s, const struct event_log_event *event,
			   struct boot_line *line)
{
	enum event_proof proof;
	struct event_words words;

	*line = (struct boot_line){ .number = event->number, .pcr = event->pcr };
	if (event->type == EVENT_NO_ACTION || is_separator(s, event))
		return false;
	if (name_event(s, event, line->words)) {
		line->standing = BOOT_NAMED;
		return true;
	}
	proof = event_log_proof(&s->log, event, &words);
	line->standing = proof == EVENT_PROVED ? BOOT_PROVED : BOOT_CLAIMED;
	event_words_write(event, proof == EVENT_PROVED ? &words : NULL, line->words);
	return line->words[0];
}

/* Names of a policy may be UTF-8, as all of it; these lines are printable ASCII. */
static void clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
			*text = '?';
	}
}

void subject_describe_boot(const struct subject *s, struct verdict *verdict)
{
	struct event_log_cursor cursor = { 0 };
	struct event_log_event event;

	if (!s->boot_known)
		return;
	verdict->boot = calloc(s->log.event_count, sizeof(*verdict->boot));
	if (!verdict->boot)
		return;
	verdict->secure_boot = subject_secure_boot(s);
	while (event_log_next(&s->log, &cursor, &event)) {
		struct boot_line *line = &verdict->boot[verdict->boot_count];

		if (!describe_event(s, &event, line))
			continue;
		clean(line->words);
		verdict->boot_count++;
	}
}
