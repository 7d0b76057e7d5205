/* Words of a vector file; contract in words.h. */
#include "words.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void words_bad(const struct words *w, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s:%u: ", w->file, w->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

/* Where the word that begins at p ends. */
static const char *end_of(const char *p)
{
    const char *end = p;
    if (*p == '>')
        return p + 1;
    while (*end && !isspace((unsigned char)*end) && *end != '#' &&
           !(*end == '>' && end[-1] != '-' && end[-1] != '='))
        end++;
    return end;
}

void words_split(struct words *w, const char *file, unsigned line, const char *text)
{
    char *out = w->text;
    *w = (struct words){.file = file, .line = line};
    if (strlen(text) >= LINE_MAX)
        words_bad(w, "a line of more than %u characters; split it", LINE_MAX);
    for (const char *p = text; *p;) {
        if (isspace((unsigned char)*p)) {
            p++;
            continue;
        }
        if (*p == '#')
            break;
        if (w->cnt == WORDS_MAX)
            words_bad(w, "more than %u words; split the line", WORDS_MAX);
        w->quoted[w->cnt] = *p == '"';
        const char *from = *p == '"' ? p + 1 : p;
        const char *end = *p == '"' ? strchr(from, '"') : end_of(p);
        if (!end)
            words_bad(w, "a quote that does not end");
        memcpy(out, from, (size_t)(end - from));
        w->word[w->cnt++] = out;
        out += end - from;
        *out++ = 0;
        p = *p == '"' ? end + 1 : end;
    }
}

bool words_end(const struct words *w)
{
    return w->at == w->cnt;
}

const char *words_peek(const struct words *w)
{
    return words_end(w) ? NULL : w->word[w->at];
}

const char *words_next(struct words *w)
{
    if (words_end(w))
        words_bad(w, "the line ends too early");
    return w->word[w->at++];
}

bool words_take(struct words *w, const char *word)
{
    if (words_end(w) || w->quoted[w->at] || strcmp(w->word[w->at], word) != 0)
        return false;
    w->at++;
    return true;
}

void words_expect(struct words *w, const char *word)
{
    if (!words_take(w, word))
        words_bad(w, "\"%s\" where \"%s\" should be", words_end(w) ? "" : w->word[w->at], word);
}

void words_done(const struct words *w)
{
    if (!words_end(w))
        words_bad(w, "\"%s\" is not understood here", w->word[w->at]);
}

bool words_is_number(const struct words *w)
{
    return !words_end(w) && isdigit((unsigned char)w->word[w->at][0]);
}

uint64_t words_number(struct words *w, uint64_t max)
{
    const char *word = words_next(w);
    char *end;
    uint64_t n = strtoull(word, &end, 0);
    if (!isdigit((unsigned char)*word) || *end || n > max)
        words_bad(w, "\"%s\" is no number up to %llu", word, (unsigned long long)max);
    return n;
}

uint64_t words_ns(struct words *w)
{
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
    const char *word = words_next(w);
    char *end;
    uint64_t n = strtoull(word, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (end != word && strcmp(end, units[i].unit) == 0)
            return n * units[i].ns;
    words_bad(w, "\"%s\" is no time; write 5us, 30ms or 2s", word);
}
