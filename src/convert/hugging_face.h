#ifndef CONVERT_HUGGING_FACE_H
#define CONVERT_HUGGING_FACE_H

#include "convert/listing.h"

/*
 * Weights as Hugging Face's programs keep them: a directory, in whatever form and however many
 * shards, of which config.json tells the model; or one weight file, of which model->parameters
 * alone is known.  Tensors go to the listing; `files` are the weight files.  Reads headers and
 * pickles only.
 */
bool hugging_face_directory(struct listing *listing, const char *path, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err);
bool hugging_face_file(struct listing *listing, const char *path, struct m2h_model *model,
	const struct m2h_file **files, size_t *file_count, struct error *err);

#endif
