#ifndef BASE_INSTRUMENTED_H
#define BASE_INSTRUMENTED_H

/*
 * Is this built with AddressSanitizer or ThreadSanitizer?  Their run time reads /proc, and at
 * the end starts a process that attaches to this one: what a sandbox is there to refuse.  So is
 * what gcov writes at the end; the Makefile defines M2H_INSTRUMENTED for it.
 */
#if defined M2H_INSTRUMENTED || defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define INSTRUMENTED true
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INSTRUMENTED true
#endif
#endif

#ifndef INSTRUMENTED
#define INSTRUMENTED false
#endif

#endif
