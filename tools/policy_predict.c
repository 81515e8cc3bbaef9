/* SPDX-License-Identifier: MIT */
/*
 * What OVMF, systemd's stub and the kernel's EFI stub measure (edk2 2026.08, systemd 252 to 257,
 * Linux 6.12), judged by their logs in tests/peers/measured_boot_test.py.
 */
#include "tools/policy_predict.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hex.h"
#include "core/evidence/host/uefi_variable.h"
#include "core/image/host/firmware_volumes.h"
#include "core/image/host/pe_image.h"
#include "core/image/host/stub_initrd.h"
#include "tools/cmd.h"
#include "tools/liblzma.h"
#include "tools/policy_options.h"

#define FILE_MAX (1u << 30)
#define FLASH_MAX (64u << 20)
#define DIGEST_SIZE 32u
#define COMMAND_LINE_MAX 4096u

/* What OVMF puts before the command line of a kernel that has a first file system. */
#define INITRD_WORD "initrd=initrd "

struct draft {
	json_t *measurements, *firmware, *programs, *files, *lines;
	uint8_t pcr4[DIGEST_SIZE];
	uint8_t pcr9[2][DIGEST_SIZE];  /* of a unified kernel: by enum stub_initrd_age */
	uint8_t pcr11[2][DIGEST_SIZE]; /* with .sbat, and without */
};

static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return false;
	}
	return true;
}

static bool hash(const void *data, size_t size, uint8_t digest[DIGEST_SIZE])
{
	return EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) == 1;
}

static bool extend(uint8_t pcr[DIGEST_SIZE], const uint8_t digest[DIGEST_SIZE])
{
	uint8_t both[2 * DIGEST_SIZE];

	memcpy(both, pcr, DIGEST_SIZE);
	memcpy(both + DIGEST_SIZE, digest, DIGEST_SIZE);
	return hash(both, sizeof(both), pcr);
}

static json_t *hex_text(const uint8_t digest[DIGEST_SIZE])
{
	char text[HEX_TEXT_SIZE(DIGEST_SIZE)];

	hex_write(text, digest, DIGEST_SIZE);
	return json_string(text);
}

static bool put(json_t *object, const char *name, const uint8_t digest[DIGEST_SIZE])
{
	return json_object_set_new(object, name, hex_text(digest)) == 0;
}

static bool extend_with(uint8_t pcr[DIGEST_SIZE], const void *data, size_t size)
{
	uint8_t digest[DIGEST_SIZE];

	return hash(data, size, digest) && extend(pcr, digest);
}

/* What firmware measures when it comes to boot something, and then hands over. */
static bool begin_boot(struct draft *d)
{
	static const char action[] = "Calling EFI Application from Boot Option";

	return extend_with(d->pcr4, action, sizeof(action) - 1) &&
	       extend_with(d->pcr4, "\0\0\0", 4);
}

/* A PE file by its Authenticode hash. */
static bool add_image(struct draft *d, const struct pe_image *image, const char *name)
{
	uint8_t digest[DIGEST_SIZE];

	return pe_image_digest(image, EVP_sha256(), digest) && extend(d->pcr4, digest) &&
	       put(d->programs, name, digest);
}

/* ---- What OVMF measures of itself ---- */

/* As UTF-16 with its NUL. */
static bool put_version(struct draft *d, const char *version)
{
	uint8_t wide[2 * (FIRMWARE_VERSION_MAX + 1)] = { 0 }, digest[DIGEST_SIZE];
	char name[FIRMWARE_VERSION_MAX + sizeof("version ")];
	const size_t length = strlen(version);

	if (length > FIRMWARE_VERSION_MAX)
		return cmd_error("policy: --firmware-version: more than %u characters",
				 FIRMWARE_VERSION_MAX),
		       false;
	for (size_t i = 0; i < length; i++)
		wide[2 * i] = (uint8_t)version[i];
	snprintf(name, sizeof(name), "version %s", version);
	return hash(wide, 2 * length + 2, digest) && put(d->firmware, name, digest);
}

static bool put_volume(struct draft *d, const char *name, const struct firmware_part *part)
{
	uint8_t digest[DIGEST_SIZE];

	return hash(part->data, part->size, digest) && put(d->firmware, name, digest);
}

static bool predict_volumes(struct draft *d, const struct predict_files *files,
			    const struct file_bytes *flash)
{
	const char *version = files->firmware_version;
	struct firmware_volumes volumes;
	struct host_error error;
	bool ok;

	if (!liblzma_load(&error) ||
	    !firmware_volumes_open(&volumes, flash->data, flash->size, &error)) {
		cmd_file_error(files->firmware, "%s", error.text);
		return false;
	}
	if (!version)
		version = volumes.version;
	ok = *version && put_version(d, version) &&
	     put_volume(d, "volume of the first phase", &volumes.pei) &&
	     put_volume(d, "volume of the second phase", &volumes.dxe);
	if (!*version)
		cmd_file_error(files->firmware,
			       "it does not say its version: give --firmware-version");
	firmware_volumes_close(&volumes);
	return ok;
}

/* The image by its measurement, which has to have this firmware within. */
static bool predict_image(struct draft *d, const struct predict_files *files,
			  const struct file_bytes *flash)
{
	char found[HEX_TEXT_SIZE(DIGEST_SIZE)], value[HEX_TEXT_SIZE(OPTION_MEASUREMENT_SIZE)];
	struct option_measurement measurement;
	uint8_t digest[DIGEST_SIZE];

	if (!files->image)
		return true;
	if (!option_measure_image(files->image, &measurement) ||
	    (flash->size && !hash(flash->data, flash->size, digest)))
		return false;
	hex_write(found, digest, sizeof(digest));
	if (flash->size && strcmp(found, measurement.firmware) != 0) {
		cmd_file_error(files->image, "its firmware is not that of --firmware");
		return false;
	}
	hex_write(value, measurement.value, sizeof(measurement.value));
	return json_object_set_new(d->measurements, measurement.name, json_string(value)) == 0;
}

static bool predict_firmware(struct draft *d, const struct predict_files *files)
{
	struct file_bytes flash = { 0 };
	bool ok;

	if (files->firmware && !cmd_read_file(files->firmware, FLASH_MAX, &flash))
		return false;
	ok = (!files->firmware || predict_volumes(d, files, &flash)) &&
	     predict_image(d, files, &flash);
	file_free(&flash);
	return ok;
}

/* ---- Firmware without keys ---- */

/* A UEFI_VARIABLE_DATA, whose name is ASCII. */
static bool measure_variable(uint8_t pcr[DIGEST_SIZE], const struct uefi_guid *vendor,
			     const char *name, size_t value_size)
{
	uint8_t data[32 + 2 * 16 + 1] = { 0 };
	const size_t length = strlen(name);

	memcpy(data, vendor->bytes, sizeof(vendor->bytes));
	data[16] = (uint8_t)length;
	data[24] = (uint8_t)value_size;
	for (size_t i = 0; i < length; i++)
		data[32 + 2 * i] = (uint8_t)name[i];
	return extend_with(pcr, data, 32 + 2 * length + value_size);
}

/*
 * PCR 7 of firmware that keeps no variables, or that keeps them and has a SecureBoot of 0:
 * value_size 0 or 1.
 */
static json_t *without_keys(size_t value_size)
{
	uint8_t pcr[DIGEST_SIZE] = { 0 };

	return measure_variable(pcr, &uefi_global_variable, "SecureBoot", value_size) &&
			       measure_variable(pcr, &uefi_global_variable, "PK", 0) &&
			       measure_variable(pcr, &uefi_global_variable, "KEK", 0) &&
			       measure_variable(pcr, &uefi_image_security_database, "db", 0) &&
			       measure_variable(pcr, &uefi_image_security_database, "dbx", 0) &&
			       extend_with(pcr, "\0\0\0", 4)
		       ? hex_text(pcr)
		       : NULL;
}

static bool add_program(struct draft *d, const char *path, const char *name)
{
	struct host_error error;
	struct file_bytes bytes;
	struct pe_image image;
	bool ok;

	if (!cmd_read_file(path, FILE_MAX, &bytes))
		return false;
	ok = pe_image_open(&image, bytes.data, bytes.size, &error);
	if (!ok)
		cmd_file_error(path, "%s", error.text);
	ok = ok && add_image(d, &image, name);
	file_free(&bytes);
	return ok;
}

/* What a policy may have as a text. */
static bool add_text(struct draft *d, const char *option, const char *line)
{
	if (!is_printable(line))
		return cmd_error("policy: %s: a command line with what is not printable ASCII",
				 option),
		       false;
	return json_object_set_new(d->lines, "predicted", json_string(line)) == 0;
}

/* ---- A kernel that the firmware is given ---- */

/* As load options are: UTF-16 with a NUL. */
static bool measure_line(struct draft *d, const char *option, const char *line)
{
	uint8_t wide[2 * (COMMAND_LINE_MAX + sizeof(INITRD_WORD))] = { 0 }, digest[DIGEST_SIZE];
	const size_t length = strlen(line);

	for (size_t i = 0; i < length; i++)
		wide[2 * i] = (uint8_t)line[i];
	return hash(wide, 2 * length + 2, digest) && extend(d->pcr9[0], digest) &&
	       extend(d->pcr9[1], digest) && add_text(d, option, line);
}

static bool add_initrd(struct draft *d, const char *path)
{
	uint8_t digest[DIGEST_SIZE];
	struct file_bytes bytes;
	bool ok;

	if (!cmd_read_file(path, FILE_MAX, &bytes))
		return false;
	ok = hash(bytes.data, bytes.size, digest) && extend(d->pcr9[0], digest) &&
	     put(d->files, "initrd", digest);
	file_free(&bytes);
	return ok;
}

static bool predict_direct(struct draft *d, const struct predict_files *files)
{
	char line[COMMAND_LINE_MAX + sizeof(INITRD_WORD)];
	const char *words = files->command_line ? files->command_line : "";

	if (strlen(words) > COMMAND_LINE_MAX) {
		cmd_error("policy: --append: more than %u bytes", COMMAND_LINE_MAX);
		return false;
	}
	snprintf(line, sizeof(line), "%s%s", files->initrd ? INITRD_WORD : "", words);
	/* OVMF loads, and so measures, the kernel before it comes to boot it. */
	return add_program(d, files->kernel, "kernel") && begin_boot(d) &&
	       (!line[0] || measure_line(d, "--append", line)) &&
	       (!files->initrd || add_initrd(d, files->initrd));
}

/* ---- A unified kernel ---- */

/*
 * In the order in which the stub measures them; those that it lacks are passed over. Stubs before
 * systemd 254 pass over .sbat, which all have.
 */
static const char *const sections[] = { ".linux",   ".osrel",	".cmdline", ".initrd", ".ucode",
					".splash",  ".dtb",	".uname",   ".sbat",   ".pcrpkey",
					".profile", ".dtbauto", ".hwids",   ".efifw" };

/*
 * What the stub measures is what it finds in memory, one of each. One that comes twice belongs to a
 * profile among several, of which the boot chooses.
 */
static bool section_ok(const struct pe_image *image, const char *name)
{
	const struct pe_section *s = pe_image_section(image, name, NULL);

	if (s && pe_image_section(image, name, s))
		return cmd_error("policy: --uki: %s is there twice", name), false;
	if (s && s->grows)
		return cmd_error("policy: --uki: %s is larger in memory than in the file", name),
		       false;
	return true;
}

/* .pcrsig is not measured, but handed on with the first file system. */
static bool sections_ok(const struct pe_image *image)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (!section_ok(image, sections[i]))
			return false;
	}
	return section_ok(image, ".pcrsig");
}

static bool add_section(struct draft *d, const struct pe_image *image, const char *name)
{
	const struct pe_section *s = pe_image_section(image, name, NULL);
	uint8_t digest[DIGEST_SIZE], named[DIGEST_SIZE];
	const bool sbat = strcmp(name, ".sbat") == 0;

	if (!s || s->size == 0)
		return true;
	return hash(name, strlen(name) + 1, named) && hash(image->data + s->at, s->size, digest) &&
	       extend(d->pcr11[0], named) && extend(d->pcr11[0], digest) &&
	       (sbat || (extend(d->pcr11[1], named) && extend(d->pcr11[1], digest))) &&
	       put(d->files, name, digest);
}

/*
 * Loader, stub and kernel measure it once more as text, without what ends the file that it came
 * from.
 */
static bool add_line(struct draft *d, const struct pe_image *image)
{
	const struct pe_section *s = pe_image_section(image, ".cmdline", NULL);
	char line[COMMAND_LINE_MAX + 1];
	size_t size = s ? s->size : 0;

	while (size && memchr(" \t\n", image->data[s->at + size - 1], 4))
		size--;
	if (size > COMMAND_LINE_MAX) {
		cmd_error("policy: --uki: a command line of more than %u bytes", COMMAND_LINE_MAX);
		return false;
	}
	if (size == 0)
		return true;
	if (memchr(image->data + s->at, '\0', size)) {
		cmd_error("policy: --uki: a command line with a NUL in it");
		return false;
	}
	memcpy(line, image->data + s->at, size);
	line[size] = '\0';
	return measure_line(d, "--uki", line);
}

/* What the kernel measures of the first file system that it got from the stub, of either age. */
static bool add_stub_initrd(struct draft *d, const struct pe_image *image)
{
	static const char *const names[] = {
		[STUB_INITRD_257] = "initrd",
		[STUB_INITRD_BEFORE_257] = "initrd by a stub before systemd 257",
	};

	for (enum stub_initrd_age age = STUB_INITRD_257; age <= STUB_INITRD_BEFORE_257; age++) {
		uint8_t digest[DIGEST_SIZE];

		switch (stub_initrd_digest(image, age, EVP_sha256(), digest)) {
		case STUB_INITRD_NONE:
			break;
		case STUB_INITRD_ERROR:
			return false;
		case STUB_INITRD_DIGEST:
			if (!extend(d->pcr9[age], digest) || !put(d->files, names[age], digest))
				return false;
		}
	}
	return true;
}

/*
 * The kernel within is started by the firmware's LoadImage(), which measures it like any program.
 */
static bool add_inner(struct draft *d, const struct pe_image *image)
{
	const struct pe_section *s = pe_image_section(image, ".linux", NULL);
	struct host_error error;
	struct pe_image inner;

	if (s && pe_image_open(&inner, image->data + s->at, s->size, &error))
		return add_image(d, &inner, "kernel");
	cmd_error("policy: --uki: its .linux is no kernel");
	return false;
}

static bool predict_sections(struct draft *d, const struct pe_image *image)
{
	if (!sections_ok(image))
		return false;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (!add_section(d, image, sections[i]))
			return false;
	}
	return add_line(d, image) && add_stub_initrd(d, image) &&
	       add_image(d, image, "unified kernel") && add_inner(d, image);
}

static bool predict_unified(struct draft *d, const struct predict_files *files)
{
	struct host_error error;
	struct file_bytes bytes;
	struct pe_image image;
	bool ok;

	if (!begin_boot(d) || (files->loader && !add_program(d, files->loader, "loader")))
		return false;
	if (!cmd_read_file(files->uki, FILE_MAX, &bytes))
		return false;
	ok = pe_image_open(&image, bytes.data, bytes.size, &error);
	if (!ok)
		cmd_file_error(files->uki, "%s", error.text);
	ok = ok && predict_sections(d, &image);
	file_free(&bytes);
	return ok;
}

bool predict_wanted(const struct predict_files *files)
{
	return files->kernel || files->initrd || files->command_line || files->uki ||
	       files->loader || files->no_secure_boot || files->image || files->firmware ||
	       files->firmware_version;
}

static bool files_ok(const struct predict_files *files)
{
	if (!files->kernel == !files->uki)
		return cmd_error("policy: give one of --kernel and --uki"), false;
	if (files->uki && (files->initrd || files->command_line))
		return cmd_error("policy: --initrd and --append are for --kernel"), false;
	if (files->kernel && files->loader)
		return cmd_error("policy: --loader is for --uki"), false;
	if (files->firmware_version && !files->firmware)
		return cmd_error("policy: --firmware-version is for --firmware"), false;
	if (files->firmware_version && !is_printable(files->firmware_version))
		return cmd_error("policy: --firmware-version: what is not printable ASCII"), false;
	return true;
}

static bool put_no_secure_boot(json_t *boot, json_t *pcrs)
{
	json_t *values = json_pack("[o, o]", without_keys(0), without_keys(1));

	return json_object_set_new(boot, "secure_boot", json_false()) == 0 &&
	       json_object_set_new(pcrs, "7", values) == 0;
}

/* One of two values. */
static bool put_either(json_t *pcrs, const char *name, uint8_t digests[2][DIGEST_SIZE])
{
	return json_object_set_new(
		       pcrs, name,
		       json_pack("[o, o]", hex_text(digests[0]), hex_text(digests[1]))) == 0;
}

/* Of a unified kernel without a command line PCR 9 has whatever the loader gives it. */
static bool put_by_stub(struct draft *d, json_t *pcrs)
{
	return (!json_object_size(d->lines) || put_either(pcrs, "9", d->pcr9)) &&
	       put_either(pcrs, "11", d->pcr11);
}

static json_t *whole(const struct draft *d, json_t *boot, json_t *pcrs)
{
	json_t *policy = json_pack("{s:i, s:s, s:O, s:{s:O}}", "format", 1, "name",
				   "predicted from the files of a boot", "boot", boot, "pcrs",
				   "sha256", pcrs);

	if (!policy || !json_object_size(d->measurements) ||
	    json_object_set(policy, "measurements", d->measurements) == 0)
		return policy;
	json_decref(policy);
	return NULL;
}

static json_t *compose(struct draft *d, const struct predict_files *files)
{
	json_t *boot = json_pack("{s:O}", "programs", d->programs), *pcrs = json_object();
	static const uint8_t start[DIGEST_SIZE];
	/*
	 * GRUB measures into the first of these two, and loaders what overrides a unified kernel
	 * into the second.
	 */
	bool ok = boot && pcrs && put(pcrs, "4", d->pcr4) && put(pcrs, "8", start) &&
		  put(pcrs, "12", start) &&
		  (files->kernel ? put(pcrs, "9", d->pcr9[0]) : put_by_stub(d, pcrs)) &&
		  (!files->no_secure_boot || put_no_secure_boot(boot, pcrs));
	json_t *policy;

	if (json_object_size(d->firmware))
		ok = ok && json_object_set(boot, "firmware", d->firmware) == 0;
	if (json_object_size(d->files))
		ok = ok && json_object_set(boot, "files", d->files) == 0;
	if (json_object_size(d->lines))
		ok = ok && json_object_set(boot, "command_lines", d->lines) == 0;
	policy = ok ? whole(d, boot, pcrs) : NULL;
	json_decref(boot);
	json_decref(pcrs);
	return policy;
}

json_t *predict_policy(const struct predict_files *files)
{
	struct draft d = { .measurements = json_object(),
			   .firmware = json_object(),
			   .programs = json_object(),
			   .files = json_object(),
			   .lines = json_object() };
	json_t *policy = NULL;

	if (files_ok(files) && predict_firmware(&d, files) &&
	    (files->kernel ? predict_direct(&d, files) : predict_unified(&d, files)))
		policy = compose(&d, files);
	json_decref(d.measurements);
	json_decref(d.firmware);
	json_decref(d.programs);
	json_decref(d.files);
	json_decref(d.lines);
	return policy;
}
