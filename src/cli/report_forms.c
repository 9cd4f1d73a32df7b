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

/* It would replace what is checked, or be one file too many the next time. */
static bool
check_directory(const char *file, const char *directory, struct error *err)
{
	char parent[PATH_MAX];

	if (!path_is_inside(path_parent(file, parent, sizeof parent), directory)
	    && !path_is_inside(file, directory))
		return true;
	error_set(err, ERROR_USAGE, "sameio",
		"--report: '%s' would be written into the directory that is checked", file);
	return error_hint(err, "name a file outside '%s'", directory);
}

/* What is read besides: files, or a folder with the checkpoint. */
static bool
check_inputs(const struct options *options, const char *file, struct error *err)
{
	const bool  is_piped = options->source != NULL && strcmp(options->source, "-") == 0;
	const char *inputs[] = { is_piped ? "/dev/stdin" : options->source, options->signature,
		options->key, options->ca };
	char        parent[PATH_MAX];

	path_parent(file, parent, sizeof parent);
	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		if (inputs[i] == NULL || (!path_is_inside(file, inputs[i])
		    && !path_is_inside(parent, inputs[i])))
			continue;
		error_set(err, ERROR_USAGE, "sameio",
			"--report: '%s' is '%s', which is to be read, or in it", file, inputs[i]);
		return error_hint(err, "name another file");
	}
	return true;
}

/* Where the report goes; NULL or "": nowhere but to standard output. */
static const char *
place_of(const struct options_report *report)
{
	return report->form == FORM_GITHUB ? getenv(SUMMARY) : report->file;
}

bool
report_forms_check(const struct options *options, const char *directory, struct error *err)
{
	for (size_t i = 0; i < options->report_count; i++) {
		const struct options_report *report = &options->reports[i];
		const char                  *file = place_of(report);

		if (file == NULL || file[0] == '\0')
			continue;
		if ((report->form != FORM_GITHUB && !atomic_file_check(file, true, err))
		    || !check_directory(file, directory, err)
		    || !check_inputs(options, file, err))
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
