#include "check.h"

#include "megatron/known_classes.h"

int
main(void)
{
	static const struct { const char *module, *name; bool is_known; } rows[] = {
		{ "torch._utils", "_rebuild_tensor_v2", true }, { "torch", "HalfStorage", true },
		{ "megatron.core.enums", "ModelType", true }, { "argparse", "Namespace", true },
		{ "fp16.loss_scaler", "DynamicLossScaler", true },
		{ "numpy.core.multiarray", "_reconstruct", true }, { "signal", "Signals", true },
		{ "torchvision.models", "ResNet", false }, { "megatronish", "Thing", false },
		{ "argparse", "Action", false }, { "my.research", "Scheduler", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(known_classes_has(rows[i].module, rows[i].name) == rows[i].is_known, "%s.%s",
			rows[i].module, rows[i].name);
	return check_end("known_classes");
}
