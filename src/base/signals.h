#ifndef BASE_SIGNALS_H
#define BASE_SIGNALS_H

#include "base/error.h"

/*
 * SIGINT, SIGTERM and SIGHUP set a flag; long work asks for it between slabs and leaves by
 * the normal way out, which removes what it made.  A second signal ends the process at
 * once.  SIGPIPE and SIGXFSZ are ignored: the write that met them reports the fault.
 */
void signals_install(void);
/* true, or ERROR_SIGNAL with the signal's number in err->os_errno. */
bool signals_go_on(struct error *err);
/* End this process by `signal_number` with its default action, so that the shell sees it. */
void signals_raise_default(int signal_number);

#endif
