/* SPDX-License-Identifier: MIT */
/* Chains that were checked once, for who judges many reports of one chip. */
#include <openssl/err.h>
#include <stdlib.h>

#include "tools/libverify/evidence.h"
#include "tools/libverify/library.h"

struct socle_chain {
	struct amd_chain chain;
	bool own_root; /* the relying party gave it */
};

static const char *take(struct socle_chain *chain, const struct socle_evidence *evidence)
{
	evidence_chain(evidence, &chain->chain);
	if (!chain->chain.ark || !chain->chain.issuer || !chain->chain.signer)
		return "a certificate of the chain is missing";
	chain->own_root = evidence->own_root;
	return amd_chain_links_error(&chain->chain);
}

struct socle_chain *socle_chain_of(const struct socle_evidence *evidence, char *error)
{
	struct socle_chain *chain = calloc(1, sizeof(*chain));
	struct host_error wrong;
	const char *why;

	ERR_set_mark();
	why = chain ? take(chain, evidence) : "out of memory";
	ERR_pop_to_mark();
	if (!why)
		return chain;
	socle_chain_free(chain);
	host_fail(&wrong, "%s", why);
	library_fail(error, &wrong);
	return NULL;
}

/* As another place for the same certificates; whoever frees one leaves the other. */
static bool share(struct amd_chain *to, const struct amd_chain *from)
{
	X509 *const certificates[] = { from->ark, from->issuer, from->signer };
	X509 **const places[] = { &to->ark, &to->issuer, &to->signer };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (X509_up_ref(certificates[i]) != 1)
			return false;
		*places[i] = certificates[i];
	}
	to->key = from->key;
	return true;
}

static const char *add(struct socle_evidence *evidence, const struct socle_chain *chain)
{
	if (!evidence->added[SOCLE_REPORT])
		return "the report has to come before everything else";
	if (evidence->known.signer)
		return "a chain is there already";
	if (evidence->parts.chain.key != chain->chain.key)
		return "the report is by another kind of key than the chain";
	if (!share(&evidence->known, &chain->chain)) {
		amd_chain_free(&evidence->known);
		return "out of memory";
	}
	if (chain->own_root && !evidence->own_root && X509_up_ref(chain->chain.ark) == 1)
		evidence->own_root = chain->chain.ark;
	return NULL;
}

bool socle_evidence_add_chain(struct socle_evidence *evidence, const struct socle_chain *chain,
			      char *error)
{
	const char *why = add(evidence, chain);
	struct host_error wrong;

	if (!why)
		return true;
	host_fail(&wrong, "%s", why);
	return library_fail(error, &wrong);
}

void socle_chain_free(struct socle_chain *chain)
{
	if (!chain)
		return;
	amd_chain_free(&chain->chain);
	free(chain);
}
