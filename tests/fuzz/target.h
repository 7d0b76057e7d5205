/* A fuzz target is one file that defines LLVMFuzzerTestOneInput: it takes any bytes, does with them
 * what its first comment says, and aborts when an oracle is hurt. libFuzzer drives it (make fuzz);
 * so does replay.c, which feeds it the committed corpus (make test). Everything a target does
 * depends on its bytes alone. */
#ifndef CAPY_TESTS_FUZZ_TARGET_H
#define CAPY_TESTS_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* 0 always, as libFuzzer wants it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many inputs were decoded. Only targets of an encoding that has versions define it: replay.c
 * fails when most of their corpus is refused, as it is after a change of the format. */
extern unsigned fuzz_accepted;

/* An oracle: aborts with one line of what was wrong. */
#define fuzz_check(is, ...)                                                                        \
    do {                                                                                           \
        if (!(is)) {                                                                               \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #is);                               \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fputc('\n', stderr);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Memory for a state machine of the house, 64-byte aligned. */
static inline void *fuzz_memory(size_t size)
{
    void *mem = size > 0 ? aligned_alloc(64, (size + 63) & ~(size_t)63) : NULL;
    fuzz_check(mem, "a configuration of size %zu", size);
    return mem;
}

#endif
