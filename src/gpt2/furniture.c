#include "gpt2/furniture.h"

#include <fnmatch.h>
#include <string.h>

/*
 * .gitattributes is a line for each pattern: "PATTERN filter=lfs diff=lfs merge=lfs -text".
 * A pattern without a slash is matched against the last component of a path
 * (gitattributes(5)); the only one with a slash stands for all below a folder.
 */
static const char *const lfs_patterns[] = {
	"*.7z", "*.arrow", "*.bin", "*.bz2", "*.ckpt", "*.ftz", "*.gz", "*.h5", "*.joblib",
	"*.lfs.*", "*.mlmodel", "*.model", "*.msgpack", "*.npy", "*.npz", "*.onnx", "*.ot",
	"*.parquet", "*.pb", "*.pickle", "*.pkl", "*.pt", "*.pth", "*.rar", "*.safetensors",
	"saved_model/**/*", "*.tar.*", "*.tar", "*.tflite", "*.tgz", "*.wasm", "*.xz", "*.zip",
	"*.zst", "*tfevents*",
};

void
furniture_write_gitattributes(struct text *to)
{
	for (size_t i = 0; i < sizeof lfs_patterns / sizeof *lfs_patterns; i++)
		text_add(to, "%s filter=lfs diff=lfs merge=lfs -text\n", lfs_patterns[i]);
}

bool
furniture_is_lfs(const char *name)
{
	const char *slash = strrchr(name, '/'), *base = slash != NULL ? slash + 1 : name;

	for (size_t i = 0; i < sizeof lfs_patterns / sizeof *lfs_patterns; i++) {
		const char *below = strstr(lfs_patterns[i], "**/*");

		if (below != NULL
			? strncmp(name, lfs_patterns[i], (size_t)(below - lfs_patterns[i])) == 0
			: fnmatch(lfs_patterns[i], base, 0) == 0)
			return true;
	}
	return false;
}

/* ---- the metadata block ----------------------------------------------------------- */

bool
furniture_is_license(const char *id)
{
	size_t length = strlen(id);

	return length > 0 && length <= 64 && strspn(id, "abcdefghijklmnopqrstuvwxyz"
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_") == length;
}

void
furniture_write_metadata(const struct furniture_metadata *metadata, struct text *to)
{
	text_add(to, "---\n");
	/* In quotes, since YAML takes some words ("no") for something else than text. */
	if (metadata->license != NULL)
		text_add(to, "license: \"%s\"\n", metadata->license);
	/* The Hub no longer finds these two out from config.json. */
	text_add(to, "library_name: transformers\n"
		"pipeline_tag: text-generation\n"
		"tags:\n"
		"- gpt2\n"
		"- megatron-lm\n");
	if (metadata->has_safetensors)
		text_add(to, "- safetensors\n");
	text_add(to, "---\n");
}

/* Is the line at `at` three dashes?  Blanks and a CR may follow them. */
static bool
is_fence(const char *at, const char *end)
{
	const char *line_end = memchr(at, '\n', (size_t)(end - at));

	if (end - at < 3 || memcmp(at, "---", 3) != 0)
		return false;
	for (at += 3; at < (line_end != NULL ? line_end : end); at++)
		if (*at != ' ' && *at != '\t' && *at != '\r')
			return false;
	return true;
}

enum furniture_block
furniture_find_block(const char *bytes, size_t length)
{
	const char *at = bytes, *end = bytes + length;

	if (!is_fence(at, end))
		return FURNITURE_NO_BLOCK;
	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (is_fence(at, end))
			return FURNITURE_BLOCK;
	}
	return FURNITURE_OPEN_BLOCK;
}
