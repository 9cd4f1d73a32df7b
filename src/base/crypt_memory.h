#ifndef BASE_CRYPT_MEMORY_H
#define BASE_CRYPT_MEMORY_H

#include <stdbool.h>

/*
 * Did memory end within OpenSSL?  Its functions fail then as they do for a wrong key or a bad
 * signature, and not all of them put the reason on its list of faults.
 */

/* Lets OpenSSL allocate through functions that take note.  For the whole process and before
 * all else, so it is for a program to call; without it only the list of faults is asked. */
void crypt_memory_watch(void);
/* To be asked once something failed, before that is taken for a fault of what was given to
 * OpenSSL.  Empties the list, and forgets: all of it is the thread's own. */
bool crypt_memory_ended(void);

#endif
