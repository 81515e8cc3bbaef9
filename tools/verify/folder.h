/* SPDX-License-Identifier: MIT */
/*
 * Evidence as files: a folder from the attested guest, and one of the relying party's own
 * (docs/evidence.md lists what is in both). What is the relying party's own is never read from the
 * guest's folder, whatever lies there.
 */
#ifndef SOCLE_TOOLS_VERIFY_FOLDER_H
#define SOCLE_TOOLS_VERIFY_FOLDER_H

#include <stdbool.h>

#include "core/base/host/file.h"
#include "tools/libverify/socle-verify.h"

/* How much there is to look at: "look_at" of a policy. */
enum folder_depth { FOLDER_REPORT, FOLDER_KEYS, FOLDER_QUOTE };

/* Where each part is read from; NULL: the customary name in the folder that it belongs to. */
struct folder_paths {
	const char *directory;		     /* the guest's */
	const char *mine;		     /* the relying party's own; NULL: it has none */
	const char *nonce, *challenge, *ark; /* the relying party's too */
	const char *certificates; /* folder of the report's certificates; NULL: the guest's */
	const char *report;	  /* "-": standard input */
	const char *ask, *vcek;	  /* above a report that a VCEK signed */
	const char *asvk, *vlek;  /* above one that a VLEK signed */
	const char *ek_certificate, *ca; /* NULL: none */
	const char *event_log;		 /* of the boot; NULL: eventlog.bin, if it is there */
};

/*
 * Both folders are there, and the relying party's is not the guest's; false after a line on stderr.
 */
bool folder_paths_ok(const struct folder_paths *paths);

/*
 * Loads what is to be looked at, for socle_evidence_free(). The guest's folder may have the names
 * of Linux's configfs (outblob, manifestblob, auxblob). The report says which certificates are
 * above it: ask.pem and vcek.pem, or asvk.pem and vlek.pem. A certificate for which there is no PEM
 * file is taken from certs.bin, the host's table, which lies where the PEM files would. NULL after
 * one line on stderr that names the file.
 */
struct socle_evidence *folder_load(const struct folder_paths *paths, enum folder_depth depth);

/*
 * The same before a quote, and with the keys that a challenge is for: ek.pub, if it is there, and
 * ak.pub.
 */
struct socle_evidence *folder_load_unchallenged(const struct folder_paths *paths);

#define FOLDER_MEASUREMENT_SIZE 48u

/* Whether the relying party's folder says which measurement it expects. */
bool folder_has_measurement(const struct folder_paths *paths);

/* That measurement, from hexadecimal digits; false after a line on stderr. */
bool folder_load_measurement(const struct folder_paths *paths,
			     uint8_t measurement[FOLDER_MEASUREMENT_SIZE]);

#endif
