// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * /sys/kernel/config/svsm/attest/NAME/: attestations with a manifest selector, in the manner of
 * configfs-tsm (Documentation/ABI/testing/configfs-tsm-report):
 *
 *	inblob			WO, binary: the nonce, exactly 64 bytes
 *	service_guid		WO: the service; the null GUID, which it starts as, names none
 *	manifest_version	WO: 0 to begin with
 *	manifest_selector	WO, binary: at most SVSM_SELECTOR_MAX bytes, none to begin with
 *	outblob			RO, binary: the report
 *	manifestblob, auxblob	RO, binary: the manifest; the host's certificates, or nothing
 *	generation		RO: counts writes
 *	service_error		RO: the SVSM's result code for the last request, hexadecimal
 *
 * The first read of an output after a write of an input makes a request; until the next write, all
 * outputs are of that one request. A request that failed is made again by the next read. Reads fail
 * with EINVAL as long as an input is missing or was refused, EINVAL and EPERM when the SVSM refuses
 * the request or the selector, EBUSY when the host lets the SVSM have no report just now. Reading
 * service_error makes no request: it fails with EWOULDBLOCK when there is no result for the inputs.
 *
 * configfs drops what a binary write returns. So an input of a wrong size is not just refused: it
 * takes the place of the former one and makes reads fail, or they would be about the wrong thing.
 */
#include "attest.h"

#include <linux/configfs.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/uuid.h>

#include "attest_call.h"
#include "svsm.h"

/* No result code has more than 32 bits. */
#define NO_RESULT (~0ull)

/* NAME. A generation never comes back in the lifetime of an item, so that equal means unchanged. */
struct attest_item {
	struct config_item item;
	struct mutex lock; /* of all below */
	struct attest_request request;
	bool nonce_ok, selector_ok;
	u64 generation;	       /* writes so far */
	u64 result_generation; /* the inputs that result belongs to */
	u64 result;	       /* of the SVSM, or NO_RESULT */
	bool answered;	       /* answer is of result_generation */
	struct attest_answer answer;
};

static struct attest_item *to_attest(struct config_item *item)
{
	return container_of(item, struct attest_item, item);
}

/* ---- Inputs ---- */

static ssize_t attest_inblob_write(struct config_item *item, const void *data, size_t size)
{
	struct attest_item *attest = to_attest(item);
	bool ok = size == sizeof(attest->request.nonce);

	mutex_lock(&attest->lock);
	attest->generation++;
	attest->nonce_ok = ok;
	if (ok)
		memcpy(attest->request.nonce, data, size);
	mutex_unlock(&attest->lock);
	return ok ? size : -EINVAL;
}
CONFIGFS_BIN_ATTR_WO(attest_, inblob, NULL, SVSM_NONCE_SIZE);

static ssize_t attest_manifest_selector_write(struct config_item *item, const void *data,
					      size_t size)
{
	struct attest_item *attest = to_attest(item);
	/* Nothing arrives here when the write itself failed, as one that is too long does. */
	bool ok = size > 0 && size <= sizeof(attest->request.selector);

	mutex_lock(&attest->lock);
	attest->generation++;
	attest->selector_ok = ok;
	attest->request.selector_size = ok ? size : 0;
	if (ok)
		memcpy(attest->request.selector, data, size);
	mutex_unlock(&attest->lock);
	return ok ? size : -EINVAL;
}
CONFIGFS_BIN_ATTR_WO(attest_, manifest_selector, NULL, SVSM_SELECTOR_MAX);

static ssize_t attest_service_guid_store(struct config_item *item, const char *text, size_t size)
{
	struct attest_item *attest = to_attest(item);
	guid_t guid;
	int rc = guid_parse(text, &guid);

	if (rc)
		return rc;
	mutex_lock(&attest->lock);
	attest->generation++;
	export_guid(attest->request.service.bytes, &guid);
	mutex_unlock(&attest->lock);
	return size;
}
CONFIGFS_ATTR_WO(attest_, service_guid);

static ssize_t attest_manifest_version_store(struct config_item *item, const char *text,
					     size_t size)
{
	struct attest_item *attest = to_attest(item);
	unsigned int version;
	int rc = kstrtouint(text, 0, &version);

	if (rc)
		return rc;
	mutex_lock(&attest->lock);
	attest->generation++;
	attest->request.manifest_version = version;
	mutex_unlock(&attest->lock);
	return size;
}
CONFIGFS_ATTR_WO(attest_, manifest_version);

/* ---- Outputs ---- */

/* Has an answer for the inputs as they are now. The lock is held. */
static int refresh(struct attest_item *attest)
{
	u64 result = NO_RESULT;
	int rc;

	if (!attest->nonce_ok || !attest->selector_ok)
		return -EINVAL;
	if (attest->answered && attest->result_generation == attest->generation)
		return 0;
	attest_answer_free(&attest->answer);
	rc = attest_call(&attest->request, &attest->answer, &result);
	attest->result_generation = attest->generation;
	attest->result = result;
	attest->answered = rc == 0;
	return rc;
}

/* configfs asks for the size first, and then for the bytes: another answer may be there by then. */
static ssize_t read_part(struct config_item *item, enum attest_part part, void *to, size_t capacity)
{
	struct attest_item *attest = to_attest(item);
	const struct attest_blob *blob = &attest->answer.parts[part];
	ssize_t rc;

	if (mutex_lock_killable(&attest->lock))
		return -EINTR;
	rc = refresh(attest);
	if (!rc && to && blob->size != capacity)
		rc = -EAGAIN;
	if (!rc) {
		if (to && blob->size)
			memcpy(to, blob->data, blob->size);
		rc = blob->size;
	}
	mutex_unlock(&attest->lock);
	return rc;
}

static ssize_t attest_outblob_read(struct config_item *item, void *to, size_t capacity)
{
	return read_part(item, ATTEST_REPORT, to, capacity);
}
CONFIGFS_BIN_ATTR_RO(attest_, outblob, NULL, ATTEST_PART_MAX);

static ssize_t attest_manifestblob_read(struct config_item *item, void *to, size_t capacity)
{
	return read_part(item, ATTEST_MANIFEST, to, capacity);
}
CONFIGFS_BIN_ATTR_RO(attest_, manifestblob, NULL, ATTEST_PART_MAX);

static ssize_t attest_auxblob_read(struct config_item *item, void *to, size_t capacity)
{
	return read_part(item, ATTEST_CERTIFICATES, to, capacity);
}
CONFIGFS_BIN_ATTR_RO(attest_, auxblob, NULL, ATTEST_PART_MAX);

static ssize_t attest_generation_show(struct config_item *item, char *page)
{
	struct attest_item *attest = to_attest(item);
	u64 generation;

	mutex_lock(&attest->lock);
	generation = attest->generation;
	mutex_unlock(&attest->lock);
	return sysfs_emit(page, "%llu\n", generation);
}
CONFIGFS_ATTR_RO(attest_, generation);

static ssize_t attest_service_error_show(struct config_item *item, char *page)
{
	struct attest_item *attest = to_attest(item);
	bool known;
	u64 result;

	if (mutex_lock_killable(&attest->lock))
		return -EINTR;
	known = attest->result_generation == attest->generation;
	result = attest->result;
	mutex_unlock(&attest->lock);
	if (!known || result == NO_RESULT)
		return -EWOULDBLOCK;
	return sysfs_emit(page, "0x%08llx\n", result);
}
CONFIGFS_ATTR_RO(attest_, service_error);

/* ---- Items and groups ---- */

static struct configfs_attribute *attest_attributes[] = {
	&attest_attr_service_guid,
	&attest_attr_manifest_version,
	&attest_attr_generation,
	&attest_attr_service_error,
	NULL,
};

static struct configfs_bin_attribute *attest_bin_attributes[] = {
	&attest_attr_inblob,
	&attest_attr_manifest_selector,
	&attest_attr_outblob,
	&attest_attr_manifestblob,
	&attest_attr_auxblob,
	NULL,
};

static void attest_item_release(struct config_item *item)
{
	struct attest_item *attest = to_attest(item);

	attest_answer_free(&attest->answer);
	mutex_destroy(&attest->lock);
	kfree(attest);
}

static struct configfs_item_operations attest_item_ops = {
	.release = attest_item_release,
};

static const struct config_item_type attest_item_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &attest_item_ops,
	.ct_attrs = attest_attributes,
	.ct_bin_attrs = attest_bin_attributes,
};

static struct config_item *make_attest_item(struct config_group *group, const char *name)
{
	struct attest_item *attest = kzalloc(sizeof(*attest), GFP_KERNEL);

	if (!attest)
		return ERR_PTR(-ENOMEM);
	mutex_init(&attest->lock);
	attest->selector_ok = true;
	attest->result = NO_RESULT;
	config_item_init_type_name(&attest->item, name, &attest_item_type);
	return &attest->item;
}

static struct configfs_group_operations attest_group_ops = {
	.make_item = make_attest_item,
};

static const struct config_item_type attest_group_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &attest_group_ops,
};

static const struct config_item_type svsm_type = {
	.ct_owner = THIS_MODULE,
};

static struct configfs_subsystem svsm_subsystem = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "svsm",
			.ci_type = &svsm_type,
		},
	},
	.su_mutex = __MUTEX_INITIALIZER(svsm_subsystem.su_mutex),
};

static struct config_group *attest_group;

int attest_init(void)
{
	int rc = svsm_query_protocol(SVSM_PROTOCOL_ATTEST, 2);

	if (rc)
		return rc;
	config_group_init(&svsm_subsystem.su_group);
	rc = configfs_register_subsystem(&svsm_subsystem);
	if (rc)
		return rc;
	attest_group = configfs_register_default_group(&svsm_subsystem.su_group, "attest",
						       &attest_group_type);
	if (!IS_ERR(attest_group))
		return 0;
	configfs_unregister_subsystem(&svsm_subsystem);
	return PTR_ERR(attest_group);
}

void attest_exit(void)
{
	configfs_unregister_default_group(attest_group);
	configfs_unregister_subsystem(&svsm_subsystem);
}
