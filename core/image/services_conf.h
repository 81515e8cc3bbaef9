/* SPDX-License-Identifier: MIT */
/*
 * services.conf: which services the archive holds, and what each is granted. The file is measured
 * with the archive; the parser is strict all the same, so that a mistake stops the image builder,
 * or else the monitor's start, and says where, instead of silently granting more or less than was
 * meant. docs/services.md describes the syntax.
 */
#ifndef SOCLE_CORE_IMAGE_SERVICES_CONF_H
#define SOCLE_CORE_IMAGE_SERVICES_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/service.h"

#define CONF_FILE "services.conf" /* its name in the archive */
#define CONF_SERVICES_MAX 8u
#define CONF_GRANTS_MAX 8u
#define CONF_NAME_SIZE 24u /* with the final NUL */
#define CONF_PATH_SIZE 64u
#define CONF_FDS 16u /* descriptors are 0..CONF_FDS-1 */
#define CONF_MEMORY_MAX (16u << 20)
#define CONF_BUDGET_MAX_MS (3600u * 1000u)

/* The services that the monitor's own protocols call. */
enum service_role {
	SERVICE_VTPM,
	SERVICE_ATTEST,
	SERVICE_TWIN, /* always parked */
	SERVICE_AHEAD,
	SERVICE_ROLES,
};

enum conf_grant_kind {
	GRANT_LOG,
	GRANT_AMDSP,
	GRANT_SERVICE,
	GRANT_HOST_CHANNEL,
	GRANT_FILE,
};

struct conf_grant {
	unsigned int line; /* of the file, from 1 */
	unsigned int fd;
	enum conf_grant_kind kind;
	bool at_start;		   /* taken away when the service is ready */
	unsigned int service;	   /* GRANT_SERVICE: index of an earlier service */
	char path[CONF_PATH_SIZE]; /* GRANT_FILE: name in the archive */
};

struct conf_service {
	char name[CONF_NAME_SIZE];
	char exec[CONF_PATH_SIZE];
	unsigned int line, exec_line; /* where it begins, and where exec is */
	enum service_role role;	      /* SERVICE_ROLES: none */
	uint32_t memory;	      /* bytes of private memory, a multiple of the page size */
	uint32_t budget_ms;	      /* longest run for one request */
	bool parked;		      /* set back to its snapshot after each request */
	bool required;		      /* without it there is no guest */
	bool on_demand;		      /* runs from its first request on, not before the guest */
	unsigned int grant_count;
	struct conf_grant grants[CONF_GRANTS_MAX];
};

struct conf {
	unsigned int count;
	struct conf_service services[CONF_SERVICES_MAX]; /* in the order of the file */
};

struct conf_error {
	unsigned int line; /* from 1 */
	const char *text;
};

/*
 * Parses the size bytes at text. Returns false, and *error, when anything in it is unknown,
 * missing, doubled or out of range; *conf is then of no use.
 */
bool conf_parse(struct conf *conf, const char *text, size_t size, struct conf_error *error);

/* Whether a service may call others. */
bool conf_calls_services(const struct conf_service *service);

#endif
