#ifndef CONVERT_HUGGING_FACE_H
#define CONVERT_HUGGING_FACE_H

#include "convert/listing.h"

/* The tensors of one safetensors file go to the listing; *elements is their sum. */
bool hugging_face_file(struct listing *listing, const char *path, struct m2h_file *file,
	uint64_t *elements, struct error *err);
/* A directory: config.json tells of the model, *.safetensors of tensors.  `files` are the
 * weight files. */
bool hugging_face_directory(struct listing *listing, const char *path, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err);

#endif
