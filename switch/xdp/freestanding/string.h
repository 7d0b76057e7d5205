/* What the headers of the core ask of <string.h>, for BPF, which has no libc: the compiler's own. */
#ifndef CAPY_FREESTANDING_STRING_H
#define CAPY_FREESTANDING_STRING_H

#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define memcmp __builtin_memcmp

#endif
