#include "cli/command.h"

#include "cli/help.h"
#include "cli/report_json.h"

/* `help`, `help COMMAND`, `COMMAND --help` and --version. */
int
command_help(const struct options *options, const struct m2h_error *usage, struct text *out)
{
	enum command topic = options->command;
	struct text  text = { 0 };

	if (topic == COMMAND_HELP && !options->help)
		topic = options->help_topic;
	if (options->version)
		text_add(&text, "megatron2hf %s\n", m2h_version());
	else
		help_of_command(&text, topic);

	if (options->json)
		report_json_help(out, usage != NULL ? command_usage_status(usage) : M2H_OK, usage,
			text.bytes);
	else
		text_add_bytes(out, text.bytes, text.length);
	out->failed = out->failed || text.failed;
	text_free(&text);
	return usage != NULL ? command_usage_status(usage) : M2H_OK;
}
