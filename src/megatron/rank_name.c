#include "megatron/rank_name.h"

#include "base/text.h"

#include <string.h>

#define MAX_RANK 99999

/* Digits up to `end`, at least `least` of them, moved over; false: it is no number. */
static bool
take_number(const char **at, const char *end, size_t least, unsigned *number)
{
	size_t   digits = 0;
	uint64_t value;

	while (*at + digits < end && (*at)[digits] >= '0' && (*at)[digits] <= '9')
		digits++;
	if (digits < least || !text_parse_u64(*at, digits, &value) || value > MAX_RANK)
		return false;
	*number = (unsigned)value;
	*at += digits;
	return true;
}

static bool
is_blank(char c)
{
	return c != '\0' && strchr(" \t\r\n\v\f", c) != NULL;
}

bool
rank_name_parse(const char *component, size_t length, struct rank_name *rank)
{
	static const char prefix[] = "mp_rank_";
	const char       *at = component + sizeof prefix - 1, *end = component + length;
	unsigned          expert_rank;

	memset(rank, 0, sizeof *rank);
	if (length < sizeof prefix - 1 || memcmp(component, prefix, sizeof prefix - 1) != 0)
		return false;
	if (!take_number(&at, end, 2, &rank->tensor_rank))
		return false;
	if (at < end) {
		if (*at++ != '_' || !take_number(&at, end, 3, &rank->pipeline_rank))
			return false;
	}
	if (at < end) {
		if (*at++ != '_' || !take_number(&at, end, 3, &expert_rank))
			return false;
		rank->has_expert_rank = true;
	}
	return at == end;
}

bool
rank_name_is_iteration(const char *component)
{
	size_t digits;

	if (strcmp(component, "release") == 0)
		return true;
	if (text_has_prefix(component, RANK_NAME_STEP)) {
		component += strlen(RANK_NAME_STEP);
		digits = strspn(component, "0123456789");
		return digits > 0 && component[digits] == '\0';
	}
	if (!text_has_prefix(component, "iter_"))
		return false;
	component += strlen("iter_");
	digits = strspn(component, "0123456789");
	return digits >= 7 && component[digits] == '\0';
}

bool
rank_name_tracker(const char *text, size_t length, char to[RANK_NAME_ITERATION_SIZE],
	struct error *err)
{
	uint64_t iteration;
	char     shown[64];

	while (length > 0 && is_blank(text[0])) {
		text++;
		length--;
	}
	while (length > 0 && is_blank(text[length - 1]))
		length--;
	if (length == strlen("release") && memcmp(text, "release", length) == 0) {
		text_format(to, RANK_NAME_ITERATION_SIZE, "release");
		return true;
	}
	if (text_parse_u64(text, length, &iteration) && iteration > 0) {
		text_format(to, RANK_NAME_ITERATION_SIZE, "iter_%07llu",
			(unsigned long long)iteration);
		return true;
	}
	return error_set(err, ERROR_UNSUPPORTED, "tracker",
		"\"%s\" is no iteration; a number above 0 or \"release\" is expected",
		text_escape(shown, sizeof shown, text, length));
}
