#include "plan/instructions.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <stdbool.h>

/* clang has no name for F16C in __builtin_cpu_supports(); that of AVX2 tells that the system
 * saves the registers that both use. */
static enum instructions
ask_processor(void)
{
	unsigned a, b, c, d;

	if (!__builtin_cpu_supports("avx2") || !__get_cpuid(1, &a, &b, &c, &d)
	    || (c & bit_F16C) == 0)
		return INSTRUCTIONS_PORTABLE;
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
		&& __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
		? INSTRUCTIONS_AVX512 : INSTRUCTIONS_AVX2;
}

#else

static enum instructions
ask_processor(void)
{
	return INSTRUCTIONS_PORTABLE;
}

#endif

static enum instructions most_allowed = INSTRUCTIONS_AVX512;

/* Asked once: under a hypervisor CPUID takes as long as converting a megabyte. */
enum instructions
instructions_used(void)
{
	static _Atomic int known = -1;
	int                found = known;

	if (found < 0) {
		found = (int)ask_processor();
		known = found;
	}
	return (enum instructions)found < most_allowed ? (enum instructions)found : most_allowed;
}

void
instructions_limit(enum instructions most)
{
	most_allowed = most;
}

const char *
instructions_name(enum instructions instructions)
{
	static const char *const names[] = {
		[INSTRUCTIONS_PORTABLE] = "portable", [INSTRUCTIONS_AVX2] = "AVX2",
		[INSTRUCTIONS_AVX512] = "AVX-512",
	};

	return names[instructions];
}
