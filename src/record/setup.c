/* SETUP's payload; see setup.h. One walk over the fields serves both directions. */
#include "record/setup.h"

#ifndef CAPY_VERSION
#define CAPY_VERSION "unknown"
#endif

const char *capy_record_build(void)
{
    return CAPY_VERSION;
}

/* Writes when `encoding`, else reads. */
struct walk {
    uint8_t *at, *end;
    bool encoding, bad;
};

static void number(struct walk *w, uint64_t *v)
{
    uint64_t value = w->encoding ? *v : 0;
    unsigned shift = 0;
    bool more = true;
    while (more && !w->bad) {
        if (w->at == w->end || shift > 63) {
            w->bad = true;
            break;
        }
        if (w->encoding) {
            more = value >= 0x80;
            *w->at++ = (uint8_t)(value | (more ? 0x80u : 0u));
            value >>= 7;
        } else {
            more = (*w->at & 0x80u) != 0;
            value |= (uint64_t)(*w->at++ & 0x7fu) << shift;
            shift += 7;
        }
    }
    if (!w->encoding)
        *v = value;
}

/* Its bytes and a NUL, so that it can be used where it lies. */
static void text(struct walk *w, const char **t, size_t *len)
{
    uint64_t n = w->encoding ? *len : 0;
    number(w, &n);
    if (w->bad || n >= (uint64_t)(w->end - w->at)) {
        w->bad = true;
        return;
    }
    if (w->encoding)
        memcpy(w->at, *t, n);
    else
        *t = (const char *)w->at;
    *len = (size_t)n;
    w->at[n] = 0;
    w->at += n + 1;
}

static void string(struct walk *w, const char **t)
{
    size_t len = w->encoding ? strlen(*t) : 0;
    text(w, t, &len);
}

static void walk_setup(struct walk *w, struct capy_record_setup *s)
{
    uint64_t kind = s->kind, whole = s->whole_frames;
    number(w, &kind);
    string(w, &s->build);
    string(w, &s->calls);
    string(w, &s->self);
    number(w, &whole);
    number(w, &s->wall_ns);
    number(w, &s->now);
    number(w, &s->hash_key.k0);
    number(w, &s->hash_key.k1);
    number(w, &s->incarnation);
    text(w, &s->rack, &s->rack_len);
    if (kind < CAPY_RECORD_HOST || kind >= CAPY_RECORD_KIND_END)
        w->bad = true;
    else
        s->kind = (enum capy_record_kind)kind;
    s->whole_frames = whole != 0;
}

size_t capy_record_setup_encode(const struct capy_record_setup *setup, uint8_t *out, size_t cap)
{
    struct capy_record_setup copy = *setup;
    struct walk w = {.at = out, .end = out + cap, .encoding = true};
    walk_setup(&w, &copy);
    return w.bad ? 0 : (size_t)(w.at - out);
}

bool capy_record_setup_decode(struct capy_record_setup *setup, uint8_t *in, size_t len)
{
    struct walk w = {.at = in, .end = in + len};
    memset(setup, 0, sizeof *setup);
    walk_setup(&w, setup);
    return !w.bad && w.at == w.end;
}
