#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdio.h>
#include <string.h>

/*
 * The least a unit test needs: CHECK counts and prints what failed and goes on, the last line
 * of main is `return check_end("name");`, which prints "name: N passed, N failed".
 */
static unsigned check_passed, check_failed;

#define CHECK(condition, ...) \
	do { \
		if (condition) { \
			check_passed++; \
		} else { \
			check_failed++; \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			printf(__VA_ARGS__); \
			putchar('\n'); \
		} \
	} while (0)

#define CHECK_TEXT(found, expected, ...) \
	do { \
		const char *check_found = (found), *check_expected = (expected); \
		if (strcmp(check_found, check_expected) == 0) { \
			check_passed++; \
		} else { \
			check_failed++; \
			printf("%s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__); \
			printf(": expected \"%s\", found \"%s\"\n", check_expected, check_found); \
		} \
	} while (0)

static inline int
check_end(const char *name)
{
	printf("%s: %u passed, %u failed\n", name, check_passed, check_failed);
	return check_failed != 0;
}

#endif
