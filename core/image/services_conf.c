/* SPDX-License-Identifier: MIT */
#include "core/image/services_conf.h"

#include <string.h>

#include "core/base/conf_words.h"
#include "core/base/number.h"

#define WORDS_MAX 5u

struct parser {
	struct conf *conf;
	struct conf_service *service; /* the one whose properties are being read */
	unsigned int seen;	      /* which of them were */
	struct word words[WORDS_MAX];
	unsigned int word_count;
	unsigned int line; /* from 1 */
	const char *error;
};

static bool fail(struct parser *p, const char *text)
{
	p->error = text;
	return false;
}

static bool path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '-' && c <= '9') ||
	       c == '_';
}

static bool take_name(struct parser *p, const struct word *word, char to[CONF_NAME_SIZE])
{
	const char *wrong = word_name(*word, to, CONF_NAME_SIZE);

	return wrong ? fail(p, wrong) : true;
}

static bool take_path(struct parser *p, const struct word *word, char to[CONF_PATH_SIZE])
{
	if (word->length >= CONF_PATH_SIZE)
		return fail(p, "the path is too long");
	for (size_t i = 0; i < word->length; i++) {
		if (!path_char(word->at[i]))
			return fail(p, "a path consists of letters, digits and . _ - /");
	}
	if (word->at[0] == '/')
		return fail(p, "a path is relative to the archive");
	memcpy(to, word->at, word->length);
	to[word->length] = 0;
	return true;
}

static bool parse_memory(struct parser *p)
{
	const struct word *word = &p->words[1];
	static const struct number_unit units[] = { { "K", 1u << 10 }, { "M", 1u << 20 } };
	uint64_t value;

	if (!number_read_unit(word->at, word->length, NUMBER_DECIMAL, units, 2, &value))
		return fail(p, "memory is a number with K or M");
	if (value == 0 || value > CONF_MEMORY_MAX)
		return fail(p, "memory is out of range");
	if (value % ABI_PAGE_SIZE)
		return fail(p, "memory is no multiple of 4K");
	p->service->memory = (uint32_t)value;
	return true;
}

static bool parse_budget(struct parser *p)
{
	const struct word *word = &p->words[1];
	static const struct number_unit units[] = { { "ms", 1 }, { "s", 1000 } };
	uint64_t value;

	if (!number_read_unit(word->at, word->length, NUMBER_DECIMAL, units, 2, &value))
		return fail(p, "budget is a number with s or ms");
	if (value == 0 || value > CONF_BUDGET_MAX_MS)
		return fail(p, "budget is out of range");
	p->service->budget_ms = (uint32_t)value;
	return true;
}

static bool has_grant(const struct conf_service *service, enum conf_grant_kind kind)
{
	for (unsigned int i = 0; i < service->grant_count; i++) {
		if (service->grants[i].kind == kind)
			return true;
	}
	return false;
}

/*
 * The guest has its TPM and its reports when it begins, and the host channel is heard only before
 * that (monitor/arch/arch.h).
 */
static bool check_on_demand(struct parser *p)
{
	const struct conf_service *service = p->service;

	if (!service->on_demand)
		return true;
	if (service->required)
		return fail(p, "the service before this line is required and on-demand");
	if (service->role == SERVICE_VTPM || service->role == SERVICE_ATTEST)
		return fail(p, "the service before this line has a role that is not on-demand");
	if (has_grant(service, GRANT_HOST_CHANNEL))
		return fail(p, "the service before this line is on-demand and has host-channel");
	return true;
}

static bool check_service(struct parser *p)
{
	if (!p->service)
		return true;
	if (!p->service->exec[0])
		return fail(p, "the service before this line has no exec");
	if (!p->service->memory)
		return fail(p, "the service before this line has no memory");
	if (!p->service->budget_ms)
		return fail(p, "the service before this line has no budget");
	/* It computes what guests ask for, and must keep nothing of it beyond the request. */
	if (p->service->role == SERVICE_TWIN && !p->service->parked)
		return fail(p, "the twin before this line is not parked");
	return check_on_demand(p);
}

/* Index of the service of that name, or conf->count. */
static unsigned int find_service(const struct conf *conf, const struct word *name)
{
	unsigned int i = 0;

	while (i < conf->count && !word_is(*name, conf->services[i].name))
		i++;
	return i;
}

static bool parse_service(struct parser *p)
{
	struct conf *conf = p->conf;
	struct conf_service *service;

	if (p->word_count != 2)
		return fail(p, "service wants a name");
	if (!check_service(p))
		return false;
	if (conf->count == CONF_SERVICES_MAX)
		return fail(p, "too many services");
	if (find_service(conf, &p->words[1]) != conf->count)
		return fail(p, "a service of that name exists already");
	service = &conf->services[conf->count];
	if (!take_name(p, &p->words[1], service->name))
		return false;
	service->line = p->line;
	service->role = SERVICE_ROLES;
	p->service = service;
	p->seen = 0;
	conf->count++;
	return true;
}

static bool parse_exec(struct parser *p)
{
	p->service->exec_line = p->line;
	return take_path(p, &p->words[1], p->service->exec);
}

static bool parse_parked(struct parser *p)
{
	p->service->parked = true;
	return true;
}

static bool parse_required(struct parser *p)
{
	p->service->required = true;
	return true;
}

static bool parse_on_demand(struct parser *p)
{
	p->service->on_demand = true;
	return true;
}

static bool parse_role(struct parser *p)
{
	static const char *const names[SERVICE_ROLES] = {
		[SERVICE_VTPM] = "vtpm",
		[SERVICE_ATTEST] = "attest",
		[SERVICE_TWIN] = "twin",
		[SERVICE_AHEAD] = "ahead",
	};
	unsigned int role = 0;

	while (role < SERVICE_ROLES && !word_is(p->words[1], names[role]))
		role++;
	if (role == SERVICE_ROLES)
		return fail(p, "there is no such role");
	for (unsigned int i = 0; i < p->conf->count; i++) {
		if (p->conf->services[i].role == role)
			return fail(p, "another service has that role");
	}
	p->service->role = role;
	return true;
}

static bool granted(const struct conf *conf, enum conf_grant_kind kind)
{
	for (unsigned int i = 0; i < conf->count; i++) {
		for (unsigned int j = 0; j < conf->services[i].grant_count; j++) {
			if (conf->services[i].grants[j].kind == kind)
				return true;
		}
	}
	return false;
}

static bool take_descriptor(struct parser *p, const struct word *word, unsigned int *fd)
{
	uint64_t number;

	if (!number_read(word->at, word->length, NUMBER_DECIMAL, 0, CONF_FDS - 1, &number))
		return fail(p, "a descriptor is a number below 16");
	*fd = (unsigned int)number;
	if (*fd == SERVICE_FD_REQUESTS)
		return fail(p, "descriptor 3 is the request channel");
	for (unsigned int i = 0; i < p->service->grant_count; i++) {
		if (p->service->grants[i].fd == *fd)
			return fail(p, "the descriptor is in use");
	}
	return true;
}

bool conf_calls_services(const struct conf_service *service)
{
	return has_grant(service, GRANT_SERVICE);
}

/*
 * Only an earlier service can be called, and only one that calls none: calls cannot go in a circle,
 * and the locks of services have two ranks (lock/lock.h).
 */
static bool take_granted_service(struct parser *p, struct conf_grant *grant)
{
	grant->service = find_service(p->conf, &p->words[3]);
	if (grant->service + 1 >= p->conf->count)
		return fail(p, "there is no service of that name before this one");
	if (conf_calls_services(&p->conf->services[grant->service]))
		return fail(p, "a service that calls others cannot be called by one");
	return true;
}

/* A last word, behind all that the capability wants. */
static bool take_at_start(struct parser *p, unsigned int words)
{
	if (p->word_count != words + 1 || !word_is(p->words[words], "at-start"))
		return false;
	p->word_count--;
	return true;
}

static bool take_capability(struct parser *p, struct conf_grant *grant)
{
	static const struct {
		const char *name;
		unsigned int words;
		bool exclusive; /* for one service at most */
	} kinds[] = {
		[GRANT_LOG] = { "log", 3, false },
		[GRANT_AMDSP] = { "amd-sp", 3, true },
		[GRANT_SERVICE] = { "service", 4, false },
		[GRANT_HOST_CHANNEL] = { "host-channel", 3, true },
		[GRANT_FILE] = { "file", 4, false },
	};
	const unsigned int count = sizeof(kinds) / sizeof(kinds[0]);
	unsigned int kind = 0;

	while (kind < count && !word_is(p->words[2], kinds[kind].name))
		kind++;
	if (kind == count)
		return fail(p, "there is no such capability");
	grant->at_start = take_at_start(p, kinds[kind].words);
	if (p->word_count != kinds[kind].words)
		return fail(p, "wrong number of words for this capability");
	if (kinds[kind].exclusive && granted(p->conf, kind))
		return fail(p, "this capability is granted already, and only once");
	grant->kind = kind;
	if (kind == GRANT_SERVICE)
		return take_granted_service(p, grant);
	return kind != GRANT_FILE || take_path(p, &p->words[3], grant->path);
}

static bool parse_grant(struct parser *p)
{
	struct conf_service *service = p->service;
	struct conf_grant *grant = &service->grants[service->grant_count];

	if (p->word_count < 3)
		return fail(p, "grant wants a descriptor and a capability");
	if (service->grant_count == CONF_GRANTS_MAX)
		return fail(p, "too many grants");
	if (!take_descriptor(p, &p->words[1], &grant->fd) || !take_capability(p, grant))
		return false;
	grant->line = p->line;
	service->grant_count++;
	return true;
}

static bool parse_words(struct parser *p)
{
	static const struct {
		const char *name;
		unsigned int words; /* with this one, and once for a service; 0: parse() counts */
		const char *wants;
		bool (*parse)(struct parser *p);
	} properties[] = {
		{ "exec", 2, "exec wants a path", parse_exec },
		{ "role", 2, "role wants a name", parse_role },
		{ "memory", 2, "memory wants a number", parse_memory },
		{ "budget", 2, "budget wants a time", parse_budget },
		{ "parked", 1, "parked stands alone", parse_parked },
		{ "required", 1, "required stands alone", parse_required },
		{ "on-demand", 1, "on-demand stands alone", parse_on_demand },
		{ "grant", 0, NULL, parse_grant },
	};

	if (word_is(p->words[0], "service"))
		return parse_service(p);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++) {
		if (!word_is(p->words[0], properties[i].name))
			continue;
		if (!p->service)
			return fail(p, "a service must be named first");
		if (properties[i].words && p->word_count != properties[i].words)
			return fail(p, properties[i].wants);
		if (properties[i].words && p->seen & 1u << i)
			return fail(p, "this property is there twice");
		p->seen |= 1u << i;
		return properties[i].parse(p);
	}
	return fail(p, "unknown word");
}

static bool is_printable(const struct word *word)
{
	for (size_t i = 0; i < word->length; i++) {
		if (word->at[i] < ' ' || word->at[i] > '~')
			return false;
	}
	return true;
}

static bool split_line(struct parser *p, const char *line, size_t size)
{
	struct words rest = { line, line + size };

	p->word_count = 0;
	for (struct word word = words_next(&rest); word.length; word = words_next(&rest)) {
		if (!is_printable(&word))
			return fail(p, "a character that does not belong here");
		if (p->word_count == WORDS_MAX)
			return fail(p, "too many words");
		p->words[p->word_count++] = word;
	}
	return true;
}

static bool parse_line(struct parser *p, const char *line, size_t size)
{
	return split_line(p, line, size) && (p->word_count == 0 || parse_words(p));
}

bool conf_parse(struct conf *conf, const char *text, size_t size, struct conf_error *error)
{
	struct parser p = { .conf = conf, .line = 1 };
	size_t start = 0;

	memset(conf, 0, sizeof(*conf));
	for (size_t i = 0; i <= size; i++) {
		if (i < size && text[i] != '\n')
			continue;
		if (!parse_line(&p, text + start, i - start))
			goto out;
		start = i + 1;
		if (i < size)
			p.line++;
	}
	if (check_service(&p) && conf->count == 0)
		fail(&p, "there is no service");
out:
	*error = (struct conf_error){ .line = p.line, .text = p.error };
	return !p.error;
}
