/* What the recording says came out, against what comes out now. The first difference is told in full;
 * behind it nothing can be compared any more. */
#include "drv/pcapng.h"
#include "replay/machine.h"
#include <inttypes.h>
#include <stdarg.h>

#define LINE_MAX 1024u

void replay_say(struct replay *p, const char *format, ...)
{
    if (!p->opt->print || p->line_len + 1 >= LINE_MAX)
        return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(p->line + p->line_len, LINE_MAX - p->line_len, format, args);
    va_end(args);
    p->line_len = n < 0 ? p->line_len : p->line_len + (size_t)n;
    if (p->line_len >= LINE_MAX)
        p->line_len = LINE_MAX - 1;
}

/* The head of what is told about the first difference. False: there was one before, or nothing was
 * recorded to compare with. */
static bool begin_difference(struct replay *p, const char *what)
{
    if (p->differs)
        return false;
    p->differs = true;
    if (p->opt->print)
        fprintf(p->opt->out, "%s\n", p->line);
    fprintf(p->opt->out, "event %" PRIu64 " at %.9f s: %s differs\n",
            capy_read_call_number(p->read), (double)(p->now - p->setup->now) / 1e9, what);
    return true;
}

/* The recorded value is there: the recording does not end before it. */
static bool answered(struct replay *p)
{
    if (!capy_read_whole(p->read))
        p->unanswered = true;
    return !p->unanswered;
}

void replay_expect_number(struct replay *p, const char *what, uint64_t got)
{
    uint64_t want = capy_get_number(p->read);
    if (!answered(p))
        return;
    replay_say(p, " %s=%" PRIu64, what, got);
    if (want != got && begin_difference(p, what))
        fprintf(p->opt->out, "  recorded  %" PRIu64 "\n  replayed  %" PRIu64 "\n", want, got);
}

void replay_expect_signed(struct replay *p, const char *what, int64_t got)
{
    int64_t want = capy_get_signed(p->read);
    if (!answered(p))
        return;
    replay_say(p, " %s=%" PRId64, what, got);
    if (want != got && begin_difference(p, what))
        fprintf(p->opt->out, "  recorded  %" PRId64 "\n  replayed  %" PRId64 "\n", want, got);
}

static void capture(struct replay *p, enum capy_pcapng_direction way, const uint8_t *frame,
                    size_t len)
{
    if (p->pcap && len > 0)
        capy_pcapng_frame(p->pcap, way, p->setup->wall_ns + (p->now - p->setup->now), frame,
                          (uint32_t)len);
}

/* One line of a difference: a frame, by its bytes or by its hash alone. */
static void tell_frame(struct replay *p, const char *whose, const uint8_t *frame, size_t len,
                       uint64_t hash)
{
    char text[REPLAY_FRAME_TEXT_MAX];
    fprintf(p->opt->out, "  %s  %zu bytes, hash %016" PRIx64 ": %s\n", whose, len, hash,
            len == 0 ? "no frame"
            : frame  ? replay_describe(frame, len, p->rack.tcpmig_port, text)
                     : "only its hash was recorded (--record-frames keeps the bytes)");
}

void replay_expect_frame(struct replay *p, const char *port, const uint8_t *frame, size_t len)
{
    char text[REPLAY_FRAME_TEXT_MAX];
    size_t want_len;
    const uint8_t *want = NULL;
    uint64_t want_hash = 0, hash = len > 0 ? capy_record_hash(frame, len) : 0;
    if (p->setup->whole_frames) {
        want = capy_get_bytes(p->read, &want_len);
        want_hash = want_len > 0 ? capy_record_hash(want, want_len) : 0;
    } else {
        want_len = (size_t)capy_get_number(p->read);
        want_hash = want_len > 0 ? capy_get_hash(p->read) : 0;
    }
    if (len > 0) {
        p->frames_out++;
        p->bytes_out += len;
        capture(p, CAPY_PCAPNG_OUT, frame, len);
        if (p->opt->print)
            replay_say(p, " -> %s%s", port, replay_describe(frame, len, p->rack.tcpmig_port, text));
    }
    if (!answered(p))
        return;
    bool same = want_len == len && want_hash == hash &&
                (!want || len == 0 || memcmp(want, frame, len) == 0);
    if (!same && begin_difference(p, "the frame sent")) {
        tell_frame(p, "recorded", want, want_len, want_hash);
        tell_frame(p, "replayed", frame, len, hash);
    }
}

void replay_frame_in(struct replay *p, const char *port, const uint8_t *frame, size_t len)
{
    char text[REPLAY_FRAME_TEXT_MAX];
    p->frames_in++;
    p->bytes_in += len;
    capture(p, CAPY_PCAPNG_IN, frame, len);
    if (p->opt->print)
        replay_say(p, " %s%s", port, replay_describe(frame, len, p->rack.tcpmig_port, text));
}
