#include "cli/report_subject.h"

const char *
report_subject_status(int status)
{
	return m2h_status_name(status > M2H_SIGNAL ? M2H_SIGNAL : status);
}
