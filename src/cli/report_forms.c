#include "cli/report_forms.h"

#include "base/atomic_file.h"
#include "base/descriptor.h"
#include "base/path.h"
#include "cli/report.h"
#include "cli/report_github.h"
#include "cli/report_junit.h"
#include "cli/report_sarif.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUMMARY "GITHUB_STEP_SUMMARY"

bool
report_forms_has(const struct options *options, enum options_form form)
{
	for (size_t i = 0; i < options->report_count; i++)
		if (options->reports[i].form == form)
			return true;
	return false;
}

bool
report_forms_check(const struct options *options, const char *directory, struct error *err)
{
	char parent[PATH_MAX];

	for (size_t i = 0; i < options->report_count; i++) {
		const char *file = options->reports[i].file;

		if (file == NULL)
			continue;
		/* It would replace what is checked, or be one file too many the next time. */
		if (path_is_inside(path_parent(file, parent, sizeof parent), directory)) {
			error_set(err, ERROR_USAGE, "sameio",
				"--report: '%s' would be written into the directory that is checked", file);
			return error_hint(err, "name a file outside '%s'", directory);
		}
		if (!atomic_file_check(file, true, err))
			return false;
	}
	return true;
}

static bool
append_summary(const struct report_subject *subject, struct error *err)
{
	const char *path = getenv(SUMMARY);
	struct text page = { 0 };
	bool        done = false;
	int         fd = -1;

	if (path == NULL || path[0] == '\0')
		return true;
	report_github_summary(&page, subject);
	if (page.failed) {
		error_no_memory(err, page.length);
		goto out;
	}
	fd = descriptor_open(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT, 0666);
	if (fd < 0 || (errno = report_write(fd, &page)) != 0) {
		error_os(err, ERROR_NO_OUTPUT, "enospc", SUMMARY ": cannot append to '%s'", path);
		goto out;
	}
	done = true;
out:
	if (fd >= 0)
		close(fd);
	text_free(&page);
	return done;
}

static bool
write_file(const struct options_report *report, const struct report_subject *subject,
	struct error *err)
{
	struct text document = { 0 };
	bool        done;

	if (report->form == FORM_JUNIT)
		report_junit(&document, subject);
	else
		report_sarif(&document, subject);
	done = document.failed ? error_no_memory(err, document.length)
		: atomic_file_write(report->file, document.bytes, document.length, true, err);
	text_free(&document);
	return done;
}

bool
report_forms_write(const struct options *options, const struct report_subject *subject,
	struct error *err)
{
	bool all = true;

	for (size_t i = 0; i < options->report_count; i++) {
		struct error fault = { 0 };
		bool         done = options->reports[i].form == FORM_GITHUB
			? append_summary(subject, &fault)
			: write_file(&options->reports[i], subject, &fault);

		if (!done && all)
			*err = fault;
		all = all && done;
	}
	return all;
}
