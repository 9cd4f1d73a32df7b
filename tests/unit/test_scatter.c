#include "check.h"
#include "small_model.h"

#include "plan/scatter.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * Pieces of storages through panels of several sizes, into a file, which must hold what each
 * copy does by itself; read back as it grows, and compared with replicas.
 */
static int
temporary_file(void)
{
	char path[] = "/tmp/m2h-test-XXXXXX";
	int  fd = mkstemp(path);

	unlink(path);
	return fd;
}

static unsigned char *
expected_file(const struct plan *plan, const struct model *model)
{
	unsigned char *bytes = calloc(1, plan->file_bytes);

	memcpy(bytes, plan->header.bytes, plan->header.length);
	for (size_t i = 0; i < plan->copy_count; i++) {
		const struct plan_copy       *copy = &plan->copies[i];
		const struct plan_tensor     *target = &plan->tensors[copy->tensor];
		const struct model_parameter *from = &model->parameters[target->parameter];
		float                         source[STORAGE_ROOM];

		if (copy->action != COPY_WRITE)
			continue;
		fill_storage(&from->slices[copy->shard % from->slice_count].view, copy->shard, source);
		strided_copy_run(&copy->box, (const unsigned char *)source, bytes + target->offset,
			sizeof *source);
	}
	return bytes;
}

/* Every storage of every rank, cut into pieces; a replica is `off` by that much. */
static bool
feed_all(struct scatter *scatter, const struct model *model, size_t piece, float off,
	struct error *err)
{
	for (size_t rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < model->count; i++) {
			const struct model_parameter *parameter = &model->parameters[i];
			bool   is_replica = parameter->slice_count == 1 && rank > 0;
			float  source[STORAGE_ROOM];
			size_t bytes = sizeof *source * fill_storage(
				&parameter->slices[is_replica ? 0 : rank].view, is_replica ? 0 : rank,
				source);

			if (is_replica)
				source[0] += off;
			for (size_t at = 0; at < bytes; at += piece)
				if (!scatter_bytes(scatter, rank, parameter->role, at,
					(const unsigned char *)source + at,
					bytes - at < piece ? bytes - at : piece, err))
					return false;
		}
	}
	return scatter_finish(scatter, err);
}

static void
test_pieces(const struct model *model, const struct plan *plan, size_t panel, size_t piece,
	float off)
{
	struct error        err = { 0 };
	int                 fd = temporary_file();
	struct output_file *file = output_file_open(fd, plan, &err);
	struct scatter     *scatter = scatter_open(plan, file, panel, &err);
	unsigned char      *expected = expected_file(plan, model);
	unsigned char      *found = calloc(1, plan->file_bytes);
	size_t              drifted = 0;
	bool                done = feed_all(scatter, model, piece, off, &err);

	CHECK(done, "panel %zu, piece %zu: %s", panel, piece, err.text);
	output_file_end(file);
	CHECK(output_file_read_back(file, &err), "panel %zu, piece %zu: %s", panel, piece, err.text);
	CHECK(pread(fd, found, plan->file_bytes, 0) == (ssize_t)plan->file_bytes
		&& memcmp(found, expected, plan->file_bytes) == 0, "panel %zu, piece %zu", panel,
		piece);
	for (size_t i = 0; i < plan->tensor_count; i++)
		drifted += scatter_drift(scatter, i)->elements == 1
			&& scatter_drift(scatter, i)->largest == (double)off;
	CHECK(drifted == (off != 0 ? plan->replica_count : 0), "%zu replicas have drifted", drifted);
	free(found);
	free(expected);
	scatter_close(scatter);
	output_file_close(file);
	close(fd);
}

/* What lies on the disk is not what was written: the reader must notice. */
static void
test_lying_disk(const struct model *model, const struct plan *plan)
{
	struct error        err = { 0 };
	int                 fd = temporary_file();
	struct output_file *file = output_file_open(fd, plan, &err);
	struct scatter     *scatter = scatter_open(plan, file, SCATTER_PANEL_BYTES, &err);
	unsigned char       byte;

	CHECK(feed_all(scatter, model, 1000, 0, &err), "%s", err.text);
	output_file_end(file);
	CHECK(pread(fd, &byte, 1, (off_t)plan->file_bytes - 100) == 1, "read");
	byte ^= 1;
	CHECK(pwrite(fd, &byte, 1, (off_t)plan->file_bytes - 100) == 1, "write");
	CHECK(!output_file_read_back(file, &err), "a flipped bit is noticed");
	CHECK_TEXT(err.slug, "readback", "slug");
	scatter_close(scatter);
	output_file_close(file);
	close(fd);
}

/* A rank that never came. */
static void
test_missing_rank(const struct plan *plan)
{
	struct error        err = { 0 };
	int                 fd = temporary_file();
	struct output_file *file = output_file_open(fd, plan, &err);
	struct scatter     *scatter = scatter_open(plan, file, SCATTER_PANEL_BYTES, &err);

	CHECK(!scatter_finish(scatter, &err) && err.kind == ERROR_INTERNAL, "incomplete");
	output_file_end(file);
	CHECK(!output_file_read_back(file, &err) && err.kind == ERROR_INTERNAL, "incomplete");
	scatter_close(scatter);
	output_file_close(file);
	close(fd);
}

int
main(void)
{
	static const size_t panels[] = { 4, 64, 300, 4096, SCATTER_PANEL_BYTES };
	static const size_t pieces[] = { 4, 8, 36, 500, 1 << 20 };

	for (unsigned layout = 0; layout < 3; layout++) {
		struct model model;
		struct error err = { 0 };
		struct plan *plan;

		make_model(&model, (enum qkv_layout)layout);
		if ((plan = plan_build(&model, NULL, &err)) == NULL)
			return 1;
		for (size_t i = 0; i < sizeof panels / sizeof *panels; i++)
			for (size_t j = 0; j < sizeof pieces / sizeof *pieces; j++)
				test_pieces(&model, plan, panels[i], pieces[j], 0);
		test_pieces(&model, plan, SCATTER_PANEL_BYTES, 1 << 20, 0.5f);
		test_lying_disk(&model, plan);
		test_missing_rank(plan);
		plan_close(plan);
		free_model(&model);
	}
	return check_end("scatter");
}
