/* SPDX-License-Identifier: MIT */
/* `socle verify serve`: verdicts for others, over HTTPS (docs/verify-serve.md). */
#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/hex.h"
#include "tools/cmd.h"
#include "tools/options.h"
#include "tools/verify/rules.h"
#include "tools/verify_serve/links.h"
#include "tools/verify_serve/service.h"

#define PEM_SIZE_MAX (64u << 10)
#define POLICY_SIZE_MAX (256u << 10)
#define BACKLOG 256
#define NAME_SIZE 72u

struct arguments {
	const char *policy;
	struct option_files crls;
	const char *listen;
	const char *certificate, *key;
	const char *ark, *ca;
	const char *ear_key;
	enum ear_profile ear_profile;
	struct etcd_address etcd;
	uint64_t nonces, body;
	unsigned int threads, clients, request_s;
};

/* What was opened for the service. */
struct opened {
	struct file_bytes certificate, key;
	struct ear_key *signer;
	struct socle_policy *policy;
	char policy_name[NAME_SIZE];
	struct service_options options;
};

static const char *read_url(void *address, char *text)
{
	struct etcd_address *etcd = address;
	bool ok = (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0) &&
		  strlen(text) <= 256 && etcd->url_count < ETCD_URLS_MAX;

	for (const char *c = text; *c; c++)
		ok = ok && *c > ' ' && *c <= '~';
	if (!ok)
		return "http://HOST:PORT or https://HOST:PORT, 8 of them at most";
	if (text[strlen(text) - 1] == '/')
		text[strlen(text) - 1] = '\0';
	etcd->urls[etcd->url_count++] = text;
	return NULL;
}

static const char *read_prefix(void *to, char *text)
{
	bool ok = strlen(text) >= 1 && strlen(text) <= 64;

	for (const char *c = text; *c; c++)
		ok = ok && *c > ' ' && *c <= '~';
	*(const char **)to = text;
	return ok ? NULL : "1 to 64 printable characters";
}

/* ADDRESS:PORT, or [ADDRESS]:PORT; the address is a number, not a name. */
static bool split(const char *listen, char host[64], const char **port)
{
	const char *colon = strrchr(listen, ':');
	size_t length = colon ? (size_t)(colon - listen) : 0;

	if (!colon || !length || length >= 64)
		return false;
	snprintf(host, 64, "%.*s", (int)length, listen);
	if (host[0] == '[' && host[length - 1] == ']') {
		memmove(host, host + 1, length - 2);
		host[length - 2] = '\0';
	}
	*port = colon + 1;
	return true;
}

static const char *read_listen(void *to, char *text)
{
	const char *port;
	char host[64];

	*(const char **)to = text;
	return split(text, host, &port) && *port && strspn(port, "0123456789") == strlen(port)
		       ? NULL
		       : "ADDRESS:PORT";
}

static int open_listener(const char *listen_on)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	const char *port = "";
	char host[64] = "";
	int fd = -1, yes = 1, wrong;

	split(listen_on, host, &port);
	wrong = getaddrinfo(host, port, &hints, &found);
	if (wrong) {
		cmd_file_error(listen_on, "%s", gai_strerror(wrong));
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
	    bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		cmd_file_error(listen_on, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

static bool print_port(int listener)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	char port[16];

	if (getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
	    getnameinfo((struct sockaddr *)&address, size, NULL, 0, port, sizeof(port),
			NI_NUMERICSERV) != 0)
		return false;
	return printf("listening %s\n", port) > 0 && fflush(stdout) == 0;
}

/* A policy has no name that is sure, so its file's digest is one. */
static void name_policy(const struct file_bytes *file, char name[NAME_SIZE])
{
	unsigned char digest[32] = { 0 };

	EVP_Digest(file->data, file->size, digest, NULL, EVP_sha256(), NULL);
	snprintf(name, NAME_SIZE, "sha256:");
	hex_write(name + strlen(name), digest, sizeof(digest));
}

/* Of a policy that was read. */
static bool looks_at(const struct file_bytes *file, const char *what)
{
	json_t *json = json_loadb((const char *)file->data, file->size, 0, NULL);
	const char *look_at = json_string_value(json_object_get(json, "look_at"));
	bool so = look_at && strcmp(look_at, what) == 0;

	json_decref(json);
	return so;
}

static bool open_policy(const struct arguments *a, struct opened *o)
{
	char wrong[SOCLE_ERROR_SIZE];
	struct file_bytes file;
	bool ok = false;

	if (!cmd_read_file(a->policy, POLICY_SIZE_MAX, &file))
		return false;
	name_policy(&file, o->policy_name);
	o->policy = socle_policy_read((const char *)file.data, file.size, wrong);
	if (!o->policy)
		cmd_file_error(a->policy, "%s", wrong);
	else if (looks_at(&file, "report"))
		cmd_file_error(a->policy, "look_at: a report alone answers no nonce; quote or keys "
					  "is wanted");
	else
		ok = true;
	o->options.judge.keys_only = ok && looks_at(&file, "keys");
	file_free(&file);
	if (ok)
		o->policy = rules_with_crls(o->policy, &a->crls);
	return ok && o->policy;
}

/* A certificate of the service's own has to be one before a client meets it. */
static bool open_part(enum socle_part part, const char *path, struct file_bytes *bytes)
{
	struct socle_evidence *evidence;
	char wrong[SOCLE_ERROR_SIZE] = "out of memory";
	bool ok;

	if (!path)
		return true;
	if (!cmd_read_file(path, PEM_SIZE_MAX, bytes))
		return false;
	evidence = part == SOCLE_OWN_ROOT ? NULL : socle_evidence_new();
	/* A root is looked at beside a report, which is not here yet. */
	ok = part == SOCLE_OWN_ROOT ||
	     (evidence && socle_evidence_add(evidence, part, bytes->data, bytes->size, wrong));
	socle_evidence_free(evidence);
	if (!ok)
		cmd_file_error(path, "%s", wrong);
	return ok;
}

static bool open_store(const struct arguments *a, struct opened *o)
{
	struct host_error error;

	if (a->etcd.url_count)
		o->options.nonces = nonces_in_etcd(&a->etcd, a->nonces, &error);
	else if (!(o->options.nonces = nonces_in_memory(a->nonces)))
		host_fail(&error, "out of memory for %llu nonces", (unsigned long long)a->nonces);
	if (!o->options.nonces)
		cmd_error("verify serve: %s", error.text);
	return o->options.nonces;
}

static bool open_all(struct arguments *a, struct opened *o)
{
	if (!open_policy(a, o) || !cmd_read_file(a->certificate, PEM_SIZE_MAX, &o->certificate) ||
	    !cmd_read_file(a->key, PEM_SIZE_MAX, &o->key) ||
	    !open_part(SOCLE_OWN_ROOT, a->ark, &o->options.judge.root) ||
	    !open_part(SOCLE_OWN_CA, a->ca, &o->options.judge.ca))
		return false;
	if (a->ear_key) {
		o->signer = ear_key_read(a->ear_key);
		if (!o->signer)
			return false;
	}
	return open_store(a, o);
}

static void close_all(struct opened *o)
{
	if (o->options.nonces)
		o->options.nonces->free(o->options.nonces);
	ear_key_free(o->signer);
	socle_policy_free(o->policy);
	if (o->key.data)
		OPENSSL_cleanse(o->key.data, o->key.size);
	file_free(&o->key);
	file_free(&o->certificate);
	file_free(&o->options.judge.root);
	file_free(&o->options.judge.ca);
}

/* Zero behind their last byte makes texts of them: file_read() takes one more. */
static const char *text_of(struct file_bytes *bytes)
{
	bytes->data[bytes->size] = '\0';
	return (const char *)bytes->data;
}

/* Until one of these signals comes, which no thread takes but this one. */
static void run_until(struct service *service, const sigset_t *signals)
{
	const struct timespec tick = { .tv_nsec = LINKS_TICK_MS * 1000000L };

	while (sigtimedwait(signals, NULL, &tick) < 0)
		service_tick(service);
}

static enum cmd_status serve(const struct arguments *a, struct opened *o)
{
	struct service *service;
	sigset_t signals;
	bool told;

	o->options.listener = open_listener(a->listen);
	if (o->options.listener < 0)
		return CMD_MISUSE;
	o->options.certificate = text_of(&o->certificate);
	o->options.key = text_of(&o->key);
	o->options.threads = a->threads;
	o->options.clients = a->clients;
	o->options.request_s = a->request_s;
	o->options.body_max = a->body;
	o->options.judge.policy = o->policy;
	o->options.judge.signer = o->signer;
	o->options.judge.profile = a->ear_profile;
	o->options.judge.policy_name = o->policy_name;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	service = service_start(&o->options);
	if (!service) {
		close(o->options.listener);
		return CMD_MISUSE;
	}
	told = print_port(o->options.listener);
	if (told)
		run_until(service, &signals);
	service_stop(service);
	return told ? CMD_OK : cmd_error("verify serve: cannot say the port");
}

static enum cmd_status run(void *arguments)
{
	struct arguments *a = arguments;
	struct opened opened = { 0 };
	enum cmd_status status = CMD_MISUSE;

	if (a->threads > a->clients)
		return cmd_error("verify serve: --clients wants at least as many as --threads");
	if (!a->etcd.certificate != !a->etcd.key)
		return cmd_error("verify serve: --etcd-cert and --etcd-key belong together");
	if (open_all(a, &opened))
		status = serve(a, &opened);
	close_all(&opened);
	return status;
}

static const struct option_row judged_rows[] = {
	OPTION(struct arguments, policy, "policy", FILE, "FILE",
	       "what you demand (docs/policy.md); look_at has to be quote or keys",
	       .required = true),
	OPTION(struct arguments, crls, "crl", READ, "FILE", "a revocation list of AMD's",
	       .repeats = true, .read = option_read_crl_file),
	OPTION(struct arguments, ark, "ark", FILE, "FILE",
	       "your own root, as an emulated machine needs it; then no other is looked at"),
	OPTION(struct arguments, ca, "ca", FILE, "FILE",
	       "the authorities that may have certified an EK"),
	OPTION(struct arguments, ear_key, "ear-key", FILE, "FILE",
	       "add an attestation result (EAR) to each verdict, signed by this private key"),
	OPTION(struct arguments, ear_profile, "ear-profile", CHOICE, "PROFILE",
	       "how its claims are called", OPTION_WORDS(ear_profile_words)),
	{ 0 },
};

static const struct option_row net_rows[] = {
	OPTION(struct arguments, listen, "listen", READ, "ADDRESS:PORT",
	       "where to listen; port 0 is a free one (127.0.0.1:8443)", .read = read_listen),
	OPTION(struct arguments, certificate, "tls-cert", FILE, "FILE",
	       "certificate of this server, and those above it, in PEM", .required = true),
	OPTION(struct arguments, key, "tls-key", FILE, "FILE", "its private key, in PEM",
	       .required = true),
	OPTION(struct arguments, threads, "threads", NUMBER, "N", "threads that serve", .least = 1,
	       .most = 64),
	OPTION(struct arguments, clients, "clients", NUMBER, "N", "connections at once; more wait",
	       .least = 1, .most = 10000),
	OPTION(struct arguments, request_s, "time", NUMBER, "SECONDS",
	       "how long a client may take for one request", .least = 1, .most = 3600),
	OPTION(struct arguments, body, "body", SIZE, "BYTES", "how long a request may be",
	       .least = 4096, .most = 2u << 20),
	{ 0 },
};

static const struct option_row store_rows[] = {
	OPTION(struct arguments, nonces, "nonces", NUMBER, "N", "nonces to hold at once",
	       .least = 1, .most = NONCE_STORE_MAX),
	OPTION(struct arguments, etcd, "etcd", READ, "URL",
	       "hold them in etcd, for several instances; its other addresses may follow",
	       .repeats = true, .read = read_url),
	OPTION(struct arguments, etcd.prefix, "etcd-prefix", READ, "TEXT",
	       "what their keys begin with (socle/nonces)", .read = read_prefix),
	OPTION(struct arguments, etcd.ca, "etcd-ca", FILE, "FILE",
	       "the authority of its certificate, in PEM"),
	OPTION(struct arguments, etcd.certificate, "etcd-cert", FILE, "FILE",
	       "a certificate to show it, in PEM"),
	OPTION(struct arguments, etcd.key, "etcd-key", FILE, "FILE", "its private key"),
	{ 0 },
};

static const struct option_status statuses[] = {
	{ CMD_OK, "it was told to end, by SIGTERM, SIGINT or SIGHUP" },
	{ CMD_MISUSE, "misuse or unreadable file, or it could not be started" },
	{ 0 },
};

const struct command cmd_verify_serve = {
	.name = "serve",
	.summary = "give verdicts over HTTPS",
	.about = "Gives nonces to whoever asks over HTTPS, challenges for keys that no manifest "
		 "attests, and verdicts on evidence that answers them. "
		 "A nonce is good once, for 120 seconds. What is demanded of evidence is yours: it "
		 "comes from these options alone.\n"
		 "The line \"listening PORT\" says that it is ready. Each request is a line on "
		 "standard error; GET /metrics counts them.",
	.groups = (const struct option_group[]){ { "What is demanded, and said", judged_rows },
						 { "The server", net_rows },
						 { "Nonces", store_rows },
						 { 0 } },
	.statuses = statuses,
	.size = sizeof(struct arguments),
	.defaults = &(const struct arguments){ .listen = "127.0.0.1:8443",
					       .etcd.prefix = "socle/nonces",
					       .nonces = 65536,
					       .body = 512u << 10,
					       .threads = 8,
					       .clients = 256,
					       .request_s = 30 },
	.run = run,
};
