#include "base/error.h"
#include "base/signals.h"
#include "megatron2hf.h"

const char *
m2h_version(void)
{
	return M2H_VERSION;
}

const char *
m2h_status_name(int status)
{
	return error_kind_name(status >= M2H_SIGNAL ? ERROR_SIGNAL : (enum error_kind)status);
}

void
m2h_install_signals(void)
{
	signals_install();
}
