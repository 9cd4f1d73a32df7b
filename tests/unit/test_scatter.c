#include "check.h"
#include "small_model.h"

#include "plan/output_files.h"

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

	memcpy(bytes, plan->files->files[0].header.bytes, plan->files->files[0].header.length);
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

/* The same with ranks that take turns of all lengths, so that replicas and slices overtake
 * each other amid a storage; the replica's first element and its last are `off`. */
static bool
feed_turns(struct scatter *scatter, const struct model *model, size_t piece, float off,
	struct error *err)
{
	size_t   next[RANKS] = { 0 }, at[RANKS] = { 0 };
	uint32_t state = (uint32_t)piece;

	while (next[0] < model->count || next[1] < model->count) {
		size_t rank = (state = state * 1664525 + 1013904223) >> 31;
		size_t step = (state >> 8) % piece / 4 * 4 + 4, bytes;
		float  source[STORAGE_ROOM];
		const struct model_parameter *parameter;
		bool   is_replica;

		if (next[rank] == model->count)
			rank = 1 - rank;
		parameter = &model->parameters[next[rank]];
		is_replica = parameter->slice_count == 1 && rank > 0;
		bytes = sizeof *source * fill_storage(&parameter->slices[is_replica ? 0 : rank].view,
			is_replica ? 0 : rank, source);
		if (is_replica) {
			source[0] += off;
			source[bytes / sizeof *source - 1] += off;
		}
		step = bytes - at[rank] < step ? bytes - at[rank] : step;
		if (!scatter_bytes(scatter, rank, parameter->role, at[rank],
			(const unsigned char *)source + at[rank], step, err))
			return false;
		if ((at[rank] += step) == bytes) {
			at[rank] = 0;
			next[rank]++;
		}
	}
	return scatter_finish(scatter, err);
}

static void
test_pieces(const struct model *model, const struct plan *plan, size_t panel, size_t piece,
	float off, bool turns)
{
	struct error        err = { 0 };
	int                 fd = temporary_file();
	struct output_files  *files = output_files_open(&fd, plan, NULL, &err);
	struct scatter_target target = output_files_target(files);
	struct scatter       *scatter = scatter_open(plan, &target, panel, &err);
	unsigned char      *expected = expected_file(plan, model);
	unsigned char      *found = calloc(1, plan->file_bytes);
	size_t              drifted = 0;
	bool                done = turns ? feed_turns(scatter, model, piece, off, &err)
		: feed_all(scatter, model, piece, off, &err);

	CHECK(done && output_files_flush(files, &err), "panel %zu, piece %zu: %s", panel, piece,
		err.text);
	output_files_end(files);
	CHECK(output_files_read_back(files, &err), "panel %zu, piece %zu: %s", panel, piece, err.text);
	CHECK(pread(fd, found, plan->file_bytes, 0) == (ssize_t)plan->file_bytes
		&& memcmp(found, expected, plan->file_bytes) == 0, "panel %zu, piece %zu", panel,
		piece);
	for (size_t i = 0; i < plan->tensor_count; i++)
		drifted += scatter_drift(scatter, i)->elements == (turns ? 2 : 1)
			&& scatter_drift(scatter, i)->shard == 1
			&& scatter_drift(scatter, i)->largest == (double)off;
	CHECK(drifted == (off != 0 ? plan->replica_count : 0), "%zu replicas have drifted", drifted);
	free(found);
	free(expected);
	scatter_close(scatter);
	output_files_close(files);
	close(fd);
}

/* What lies on the disk is not what was written: the reader must notice. */
static void
test_lying_disk(const struct model *model, const struct plan *plan, bool from_disk)
{
	struct output_files_options options = { .from_disk = from_disk };
	struct error        err = { 0 };
	int                 fd = temporary_file();
	struct output_files  *files = output_files_open(&fd, plan, &options, &err);
	struct scatter_target target = output_files_target(files);
	struct scatter       *scatter = scatter_open(plan, &target, SCATTER_PANEL_BYTES, &err);
	unsigned char       byte;

	CHECK(feed_all(scatter, model, 1000, 0, &err), "%s", err.text);
	output_files_end(files);
	CHECK(pread(fd, &byte, 1, (off_t)plan->file_bytes - 100) == 1, "read");
	byte ^= 1;
	CHECK(pwrite(fd, &byte, 1, (off_t)plan->file_bytes - 100) == 1, "write");
	CHECK(!output_files_read_back(files, &err), "a flipped bit is noticed");
	CHECK_TEXT(err.slug, "readback", "slug");
	scatter_close(scatter);
	output_files_close(files);
	close(fd);
}

/* A rank that never came. */
static void
test_missing_rank(const struct plan *plan)
{
	struct error        err = { 0 };
	int                 fd = temporary_file();
	struct output_files  *files = output_files_open(&fd, plan, NULL, &err);
	struct scatter_target target = output_files_target(files);
	struct scatter       *scatter = scatter_open(plan, &target, SCATTER_PANEL_BYTES, &err);

	CHECK(!scatter_finish(scatter, &err) && err.kind == ERROR_INTERNAL, "incomplete");
	output_files_end(files);
	CHECK(!output_files_read_back(files, &err) && err.kind == ERROR_INTERNAL, "incomplete");
	scatter_close(scatter);
	output_files_close(files);
	close(fd);
}

/* ---- tensors that are finished, replicas that come first ---------------------------- */

static const struct plan_tensor *
find_tensor(const struct plan *plan, const char *name)
{
	size_t i = 0;

	while (i + 1 < plan->tensor_count && strcmp(plan->tensors[i].name, name) != 0)
		i++;
	return &plan->tensors[i];
}

/*
 * The last rank comes first.  A rank's replica of element x is x + rank; so the first rank
 * gives x, the mean is x + 0.5, and every replicated tensor drifts by 1.
 */
static void
test_finish(bool mean, bool less_one, bool lacks_bias)
{
	struct model               model;
	struct error               err = { 0 };
	struct plan_options        options = { .mean_of_replicas = mean };
	struct plan               *plan;
	struct output_files       *files;
	struct scatter_target      target;
	struct scatter            *scatter;
	const struct plan_tensor  *norm, *bias, *positions;
	float                      found[3], expected = mean ? 0.5f : 0;
	size_t                     drifted = 0;
	int                        fd = temporary_file();

	make_model(&model, QKV_LAYOUT_2);
	model.arguments.norms_less_one = less_one;
	if (lacks_bias)
		model.parameters[ROLE_MLP_DOWN_BIAS].slice_count
			= model.parameters[ROLE_MLP_DOWN_BIAS].replica_count = 0;
	plan = plan_build(&model, &options, &err);
	CHECK(plan != NULL, "%s", err.text);
	if (plan == NULL)
		return;
	CHECK(plan->zero_count == lacks_bias, "%zu tensors of zeros", plan->zero_count);
	files = output_files_open(&fd, plan, NULL, &err);
	target = output_files_target(files);
	scatter = scatter_open(plan, &target, SCATTER_PANEL_BYTES, &err);
	for (size_t rank = RANKS; rank-- > 0;) {
		for (size_t i = 0; i < model.count; i++) {
			const struct model_parameter *parameter = &model.parameters[i];
			bool     is_replica = parameter->slice_count == 1;
			float    source[STORAGE_ROOM];
			uint64_t count;

			if (parameter->slice_count == 0)
				continue;
			count = fill_storage(&parameter->slices[is_replica ? 0 : rank].view,
				is_replica ? 0 : rank, source);
			for (uint64_t at = 0; at < count && is_replica; at++)
				source[at] += (float)rank;
			CHECK(scatter_bytes(scatter, rank, parameter->role, 0,
				(const unsigned char *)source, count * sizeof *source, &err), "%s",
				err.text);
		}
	}
	CHECK(scatter_finish(scatter, &err) && output_files_flush(files, &err), "%s", err.text);
	output_files_end(files);
	CHECK(output_files_read_back(files, &err), "%s", err.text);
	norm = find_tensor(plan, "transformer.h.0.ln_1.weight");
	bias = find_tensor(plan, "transformer.h.0.mlp.c_proj.bias");
	positions = find_tensor(plan, "transformer.wpe.weight");
	CHECK(pread(fd, &found[0], 4, (off_t)norm->offset + 4) == 4
		&& pread(fd, &found[1], 4, (off_t)bias->offset + 4) == 4
		&& pread(fd, &found[2], 4, (off_t)positions->offset + 4) == 4, "read");
	/* Row 1 of a vector is 100, column 1 of row 0 of a matrix 1. */
	CHECK(!(found[0] < 100 + expected + (less_one ? 1 : 0))
		&& !(found[0] > 100 + expected + (less_one ? 1 : 0)), "norm %g", (double)found[0]);
	CHECK(!(found[1] < (lacks_bias ? 0 : 100 + expected))
		&& !(found[1] > (lacks_bias ? 0 : 100 + expected)), "bias %g", (double)found[1]);
	CHECK(!(found[2] < 1 + expected) && !(found[2] > 1 + expected), "positions %g",
		(double)found[2]);
	for (size_t i = 0; i < plan->tensor_count; i++)
		drifted += scatter_drift(scatter, i)->elements > 0
			&& scatter_drift(scatter, i)->shard == 1;
	CHECK(drifted == plan->replica_count, "%zu of %zu replicas drifted", drifted,
		plan->replica_count);
	scatter_close(scatter);
	output_files_close(files);
	plan_close(plan);
	free_model(&model);
	close(fd);
}

/*
 * The table of positions on three ranks, the last first, which stands in for the others until
 * the first comes.  Rank `odd` has another first element: that is all that differs from the first
 * rank's.
 */
static void
test_stand_in(size_t odd)
{
	struct model            model;
	struct error            err = { 0 };
	struct model_parameter *positions;
	struct model_replica    replicas[2];
	struct plan            *plan;
	struct output_files    *files;
	struct scatter_target   target;
	struct scatter         *scatter;
	const struct drift     *drift;
	float                   source[STORAGE_ROOM];
	int                     fd = temporary_file();

	make_model(&model, QKV_LAYOUT_2);
	positions = &model.parameters[ROLE_POSITION_EMBEDDING];
	replicas[0] = replicas[1] = positions->replicas[0];
	replicas[1].piece.shard = 2;
	free(positions->replicas);
	positions->replicas = replicas;
	positions->replica_count = 2;
	plan = plan_build(&model, NULL, &err);
	files = output_files_open(&fd, plan, NULL, &err);
	target = output_files_target(files);
	scatter = scatter_open(plan, &target, SCATTER_PANEL_BYTES, &err);
	for (size_t rank = 3; rank-- > 0;) {
		size_t bytes = sizeof *source * fill_storage(&positions->slices[0].view, 0, source);

		source[0] += rank == odd ? 1 : 0;
		CHECK(scatter_bytes(scatter, rank, ROLE_POSITION_EMBEDDING, 0,
			(const unsigned char *)source, bytes, &err), "%s", err.text);
	}
	CHECK(!scatter_finish(scatter, &err), "the other tensors never came");
	drift = scatter_drift(scatter, (size_t)(find_tensor(plan, "transformer.wpe.weight")
		- plan->tensors));
	CHECK(drift->elements == 1 && drift->shard == odd && !(drift->largest < 1)
		&& !(drift->square_sum > 1), "rank %zu: %llu elements of rank %zu, by %g", odd,
		(unsigned long long)drift->elements, drift->shard, drift->largest);
	scatter_close(scatter);
	output_files_close(files);
	plan_close(plan);
	positions->replicas = NULL;
	free_model(&model);
	close(fd);
}

/* Bits by IEEE 754 and by the definition of bfloat16. */
static void
test_elements(void)
{
	static const struct {
		enum dtype dtype;
		double     value;
		unsigned   bits;
	} rows[] = {
		{ DTYPE_FLOAT16, 1.0, 0x3c00 }, { DTYPE_FLOAT16, -2.0, 0xc000 },
		{ DTYPE_FLOAT16, 65504.0, 0x7bff }, { DTYPE_FLOAT16, 65519.0, 0x7bff },
		{ DTYPE_FLOAT16, 65520.0, 0x7c00 }, { DTYPE_FLOAT16, 0x1p-14, 0x0400 },
		{ DTYPE_FLOAT16, 0x1p-24, 0x0001 }, { DTYPE_FLOAT16, 0x1p-25, 0x0000 },
		{ DTYPE_FLOAT16, 0x1.8p-24, 0x0002 }, { DTYPE_FLOAT16, 0x1.ffcp-15, 0x0400 },
		{ DTYPE_FLOAT16, 1.0 + 0x1p-11, 0x3c00 }, { DTYPE_FLOAT16, 1.0 + 0x3p-11, 0x3c02 },
		{ DTYPE_FLOAT16, 2.0 - 0x1p-12, 0x4000 },
		{ DTYPE_BFLOAT16, 1.0, 0x3f80 }, { DTYPE_BFLOAT16, -1.0, 0xbf80 },
		{ DTYPE_BFLOAT16, 1.0 + 0x1p-8, 0x3f80 }, { DTYPE_BFLOAT16, 1.0 + 0x3p-8, 0x3f82 },
		{ DTYPE_BFLOAT16, 0x1.ffp127, 0x7f80 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned char bytes[8];
		uint16_t      found;

		element_put(rows[i].dtype, rows[i].value, bytes);
		memcpy(&found, bytes, sizeof found);
		CHECK(found == rows[i].bits, "row %zu: %04x", i, found);
	}
	for (unsigned bits = 0; bits < 0x7c00; bits++) {
		uint16_t      half = (uint16_t)bits, found;
		unsigned char bytes[2];

		memcpy(bytes, &half, 2);
		element_put(DTYPE_FLOAT16, element_value(DTYPE_FLOAT16, bytes), bytes);
		memcpy(&found, bytes, 2);
		if (found != half)
			CHECK(found == half, "half %04x comes back as %04x", half, found);
	}
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
				for (unsigned turns = 0; turns < 2; turns++)
					test_pieces(&model, plan, panels[i], pieces[j], 0, turns);
		test_pieces(&model, plan, SCATTER_PANEL_BYTES, 1 << 20, 0.5f, false);
		for (size_t piece = 4; piece < 200; piece += 4)
			test_pieces(&model, plan, 2000, piece, 0.5f, true);
		test_lying_disk(&model, plan, false);
		test_lying_disk(&model, plan, true);
		test_missing_rank(plan);
		plan_close(plan);
		free_model(&model);
	}
	for (unsigned way = 0; way < 8; way++)
		test_finish(way & 1, way & 2, way & 4);
	test_stand_in(1);
	test_stand_in(2);
	test_elements();
	return check_end("scatter");
}
