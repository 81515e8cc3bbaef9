/* SPDX-License-Identifier: MIT */
/*
 * What libcrypto computes in a group by its code for all curves is what has to come out, and one
 * multiple of P-256's generator is a literal: twice it, of NIST's list of points (k = 2 in
 * nist.gov's "Mathematical routines for the NIST prime elliptic curves").
 */
#include "services/vtpm/curve_group.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 32
#define TWICE_X "7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978"
#define TWICE_Y "07775510DB8ED040293D9AC69F7430DBBA7DADE63CE982299E04B79D227873D1"

static unsigned int general;

static EC_GROUP *make(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b, BN_CTX *context)
{
	general++;
	return EC_GROUP_new_curve_GFp(p, a, b, context);
}

static EC_GROUP *refuse(const BIGNUM *p, const BIGNUM *a, const BIGNUM *b, BN_CTX *context)
{
	(void)p, (void)a, (void)b, (void)context;
	general++;
	return NULL;
}

struct curve {
	EC_GROUP *named;
	BIGNUM *p, *a, *b;
};

static struct curve curve_of(int name)
{
	struct curve c = { EC_GROUP_new_by_curve_name(name), BN_new(), BN_new(), BN_new() };

	assert_int_equal(EC_GROUP_get_curve(c.named, c.p, c.a, c.b, NULL), 1);
	return c;
}

static void curve_free(struct curve *c)
{
	EC_GROUP_free(c->named);
	BN_free(c->p);
	BN_free(c->a);
	BN_free(c->b);
}

/* Gives the group times its curve's generator, as libtpms gives it one. */
static void set_generator(EC_GROUP *group, const EC_GROUP *named, unsigned int times)
{
	BIGNUM *x = BN_new(), *y = BN_new(), *factor = BN_new();
	EC_POINT *point = EC_POINT_new(group), *from = EC_POINT_new(named);

	BN_set_word(factor, times);
	assert_int_equal(EC_POINT_mul(named, from, factor, NULL, NULL, NULL), 1);
	assert_int_equal(EC_POINT_get_affine_coordinates(named, from, x, y, NULL), 1);
	assert_int_equal(EC_POINT_set_affine_coordinates(group, point, x, y, NULL), 1);
	assert_int_equal(EC_GROUP_set_generator(group, point, EC_GROUP_get0_order(named),
						EC_GROUP_get0_cofactor(named)),
			 1);
	EC_POINT_free(point);
	EC_POINT_free(from);
	BN_free(x);
	BN_free(y);
	BN_free(factor);
}

static EC_GROUP *group_of(const struct curve *c, curve_group_function function, unsigned int times)
{
	EC_GROUP *group = curve_group_new(c->p, c->a, c->b, NULL, function);

	if (group)
		set_generator(group, c->named, times);
	return group;
}

/* A point of the group, uncompressed: k times its generator, and l times that where l is given. */
static void multiple(const EC_GROUP *group, const BIGNUM *k, const BIGNUM *l, uint8_t point[65])
{
	EC_POINT *at = EC_POINT_new(group);

	assert_int_equal(EC_POINT_mul(group, at, k, NULL, NULL, NULL), 1);
	if (l)
		assert_int_equal(EC_POINT_mul(group, at, k, at, l, NULL), 1);
	assert_int_equal(
		EC_POINT_point2oct(group, at, POINT_CONVERSION_UNCOMPRESSED, point, 65, NULL), 65);
	EC_POINT_free(at);
}

static void computes_as_the_general_code(void **state)
{
	struct curve c = curve_of(NID_X9_62_prime256v1);
	BIGNUM *k = BN_new(), *l = BN_new();

	(void)state;
	for (unsigned int times = 1; times <= 3; times++) {
		EC_GROUP *slow = EC_GROUP_new_curve_GFp(c.p, c.a, c.b, NULL);
		EC_GROUP *fast = group_of(&c, refuse, times);

		assert_non_null(fast);
		set_generator(slow, c.named, times);
		for (unsigned int i = 0; i < ROUNDS; i++) {
			uint8_t ours[65], wanted[65];

			BN_rand_range(k, EC_GROUP_get0_order(c.named));
			BN_rand_range(l, EC_GROUP_get0_order(c.named));
			multiple(fast, k, i % 2 ? l : NULL, ours);
			multiple(slow, k, i % 2 ? l : NULL, wanted);
			assert_memory_equal(ours, wanted, sizeof(ours));
		}
		EC_GROUP_free(slow);
		EC_GROUP_free(fast);
	}
	BN_free(k);
	BN_free(l);
	curve_free(&c);
}

static void twice_the_generator(void **state)
{
	struct curve c = curve_of(NID_X9_62_prime256v1);
	EC_GROUP *group = group_of(&c, refuse, 1);
	BIGNUM *two = NULL, *wanted = NULL;
	uint8_t point[65], literal[65] = { 4 };

	(void)state;
	BN_dec2bn(&two, "2");
	BN_hex2bn(&wanted, TWICE_X TWICE_Y);
	BN_bn2binpad(wanted, literal + 1, 64);
	multiple(group, two, NULL, point);
	assert_memory_equal(point, literal, sizeof(point));
	BN_free(two);
	BN_free(wanted);
	EC_GROUP_free(group);
	curve_free(&c);
}

/* Whoever asks it for its name, as a verifier does, is told what it would be told of make's. */
static void has_no_name(void **state)
{
	struct curve c = curve_of(NID_X9_62_prime256v1);
	EC_GROUP *ours = group_of(&c, make, 2),
		 *general_one = EC_GROUP_new_curve_GFp(c.p, c.a, c.b, NULL);

	(void)state;
	assert_int_equal(EC_GROUP_get_curve_name(ours), NID_undef);
	assert_int_equal(EC_GROUP_get_curve_name(general_one), NID_undef);
	EC_GROUP_free(ours);
	EC_GROUP_free(general_one);
	curve_free(&c);
}

static void others_are_as_they_were(void **state)
{
	static const int names[] = { NID_secp384r1, NID_secp521r1, NID_secp256k1, NID_sm2,
				     NID_brainpoolP256r1 };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct curve c = curve_of(names[i]);
		EC_GROUP *group;

		general = 0;
		group = group_of(&c, make, 1);
		assert_non_null(group);
		assert_int_equal(general, 1);
		assert_null(group_of(&c, refuse, 1));
		EC_GROUP_free(group);
		curve_free(&c);
	}
}

/* P-256's field with one number changed is another curve. */
static void near_p256(void **state)
{
	struct curve c = curve_of(NID_X9_62_prime256v1);
	BIGNUM *numbers[] = { c.p, c.a, c.b };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		general = 0;
		BN_sub_word(numbers[i], 2);
		assert_null(curve_group_new(c.p, c.a, c.b, NULL, refuse));
		assert_int_equal(general, 1);
		BN_add_word(numbers[i], 2);
	}
	general = 0;
	assert_null(curve_group_new(NULL, c.a, c.b, NULL, refuse));
	assert_null(curve_group_new(c.p, NULL, c.b, NULL, refuse));
	assert_null(curve_group_new(c.p, c.a, NULL, NULL, refuse));
	assert_int_equal(general, 3);
	curve_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(computes_as_the_general_code),
		cmocka_unit_test(twice_the_generator),
		cmocka_unit_test(has_no_name),
		cmocka_unit_test(others_are_as_they_were),
		cmocka_unit_test(near_p256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
