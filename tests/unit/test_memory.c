#include "megatron2hf.h"

#include "base/arena.h"

#include "check.h"
#include "scratch_folder.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdint.h>
#include <unwind.h>

/*
 * Arenas that end.  The program takes most of its memory from arenas, which ask the system for
 * few and large blocks, so that a fault of malloc() hardly ever meets the one piece that is
 * too much.  Here is an arena in its place in which each piece is a block of its own, and the
 * n-th piece cannot be had.  Every call of the library must then say so and let go of all it
 * holds, or do without and end as it would have.
 *
 * Under AddressSanitizer each piece has its own red zones.
 */

#define STACK_DEPTH 7           /* callers that tell one way to arena_take() from another */
#define MAX_WAYS    20000

struct arena_block {
	struct arena_block *next;
	alignas(max_align_t) unsigned char bytes[];
};

struct way {
	uint64_t hash;
	unsigned long first, last;      /* pieces that were taken so, counted from 1 */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long   taken_count, missing;    /* the piece that there is no memory for */
static struct way      ways[MAX_WAYS];
static size_t          way_count;
static bool            is_listing;

/* ---- the arena -------------------------------------------------------------------- */

struct frames {
	uint64_t hash;
	int      depth;
};

static _Unwind_Reason_Code
add_frame(struct _Unwind_Context *frame, void *context)
{
	struct frames *frames = context;

	frames->hash = (frames->hash ^ (uint64_t)_Unwind_GetIP(frame)) * 1099511628211u;
	return ++frames->depth < STACK_DEPTH ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void
list_way(void)
{
	struct frames frames = { 14695981039346656037u, 0 };
	size_t        i = 0;

	_Unwind_Backtrace(add_frame, &frames);
	while (i < way_count && ways[i].hash != frames.hash)
		i++;
	if (i == way_count) {
		if (way_count == MAX_WAYS)
			abort();
		ways[way_count++] = (struct way){ frames.hash, taken_count, taken_count };
	}
	ways[i].last = taken_count;
}

static bool
may_take(void)
{
	bool may;

	pthread_mutex_lock(&lock);
	may = ++taken_count != missing;
	if (is_listing)
		list_way();
	pthread_mutex_unlock(&lock);
	return may;
}

void
arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){ .limit = limit };
}

void *
arena_take(struct arena *arena, size_t count, size_t size)
{
	struct arena_block *block;

	if ((size != 0 && count > (arena->limit - arena->taken) / size) || !may_take()
	    || (block = calloc(1, sizeof *block + count * size)) == NULL)
		return NULL;
	block->next = arena->blocks;
	arena->blocks = block;
	arena->taken += count * size;
	return block->bytes;
}

char *
arena_copy(struct arena *arena, const void *bytes, size_t length)
{
	char *copy = arena_take(arena, length + 1, 1);

	if (copy != NULL && length > 0)
		memcpy(copy, bytes, length);
	return copy;
}

void
arena_fini(struct arena *arena)
{
	while (arena->blocks != NULL) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		free(block);
	}
	arena->taken = 0;
}

/* ---- what is called --------------------------------------------------------------- */

/* What a call ended with. */
struct outcome {
	int      status;
	size_t   count;         /* of what it is about */
	char     slug[32], message[1200];
};

struct scenario {
	const char   *name, *path, *other;
	struct outcome (*run)(const struct scenario *scenario);
	int           status;           /* when all goes well */
};

static struct outcome
make_outcome(int status, const struct m2h_error *error, size_t count)
{
	struct outcome outcome = { .status = status, .count = count };

	snprintf(outcome.slug, sizeof outcome.slug, "%s", error->slug);
	snprintf(outcome.message, sizeof outcome.message, "%s", error->message);
	return outcome;
}

/* Nothing at all can be told where there is no room for the answer. */
static struct outcome
no_answer(void)
{
	return make_outcome(M2H_LIMIT, &(struct m2h_error){ "oom", "out of memory", "" }, 0);
}

static struct outcome
inspect(const struct scenario *scenario)
{
	struct m2h_inspection *found = m2h_inspect(&(struct m2h_inspect_options){
		.path = scenario->path, .tensors = true, .arguments = true });
	struct outcome         outcome = no_answer();

	if (found != NULL)
		outcome = make_outcome(found->status != M2H_OK ? found->status
			: found->convert_status, found->status != M2H_OK ? &found->error
			: &found->convert_error, found->tensor_count + found->argument_count);
	m2h_inspection_free(found);
	return outcome;
}

static struct outcome
convert_as(const struct scenario *scenario, const char *qkv_layout)
{
	struct m2h_conversion *made = m2h_convert(&(struct m2h_convert_options){
		.source = scenario->path, .destination = scenario->other, .threads = 1,
		.replace = true, .weights = "both", .replicas = "mean", .tokenizer = "none",
		.max_shard_bytes = 40000, .qkv_layout = qkv_layout });
	struct outcome         outcome = no_answer();

	if (made != NULL)
		outcome = make_outcome(made->status, &made->error, made->tensors);
	m2h_conversion_free(made);
	return outcome;
}

static struct outcome
convert(const struct scenario *scenario)
{
	return convert_as(scenario, NULL);
}

static struct outcome
verification_outcome(struct m2h_verification *found)
{
	struct outcome outcome = no_answer();

	if (found != NULL)
		outcome = make_outcome(found->status, &found->error, found->tensors
			+ found->compared + found->problem_count + found->note_count);
	m2h_verification_free(found);
	return outcome;
}

/* `other` is the source. */
static struct outcome
verify(const struct scenario *scenario)
{
	return verification_outcome(m2h_verify(&(struct m2h_verify_options){ .threads = 1,
		.directory = scenario->path, .source = scenario->other }));
}

static struct outcome
verify_tolerant(const struct scenario *scenario)
{
	return verification_outcome(m2h_verify(&(struct m2h_verify_options){ .threads = 1,
		.directory = scenario->path, .source = scenario->other, .has_tolerance = true,
		.tolerance = 0.25 }));
}

/* `other` is the signature. */
static struct outcome
verify_key(const struct scenario *scenario)
{
	return verification_outcome(m2h_verify(&(struct m2h_verify_options){ .threads = 1,
		.directory = scenario->path, .signature = scenario->other,
		.key = scratch_path("cert.pem") }));
}

static struct outcome
verify_ca(const struct scenario *scenario)
{
	return verification_outcome(m2h_verify(&(struct m2h_verify_options){ .threads = 1,
		.directory = scenario->path, .signature = scenario->other,
		.ca = scratch_path("cert.pem") }));
}

static struct outcome
diff(const struct scenario *scenario)
{
	struct m2h_comparison *found = m2h_diff(&(struct m2h_diff_options){ .threads = 1,
		.a = scenario->path, .b = scenario->other });
	struct outcome         outcome = no_answer();

	if (found != NULL)
		outcome = make_outcome(found->status, &found->error, found->pair_count);
	m2h_comparison_free(found);
	return outcome;
}

/* `other` is the signature to make. */
static struct outcome
sign(const struct scenario *scenario)
{
	struct m2h_signing *made = m2h_sign(&(struct m2h_sign_options){
		.directory = scenario->path, .key = scratch_path("key.pem"),
		.certificate = scratch_path("cert.pem"), .output = scenario->other,
		.replace = true });
	struct outcome      outcome = no_answer();

	if (made != NULL)
		outcome = make_outcome(made->status, &made->error, made->file_count);
	m2h_signing_free(made);
	return outcome;
}

/* ---- every way to a piece ---------------------------------------------------------- */

static void
check_piece(const struct scenario *scenario, const struct outcome *good, unsigned long piece)
{
	struct outcome found;

	taken_count = 0;
	missing = piece;
	found = scenario->run(scenario);
	missing = 0;
	if (found.status == good->status)
		CHECK(found.count == good->count && strcmp(found.slug, good->slug) == 0,
			"%s: without piece %lu: %zu instead of %zu: %s", scenario->name, piece,
			found.count, good->count, found.message);
	else
		CHECK(found.status == M2H_LIMIT, "%s: without piece %lu: status %d, %s: %s",
			scenario->name, piece, found.status, found.slug, found.message);
}

static void
check_scenario(const struct scenario *scenario)
{
	struct outcome good;

	way_count = taken_count = 0;
	scenario->run(scenario);                /* what is set up once is there */
	taken_count = 0;
	is_listing = true;
	good = scenario->run(scenario);
	is_listing = false;
	CHECK(good.status == scenario->status && way_count > 0, "%s: status %d, %s: %s",
		scenario->name, good.status, good.slug, good.message);
	for (size_t i = 0; i < way_count; i++) {
		check_piece(scenario, &good, ways[i].first);
		if (ways[i].last != ways[i].first)
			check_piece(scenario, &good, ways[i].last);
	}
}

/* A model in shards of both forms, its list of digests, a key, and a signature; and the same
 * with the rows of QKV in another order than they are. */
static bool
prepare(const char *source)
{
	struct scenario convert_to = { .path = source, .other = scratch_path("model") };
	struct scenario mistaken = { .path = source, .other = scratch_path("mistaken") };
	struct scenario sign_it = { .path = scratch_path("model"), .other = scratch_path("sig") };
	char            command[600];

	snprintf(command, sizeof command, "openssl req -x509 -newkey ec -pkeyopt "
		"ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=test -addext "
		"keyUsage=digitalSignature -keyout %s/key.pem -out %s/cert.pem >%s/log 2>&1",
		scratch, scratch, scratch);
	if (system(command) != 0 || convert(&convert_to).status != M2H_OK
	    || convert_as(&mistaken, "0").status != M2H_OK)
		return false;
	snprintf(command, sizeof command, "cd %s/model && sha256sum *.json *.safetensors *.bin >SHA256SUMS", scratch);
	return system(command) == 0 && sign(&sign_it).status == M2H_OK;
}

int
main(void)
{
	static const char source[] = "fixtures/eras/good-small-B-v2.0-tp2-pp2.zip";
	char              again[80], mistaken[80], model[80], sig[80];

	scratch_open();
	snprintf(again, sizeof again, "%s/again", scratch);
	snprintf(mistaken, sizeof mistaken, "%s/mistaken", scratch);
	snprintf(model, sizeof model, "%s/model", scratch);
	snprintf(sig, sizeof sig, "%s/sig", scratch);
	CHECK(prepare(source), "the openssl command is needed");

	const struct scenario scenarios[] = {
		{ "inspect zip", source, NULL, inspect, M2H_OK },
		{ "inspect folder", "fixtures/ngc/good-tp2", NULL, inspect, M2H_OK },
		{ "inspect rank", "fixtures/ngc/good-tp2/iter_0001000/mp_rank_00", NULL, inspect, M2H_NO_INPUT },
		{ "inspect shard", "fixtures/ngc/good-tp2/iter_0001000/mp_rank_01/model_optim_rng.pt", NULL, inspect, M2H_NO_INPUT },
		{ "inspect iterations", "fixtures/eras/good-folders-iteration-900-deflated.zip", NULL, inspect, M2H_OK },
		{ "inspect bare file", "fixtures/ngc/good-optimizer.pt", NULL, inspect, M2H_OK },
		{ "inspect words apart", "fixtures/dist/good-dcp", NULL, inspect, M2H_OK },
		{ "inspect untied", "fixtures/dist/good-untied-tp2", NULL, inspect, M2H_OK },
		{ "inspect stacked", "fixtures/dist/good-stacked-tp2-pp2-vpp2", NULL, inspect, M2H_OK },
		{ "inspect optimizer", "fixtures/dist/good-optimizer", NULL, inspect, M2H_OK },
		{ "inspect strange names", "fixtures/dist/unsupported-strange-names", NULL, inspect, M2H_UNSUPPORTED },
		{ "inspect DeepSpeed", "fixtures/deepspeed/good-tracker", NULL, inspect, M2H_OK },
		{ "convert", source, again, convert, M2H_OK },
		{ "verify", model, NULL, verify, M2H_OK },
		{ "verify source", model, source, verify, M2H_OK },
		{ "verify tolerance", model, source, verify_tolerant, M2H_OK },
		{ "verify mistake", mistaken, source, verify, M2H_MISMATCH },
		{ "verify key", model, sig, verify_key, M2H_OK },
		{ "verify CA", model, sig, verify_ca, M2H_OK },
		{ "diff", "fixtures/diff/shards", "fixtures/diff/types-b.pt", diff, M2H_MISMATCH },
		{ "sign", model, sig, sign, M2H_OK },
	};

	for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++)
		check_scenario(&scenarios[i]);
	scratch_close();
	return check_end("memory");
}
