/* SPDX-License-Identifier: MIT */
#include "machine/host/psp.h"

#include <openssl/rand.h>
#include <string.h>

#include "core/base/bytes.h"

#define SECRETS_VERSION 3u
#define TAG_SIZE 16
#define IV_SIZE 12
#define AAD_SIZE (PSP_MSG_HEADER_SIZE - PSP_MSG_AAD_OFFSET)

/* The processor that QEMU's EPYC-Milan shows: CPUID 1 EAX, and the parts of it in reports. */
#define CPUID_FMS 0x00a00f11u
#define CPUID_FAMILY 0x19
#define CPUID_MODEL 0x01
#define CPUID_STEPPING 0x01

#define POLICY_ABI_MINOR(policy) ((policy)&0xff)
#define POLICY_ABI_MAJOR(policy) ((policy) >> 8 & 0xff)
#define POLICY_KNOWN_BITS 22 /* 22 and up ask for what this platform does not have */

#define PLATFORM_ALIAS_CHECK_COMPLETE (1ull << 5)

#define REQ_KEY_MASK 3u
#define REQ_KEY_VLEK 2u

bool psp_init(struct psp *psp, const struct chain *chain)
{
	*psp = (struct psp){ .chain = chain };
	return RAND_bytes(&psp->vmpck[0][0], sizeof(psp->vmpck)) == 1 &&
	       RAND_bytes(psp->report_id, sizeof(psp->report_id)) == 1;
}

const char *psp_policy_refusal(uint64_t policy)
{
	uint64_t major = POLICY_ABI_MAJOR(policy);

	if (!(policy & PSP_POLICY_RESERVED_ONE))
		return "bit 17, which must be one, is zero";
	if (policy >> POLICY_KNOWN_BITS)
		return "it asks for features that the platform does not have";
	if (major > PSP_ABI_MAJOR ||
	    (major == PSP_ABI_MAJOR && POLICY_ABI_MINOR(policy) > PSP_ABI_MINOR))
		return "it asks for a newer firmware";
	return NULL;
}

void psp_fill_secrets(const struct psp *psp, struct snp_secrets *secrets)
{
	memset(secrets, 0, sizeof(*secrets));
	secrets->version = SECRETS_VERSION;
	secrets->fms = CPUID_FMS;
	memcpy(secrets->gosvw, psp->launch.workarounds, sizeof(secrets->gosvw));
	memcpy(secrets->vmpck, psp->vmpck, sizeof(secrets->vmpck));
}

void psp_fill_vmsa(struct snp_vmsa *vmsa)
{
	if (!(vmsa->sev_features & SNP_FEATURE_SECURE_TSC))
		return;
	vmsa->tsc_scale = SNP_TSC_SCALE_ONE;
	vmsa->tsc_offset = 0;
}

static void make_iv(uint64_t seqno, uint8_t iv[IV_SIZE])
{
	memset(iv, 0, IV_SIZE);
	memcpy(iv, &seqno, sizeof(seqno));
}

/* AES-256-GCM of size bytes in place, either way; the tag is read to open, written to seal. */
static bool gcm(bool seal, const uint8_t key[SNP_VMPCK_SIZE], struct psp_msg_header *header,
		uint8_t *payload, int size)
{
	const uint8_t *aad = (const uint8_t *)header + PSP_MSG_AAD_OFFSET;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint8_t iv[IV_SIZE], rest[TAG_SIZE];
	int n;
	bool ok;

	make_iv(header->seqno, iv);
	ok = context && EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, iv, seal) == 1 &&
	     EVP_CipherUpdate(context, NULL, &n, aad, AAD_SIZE) == 1 &&
	     EVP_CipherUpdate(context, payload, &n, payload, size) == 1;
	if (ok && !seal)
		ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE,
					 header->authtag) == 1;
	ok = ok && EVP_CipherFinal_ex(context, rest, &n) == 1;
	if (ok && seal)
		ok = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE,
					 header->authtag) == 1;
	EVP_CIPHER_CTX_free(context);
	return ok;
}

/* A kind of request, and what answers it: false when that cannot be made. */
struct psp_message {
	uint8_t type, answer_type;
	uint16_t size, answer_size;
	bool (*answer)(const struct psp *psp, const void *request, uint8_t vmpck, void *response);
};

static bool header_ok(const struct psp_msg_header *header)
{
	return bytes_are_zero(header->authtag + TAG_SIZE, sizeof(header->authtag) - TAG_SIZE) &&
	       bytes_are_zero(header->reserved_028, sizeof(header->reserved_028)) &&
	       header->algo == PSP_MSG_ALGO_AES_256_GCM &&
	       header->header_version == PSP_MSG_HEADER_VERSION &&
	       header->header_size == sizeof(*header) && header->version == PSP_MSG_VERSION &&
	       header->reserved_038 == 0 && header->vmpck < SNP_VMPL_COUNT &&
	       bytes_are_zero(header->reserved_03d, sizeof(header->reserved_03d));
}

/* The status inside the answer, which is sealed like a report. */
static uint32_t request_status(const struct psp *psp, const struct psp_report_req *req,
			       uint8_t vmpck)
{
	/* A key speaks for its own level and for those below it, never for one above. */
	if (req->vmpl < vmpck || req->vmpl >= SNP_VMPL_COUNT)
		return PSP_STATUS_INVALID_PARAMETER;
	if (req->flags > REQ_KEY_VLEK || !bytes_are_zero(req->reserved, sizeof(req->reserved)))
		return PSP_STATUS_INVALID_PARAMETER;
	/* There is no VLEK, so the key is the VCEK in whatever else is asked for. */
	if ((req->flags & REQ_KEY_MASK) == REQ_KEY_VLEK || psp->launch.vcek_disabled)
		return PSP_STATUS_INVALID_KEY;
	return PSP_STATUS_OK;
}

static bool make_report(const struct psp *psp, const struct psp_report_req *req,
			struct psp_report *report)
{
	uint64_t tcb = chain_tcb_version(psp->chain);

	*report = (struct psp_report){
		.version = PSP_REPORT_VERSION,
		.guest_svn = psp->launch.guest_svn,
		.policy = psp->launch.policy,
		.vmpl = req->vmpl,
		.signature_algo = PSP_REPORT_SIG_ALGO_ECDSA_P384_SHA384,
		.current_tcb = tcb,
		.platform_info = PLATFORM_ALIAS_CHECK_COMPLETE,
		.key_info = psp->launch.author_key_enabled ? PSP_KEY_INFO_AUTHOR_KEY_EN : 0,
		.reported_tcb = tcb,
		.cpuid_family = CPUID_FAMILY,
		.cpuid_model = CPUID_MODEL,
		.cpuid_stepping = CPUID_STEPPING,
		.committed_tcb = tcb,
		.current_minor = PSP_ABI_MINOR,
		.current_major = PSP_ABI_MAJOR,
		.committed_minor = PSP_ABI_MINOR,
		.committed_major = PSP_ABI_MAJOR,
		.launch_tcb = tcb,
	};
	memcpy(report->report_data, req->report_data, sizeof(report->report_data));
	memcpy(report->measurement, psp->launch.measurement, sizeof(report->measurement));
	memcpy(report->host_data, psp->launch.host_data, sizeof(report->host_data));
	memcpy(report->family_id, psp->launch.family_id, sizeof(report->family_id));
	memcpy(report->image_id, psp->launch.image_id, sizeof(report->image_id));
	memcpy(report->id_key_digest, psp->launch.id_key_digest, sizeof(report->id_key_digest));
	memcpy(report->author_key_digest, psp->launch.author_key_digest,
	       sizeof(report->author_key_digest));
	memcpy(report->report_id, psp->report_id, sizeof(report->report_id));
	/* No migration agent. */
	memset(report->report_id_ma, 0xff, sizeof(report->report_id_ma));
	memcpy(report->chip_id, psp->chain->chip_id, sizeof(report->chip_id));
	return chain_sign_report(psp->chain, report);
}

static bool answer_report(const struct psp *psp, const void *request, uint8_t vmpck, void *response)
{
	const struct psp_report_req *req = request;
	struct psp_report_rsp *rsp = response;

	*rsp = (struct psp_report_rsp){ .status = request_status(psp, req, vmpck) };
	if (rsp->status != PSP_STATUS_OK)
		return true;
	rsp->size = sizeof(rsp->report);
	return make_report(psp, req, &rsp->report);
}

/* Any guest may ask, whether it has Secure TSC or not. */
static bool answer_tsc_info(const struct psp *psp, const void *request, uint8_t vmpck,
			    void *response)
{
	const struct psp_tsc_info_req *req = request;
	struct psp_tsc_info_rsp *rsp = response;

	(void)vmpck;
	*rsp = (struct psp_tsc_info_rsp){ .status = PSP_STATUS_INVALID_PARAMETER };
	if (bytes_are_zero(req->reserved, sizeof(req->reserved)))
		*rsp = (struct psp_tsc_info_rsp){ .tsc_scale = SNP_TSC_SCALE_ONE,
						  .tsc_factor = psp->tsc_factor };
	return true;
}

static const struct psp_message messages[] = {
	{ PSP_MSG_REPORT_REQ, PSP_MSG_REPORT_RSP, sizeof(struct psp_report_req),
	  sizeof(struct psp_report_rsp), answer_report },
	{ PSP_MSG_TSC_INFO_REQ, PSP_MSG_TSC_INFO_RSP, sizeof(struct psp_tsc_info_req),
	  sizeof(struct psp_tsc_info_rsp), answer_tsc_info },
};

/* Room for any of them. */
union psp_request {
	struct psp_report_req report;
	struct psp_tsc_info_req tsc_info;
};

union psp_response {
	struct psp_report_rsp report;
	struct psp_tsc_info_rsp tsc_info;
};

static const struct psp_message *find_message(const struct psp_msg_header *header)
{
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		if (messages[i].type == header->type && messages[i].size == header->size)
			return &messages[i];
	}
	return NULL;
}

static bool seal(const struct psp *psp, const struct psp_message *message, uint8_t vmpck,
		 uint64_t seqno, const union psp_response *rsp, uint8_t page[ABI_PAGE_SIZE])
{
	struct psp_msg_header header = {
		.seqno = seqno,
		.algo = PSP_MSG_ALGO_AES_256_GCM,
		.header_version = PSP_MSG_HEADER_VERSION,
		.header_size = sizeof(header),
		.type = message->answer_type,
		.version = PSP_MSG_VERSION,
		.size = message->answer_size,
		.vmpck = vmpck,
	};

	memset(page, 0, ABI_PAGE_SIZE);
	memcpy(page + sizeof(header), rsp, message->answer_size);
	if (!gcm(true, psp->vmpck[vmpck], &header, page + sizeof(header), message->answer_size))
		return false;
	memcpy(page, &header, sizeof(header));
	return true;
}

enum psp_status psp_guest_request(struct psp *psp, const uint8_t request[ABI_PAGE_SIZE],
				  uint8_t response[ABI_PAGE_SIZE])
{
	const struct psp_message *message;
	struct psp_msg_header header;
	union psp_request req;
	union psp_response rsp;
	uint8_t page[ABI_PAGE_SIZE];
	uint64_t *last;

	memcpy(&header, request, sizeof(header));
	memcpy(&req, request + sizeof(header), sizeof(req));
	message = find_message(&header);
	if (!header_ok(&header) || !message)
		return PSP_INVALID_PARAM;
	last = &psp->last_seqno[header.vmpck];
	if (*last > UINT64_MAX - 2)
		return PSP_AEAD_OFLOW;
	if (header.seqno != *last + 1)
		return PSP_INVALID_PARAM;
	if (!gcm(false, psp->vmpck[header.vmpck], &header, (uint8_t *)&req, message->size))
		return PSP_BAD_MEASUREMENT;
	if (!message->answer(psp, &req, header.vmpck, &rsp) ||
	    !seal(psp, message, header.vmpck, *last + 2, &rsp, page))
		return PSP_HARDWARE;
	*last += 2;
	memcpy(response, page, sizeof(page));
	return PSP_SUCCESS;
}
