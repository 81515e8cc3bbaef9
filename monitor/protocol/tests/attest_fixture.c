/* SPDX-License-Identifier: MIT */
#include "monitor/protocol/tests/attest_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct svsm_attest_op op;
struct attest_vtpm vtpm;

static void put_select_reply(struct world_service *service, uint32_t outcome)
{
	struct vtpm_select_reply head = { outcome, vtpm.code, vtpm.generation };

	memcpy(service->reply, &head, sizeof(head));
	service->reply_size = sizeof(head);
	if (outcome == SELECT_CREATE) {
		memcpy(service->reply + sizeof(head), vtpm.order, vtpm.order_size);
		service->reply_size += vtpm.order_size;
	} else {
		memset(service->reply + sizeof(head), 'M', vtpm.manifest_size);
		service->reply_size += vtpm.manifest_size;
	}
}

void vtpm_works(void)
{
	struct world_service *service = world_service(SERVICE_VTPM);

	service->status = SERVICE_OK;
	switch (service->op) {
	case VTPM_OP_MANIFEST:
		vtpm.manifests++;
		assert_int_equal(service->payload_size, 4);
		service->reply_size = 0;
		if (vtpm.keys_left) {
			vtpm.keys_left--;
			break;
		}
		memset(service->reply, 'M', vtpm.manifest_size);
		service->reply_size = vtpm.manifest_size;
		break;
	case VTPM_OP_SELECT:
		vtpm.selects++;
		vtpm.selected_size = service->payload_size;
		memcpy(vtpm.selected, service->payload, service->payload_size);
		put_select_reply(service, vtpm.outcome);
		break;
	case VTPM_OP_REMEMBER:
		vtpm.remembers++;
		vtpm.remembered_size = service->payload_size;
		memcpy(vtpm.remembered, service->payload, service->payload_size);
		put_select_reply(service, vtpm.then);
		service->status = vtpm.remember_status;
		break;
	case VTPM_OP_SEEDS:
		vtpm.seeds++;
		assert_int_equal(service->payload_size, 0);
		memcpy(service->reply, SEEDS, vtpm.seeds_size);
		memcpy(service->reply, &vtpm.generation, sizeof(vtpm.generation));
		service->reply_size = vtpm.seeds_size;
		service->status = vtpm.seeds_status;
		break;
	case VTPM_OP_COMMAND:
		memcpy(service->reply, "\0\0\0\0response", 12);
		service->reply_size = 12;
		break;
	default:
		fail();
	}
}

void set_reply(uint32_t report, uint32_t certificates)
{
	struct world_service *service = world_service(SERVICE_ATTEST);
	struct attest_reply sizes = { report, certificates };
	uint8_t *at = service->reply + sizeof(sizes);

	memcpy(service->reply, &sizes, sizeof(sizes));
	memset(at, 'R', report);
	memset(at + report, 'C', certificates);
	service->reply_size = sizeof(sizes) + report + certificates;
}

int attest_setup(void **state)
{
	(void)state;
	world_start();
	memset(&vtpm, 0, sizeof(vtpm));
	vtpm.manifest_size = MANIFEST_SIZE;
	vtpm.generation = SEED_GENERATION;
	vtpm.seeds_size = sizeof(SEEDS) - 1;
	world_service(SERVICE_VTPM)->while_working = vtpm_works;
	memset(model_memory(gpa(WORLD_SMALL)), UNTOUCHED, 0x20000);
	for (unsigned int i = 0; i < 64; i++)
		*model_memory(gpa(NONCE + i)) = (uint8_t)(i + 1);
	op = (struct svsm_attest_op){
		.report = { REPORT, 0x1000, 0 },
		.nonce = { NONCE, 64, 0 },
		.manifest = { MANIFEST, 0x1000, 0 },
		.certificates = { CERTIFICATES, 0x4000, 0 },
		.service = SVSM_GUID_VTPM,
		.manifest_version = 0,
	};
	set_reply(REPORT_SIZE, CERTIFICATES_SIZE);
	return 0;
}

struct svsm_call attest_at(uint32_t id, uint64_t at)
{
	return world_call(0, ATTEST(id), at, UINT64_MAX, UINT64_MAX);
}

struct svsm_call attest(uint32_t id)
{
	world_put(OP, &op, sizeof(op));
	return attest_at(id, OP);
}

void assert_filled(uint64_t at, uint8_t with, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert_int_equal(*model_memory(gpa(at + i)), with);
	assert_int_equal(*model_memory(gpa(at - 1)), UNTOUCHED);
	assert_int_equal(*model_memory(gpa(at + size)), UNTOUCHED);
}

void assert_nothing_written(void)
{
	assert_filled(REPORT, UNTOUCHED, 0x1000);
	assert_filled(MANIFEST, UNTOUCHED, 0x1000);
	assert_filled(CERTIFICATES, UNTOUCHED, 0x4000);
}

void assert_refused(const struct svsm_call *call, uint32_t result)
{
	assert_int_equal(call->rax, result);
	assert_int_equal(call->rdx, UINT64_MAX);
	assert_int_equal(call->r8, UINT64_MAX);
	assert_nothing_written();
}

struct attest_request asked(enum attest_op op)
{
	const struct world_service *service = world_service(SERVICE_ATTEST);
	struct attest_request request;

	assert_int_equal(service->op, op);
	assert_true(service->payload_size >= sizeof(request));
	memcpy(&request, service->payload, sizeof(request));
	assert_int_equal(service->payload_size,
			 sizeof(request) + request.selector_size + request.manifest_size);
	assert_int_equal(request.reserved, 0);
	for (unsigned int i = 0; i < 64; i++)
		assert_int_equal(request.nonce[i], i + 1);
	return request;
}

void assert_delivered(const struct svsm_call *call, uint32_t manifest_size)
{
	assert_int_equal(call->rax, 0);
	assert_int_equal(call->rcx, manifest_size);
	assert_int_equal(call->rdx, CERTIFICATES_SIZE);
	assert_int_equal(call->r8, REPORT_SIZE);
	assert_filled(REPORT, 'R', REPORT_SIZE);
	assert_filled(CERTIFICATES, 'C', CERTIFICATES_SIZE);
}
