#include "fuzz.h"

#include "base/json.h"
#include "gpt2/config.h"

/* Strict JSON, and a config.json made of it. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct gpt2_config config;
	struct error       err = { 0 };
	char               activation[64];

	json_free(json_parse((const char *)bytes, length, &err));
	config_read((const char *)bytes, length, &config, activation, &err);
}
