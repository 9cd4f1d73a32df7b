#ifndef PLAN_INSTRUCTIONS_H
#define PLAN_INSTRUCTIONS_H

/*
 * What the processor offers to the kernels, each of which has a variant for every line and
 * gives the same bytes with all of them.
 */
enum instructions {
	INSTRUCTIONS_PORTABLE,          /* what compilers make of C */
	INSTRUCTIONS_AVX2,              /* x86-64: AVX2 and F16C */
	INSTRUCTIONS_AVX512,            /* x86-64: also F, BW, DQ and VL of AVX-512 */
};

/* The best that may be used.  Any thread may call. */
enum instructions instructions_used(void);
/* For tests and the benchmark, before threads are started: nothing above `most` is used. */
void              instructions_limit(enum instructions most);
/* "portable", "AVX2", "AVX-512" */
const char       *instructions_name(enum instructions instructions);

#endif
