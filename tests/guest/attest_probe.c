/* SPDX-License-Identifier: MIT */
/*
 * Runs in the guest: attests RSA keys that the SVSM has to make first, which takes many calls, one
 * after the other (abi/svsm.h, INCOMPLETE); and measures calls that need no such thing.
 *
 *	attest_probe tests	one line "ok NAME" or "FAIL NAME: why" for each
 *	attest_probe times	one line "time NAME US" for each sample
 *	attest_probe hold	how long the guest's own RSA-2048 keys take: "time hold US"
 *	attest_probe hold3072	and RSA-3072 keys: "time hold3072 US"
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/evidence/vtpm_manifest.h"
#include "guest/agent/svsm.h"
#include "guest/agent/tpm.h"

#define SAMPLES 30
#define HOLDS 8
#define KILLS 10
#define NEW_KEYS 3
#define KILL_AFTER_US 60000
#define TPM_PLACES 3 /* for transient objects, in libtpms (MAX_LOADED_OBJECTS) */

#define SIGN_ATTRIBUTES 0x00050072u
#define RH_OWNER 0x40000001u
#define RH_ENDORSEMENT 0x4000000bu
#define CC_CREATE_PRIMARY 0x131u
#define CC_READ_PUBLIC 0x173u
#define CC_FLUSH_CONTEXT 0x165u
#define CC_GET_CAPABILITY 0x17au

static const struct svsm_roots roots = { .svsm = SVSM_ROOT, .tsm = TSM_ROOT };

/* An outcome of a child, in memory that both see. */
struct outcome {
	bool ok;
	uint64_t us;
	size_t size;
	uint8_t manifest[1024];
	struct problem problem;
};

static struct outcome *outcomes; /* shared with children: the only way back from them */
#define OUTCOMES 4

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- Templates: restricted signing keys, new by 8 random bytes in their unique field ---- */

struct template
{
	size_t size;
	uint8_t data[128];
};

static void put(struct template *t, uint32_t value, size_t size)
{
	while (size-- > 0)
		t->data[t->size++] = (uint8_t)(value >> (8 * size));
}

static void put_random(struct template *t, size_t size)
{
	put(t, (uint32_t)size, 2);
	if (getrandom(t->data + t->size, size, 0) != (ssize_t)size)
		abort();
	t->size += size;
}

static struct template new_rsa(uint16_t bits)
{
	struct template t = { .size = 0 };

	put(&t, 0x0001000b, 4); /* RSA, SHA-256 */
	put(&t, SIGN_ATTRIBUTES, 4);
	put(&t, 0, 2);		/* no policy */
	put(&t, 0x00100014, 4); /* no symmetric cipher, RSASSA */
	put(&t, 0x000b, 2);	/* SHA-256 */
	put(&t, bits, 2);
	put(&t, 0, 4);
	put_random(&t, 8);
	return t;
}

static struct template new_ecc(void)
{
	struct template t = { .size = 0 };

	put(&t, 0x0023000b, 4); /* ECC, SHA-256 */
	put(&t, SIGN_ATTRIBUTES, 4);
	put(&t, 0, 2);
	put(&t, 0x00100018, 4); /* no symmetric cipher, ECDSA */
	put(&t, 0x000b0003, 4); /* SHA-256, P-256 */
	put(&t, 0x0010, 2);
	put_random(&t, 8);
	put_random(&t, 8);
	return t;
}

/* ---- One attestation ---- */

static void attest_wish(const struct svsm_wish *wish, struct outcome *out)
{
	static struct tsm_report report;
	uint64_t start = now_us();

	out->ok = svsm_attest(&roots, wish, &report, &out->problem);
	out->us = now_us() - start;
	if (!out->ok)
		return;
	out->size = report.manifest.size;
	if (out->size > sizeof(out->manifest)) {
		out->ok = problem_set(&out->problem, "a manifest of %zu bytes", out->size);
		return;
	}
	memcpy(out->manifest, report.manifest.data, out->size);
}

static void attest(const struct template *t, struct outcome *out)
{
	struct svsm_wish wish = { .manifest_version = 0 };

	memset(out, 0, sizeof(*out));
	if (svsm_select_template(&wish, t->data, t->size, &out->problem))
		attest_wish(&wish, out);
}

/* The same in a child on this processor. */
static pid_t attest_on(int cpu, const struct template *t, struct outcome *out)
{
	cpu_set_t set;
	pid_t child = fork();

	if (child != 0)
		return child;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		attest(t, out);
	_exit(0);
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->size == b->size && memcmp(a->manifest, b->manifest, a->size) == 0;
}

/* ---- Commands of the guest's own to its TPM ---- */

struct message {
	size_t size;
	uint8_t data[4096];
};

static void add(struct message *m, uint32_t value, size_t size)
{
	while (size-- > 0)
		m->data[m->size++] = (uint8_t)(value >> (8 * size));
}

/* Sends a command and takes its response in its place. False unless the TPM says success. */
static bool exchange(int fd, struct message *m)
{
	ssize_t got;

	m->data[2] = m->data[3] = 0;
	m->data[4] = (uint8_t)(m->size >> 8);
	m->data[5] = (uint8_t)m->size;
	if (write(fd, m->data, m->size) != (ssize_t)m->size)
		return false;
	got = read(fd, m->data, sizeof(m->data));
	return got >= 10 && memcmp(m->data + 6, "\0\0\0\0", 4) == 0;
}

static uint32_t handle_of(const struct message *m)
{
	return (uint32_t)m->data[10] << 24 | (uint32_t)m->data[11] << 16 |
	       (uint32_t)m->data[12] << 8 | m->data[13];
}

static bool create(int fd, uint32_t hierarchy, const struct template *t, uint32_t *handle)
{
	struct message m = { .size = 0 };

	add(&m, 0x8002, 2);
	add(&m, 0, 4);
	add(&m, CC_CREATE_PRIMARY, 4);
	add(&m, hierarchy, 4);
	add(&m, 9, 4);
	add(&m, 0x40000009, 4); /* empty password */
	add(&m, 0, 2);		/* no nonce, no attributes, no HMAC */
	add(&m, 0, 1);
	add(&m, 0, 2);
	add(&m, 4, 2); /* neither authorization nor data */
	add(&m, 0, 4);
	add(&m, (uint32_t)t->size, 2);
	memcpy(m.data + m.size, t->data, t->size);
	m.size += t->size;
	add(&m, 0, 2); /* no outside information, no creation PCRs */
	add(&m, 0, 4);
	if (!exchange(fd, &m))
		return false;
	*handle = handle_of(&m);
	return true;
}

static bool with_handle(int fd, uint32_t code, uint32_t handle)
{
	struct message m = { .size = 0 };

	add(&m, 0x8001, 2);
	add(&m, 0, 4);
	add(&m, code, 4);
	add(&m, handle, 4);
	return exchange(fd, &m);
}

/* ---- Tests ---- */

static int failures;

static void verdict(const char *name, bool ok, const struct problem *problem)
{
	failures += !ok;
	if (ok)
		printf("ok %s\n", name);
	else
		printf("FAIL %s: %s\n", name, problem->text);
	fflush(stdout);
}

/* New keys take a prime search each; the same again take none, and are the same keys. */
static bool test_cached(struct problem *problem)
{
	uint64_t made = 0, again = 0;

	for (int i = 0; i < NEW_KEYS; i++) {
		struct template t = new_rsa(2048);

		attest(&t, &outcomes[0]);
		if (outcomes[0].ok)
			attest(&t, &outcomes[1]);
		if (!outcomes[0].ok || !outcomes[1].ok)
			return problem_set(problem, "%s",
					   outcomes[outcomes[0].ok ? 1 : 0].problem.text);
		if (!same(&outcomes[0], &outcomes[1]))
			return problem_set(problem, "the same template gives another key");
		made += outcomes[0].us;
		again += outcomes[1].us;
		printf("time new_rsa %llu\n", (unsigned long long)outcomes[0].us);
	}
	return again * 2 < made || problem_set(problem, "%llu us, and %llu us from the cache",
					       (unsigned long long)made, (unsigned long long)again);
}

/* What the guest's own TPM makes of the template is the attested key. */
static bool test_own_key(uint16_t bits, struct problem *problem)
{
	static struct vtpm_manifest manifest;
	static struct tpm_blob public_area;
	struct template t = new_rsa(bits);
	uint32_t handle;
	int fd = open(TPM_DEVICE, O_RDWR | O_CLOEXEC);
	bool ok;

	attest(&t, &outcomes[0]);
	if (!outcomes[0].ok || fd < 0)
		return problem_set(problem, "%s", fd < 0 ? TPM_DEVICE : outcomes[0].problem.text);
	if (vtpm_manifest_read(&manifest, outcomes[0].manifest, outcomes[0].size))
		return problem_set(problem, "the manifest is none");
	ok = tpm_create_primary(fd, t.data, t.size, &handle, &public_area, problem);
	close(fd);
	return ok && ((public_area.size == manifest.keys[0].size &&
		       memcmp(public_area.data, manifest.keys[0].data, public_area.size) == 0) ||
		      problem_set(problem, "the guest's TPM makes another key"));
}

static bool test_own(struct problem *problem)
{
	return test_own_key(2048, problem);
}

/* The largest key that a profile may have; its search takes the most slices. */
static bool test_own_3072(struct problem *problem)
{
	return test_own_key(3072, problem);
}

static bool wait_two(const struct template *a, const struct template *b, struct problem *problem)
{
	pid_t first, second;

	memset(outcomes, 0, 2 * sizeof(outcomes[0]));
	first = attest_on(0, a, &outcomes[0]);
	second = attest_on(1, b, &outcomes[1]);
	if (first < 0 || second < 0 || waitpid(first, NULL, 0) != first ||
	    waitpid(second, NULL, 0) != second)
		return problem_set(problem, "fork: %s", strerror(errno));
	for (int i = 0; i < 2; i++) {
		if (!outcomes[i].ok)
			return problem_set(problem, "processor %d: %s", i,
					   outcomes[i].problem.text);
	}
	return true;
}

static bool test_two(struct problem *problem)
{
	struct template a = new_rsa(2048), b = new_rsa(2048);

	if (!wait_two(&a, &b, problem))
		return false;
	return !same(&outcomes[0], &outcomes[1]) || problem_set(problem, "both got one key");
}

static bool test_two_of_one(struct problem *problem)
{
	struct template t = new_rsa(2048);

	if (!wait_two(&t, &t, problem))
		return false;
	return same(&outcomes[0], &outcomes[1]) ||
	       problem_set(problem, "one template gave two keys");
}

/* Kills one that attests. 1 when that was in its middle, 0 when it was done before, or -1. */
static int kill_one(const struct template *t)
{
	pid_t child = attest_on(1, t, &outcomes[2]);
	int status;

	usleep(KILL_AFTER_US);
	if (child < 0 || kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child)
		return -1;
	return WIFSIGNALED(status) ? 1 : 0;
}

/* A search that nobody goes on with costs others nothing, and itself only the time. */
static bool test_killed(struct problem *problem)
{
	struct template t, other = new_rsa(2048);
	int killed = 0;

	for (int i = 0; killed == 0 && i < KILLS; i++) {
		t = new_rsa(2048);
		killed = kill_one(&t);
	}
	if (killed != 1)
		return problem_set(problem, "no caller was killed in time");
	attest(&other, &outcomes[0]);
	attest(&t, &outcomes[1]);
	if (!outcomes[0].ok || !outcomes[1].ok)
		return problem_set(problem, "%s", outcomes[outcomes[0].ok ? 1 : 0].problem.text);
	return !same(&outcomes[0], &outcomes[1]) || problem_set(problem, "both got one key");
}

/* The guest's TPM answers while the SVSM makes a key. */
static bool test_meanwhile(struct problem *problem)
{
	const struct tpm_selection selection = { .bank = 0x000b, .mask = 1 };
	static struct tpm_pcrs pcrs;
	int fd = open(TPM_DEVICE, O_RDWR | O_CLOEXEC), status = 0, answers = 0;
	bool ok = fd >= 0 || problem_set(problem, "%s", TPM_DEVICE);

	for (int i = 0; ok && i < NEW_KEYS; i++) {
		struct template t = new_rsa(2048);
		pid_t child;

		outcomes[0].ok = false;
		child = attest_on(1, &t, &outcomes[0]);
		while (waitpid(child, &status, WNOHANG) == 0) {
			ok = ok && tpm_read_pcrs(fd, &selection, &pcrs, problem);
			answers += ok;
		}
		ok = ok && (outcomes[0].ok || problem_set(problem, "%s", outcomes[0].problem.text));
	}
	close(fd);
	printf("time answers_meanwhile %d\n", answers);
	return ok && (answers > 2 * NEW_KEYS || problem_set(problem, "only %d answers", answers));
}

/* How many objects the TPM itself holds: every task's, and what nobody has any more. */
static bool count_objects(uint32_t *count, struct problem *problem)
{
	struct message m = { .size = 0 };
	int fd = open("/dev/tpm0", O_RDWR | O_CLOEXEC);
	bool ok;

	add(&m, 0x8001, 2);
	add(&m, 0, 4);
	add(&m, CC_GET_CAPABILITY, 4);
	add(&m, 1, 4); /* handles, from the first of a transient object on */
	add(&m, 0x80000000, 4);
	add(&m, 8, 4);
	ok = fd >= 0 && exchange(fd, &m);
	close(fd);
	*count = m.data[18]; /* behind header, whether there are more, and what it is about */
	return ok || problem_set(problem, "the TPM does not say what it holds");
}

/* Kills one that has the TPM make a key, once it has begun; as kill_one(). */
static int kill_creation(void)
{
	struct template t = new_rsa(2048);
	volatile bool *begins = &outcomes[3].ok;
	uint32_t handle;
	int status, fd;
	pid_t child;

	*begins = false;
	child = fork();
	if (child == 0) {
		fd = open(TPM_DEVICE, O_RDWR | O_CLOEXEC);
		*begins = true;
		_exit(fd >= 0 && create(fd, RH_OWNER, &t, &handle) ? 0 : 1);
	}
	while (child > 0 && !*begins)
		usleep(1000);
	usleep(KILL_AFTER_US);
	if (child < 0 || kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child)
		return -1;
	if (WIFSIGNALED(status))
		return 1;
	return WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* A key that was made for a task that is no more takes none of the TPM's few places for good. */
static bool test_tpm_killed(struct problem *problem)
{
	struct template t = new_rsa(2048);
	uint32_t handle, left;
	int killed = 0, fd;
	bool ok;

	for (int i = 0; killed < TPM_PLACES && i < TPM_PLACES * KILLS; i++) {
		int one = kill_creation();

		if (one < 0)
			return problem_set(problem, "behind %d that were killed one fails", killed);
		killed += one;
	}
	if (killed < TPM_PLACES)
		return problem_set(problem, "only %d were killed in time", killed);
	fd = open(TPM_DEVICE, O_RDWR | O_CLOEXEC);
	ok = fd >= 0 && create(fd, RH_OWNER, &t, &handle);
	close(fd);
	if (!ok)
		return problem_set(problem, "the TPM makes no key any more");
	if (!count_objects(&left, problem))
		return false;
	return left == 0 || problem_set(problem, "%u objects are left in the TPM", left);
}

static int run_tests(void)
{
	static const struct {
		const char *name;
		bool (*run)(struct problem *problem);
	} tests[] = {
		{ "new-and-cached", test_cached },	    { "own-key", test_own },
		{ "own-key-3072", test_own_3072 },	    { "two-at-once", test_two },
		{ "two-of-one-template", test_two_of_one }, { "caller-killed", test_killed },
		{ "tpm-caller-killed", test_tpm_killed },   { "tpm-meanwhile", test_meanwhile },
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		struct problem problem = { "" };

		verdict(tests[i].name, tests[i].run(&problem), &problem);
	}
	return failures ? 1 : 0;
}

/* ---- The sequence that a guest would need without a selector ---- */

static bool sequence(int fd, const struct template *t)
{
	static const uint8_t nonce[TSM_NONCE_SIZE];
	static struct tsm_report report;
	uint32_t handle;

	return create(fd, RH_ENDORSEMENT, t, &handle) && with_handle(fd, CC_READ_PUBLIC, handle) &&
	       with_handle(fd, CC_FLUSH_CONTEXT, handle) &&
	       tsm_report_vtpm(TSM_ROOT, nonce, 0, &report) == 0;
}

static bool say_time(const char *name, bool ok, uint64_t us)
{
	if (ok)
		printf("time %s %llu\n", name, (unsigned long long)us);
	else
		printf("FAIL %s\n", name);
	fflush(stdout);
	return ok;
}

static bool say_outcome(const char *name, const struct outcome *out)
{
	if (out->ok)
		return say_time(name, true, out->us);
	printf("FAIL %s: %s\n", name, out->problem.text);
	fflush(stdout);
	return false;
}

static bool time_sequence(int fd, const char *name, const struct template *t)
{
	uint64_t start = now_us();
	bool ok = sequence(fd, t);

	return say_time(name, ok, now_us() - start);
}

static bool time_key(const char *name, const char *key)
{
	struct svsm_wish wish = { .manifest_version = 0 };
	struct outcome *out = &outcomes[0];

	memset(out, 0, sizeof(*out));
	if (svsm_select_key(&wish, key, &out->problem))
		attest_wish(&wish, out);
	return say_outcome(name, out);
}

static bool time_new_ecc(void)
{
	struct template t = new_ecc();

	attest(&t, &outcomes[0]);
	return say_outcome("call_new_ecc", &outcomes[0]);
}

/* In turns, so that all see the same computer. RSA keys take long: fewer of them. */
static int run_times(void)
{
	int fd = open(TPM_DEVICE, O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0;

	for (int i = 0; ok && i < SAMPLES; i++) {
		struct template ecc = new_ecc(), rsa = new_rsa(2048);

		ok = time_sequence(fd, "sequence_ecc", &ecc) && time_new_ecc() &&
		     time_key("call_ecc", "ak-ecc-p256") && time_key("call_rsa", "ak-rsa2048") &&
		     (i % 5 != 0 || time_sequence(fd, "sequence_rsa", &rsa));
	}
	return ok ? 0 : 1;
}

/* ---- The guest's own RSA keys ---- */

/* The command is one call of the SVSM, which keeps the processor from its write to its response. */
static bool hold(int fd, const char *name, uint16_t bits)
{
	struct template t = new_rsa(bits);
	uint64_t start = now_us();
	uint32_t handle = 0;
	bool ok = create(fd, RH_OWNER, &t, &handle);

	return say_time(name, ok, now_us() - start) && with_handle(fd, CC_FLUSH_CONTEXT, handle);
}

static int run_holds(const char *name, uint16_t bits)
{
	int fd = open("/dev/tpm0", O_RDWR | O_CLOEXEC);
	bool ok = fd >= 0;

	for (int i = 0; ok && i < HOLDS; i++)
		ok = hold(fd, name, bits);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	outcomes = mmap(NULL, OUTCOMES * sizeof(*outcomes), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (outcomes == MAP_FAILED || argc != 2)
		return 1;
	if (strcmp(argv[1], "tests") == 0)
		return run_tests();
	if (strcmp(argv[1], "times") == 0)
		return run_times();
	if (strcmp(argv[1], "hold") == 0)
		return run_holds("hold", 2048);
	return strcmp(argv[1], "hold3072") == 0 ? run_holds("hold3072", 3072) : 1;
}
