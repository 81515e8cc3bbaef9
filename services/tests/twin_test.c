/* SPDX-License-Identifier: MIT */
/*
 * Create-and-attest leaves no trace: around each selection the permanent and the volatile state of
 * the vTPM are compared byte for byte, and all that a guest can ask for, in every situation that a
 * guest can bring its TPM into. The vTPM runs within the test, with a clock that stands still; the
 * twin is the real executable.
 *
 *	twin_test VTPM
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/tpm/selector.h"
#include "services/tests/guest.h"
#include "services/tests/spawn.h"
#include "services/vtpm/manufacture.h"

#define POLICY_A "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"

static const char profile_text[] =
	"profile test\npcr-banks sha256\nplatform-auth empty\nmanifests 0 1\ncertificates none\n"
	"key ek-rsa2048\n role ek\n hierarchy endorsement\n"
	" template 0001000b000300b20020" POLICY_A "00060080004300100800000000000000\n"
	" unique zero\n handle 0x81010001\n"
	"key ak-ecc-p256\n role ak\n hierarchy endorsement\n"
	" template 0023000b00050072000000100018000b0003001000000000\n"
	" unique random\n handle none\n"
	"nv 0x01c10003\n attributes 0x42072001\n policy none\n content template ak-ecc-p256\n"
	" locked yes\n";

/* Templates that are not the profile's (lengths without the string's NUL). */
static const uint8_t ak_p384[] = "\x00\x23\x00\x0c\x00\x05\x00\x72\x00\x00\x00\x10\x00\x18\x00\x0c"
				 "\x00\x04\x00\x10\x00\x00\x00";
static const uint8_t ak_rsa[] = "\x00\x01\x00\x0b\x00\x05\x00\x72\x00\x00\x00\x10\x00\x14\x00\x0b"
				"\x08\x00\x00\x00\x00\x00\x00";

static const char *vtpm_path;
static struct profile profile;
static struct vtpm vtpm;
static struct guest guest = { .vtpm = &vtpm };
static int64_t clock_seconds = 1000;

/* The TPM's clock: without it no two states would be the same. */
int __wrap_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	(void)id;
	*time = (struct timespec){ .tv_sec = clock_seconds };
	return 0;
}

static void start_with(const char *directive)
{
	char text[2048] = "";
	struct profile_error error;

	strcat(text, directive);
	strcat(text, profile_text);
	if (!profile_parse(&profile, text, strlen(text), &error))
		fail_msg("profile:%u: %s", error.line, error.reason);
	vtpm = (struct vtpm){ .profile = &profile, .attested = true };
	assert_true(manufacture(&vtpm));
}

static int start(void **state)
{
	(void)state;
	start_with("");
	return 0;
}

static int end(void **state)
{
	(void)state;
	tpm_power_off();
	return 0;
}

/* ---- States ---- */

struct states {
	uint8_t *data[2];
	uint32_t size[2];
};

static void get_states(struct states *s)
{
	assert_int_equal(TPMLIB_GetState(TPMLIB_STATE_PERMANENT, &s->data[0], &s->size[0]), 0);
	assert_int_equal(TPMLIB_GetState(TPMLIB_STATE_VOLATILE, &s->data[1], &s->size[1]), 0);
}

static void free_states(struct states *s)
{
	free(s->data[0]);
	free(s->data[1]);
}

static bool same_states(const struct states *a, const struct states *b)
{
	return a->size[0] == b->size[0] && a->size[1] == b->size[1] &&
	       memcmp(a->data[0], b->data[0], a->size[0]) == 0 &&
	       memcmp(a->data[1], b->data[1], a->size[1]) == 0;
}

/* ---- Selections, as the monitor makes them ---- */

struct answer {
	struct vtpm_select_reply reply;
	uint8_t *data;
	size_t size; /* of what follows the reply */
};

/* The vtpm's answer to a selector, or to a key that was made; it stays in the buffer. */
static void take_answer(const struct serve_output *out, struct answer *answer)
{
	assert_true(out->size >= sizeof(answer->reply));
	memcpy(&answer->reply, out->data, sizeof(answer->reply));
	answer->data = out->data + sizeof(answer->reply);
	answer->size = out->size - sizeof(answer->reply);
}

static enum service_status select_raw(uint32_t version, const uint8_t *selector, size_t size,
				      struct answer *answer)
{
	static uint8_t reply[VTPM_REPLY_MAX];
	uint8_t payload[4 + 2048];
	struct serve_output out = { .data = reply, .capacity = sizeof(reply) };
	enum service_status status;

	assert_true(size <= sizeof(payload) - 4);
	memcpy(payload, &version, 4);
	if (size)
		memcpy(payload + 4, selector, size);
	status = vtpm_handle(&vtpm, VTPM_OP_SELECT, payload, 4 + size, &out);
	if (status != SERVICE_OK)
		return status;
	take_answer(&out, answer);
	return status;
}

/* Loads a fresh twin with the seeds that the TPM has now. */
static pid_t start_twin(int *channel)
{
	static uint8_t seeds[VTPM_REPLY_MAX];
	struct serve_output out = { .data = seeds, .capacity = sizeof(seeds) };
	pid_t pid = spawn_service(vtpm_path, "twin", NULL, 0, channel);
	size_t none = 0;

	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_SEEDS, NULL, 0, &out), SERVICE_OK);
	assert_true(out.size > sizeof(struct vtpm_seeds));
	assert_int_equal(spawn_call(*channel, TWIN_OP_LOAD, seeds + sizeof(struct vtpm_seeds),
				    out.size - sizeof(struct vtpm_seeds), NULL, &none),
			 SERVICE_OK);
	assert_int_equal(none, 0);
	return pid;
}

static void stop_twin(pid_t pid, int channel)
{
	close(channel);
	waitpid(pid, NULL, 0);
}

/* What the twin has made: its answer behind the response code. */
struct made {
	uint8_t data[4096];
	size_t size;
};

/* Has a loaded twin carry out an order. Returns the TPM's response code. */
static uint32_t ask_twin(int channel, const uint8_t *order, size_t order_size, struct made *made)
{
	uint8_t reply[4096];
	size_t size = sizeof(reply);
	uint32_t rc;

	assert_int_equal(spawn_call(channel, TWIN_OP_CREATE, order, order_size, reply, &size),
			 SERVICE_OK);
	assert_true(size >= 4);
	memcpy(&rc, reply, 4);
	made->size = size - 4;
	memcpy(made->data, reply + 4, made->size);
	return rc;
}

/* Runs a fresh twin on what the selection asks for. */
static uint32_t run_twin(const struct answer *answer, struct made *made)
{
	int channel;
	pid_t pid = start_twin(&channel);
	uint32_t rc = ask_twin(channel, answer->data, answer->size, made);

	stop_twin(pid, channel);
	return rc;
}

static void public_of(const struct made *made, uint8_t *public_area, size_t *public_size)
{
	struct twin_made header;

	assert_true(made->size > sizeof(header));
	memcpy(&header, made->data, sizeof(header));
	assert_int_equal(made->size, sizeof(header) + header.public_size + header.attest_size);
	assert_true(header.public_size <= TPM_PUBLIC_MAX);
	memcpy(public_area, made->data + sizeof(header), header.public_size);
	*public_size = header.public_size;
}

/* A copy of the vtpm's order, which is overwritten with its next answer. */
struct order {
	uint8_t data[sizeof(struct twin_order) + TPM_PUBLIC_MAX];
	size_t size;
};

static struct order order_of(const struct answer *answer)
{
	struct order order = { .size = answer->size };

	assert_int_equal(answer->reply.outcome, SELECT_CREATE);
	assert_true(answer->size > sizeof(struct twin_order) && answer->size <= sizeof(order.data));
	memcpy(order.data, answer->data, answer->size);
	return order;
}

/* Gives the vtpm a key that was made; the answer is as to a selector. */
static enum service_status remember_raw(const struct vtpm_remember *header, const uint8_t *order,
					const uint8_t *made, struct answer *answer)
{
	static uint8_t reply[VTPM_MANIFEST_MAX];
	static uint8_t payload[VTPM_REQUEST_MAX];
	struct serve_output out = { .data = reply, .capacity = sizeof(reply) };
	size_t size = sizeof(*header) + header->order_size + header->made_size;
	enum service_status status;

	assert_true(size <= sizeof(payload));
	memcpy(payload, header, sizeof(*header));
	memcpy(payload + sizeof(*header), order, header->order_size);
	memcpy(payload + sizeof(*header) + header->order_size, made, header->made_size);
	status = vtpm_handle(&vtpm, VTPM_OP_REMEMBER, payload, size, &out);
	if (status != SERVICE_OK)
		return status;
	take_answer(&out, answer);
	return status;
}

static enum service_status remember(uint64_t generation, const struct order *order,
				    const struct made *made, struct answer *answer)
{
	struct vtpm_remember header = { .seed_generation = generation,
					.order_size = (uint32_t)order->size,
					.made_size = (uint32_t)made->size };

	return remember_raw(&header, order->data, made->data, answer);
}

/* A selection that has to make its key: twin, and remember, which gives the manifest. */
static void create(struct answer *answer)
{
	struct order order = order_of(answer);
	struct made made;

	assert_int_equal(run_twin(answer, &made), 0);
	assert_int_equal(remember(answer->reply.seed_generation, &order, &made, answer),
			 SERVICE_OK);
}

static bool select_key_of(const uint8_t *selector, size_t size, uint8_t *public_area,
			  size_t *public_size)
{
	struct answer answer;
	bool created = false;

	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	if (answer.reply.outcome == SELECT_CREATE) {
		create(&answer);
		created = true;
	}
	assert_int_equal(answer.reply.outcome, SELECT_MANIFEST);
	*public_size = answer.size;
	memcpy(public_area, answer.data, answer.size);
	return created;
}

static size_t template_selector(uint8_t *selector, const uint8_t *template, size_t size)
{
	uint64_t kind = SVSM_SELECTOR_TEMPLATE;

	memcpy(selector, &kind, 8);
	memcpy(selector + 8, template, size);
	return 8 + size;
}

static size_t id_selector(uint8_t *selector, uint64_t kind, uint32_t id)
{
	memcpy(selector, &kind, 8);
	memcpy(selector + 8, &id, 4);
	return 12;
}

/* ---- Situations that a guest brings its TPM into ---- */

static void fill_transient(void)
{
	static const uint8_t srk[] =
		"\x00\x23\x00\x0b\x00\x03\x04\x72\x00\x00\x00\x06\x00\x80\x00\x43\x00\x10\x00\x03"
		"\x00\x10\x00\x00\x00";

	for (int i = 0; i < 3; i++)
		assert_int_equal(guest_run(&guest, CC_CREATE_PRIMARY, "d a www s w d", RH_OWNER, "",
					   4, 0, 0, srk, sizeof(srk), 0, 0),
				 0);
	assert_int_equal(guest_run(&guest, CC_CREATE_PRIMARY, "d a www s w d", RH_OWNER, "", 4, 0,
				   0, srk, sizeof(srk), 0, 0),
			 0x902);
}

static uint32_t open_session(void)
{
	static const uint8_t nonce[16] = "caller's nonce";
	uint32_t rc = guest_run(&guest, CC_START_AUTH_SESSION, "dd s w b w w", RH_NULL, RH_NULL,
				nonce, sizeof(nonce), 0, 0, 0x10, 0xb);

	assert_int_equal(rc, 0);
	return (uint32_t)guest.response[10] << 24 | guest.response[11] << 16 |
	       guest.response[12] << 8 | guest.response[13];
}

#define AUDIT 0x81u
#define AUDIT_EXCLUSIVE 0x83u

static uint32_t audited_command(uint32_t session, uint32_t attributes)
{
	return guest_run(&guest, CC_GET_RANDOM, "x w", session, attributes, 8);
}

static void set_endorsement_auth(void)
{
	assert_int_equal(guest_run(&guest, CC_HIERARCHY_CHANGE_AUTH, "d a s", RH_ENDORSEMENT, "",
				   "secret", (size_t)6),
			 0);
}

static void disable_endorsement(const char *auth)
{
	assert_int_equal(guest_run(&guest, CC_HIERARCHY_CONTROL, "d a d b", RH_ENDORSEMENT, auth,
				   RH_ENDORSEMENT, 0),
			 0);
}

static void disable_clear(void)
{
	assert_int_equal(guest_run(&guest, CC_CLEAR_CONTROL, "d a b", RH_LOCKOUT, "", 1), 0);
	assert_int_equal(guest_run(&guest, CC_CLEAR, "d a", RH_LOCKOUT, ""), 0x120);
}

static void fill_nv(void)
{
	static uint8_t data[2048];
	uint32_t rc = 0, index = 0x01500000;

	memset(data, 0xa5, sizeof(data));
	for (size_t size = sizeof(data); size >= 32; size /= 2) {
		for (rc = 0; !rc; index++)
			rc = guest_nv(&guest, index, 0x02020002, "", data, size);
		assert_int_equal(rc, 0x14b); /* TPM_RC_NV_SPACE */
	}
}

/* ---- Proofs ---- */

/*
 * Selects twice with the same selector, in the TPM as it is, and proves that neither left a trace.
 * What a guest sees is looked at from a checkpoint: looking is what would change the TPM.
 */
static void prove_invisible(const uint8_t *selector, size_t size, uint8_t *public_area,
			    size_t *public_size)
{
	uint8_t seen_before[32], seen_after[32], again[TPM_PUBLIC_MAX];
	struct tpm_checkpoint checkpoint;
	struct states before, after;
	size_t again_size;

	assert_true(tpm_checkpoint(&checkpoint));
	guest_observe(&guest, seen_before);
	assert_true(tpm_rollback(&checkpoint));
	get_states(&before);

	select_key_of(selector, size, public_area, public_size);
	assert_false(select_key_of(selector, size, again, &again_size));
	assert_int_equal(again_size, *public_size);
	assert_memory_equal(again, public_area, again_size);

	get_states(&after);
	assert_true(same_states(&before, &after));
	free_states(&before);
	free_states(&after);
	assert_true(tpm_checkpoint(&checkpoint));
	guest_observe(&guest, seen_after);
	assert_true(tpm_rollback(&checkpoint));
	assert_memory_equal(seen_before, seen_after, sizeof(seen_before));
}

/* All kinds of selectors. Gives the key of the template ak_p384. */
static void prove_all_kinds(uint8_t *public_area, size_t *public_size)
{
	uint8_t selector[SVSM_SELECTOR_MAX], key[TPM_PUBLIC_MAX], nv[TPM_PUBLIC_MAX];
	size_t size, nv_size, key_size;

	size = id_selector(selector, SVSM_SELECTOR_KEY, SVSM_KEY_AK_ECC_P256);
	prove_invisible(selector, size, key, &key_size);
	size = id_selector(selector, SVSM_SELECTOR_NV, 0x01c10003);
	prove_invisible(selector, size, nv, &nv_size);
	assert_int_equal(key_size, nv_size);
	assert_memory_equal(key, nv, nv_size);
	size = template_selector(selector, ak_p384, sizeof(ak_p384));
	prove_invisible(selector, size, public_area, public_size);
}

/* The guest's own TPM2_CreatePrimary gives the same key. */
static void prove_same_key(const char *auth, const uint8_t *template, size_t size,
			   const uint8_t *public_area, size_t public_size)
{
	uint8_t own[TPM_PUBLIC_MAX];
	size_t own_size;

	assert_int_equal(guest_primary(&guest, auth, template, size, own, &own_size), 0);
	assert_int_equal(own_size, public_size);
	assert_memory_equal(own, public_area, own_size);
}

/* A change that must be seen, so that the comparisons above can fail. */
static void test_states_can_differ(void **state)
{
	struct states before, after;
	uint8_t a[32], b[32];

	(void)state;
	guest_observe(&guest, a);
	get_states(&before);
	assert_int_equal(guest_nv(&guest, 0x01500000, 0x02020002, "", ak_rsa, 8), 0);
	get_states(&after);
	guest_observe(&guest, b);
	assert_false(same_states(&before, &after));
	assert_memory_not_equal(a, b, sizeof(a));
	free_states(&before);
	free_states(&after);
}

static void test_fresh(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX], selector[SVSM_SELECTOR_MAX];
	size_t size;

	(void)state;
	prove_all_kinds(key, &size);
	prove_same_key("", ak_p384, sizeof(ak_p384), key, size);
	prove_invisible(selector, template_selector(selector, ak_rsa, sizeof(ak_rsa)), key, &size);
	prove_same_key("", ak_rsa, sizeof(ak_rsa), key, size);
	prove_same_key("", vtpm.templates[0].data, vtpm.templates[0].size,
		       vtpm_profile_key(&vtpm, 0)->public_area,
		       vtpm_profile_key(&vtpm, 0)->public_size);
}

static void test_transient_full(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX];
	size_t size;

	(void)state;
	fill_transient();
	prove_all_kinds(key, &size);
	assert_int_equal(guest_run(&guest, CC_FLUSH_CONTEXT, "d", 0x80000001), 0);
	prove_same_key("", ak_p384, sizeof(ak_p384), key, size);
}

static void test_exclusive_audit(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX], selector[SVSM_SELECTOR_MAX];
	uint32_t session;
	size_t size;

	(void)state;
	open_session();
	open_session();
	session = open_session();
	assert_int_equal(audited_command(session, AUDIT), 0);
	assert_int_equal(audited_command(session, AUDIT_EXCLUSIVE), 0);
	prove_all_kinds(key, &size);
	assert_int_equal(audited_command(session, AUDIT_EXCLUSIVE), 0);
	/* Selecting alone, without the proof's checkpoints, does not end it either. */
	size = template_selector(selector, ak_rsa, sizeof(ak_rsa));
	select_key_of(selector, size, key, &size);
	assert_int_equal(audited_command(session, AUDIT_EXCLUSIVE), 0);
	/* Any command of the guest's own does. */
	guest_run(&guest, CC_GET_CAPABILITY, "ddd", 6, 0x100, 1);
	assert_int_equal(audited_command(session, AUDIT_EXCLUSIVE), 0x121);
}

static void test_endorsement_auth(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX];
	size_t size;

	(void)state;
	set_endorsement_auth();
	prove_all_kinds(key, &size);
	prove_same_key("secret", ak_p384, sizeof(ak_p384), key, size);
}

static void test_clear_disabled(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX];
	size_t size;

	(void)state;
	set_endorsement_auth();
	disable_clear();
	prove_all_kinds(key, &size);
	prove_same_key("secret", ak_p384, sizeof(ak_p384), key, size);
}

static void test_nv_full(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX];
	struct tpm_state permanent;
	size_t size;

	(void)state;
	fill_nv();
	assert_true(tpm_permanent_state(&permanent));
	assert_true(permanent.size > 140000 && permanent.size < VTPM_REPLY_MAX - 2048);
	tpm_free_state(&permanent);
	prove_all_kinds(key, &size);
	prove_same_key("", ak_p384, sizeof(ak_p384), key, size);
}

static void test_everything_at_once(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX];
	uint32_t session;
	size_t size;

	(void)state;
	fill_nv();
	fill_transient();
	set_endorsement_auth();
	disable_clear();
	disable_endorsement("secret");
	session = open_session();
	assert_int_equal(audited_command(session, AUDIT), 0);
	prove_all_kinds(key, &size);
	assert_int_equal(audited_command(session, AUDIT_EXCLUSIVE), 0);
}

/* ---- The endorsement hierarchy is disabled: the profile says what then ---- */

static void test_endorsement_disabled(void **state)
{
	uint8_t key[TPM_PUBLIC_MAX], own[TPM_PUBLIC_MAX];
	size_t size, own_size;

	(void)state;
	disable_endorsement("");
	assert_int_equal(guest_primary(&guest, "", ak_p384, sizeof(ak_p384), own, &own_size),
			 0x185);
	prove_all_kinds(key, &size);
}

static enum service_status manifest(uint32_t version, uint8_t *data, size_t *size)
{
	struct serve_output out = { .data = data, .capacity = VTPM_MANIFEST_MAX };
	enum service_status status = vtpm_handle(&vtpm, VTPM_OP_MANIFEST, (uint8_t *)&version,
						 sizeof(version), &out);

	*size = out.size;
	return status;
}

static void test_endorsement_disabled_refused(void **state)
{
	uint8_t selector[SVSM_SELECTOR_MAX], data[VTPM_MANIFEST_MAX];
	struct states before, after;
	struct answer answer;
	size_t size = id_selector(selector, SVSM_SELECTOR_KEY, SVSM_KEY_EK_RSA2048), got;
	uint32_t session;

	(void)state;
	start_with("attest-when-eh-disabled no\n");
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_MANIFEST);
	assert_int_equal(manifest(0, data, &got), SERVICE_OK);
	disable_endorsement("");
	session = open_session();
	assert_int_equal(audited_command(session, AUDIT), 0);
	get_states(&before);
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_TPM_ERROR);
	assert_int_equal(answer.reply.code, 0x185);
	assert_int_equal(answer.size, 0);
	assert_int_equal(manifest(0, data, &got), SERVICE_ERR_FAILED);
	get_states(&after);
	assert_true(same_states(&before, &after));
	free_states(&before);
	free_states(&after);
	assert_int_equal(audited_command(session, AUDIT_EXCLUSIVE), 0);
}

/* ---- Selections that fail ---- */

static void expect_outcome(const uint8_t *selector, size_t size, uint32_t outcome, uint32_t code)
{
	struct states before, after;
	struct answer answer;

	get_states(&before);
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, outcome);
	assert_int_equal(answer.reply.code, code);
	assert_int_equal(answer.size, 0);
	get_states(&after);
	assert_true(same_states(&before, &after));
	free_states(&before);
	free_states(&after);
}

static void test_refused(void **state)
{
	/* Each byte changed in ak_p384, and what it makes of the template. */
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{ 7, 0x70 },  /* fixedTPM clear */
		{ 7, 0x52 },  /* sensitiveDataOrigin clear: the guest could know the key */
		{ 5, 0x04 },  /* restricted clear: it would sign anything */
		{ 5, 0x07 },  /* sign and decrypt */
		{ 1, 0x08 },  /* a keyed hash */
		{ 16, 0x7f }, /* no such curve */
	};
	uint8_t selector[SVSM_SELECTOR_MAX + 1] = { 0 };
	size_t size = template_selector(selector, ak_p384, sizeof(ak_p384));

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		template_selector(selector, ak_p384, sizeof(ak_p384));
		selector[8 + changes[i].at] = changes[i].value;
		expect_outcome(selector, size, SELECT_REFUSED, 0);
	}
	template_selector(selector, ak_p384, sizeof(ak_p384));
	for (size_t cut = 1; cut < size; cut++)
		expect_outcome(selector, cut, SELECT_REFUSED, 0);
	expect_outcome(selector, sizeof(selector), SELECT_REFUSED, 0);
	size = id_selector(selector, 4, 0);
	expect_outcome(selector, size, SELECT_REFUSED, 0);
	size = id_selector(selector, SVSM_SELECTOR_KEY, SVSM_KEY_AK_RSA2048);
	expect_outcome(selector, size, SELECT_REFUSED, 0); /* not in this profile */
	size = id_selector(selector, SVSM_SELECTOR_NV, 0x81010001);
	expect_outcome(selector, size, SELECT_REFUSED, 0);
}

/* What another could not read by the index's own empty authorization is not read for it. */
static void test_nv_selectors(void **state)
{
	static uint8_t large[1200];
	uint8_t selector[12], key[TPM_PUBLIC_MAX];
	size_t size, key_size;

	(void)state;
	size = id_selector(selector, SVSM_SELECTOR_NV, 0x01500000);
	expect_outcome(selector, size, SELECT_TPM_ERROR, 0x18b); /* no such index */
	/* OWNERWRITE, AUTHREAD, READ_STCLEAR, without and with a password, with DA. */
	assert_int_equal(guest_nv(&guest, 0x01500000, 0x80040002, "", ak_p384, sizeof(ak_p384)), 0);
	select_key_of(selector, size, key, &key_size);
	prove_same_key("", ak_p384, sizeof(ak_p384), key, key_size);
	/*
	 * The guest's first use of it, whatever was read for the selector: TPM_RC_RETRY, once.
	 * From 0.10 on libtpms goes on.
	 */
	assert_int_equal(guest_run(&guest, CC_NV_READ_LOCK, "dd a", 0x01500000, 0x01500000, ""),
			 tpm_library_version() < 0x000a00 ? 0x922 : 0);
	assert_int_equal(guest_run(&guest, CC_NV_READ_LOCK, "dd a", 0x01500000, 0x01500000, ""), 0);
	expect_outcome(selector, size, SELECT_TPM_ERROR, 0x148); /* TPM_RC_NV_LOCKED */
	id_selector(selector, SVSM_SELECTOR_NV, 0x01500001);
	assert_int_equal(guest_nv(&guest, 0x01500001, 0x00040002, "pw", ak_p384, sizeof(ak_p384)),
			 0);
	expect_outcome(selector, size, SELECT_TPM_ERROR, 0x98e); /* TPM_RC_AUTH_FAIL */
	id_selector(selector, SVSM_SELECTOR_NV, 0x01500002);
	assert_int_equal(guest_run(&guest, CC_NV_DEFINE_SPACE, "d a w w dwdww", RH_OWNER, "", 0, 14,
				   0x01500002, 0xb, 0x02040002, 0, 24),
			 0);
	expect_outcome(selector, size, SELECT_TPM_ERROR, 0x14a); /* TPM_RC_NV_UNINITIALIZED */
	/* An index that only the owner reads, one that is too large, one that holds no template. */
	id_selector(selector, SVSM_SELECTOR_NV, 0x01500003);
	assert_int_equal(guest_nv(&guest, 0x01500003, 0x02020002, "", ak_p384, sizeof(ak_p384)), 0);
	expect_outcome(selector, size, SELECT_TPM_ERROR, 0x12f); /* TPM_RC_AUTH_UNAVAILABLE */
	id_selector(selector, SVSM_SELECTOR_NV, 0x01500004);
	assert_int_equal(guest_nv(&guest, 0x01500004, 0x02040002, "", large, sizeof(large)), 0);
	expect_outcome(selector, size, SELECT_REFUSED, 0);
	id_selector(selector, SVSM_SELECTOR_NV, 0x01500005);
	assert_int_equal(guest_nv(&guest, 0x01500005, 0x02040002, "", large, 100), 0);
	expect_outcome(selector, size, SELECT_REFUSED, 0);
}

/* A TPM that cannot make the key says so by its response code: libtpms 0.9 has no RSA 4096. */
static void test_tpm_error(void **state)
{
	uint8_t selector[SVSM_SELECTOR_MAX], template[sizeof(ak_rsa)];
	struct answer answer;
	struct made made;
	size_t size;

	(void)state;
	memcpy(template, ak_rsa, sizeof(template));
	template[16] = 0x10;
	size = template_selector(selector, template, sizeof(template));
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_CREATE);
	assert_int_equal(run_twin(&answer, &made), 0x2c4); /* TPM_RC_VALUE, parameter 2 */
	assert_int_equal(made.size, 0);
}

/* ---- Manifests, cache, seeds ---- */

static void test_manifests(void **state)
{
	uint8_t data[VTPM_MANIFEST_MAX], selector[SVSM_SELECTOR_MAX];
	const struct cache_entry *ek, *ak;
	struct answer answer;
	size_t size;

	(void)state;
	ek = vtpm_profile_key(&vtpm, 0);
	ak = vtpm_profile_key(&vtpm, 1);
	assert_int_equal(manifest(0, data, &size), SERVICE_OK);
	assert_int_equal(size, 314);
	assert_memory_equal(data, ek->public_area, 314);
	assert_int_equal(manifest(1, data, &size), SERVICE_OK);
	assert_int_equal(size, 8 + 2 + 314 + 2 + 88);
	assert_memory_equal(data, "\0\0\0\1\0\0\0\2\x01\x3a", 10);
	assert_memory_equal(data + 10, ek->public_area, 314);
	assert_memory_equal(data + 324, "\0\x58", 2);
	assert_memory_equal(data + 326, ak->public_area, 88);
	assert_int_equal(manifest(2, data, &size), SERVICE_ERR_UNSUPPORTED);

	/* No selector, one of kind 0, and version 1 of one key. */
	assert_int_equal(select_raw(1, NULL, 0, &answer), SERVICE_OK);
	assert_int_equal(answer.size, 8 + 2 + 314 + 2 + 88);
	memset(selector, 0, 8);
	assert_int_equal(select_raw(0, selector, 8, &answer), SERVICE_OK);
	assert_int_equal(answer.size, 314);
	size = id_selector(selector, SVSM_SELECTOR_KEY, SVSM_KEY_AK_ECC_P256);
	assert_int_equal(select_raw(1, selector, size, &answer), SERVICE_OK);
	assert_int_equal(answer.size, 8 + 2 + 88);
	assert_memory_equal(answer.data, "\0\0\0\1\0\0\0\1\0\x58", 10);
	assert_memory_equal(answer.data + 10, ak->public_area, 88);
	assert_int_equal(select_raw(2, selector, size, &answer), SERVICE_ERR_UNSUPPORTED);
}

/* A template of the guest's own, the nth; all have one key size. */
static size_t numbered_template(uint8_t *selector, uint8_t n)
{
	static const uint8_t p256[] = "\x00\x23\x00\x0b\x00\x05\x00\x72\x00\x00\x00\x10\x00\x18\x00"
				      "\x0b\x00\x03\x00\x10\x00\x01_\x00";
	size_t size = template_selector(selector, p256, sizeof(p256));

	selector[8 + 22] = n;
	return size;
}

/* The cache keeps 16 keys of the guest's, the last used ones, and all of the profile's. */
static void test_cache(void **state)
{
	uint8_t selector[SVSM_SELECTOR_MAX], key[TPM_PUBLIC_MAX];
	struct answer answer;
	size_t key_size;

	(void)state;
	for (uint8_t n = 0; n < 16; n++)
		assert_true(
			select_key_of(selector, numbered_template(selector, n), key, &key_size));
	assert_false(select_key_of(selector, numbered_template(selector, 0), key, &key_size));
	assert_true(select_key_of(selector, numbered_template(selector, 16), key, &key_size));
	assert_false(select_key_of(selector, numbered_template(selector, 0), key, &key_size));
	assert_true(select_key_of(selector, numbered_template(selector, 1), key, &key_size));
	assert_int_equal(select_raw(1, NULL, 0, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_MANIFEST);
}

static void test_change_of_seed(void **state)
{
	uint8_t selector[SVSM_SELECTOR_MAX], data[VTPM_MANIFEST_MAX], old[TPM_PUBLIC_MAX];
	uint8_t key[TPM_PUBLIC_MAX];
	struct answer answer;
	struct order order;
	struct made made;
	size_t size, old_size, key_size, got;
	uint64_t generation;

	(void)state;
	size = template_selector(selector, ak_p384, sizeof(ak_p384));
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	order = order_of(&answer);
	generation = answer.reply.seed_generation;
	assert_int_equal(run_twin(&answer, &made), 0);
	public_of(&made, old, &old_size);

	/* Another vCPU changes the seed before the key is remembered. */
	assert_int_equal(guest_run(&guest, CC_CHANGE_EPS, "d a", RH_PLATFORM, ""), 0);
	assert_int_equal(remember(generation, &order, &made, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_CREATE);
	assert_int_equal(answer.size, 0);
	assert_true(answer.reply.seed_generation != generation);
	assert_int_equal(manifest(0, data, &got), SERVICE_ERR_FAILED);
	assert_true(select_key_of(selector, size, key, &key_size));
	assert_memory_not_equal(key, old, old_size);
	prove_same_key("", ak_p384, sizeof(ak_p384), key, key_size);

	/* The profile's keys come back as they are selected. */
	size = id_selector(selector, SVSM_SELECTOR_KEY, SVSM_KEY_EK_RSA2048);
	assert_true(select_key_of(selector, size, key, &key_size));
	assert_int_equal(manifest(0, data, &got), SERVICE_OK);
	assert_memory_equal(data, key, key_size);
}

/* Another vCPU uses the TPM while the twin is at work: neither sees the other. */
static void test_commands_meanwhile(void **state)
{
	uint8_t selector[SVSM_SELECTOR_MAX], key[TPM_PUBLIC_MAX];
	size_t size = template_selector(selector, ak_rsa, sizeof(ak_rsa)), key_size;
	struct states before, after;
	struct answer answer;
	struct order order;
	struct made made;

	(void)state;
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	order = order_of(&answer);
	fill_transient();
	set_endorsement_auth();
	assert_int_equal(guest_nv(&guest, 0x01500000, 0x02020002, "", ak_rsa, 8), 0);
	assert_int_equal(guest_run(&guest, CC_CLEAR, "d a", RH_LOCKOUT, ""), 0);
	get_states(&before);
	assert_int_equal(run_twin(&answer, &made), 0);
	public_of(&made, key, &key_size);
	assert_int_equal(remember(answer.reply.seed_generation, &order, &made, &answer),
			 SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_MANIFEST);
	assert_int_equal(answer.size, key_size);
	assert_memory_equal(answer.data, key, key_size);
	get_states(&after);
	assert_true(same_states(&before, &after));
	free_states(&before);
	free_states(&after);
	prove_same_key("", ak_rsa, sizeof(ak_rsa), key, key_size);
}

/* A new order for the key of ak_p384. */
static struct order order_p384(void)
{
	uint8_t selector[SVSM_SELECTOR_MAX];
	struct answer answer;
	size_t size = template_selector(selector, ak_p384, sizeof(ak_p384));

	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	return order_of(&answer);
}

/* Has the twin make the key of ak_p384, and keeps order and answer. */
static void make_p384(struct order *order, struct made *made)
{
	struct answer answer = { .data = order->data };

	*order = order_p384();
	answer.size = order->size;
	assert_int_equal(run_twin(&answer, made), 0);
}

/* The monitor passes on order and answer; what is not in their form is refused. */
static void test_remember(void **state)
{
	struct vtpm_remember header = { .seed_generation = vtpm.cache.generation,
					.manifest_version = 1 };
	uint8_t key[TPM_PUBLIC_MAX], selector[SVSM_SELECTOR_MAX];
	struct serve_output out = { 0 };
	struct answer answer;
	struct order order;
	struct made made;
	size_t key_size;

	(void)state;
	template_selector(selector, ak_p384, sizeof(ak_p384));
	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_REMEMBER, selector, 3, &out),
			 SERVICE_ERR_FORMAT);
	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_SELECT, selector, 3, &out), SERVICE_ERR_FORMAT);
	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_SEEDS, selector, 1, &out), SERVICE_ERR_FORMAT);
	make_p384(&order, &made);
	public_of(&made, key, &key_size);
	header.order_size = (uint32_t)order.size;
	for (header.made_size = 0; header.made_size < made.size; header.made_size++)
		assert_int_equal(remember_raw(&header, order.data, made.data, &answer),
				 SERVICE_ERR_FORMAT);
	for (header.order_size = 0; header.order_size < order.size; header.order_size++)
		assert_int_equal(remember_raw(&header, order.data, made.data, &answer),
				 SERVICE_ERR_FORMAT);
	header.manifest_version = 2;
	assert_int_equal(remember_raw(&header, order.data, made.data, &answer),
			 SERVICE_ERR_UNSUPPORTED);
	header.manifest_version = 1;
	header.reserved = 1;
	assert_int_equal(remember_raw(&header, order.data, made.data, &answer), SERVICE_ERR_FORMAT);
	header.reserved = 0;
	assert_int_equal(remember_raw(&header, order.data, made.data, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_MANIFEST);
	assert_int_equal(answer.size, 8 + 2 + key_size);
	assert_memory_equal(answer.data + 10, key, key_size);
}

/* ---- A twin that lies ---- */

static void assert_not_vouched_for(const struct order *order, const struct made *made)
{
	uint8_t selector[SVSM_SELECTOR_MAX];
	struct answer answer;
	size_t size = template_selector(selector, ak_p384, sizeof(ak_p384));

	assert_int_equal(remember(vtpm.cache.generation, order, made, &answer), SERVICE_ERR_FORMAT);
	assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_CREATE); /* nothing was kept */
}

/* Every byte of the answer matters: the key's, the TPM's word for it, and the MAC over that. */
static void test_twin_changes_a_byte(void **state)
{
	struct order order;
	struct answer answer;
	struct made made;

	(void)state;
	make_p384(&order, &made);
	for (size_t i = 0; i < made.size; i++) {
		made.data[i] ^= 0x10;
		assert_not_vouched_for(&order, &made);
		made.data[i] ^= 0x10;
	}
	assert_int_equal(remember(vtpm.cache.generation, &order, &made, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_MANIFEST);
}

/* The parts of one answer in another. */
static void mix(struct made *mixed, const struct made *key, const struct made *proof)
{
	struct twin_made of_key, header;

	memcpy(&of_key, key->data, sizeof(of_key));
	memcpy(&header, proof->data, sizeof(header));
	memcpy(mixed->data + sizeof(header), key->data + sizeof(header), of_key.public_size);
	memcpy(mixed->data + sizeof(header) + of_key.public_size,
	       proof->data + sizeof(header) + header.public_size, header.attest_size);
	header.public_size = of_key.public_size;
	memcpy(mixed->data, &header, sizeof(header));
	mixed->size = sizeof(header) + header.public_size + header.attest_size;
}

/*
 * A key of the right template whose private half somebody else has: another TPM's, which even
 * certifies it, to our challenge, with a proof key of its own.
 */
static void test_twin_gives_a_foreign_key(void **state)
{
	struct made ours, foreign, mixed;
	struct answer answer;
	struct order order;
	int channel, other;
	pid_t pid, other_pid = start_twin(&other);

	(void)state;
	tpm_power_off();
	start_with(""); /* other seeds than the first twin's */
	pid = start_twin(&channel);
	order = order_p384();
	assert_int_equal(ask_twin(channel, order.data, order.size, &ours), 0);
	assert_int_equal(ask_twin(other, order.data, order.size, &foreign), 0);
	assert_not_vouched_for(&order, &foreign);
	mix(&mixed, &foreign, &ours);
	assert_not_vouched_for(&order, &mixed);
	mix(&mixed, &ours, &foreign);
	assert_not_vouched_for(&order, &mixed);
	mix(&mixed, &ours, &ours);
	assert_int_equal(remember(vtpm.cache.generation, &order, &mixed, &answer), SERVICE_OK);
	stop_twin(pid, channel);
	stop_twin(other_pid, other);
}

/* A twin that was loaded before the one that counts. */
static void test_twin_loaded_before(void **state)
{
	struct order order;
	struct made made;
	int channel, later;
	pid_t pid = start_twin(&channel), later_pid = start_twin(&later);

	(void)state;
	order = order_p384();
	assert_int_equal(ask_twin(channel, order.data, order.size, &made), 0);
	assert_not_vouched_for(&order, &made);
	stop_twin(pid, channel);
	stop_twin(later_pid, later);
}

/* An order of the test's own. */
static size_t make_order(uint8_t *order, const uint8_t *template, size_t size)
{
	memset(order, 0xc4, sizeof(struct twin_order));
	memcpy(order + sizeof(struct twin_order), template, size);
	return sizeof(struct twin_order) + size;
}

/* Genuine answers, to other orders: of another template, and to an older challenge. */
static void test_twin_answers_another_order(void **state)
{
	struct order order = order_p384(), again = order_p384(), rsa;
	struct made made, of_rsa, mixed;
	int channel;
	pid_t pid;

	(void)state;
	assert_memory_not_equal(order.data, again.data, TWIN_PROOF_SIZE);
	rsa.size = make_order(rsa.data, ak_rsa, sizeof(ak_rsa));
	memcpy(rsa.data, order.data, TWIN_PROOF_SIZE);
	pid = start_twin(&channel);
	assert_int_equal(ask_twin(channel, order.data, order.size, &made), 0);
	assert_not_vouched_for(&again, &made);
	assert_not_vouched_for(&rsa, &made);
	stop_twin(pid, channel);
	pid = start_twin(&channel);
	assert_int_equal(ask_twin(channel, rsa.data, rsa.size, &of_rsa), 0);
	assert_not_vouched_for(&order, &of_rsa);
	mix(&mixed, &made, &of_rsa); /* a key of the template, another one certified */
	assert_not_vouched_for(&order, &mixed);
	stop_twin(pid, channel);
}

/* Before a twin was loaded nothing is believed, not even under a key of zeros. */
static void test_twin_before_any_load(void **state)
{
	struct answer answer;
	struct order order;
	struct made made;

	(void)state;
	make_p384(&order, &made);
	vtpm.has_proof_key = false;
	memset(vtpm.proof_key, 0, sizeof(vtpm.proof_key));
	assert_int_equal(remember(vtpm.cache.generation, &order, &made, &answer),
			 SERVICE_ERR_FORMAT);
}

/* The guest disables its endorsement hierarchy while the twin is at work. */
static void test_remember_refused(void **state)
{
	struct answer answer;
	struct order order;
	struct made made;

	(void)state;
	start_with("attest-when-eh-disabled no\n");
	make_p384(&order, &made);
	disable_endorsement("");
	assert_int_equal(remember(vtpm.cache.generation, &order, &made, &answer), SERVICE_OK);
	assert_int_equal(answer.reply.outcome, SELECT_TPM_ERROR);
	assert_int_equal(answer.reply.code, 0x185);
	assert_int_equal(answer.size, 0);
}

/* ---- The twin as a process ---- */

static int twin_call(int channel, uint32_t op, const void *payload, size_t size)
{
	uint8_t reply[4096];
	size_t got = sizeof(reply);

	return spawn_call(channel, op, payload, size, reply, &got);
}

static void test_twin_process(void **state)
{
	uint8_t order[sizeof(struct twin_order) + sizeof(ak_p384) + 1] = { 0 };
	size_t size = make_order(order, ak_p384, sizeof(ak_p384));
	int channel;
	pid_t pid = start_twin(&channel);

	(void)state;
	assert_int_equal(twin_call(channel, 3, "", 0), SERVICE_ERR_UNSUPPORTED);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(twin_call(channel, TWIN_OP_CREATE, order, cut),
				 SERVICE_ERR_FORMAT);
	assert_int_equal(twin_call(channel, TWIN_OP_CREATE, order, size + 1), SERVICE_ERR_FORMAT);
	assert_int_equal(twin_call(channel, TWIN_OP_CREATE, order, size), SERVICE_OK);
	/* It is used up: only its snapshot answers again. */
	assert_int_equal(twin_call(channel, TWIN_OP_CREATE, order, size), SERVICE_ERR_FAILED);
	assert_int_equal(twin_call(channel, TWIN_OP_LOAD, order, size), SERVICE_ERR_FAILED);
	stop_twin(pid, channel);
}

/* Without seeds it makes no key, not even one of a new TPM's. */
static void test_twin_without_seeds(void **state)
{
	uint8_t bad[2000], order[sizeof(struct twin_order) + sizeof(ak_p384)];
	size_t size = make_order(order, ak_p384, sizeof(ak_p384));
	int channel;
	pid_t pid = spawn_service(vtpm_path, "twin", NULL, 0, &channel);

	(void)state;
	memset(bad, 0x5a, sizeof(bad));
	assert_int_equal(twin_call(channel, TWIN_OP_CREATE, order, size), SERVICE_ERR_FAILED);
	for (size_t cut = 0; cut <= sizeof(struct twin_load); cut++)
		assert_int_equal(twin_call(channel, TWIN_OP_LOAD, bad, cut), SERVICE_ERR_FORMAT);
	assert_int_equal(twin_call(channel, TWIN_OP_LOAD, bad, sizeof(bad)), SERVICE_ERR_FAILED);
	assert_int_equal(twin_call(channel, TWIN_OP_CREATE, order, size), SERVICE_ERR_FAILED);
	stop_twin(pid, channel);
}

/* Loaded again, as after TPM2_ChangeEPS: the keys are those of the new seeds. */
static void test_twin_loaded_again(void **state)
{
	static uint8_t seeds[VTPM_REPLY_MAX];
	struct serve_output out = { .data = seeds, .capacity = sizeof(seeds) };
	uint8_t key[TPM_PUBLIC_MAX], order[sizeof(struct twin_order) + sizeof(ak_p384)];
	size_t key_size, none = 0, size = make_order(order, ak_p384, sizeof(ak_p384));
	struct made made;
	int channel;
	pid_t pid = start_twin(&channel);

	(void)state;
	assert_int_equal(guest_run(&guest, CC_CHANGE_EPS, "d a", RH_PLATFORM, ""), 0);
	set_endorsement_auth();
	disable_clear();
	assert_int_equal(vtpm_handle(&vtpm, VTPM_OP_SEEDS, NULL, 0, &out), SERVICE_OK);
	assert_int_equal(spawn_call(channel, TWIN_OP_LOAD, seeds + sizeof(struct vtpm_seeds),
				    out.size - sizeof(struct vtpm_seeds), NULL, &none),
			 SERVICE_OK);
	assert_int_equal(ask_twin(channel, order, size, &made), 0);
	public_of(&made, key, &key_size);
	prove_same_key("secret", ak_p384, sizeof(ak_p384), key, key_size);
	stop_twin(pid, channel);
}

/*
 * Selectors with changed bytes: an outcome each, and never a trace. The seed makes it repeatable.
 */
static void test_fuzzed_selectors(void **state)
{
	uint8_t good[SVSM_SELECTOR_MAX], selector[SVSM_SELECTOR_MAX];
	size_t size = template_selector(good, ak_p384, sizeof(ak_p384));
	unsigned int seed = 7, created = 0, refused = 0;
	struct states before, after;
	struct answer answer;
	struct made made;

	(void)state;
	get_states(&before);
	for (int i = 0; i < 3000; i++) {
		memcpy(selector, good, size);
		for (int n = rand_r(&seed) % 3; n >= 0; n--)
			selector[(size_t)rand_r(&seed) % size] = (uint8_t)rand_r(&seed);
		assert_int_equal(select_raw(0, selector, size, &answer), SERVICE_OK);
		assert_true(answer.reply.outcome <= SELECT_TPM_ERROR);
		refused += answer.reply.outcome == SELECT_REFUSED;
		if (answer.reply.outcome == SELECT_CREATE && created++ < 40)
			run_twin(&answer, &made);
	}
	assert_true(created > 0 && refused > 0);
	get_states(&after);
	assert_true(same_states(&before, &after));
	free_states(&before);
	free_states(&after);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_states_can_differ),
		CASE(test_fresh),
		CASE(test_transient_full),
		CASE(test_exclusive_audit),
		CASE(test_endorsement_auth),
		CASE(test_clear_disabled),
		CASE(test_nv_full),
		CASE(test_everything_at_once),
		CASE(test_endorsement_disabled),
		CASE(test_endorsement_disabled_refused),
		CASE(test_refused),
		CASE(test_nv_selectors),
		CASE(test_tpm_error),
		CASE(test_manifests),
		CASE(test_cache),
		CASE(test_change_of_seed),
		CASE(test_commands_meanwhile),
		CASE(test_remember),
		CASE(test_remember_refused),
		CASE(test_twin_changes_a_byte),
		CASE(test_twin_gives_a_foreign_key),
		CASE(test_twin_loaded_before),
		CASE(test_twin_answers_another_order),
		CASE(test_twin_before_any_load),
		CASE(test_twin_process),
		CASE(test_twin_without_seeds),
		CASE(test_twin_loaded_again),
		CASE(test_fuzzed_selectors),
	};

	if (argc != 2)
		return 2;
	vtpm_path = argv[1];
	alarm(100); /* a service that does not answer ends the test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
