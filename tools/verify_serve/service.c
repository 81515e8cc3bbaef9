/* SPDX-License-Identifier: MIT */
#include "tools/verify_serve/service.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "core/base/host/clock.h"
#include "tools/cmd.h"
#include "tools/load_library.h"
#include "tools/verify_serve/links.h"

#define LIBRARY "libmicrohttpd.so.12"
#define IDLE_S 10u /* nothing came or went on a connection */
#define STOP_MS 10000u
#define HEAD_SIZE_MAX (16u << 10)
/* What of a body that is too long is read, so that its client hears why. */
#define READ_SIZE_MAX (4u << 20)
#define TLS_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define JSON "application/json"

/* What of libmicrohttpd is used. */
struct mhd_calls {
	__typeof__(MHD_start_daemon) *start;
	__typeof__(MHD_quiesce_daemon) *quiesce;
	__typeof__(MHD_stop_daemon) *stop;
	__typeof__(MHD_get_connection_info) *info;
	__typeof__(MHD_lookup_connection_value) *value;
	__typeof__(MHD_create_response_from_buffer) *response;
	__typeof__(MHD_add_response_header) *add_header;
	__typeof__(MHD_queue_response) *queue;
	__typeof__(MHD_destroy_response) *destroy;
};

struct service {
	const struct service_options *options;
	struct mhd_calls mhd;
	struct MHD_Daemon *daemon;
	struct metrics metrics;
	_Atomic bool stopping;
	char keep_alive[32]; /* for how long a client may keep a connection that it does not use */
	struct links links;
	struct {
		pthread_mutex_t lock;
		int fd;
		bool behind;	    /* nobody took the last line */
		uint64_t waited_at; /* when room was waited for in vain, by clock_ms() */
	} log;
};

/* A request, from its head to the end of its answer. */
struct request {
	uint64_t begun; /* ns */
	enum endpoint endpoint;
	unsigned int status; /* of the answer that was given; 0: none yet */
	char *body;
	size_t size, room, read;
	size_t answered; /* bytes */
	char method[16], path[64];
	const char *verdict;
	char word[SOCLE_ERROR_SIZE];
};

/* ---- Connections ---- */

static void connection_added(struct service *s, struct MHD_Connection *connection, void **place)
{
	const union MHD_ConnectionInfo *info = s->mhd.info(connection,
							   MHD_CONNECTION_INFO_CONNECTION_FD);

	s->metrics.connections++;
	s->metrics.connections_all++;
	/* Without memory for it nobody asks for an answer, either. */
	*place = links_add(&s->links, info ? info->connect_fd : -1, clock_ms());
}

static void connection_changed(void *cls, struct MHD_Connection *connection, void **place,
			       enum MHD_ConnectionNotificationCode what)
{
	struct service *s = cls;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_added(s, connection, place);
		return;
	}
	s->metrics.connections--;
	if (*place && !links_remove(&s->links, *place))
		s->metrics.connections_idle_closed++;
	*place = NULL;
}

static struct link *link_of(const struct service *s, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = s->mhd.info(connection,
							   MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void service_tick(struct service *s)
{
	s->metrics.connections_cut += links_tick(&s->links, clock_ms());
}

/* ---- The log: one line a request ---- */

/* What a client sent must not make lines or fields. */
static void clean(char *to, size_t size, const char *from)
{
	size_t i = 0;

	for (; from[i] && i < size - 1; i++)
		to[i] = isgraph((unsigned char)from[i]) && from[i] != '"' && from[i] != '='
				? from[i]
				: '?';
	to[i] = '\0';
}

static void clean_words(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || (unsigned char)*text > '~' || *text == '"')
			*text = '?';
	}
}

static void put_client(const struct service *s, char text[INET6_ADDRSTRLEN + 8],
		       struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = s->mhd.info(connection,
							   MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;
	char host[INET6_ADDRSTRLEN] = "?";
	unsigned int port = 0;

	if (address && address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		port = ntohs(in->sin_port);
	} else if (address && address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

		inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
		port = ntohs(in->sin6_port);
	}
	snprintf(text, INET6_ADDRSTRLEN + 8, "%s:%u", host, port);
}

/* How long a reader of the log may be behind before lines of it are lost. */
#define LOG_WAIT_MS 100
#define LOG_PAUSE_MS 5000 /* after one wait in vain nobody waits for so long */

/*
 * stderr for lines that must not wait: a description of its own, for other writers have it too, and
 * room that poll() has seen may be gone. Where that cannot be had, a socket for one, it is stderr.
 */
static int open_log(void)
{
	struct stat st;
	int fd = -1;

	if (fstat(STDERR_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)))
		fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd >= 0 ? fd : STDERR_FILENO;
}

static void close_log(int fd)
{
	if (fd != STDERR_FILENO)
		close(fd);
}

/* Whether a line can be written at once: of a pipe, POLLOUT says that there is room for a page. */
static bool has_room(int fd, int wait_ms)
{
	struct pollfd end = { .fd = fd, .events = POLLOUT };
	int count;

	do {
		count = poll(&end, 1, wait_ms);
	} while (count < 0 && errno == EINTR);
	return count == 1 && end.revents & POLLOUT;
}

/*
 * Whole lines, one thread after the other. Whoever reads the log slowly, or not at all, must not
 * hold up who is served: then lines are lost, and a wait for room is a rare one.
 */
static void put_line(struct service *s, const char *line, size_t size)
{
	bool waits, written;

	pthread_mutex_lock(&s->log.lock);
	waits = !s->log.behind && clock_ms() - s->log.waited_at >= LOG_PAUSE_MS;
	written = has_room(s->log.fd, waits ? LOG_WAIT_MS : 0) &&
		  write(s->log.fd, line, size) == (ssize_t)size;
	if (!written)
		s->metrics.lines_lost++;
	if (!written && waits)
		s->log.waited_at = clock_ms();
	s->log.behind = !written;
	pthread_mutex_unlock(&s->log.lock);
}

/* A line with the longest reason, and all that stands before it: time, client, numbers. */
#define LINE_SIZE 1024u
_Static_assert(LINE_SIZE >= SOCLE_ERROR_SIZE + 384, "a line of the log is written whole");

static void write_log(struct service *s, const struct request *r, struct MHD_Connection *connection,
		      uint64_t us)
{
	char line[LINE_SIZE], client[INET6_ADDRSTRLEN + 8], now[32] = "";
	time_t seconds = time(NULL);
	struct tm utc;
	int length;

	put_client(s, client, connection);
	if (gmtime_r(&seconds, &utc))
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", &utc);
	length = snprintf(line, sizeof(line),
			  "%s client=%s method=%s path=%s status=%u read=%zu written=%zu "
			  "ms=%llu.%03u%s%s%s%s%s\n",
			  now, client, r->method, r->path, r->status, r->read, r->answered,
			  (unsigned long long)(us / 1000), (unsigned int)(us % 1000),
			  r->verdict ? " verdict=" : "", r->verdict ? r->verdict : "",
			  r->word[0] ? " why=\"" : "", r->word, r->word[0] ? "\"" : "");
	if (length > 0)
		put_line(s, line, (size_t)length);
}

/* ---- Answers ---- */

static enum MHD_Result queue(struct service *s, struct MHD_Connection *connection,
			     struct request *r, unsigned int status, char *text, const char *type)
{
	size_t size = text ? strlen(text) : 0;
	struct MHD_Response *response;
	enum MHD_Result result;

	r->status = status;
	r->answered = size;
	response = s->mhd.response(size, text, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(text);
		return MHD_NO;
	}
	s->mhd.add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	s->mhd.add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (!s->stopping)
		s->mhd.add_header(response, "Keep-Alive", s->keep_alive);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		s->mhd.add_header(response, MHD_HTTP_HEADER_ALLOW,
				  r->endpoint == ENDPOINT_METRICS ? "GET" : "POST");
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		s->mhd.add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "5");
	if (s->stopping)
		s->mhd.add_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = s->mhd.queue(connection, status, response);
	s->mhd.destroy(response);
	return result;
}

static enum MHD_Result send_answer(struct service *s, struct MHD_Connection *connection,
				   struct request *r, struct judge_answer *answer)
{
	r->verdict = answer->verdict;
	snprintf(r->word, sizeof(r->word), "%s", answer->word);
	clean_words(r->word);
	return queue(s, connection, r, answer->status, answer->text, JSON);
}

__attribute__((format(printf, 5, 6))) static enum MHD_Result
refuse(struct service *s, struct MHD_Connection *connection, struct request *r, unsigned int status,
       const char *format, ...)
{
	struct judge_answer answer;
	char text[SOCLE_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	judge_refuse(&answer, status, "%s", text);
	return send_answer(s, connection, r, &answer);
}

/* ---- What can be asked for ---- */

static const char *nonce_words(enum nonce_result result)
{
	return result == NONCE_FULL ? "the store of nonces is full"
				    : "the store of nonces cannot be reached";
}

static enum MHD_Result give_nonce(struct service *s, struct MHD_Connection *connection,
				  struct request *r)
{
	char hex[HEX_TEXT_SIZE(NONCE_SIZE)], text[256];
	enum nonce_result result = NONCE_LOST;
	uint8_t nonce[NONCE_SIZE];
	bool made = RAND_bytes(nonce, sizeof(nonce)) == 1;
	char *answer;

	if (r->read)
		return refuse(s, connection, r, MHD_HTTP_BAD_REQUEST, "no body is wanted");
	if (made)
		result = s->options->nonces->put(s->options->nonces, nonce, NULL, clock_ms());
	if (result == NONCE_FULL) {
		s->metrics.nonces_full++;
		return refuse(s, connection, r, MHD_HTTP_SERVICE_UNAVAILABLE, "%s",
			      nonce_words(result));
	}
	if (result != NONCE_OK) {
		s->metrics.store_lost++;
		return refuse(s, connection, r, MHD_HTTP_SERVICE_UNAVAILABLE, "%s",
			      made ? nonce_words(result) : "no random numbers");
	}
	s->metrics.nonces_given++;
	hex_write(hex, nonce, sizeof(nonce));
	snprintf(text, sizeof(text), "{\"nonce\": \"%s\", \"expires_in\": %u}\n", hex,
		 NONCE_LIFE_S);
	answer = strdup(text);
	return answer ? queue(s, connection, r, MHD_HTTP_OK, answer, JSON) : MHD_NO;
}

/*
 * What the store says of a request's nonce, which nobody gets a second time, whatever becomes of
 * it.
 */
static bool take_nonce(struct service *s, const struct judge_request *request,
		       char record[NONCE_RECORD_MAX], struct judge_answer *answer)
{
	switch (s->options->nonces->take(s->options->nonces, judge_nonce(request), record,
					 clock_ms())) {
	case NONCE_OK:
		s->metrics.nonces_taken++;
		return true;
	case NONCE_UNKNOWN:
	case NONCE_FULL:
		s->metrics.nonces_unknown++;
		judge_refuse(answer, MHD_HTTP_CONFLICT,
			     "nonce: it is not one of this service's, was used, or is older than "
			     "%u seconds",
			     NONCE_LIFE_S);
		return false;
	case NONCE_LOST:
		break;
	}
	s->metrics.store_lost++;
	judge_refuse(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", nonce_words(NONCE_LOST));
	return false;
}

/* Puts the nonce back, with the record of its challenge; nobody had it meanwhile. */
static void keep_challenge(struct service *s, const struct judge_request *request,
			   const char *record, struct judge_answer *answer)
{
	struct nonce_store *nonces = s->options->nonces;
	enum nonce_result result = nonces->put(nonces, judge_nonce(request), record, clock_ms());

	if (result == NONCE_OK) {
		s->metrics.challenges++;
		return;
	}
	free(answer->text);
	if (result == NONCE_FULL)
		s->metrics.nonces_full++;
	else
		s->metrics.store_lost++;
	judge_refuse(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "%s", nonce_words(result));
}

static void make_challenge(struct service *s, const struct judge_request *request,
			   struct judge_answer *answer)
{
	char record[NONCE_RECORD_MAX];

	if (!take_nonce(s, request, record, answer))
		return;
	if (record[0])
		judge_refuse(answer, MHD_HTTP_CONFLICT,
			     "nonce: a challenge was made for it, which "
			     "is void now");
	else
		judge_challenge(&s->options->judge, request, record, answer);
	if (answer->status == MHD_HTTP_OK)
		keep_challenge(s, request, record, answer);
	OPENSSL_cleanse(record, sizeof(record));
}

static enum MHD_Result give_challenge(struct service *s, struct MHD_Connection *connection,
				      struct request *r)
{
	struct judge_request *request;
	struct judge_answer answer;

	if (s->options->judge.keys_only)
		return refuse(s, connection, r, MHD_HTTP_NOT_FOUND,
			      "there is no challenge where look_at is keys: no quote is looked at");
	request = judge_read(r->body ? r->body : "", r->size, &answer);
	if (request)
		make_challenge(s, request, &answer);
	judge_free(request);
	return send_answer(s, connection, r, &answer);
}

static enum MHD_Result give_verdict(struct service *s, struct MHD_Connection *connection,
				    struct request *r)
{
	char record[NONCE_RECORD_MAX];
	struct judge_request *request;
	struct judge_answer answer;

	request = judge_read(r->body ? r->body : "", r->size, &answer);
	if (request && take_nonce(s, request, record, &answer))
		judge_run(&s->options->judge, request, record, &answer);
	OPENSSL_cleanse(record, sizeof(record));
	judge_free(request);
	if (answer.status == MHD_HTTP_OK)
		s->metrics.trusted++;
	if (answer.status == MHD_HTTP_FORBIDDEN)
		s->metrics.refused++;
	return send_answer(s, connection, r, &answer);
}

static enum MHD_Result give_metrics(struct service *s, struct MHD_Connection *connection,
				    struct request *r)
{
	struct nonce_store *nonces = s->options->nonces;
	char *text = metrics_text(&s->metrics, nonces->held(nonces, clock_ms()));

	return text ? queue(s, connection, r, MHD_HTTP_OK, text,
			    "text/plain; version=0.0.4; charset=utf-8")
		    : MHD_NO;
}

static const struct endpoint_row {
	const char *path, *method;
	bool json; /* its body has to be that */
	enum MHD_Result (*give)(struct service *s, struct MHD_Connection *connection,
				struct request *r);
} endpoints[] = {
	[ENDPOINT_NONCE] = { "/v1/nonce", "POST", false, give_nonce },
	[ENDPOINT_CHALLENGE] = { "/v1/challenge", "POST", true, give_challenge },
	[ENDPOINT_VERDICT] = { "/v1/verdict", "POST", true, give_verdict },
	[ENDPOINT_METRICS] = { "/metrics", "GET", false, give_metrics },
};

static enum endpoint find_endpoint(const char *path)
{
	enum endpoint found = ENDPOINT_NONCE;

	while (found != ENDPOINT_OTHER && strcmp(endpoints[found].path, path) != 0)
		found++;
	return found;
}

/* ---- Requests ---- */

/* "application/json", whatever parameters follow. */
static bool is_json(const struct service *s, struct MHD_Connection *connection)
{
	const char *type = s->mhd.value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
	size_t length = strlen(JSON);

	return type && strncasecmp(type, JSON, length) == 0 &&
	       (type[length] == '\0' || type[length] == ';' || type[length] == ' ');
}

static bool says_too_long(const struct service *s, struct MHD_Connection *connection)
{
	const char *length = s->mhd.value(connection, MHD_HEADER_KIND,
					  MHD_HTTP_HEADER_CONTENT_LENGTH);

	return length && strtoull(length, NULL, 10) > s->options->body_max;
}

static enum MHD_Result refuse_long(struct service *s, struct MHD_Connection *connection,
				   struct request *r)
{
	return refuse(s, connection, r, MHD_HTTP_CONTENT_TOO_LARGE,
		      "the request has more than %zu bytes", s->options->body_max);
}

/* What its head alone is refused for; the answer is queued then, and *result is that of it. */
static bool head_is_bad(struct service *s, struct MHD_Connection *connection, struct request *r,
			const char *method, enum MHD_Result *result)
{
	const struct endpoint_row *row = &endpoints[r->endpoint];

	if (r->endpoint == ENDPOINT_OTHER)
		*result = refuse(s, connection, r, MHD_HTTP_NOT_FOUND, "there is no such place");
	else if (strcmp(method, row->method) != 0)
		*result = refuse(s, connection, r, MHD_HTTP_METHOD_NOT_ALLOWED, "%s is wanted",
				 row->method);
	else if (says_too_long(s, connection))
		*result = refuse_long(s, connection, r);
	else if (row->json && !is_json(s, connection))
		*result = refuse(s, connection, r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
				 "Content-Type: " JSON " is wanted");
	else
		return false;
	return true;
}

static enum MHD_Result begin(struct service *s, struct MHD_Connection *connection, const char *url,
			     const char *method, void **place)
{
	struct request *r = calloc(1, sizeof(*r));
	enum MHD_Result result;

	if (!r)
		return MHD_NO;
	s->metrics.in_flight++;
	r->begun = clock_ns();
	links_begin(&s->links, link_of(s, connection));
	r->endpoint = find_endpoint(url);
	clean(r->method, sizeof(r->method), method);
	clean(r->path, sizeof(r->path), url);
	*place = r;
	return head_is_bad(s, connection, r, method, &result) ? result : MHD_YES;
}

static bool make_room(struct request *r, size_t size, size_t most)
{
	size_t room = r->room ? r->room : 4096;
	char *body;

	while (room < size)
		room *= 2;
	if (room > most)
		room = most;
	body = realloc(r->body, room);
	if (!body)
		return false;
	r->body = body;
	r->room = room;
	return true;
}

/*
 * More of the body. What is over the limit is read and dropped: only then does a client hear the
 * answer.
 */
static enum MHD_Result take_body(const struct service *s, struct request *r, const char *data,
				 size_t size)
{
	r->read += size;
	if (r->read > READ_SIZE_MAX)
		return MHD_NO;
	if (r->read > s->options->body_max) {
		free(r->body);
		r->body = NULL;
		r->size = r->room = 0;
		return MHD_YES;
	}
	if (r->size + size > r->room && !make_room(r, r->size + size, s->options->body_max))
		return MHD_NO;
	memcpy(r->body + r->size, data, size);
	r->size += size;
	return MHD_YES;
}

/* However long it takes, the client is not waited for. */
static enum MHD_Result judge(struct service *s, struct MHD_Connection *connection,
			     struct request *r)
{
	struct link *link = link_of(s, connection);
	enum MHD_Result result;

	links_judge(&s->links, link);
	result = endpoints[r->endpoint].give(s, connection, r);
	links_reply(&s->links, link, clock_ms());
	return result;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **place)
{
	struct service *s = cls;
	struct request *r = *place;

	(void)version;
	if (!r)
		return begin(s, connection, url, method, place);
	if (*size) {
		enum MHD_Result result = take_body(s, r, data, *size);

		*size = 0;
		return result;
	}
	if (r->read > s->options->body_max)
		return refuse_long(s, connection, r);
	return judge(s, connection, r);
}

static void completed(void *cls, struct MHD_Connection *connection, void **place,
		      enum MHD_RequestTerminationCode code)
{
	struct service *s = cls;
	struct request *r = *place;
	uint64_t us;

	if (!r)
		return;
	if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK && !r->word[0])
		snprintf(r->word, sizeof(r->word), "the connection ended before the answer");
	us = (clock_ns() - r->begun) / 1000;
	metrics_count(&s->metrics, r->endpoint, r->status, us);
	write_log(s, r, connection, us);
	links_answered(&s->links, link_of(s, connection), clock_ms());
	free(r->body);
	free(r);
	*place = NULL;
	s->metrics.in_flight--;
}

/* What libmicrohttpd has to say of single clients is counted, not told. */
static void ignore(void *cls, const char *format, va_list args)
{
	(void)cls, (void)format, (void)args;
}

static bool load(struct mhd_calls *calls, struct host_error *error)
{
	const struct library_symbol symbols[] = {
		{ "MHD_start_daemon", (void **)&calls->start },
		{ "MHD_quiesce_daemon", (void **)&calls->quiesce },
		{ "MHD_stop_daemon", (void **)&calls->stop },
		{ "MHD_get_connection_info", (void **)&calls->info },
		{ "MHD_lookup_connection_value", (void **)&calls->value },
		{ "MHD_create_response_from_buffer", (void **)&calls->response },
		{ "MHD_add_response_header", (void **)&calls->add_header },
		{ "MHD_queue_response", (void **)&calls->queue },
		{ "MHD_destroy_response", (void **)&calls->destroy },
	};

	return load_library(LIBRARY, symbols, sizeof(symbols) / sizeof(symbols[0]), error);
}

static void start_daemon(struct service *s)
{
	const struct service_options *options = s->options;

	s->daemon = s->mhd.start(
		MHD_USE_TLS | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0,
		NULL, NULL, handle, s, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL,
		MHD_OPTION_LISTEN_SOCKET, options->listener, MHD_OPTION_HTTPS_MEM_CERT,
		options->certificate, MHD_OPTION_HTTPS_MEM_KEY, options->key,
		MHD_OPTION_HTTPS_PRIORITIES, TLS_PRIORITY, MHD_OPTION_THREAD_POOL_SIZE,
		options->threads, MHD_OPTION_CONNECTION_LIMIT, options->clients,
		/* links_tick() ends them. */
		MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)HEAD_SIZE_MAX, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, s,
		MHD_OPTION_NOTIFY_COMPLETED, completed, s, MHD_OPTION_END);
}

struct service *service_start(const struct service_options *options)
{
	unsigned int quiet_s = options->request_s < IDLE_S ? options->request_s : IDLE_S;
	struct service *s = calloc(1, sizeof(*s));
	struct host_error error;

	if (!s) {
		cmd_error("verify serve: out of memory");
		return NULL;
	}
	s->options = options;
	if (!load(&s->mhd, &error)) {
		cmd_error("verify serve: %s", error.text);
		free(s);
		return NULL;
	}
	pthread_mutex_init(&s->log.lock, NULL);
	s->log.fd = open_log();
	snprintf(s->keep_alive, sizeof(s->keep_alive), "timeout=%u", quiet_s);
	links_init(&s->links, options->request_s * 1000ull, quiet_s * 1000ull);
	start_daemon(s);
	if (s->daemon)
		return s;
	cmd_error("verify serve: the service cannot be started: are --tls-cert and --tls-key PEM, "
		  "and for each other?");
	links_end(&s->links);
	close_log(s->log.fd);
	pthread_mutex_destroy(&s->log.lock);
	free(s);
	return NULL;
}

void service_stop(struct service *s)
{
	uint64_t until = clock_ms() + STOP_MS;
	MHD_socket listener;

	s->stopping = true;
	listener = s->mhd.quiesce(s->daemon);
	if (listener != MHD_INVALID_SOCKET)
		shutdown(listener, SHUT_RDWR);
	while (s->metrics.in_flight > 0 && clock_ms() < until) {
		service_tick(s);
		usleep(20000);
	}
	s->mhd.stop(s->daemon);
	if (listener != MHD_INVALID_SOCKET)
		close(listener);
	links_end(&s->links);
	close_log(s->log.fd);
	pthread_mutex_destroy(&s->log.lock);
	free(s);
}
