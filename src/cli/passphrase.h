#ifndef CLI_PASSPHRASE_H
#define CLI_PASSPHRASE_H

#include "megatron2hf.h"

/* The passphrase of an encrypted key: from MEGATRON2HF_PASSPHRASE, or else asked for at the
 * terminal without showing it.  The context is not used. */
m2h_passphrase passphrase_ask;

#endif
