#include "megatron/dist_names.h"

#include "base/text.h"

#include <string.h>

#define LAYERS "decoder.layers."

/* What FSDP, DDP, the FP16 module and NeMo have left before a name. */
static const char *const wrappers[] = {
	"model.", "module.", "_orig_mod.", "_fsdp_wrapped_module.", "state_dict.",
};

/* Names that are no part of a model, up to the end of a component. */
static const char *const others[] = {
	"optimizer", "rng_state", "rerun_state_machine_state", "opt_param_scheduler",
	"lr_scheduler", "common_state", "args", "iteration", "checkpoint_version",
	"num_floating_point_operations_so_far", "content_metadata",
};

static const char *
without_wrappers(const char *key)
{
	size_t index = 0;

	while (index < sizeof wrappers / sizeof *wrappers) {
		if (text_has_prefix(key, wrappers[index])) {
			key += strlen(wrappers[index]);
			index = 0;
		} else {
			index++;
		}
	}
	return key;
}

static bool
is_other(const char *key)
{
	size_t index, length = strcspn(key, "./");

	/* Several optimizers: chained_0.optimizer.state... */
	if (text_has_prefix(key, "chained_"))
		return true;
	for (index = 0; index < sizeof others / sizeof *others; index++)
		if (strlen(others[index]) == length && memcmp(others[index], key, length) == 0)
			return true;
	return false;
}

enum dist_kind
dist_names_kind(const char *key, const char **path)
{
	const char *name = without_wrappers(key);

	if (path != NULL)
		*path = name;
	if (is_other(key))
		return DIST_OTHER;
	if (strstr(name, "._extra_state") != NULL)
		return DIST_EXTRA_STATE;
	return text_has_prefix(name, "mtp.") ? DIST_PREDICTION_HEAD : DIST_WEIGHT;
}

bool
dist_names_role(const char *path, struct dist_role *role)
{
	char full[512];

	role->is_stacked = text_has_prefix(path, LAYERS)
	    && strspn(path + strlen(LAYERS), "0123456789") == 0;
	if (!role->is_stacked)
		return dialect_match(DIALECT_CORE, path, &role->role, &role->layer);
	/* The same name with the number of the first layer. */
	if (strlen(path) + 3 > sizeof full)
		return false;
	text_format(full, sizeof full, LAYERS "0.%s", path + strlen(LAYERS));
	return dialect_match(DIALECT_CORE, full, &role->role, &role->layer);
}

char *
dist_names_top(const char *key, char *to, size_t size)
{
	if (text_has_prefix(key, "chained_"))
		return text_format(to, size, "optimizer");
	if (!is_other(key))
		return text_format(to, size, "model");
	return text_format(to, size, "%.*s", (int)strcspn(key, "./"), key);
}
