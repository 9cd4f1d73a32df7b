#include "fuzz.h"

#include "torch/torch_pass.h"

static bool
take_tensor(void *context, const char *path, const struct value *node, struct error *err)
{
	struct tensor_view view;
	struct error       fault = { 0 };

	(void)path, (void)err;
	torch_file_tensor(context, node, &view, &fault);
	return true;
}

/* A torch.save file, zip or legacy stream: its pickle, its tensors, and every byte of it. */
void
fuzz_one(const uint8_t *bytes, size_t length)
{
	struct input_file  *file = memory_file_open(bytes, length);
	struct byte_stream *stream = memory_file_stream(file);
	struct error        err = { 0 };
	struct torch_file  *torch = torch_file_open(stream, FUZZ_ARENA_BYTES, &err);
	struct torch_pass  *pass = NULL;

	if (torch != NULL) {
		torch_file_each_tensor(torch, take_tensor, torch, &err);
		pass = torch_pass_open(torch, NULL, NULL, &err);
	}
	if (pass != NULL && torch_pass_feed(pass, bytes, length, &err))
		torch_pass_finish(pass, &err);
	torch_pass_close(pass);
	torch_file_close(torch);
	byte_stream_close(stream);
	input_file_close(file);
}
