/* One line of a vector file as words, and the numbers among them. What a line cannot be is said with
 * file and line, and ends the program: vectors are written by people, and a typo must not pass. */
#ifndef CAPY_TESTS_VECTORS_WORDS_H
#define CAPY_TESTS_VECTORS_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_MAX 96u
#define LINE_MAX 1024u

struct words {
    const char *file;
    unsigned line;
    char text[LINE_MAX * 2]; /* the words, each with its NUL */
    const char *word[WORDS_MAX];
    bool quoted[WORDS_MAX];
    unsigned cnt, at; /* at: the next one to read */
};

/* Splits at blanks; '>' is a word of its own (but for "->" and "=>"), "..." is one, '#' begins a
 * comment. */
void words_split(struct words *w, const char *file, unsigned line, const char *text);

/* Prints "file:line: ..." and exits 2. */
_Noreturn void words_bad(const struct words *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

bool words_end(const struct words *w);
const char *words_peek(const struct words *w); /* NULL at the end */
const char *words_next(struct words *w);       /* bad() at the end */
bool words_take(struct words *w, const char *word);
void words_expect(struct words *w, const char *word);
void words_done(const struct words *w); /* bad() unless at the end */

bool words_is_number(const struct words *w); /* the next one */
uint64_t words_number(struct words *w, uint64_t max);
uint64_t words_ns(struct words *w); /* 5us 30ms 2s */

#endif
