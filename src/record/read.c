/* The reader of recordings; see read.h. */
#include "record/read.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct capy_read {
    FILE *file;
    uint64_t block_cnt, offset; /* of the next block */
    uint64_t now, call_cnt;
    const uint8_t *at, *end; /* the unread part of the block in hand */
    bool torn;               /* that block is TORN */
    bool cut;                /* the call in hand is not whole */
    enum capy_read_end over;
    char line[160];
    struct capy_record_setup setup;
    uint8_t *setup_bytes;
    uint8_t *bytes; /* CAPY_RECORD_BYTES_MAX: the last ones lent */
    uint8_t payload[CAPY_RECORD_BLOCK_MAX];
};

static void end_with(struct capy_read *r, enum capy_read_end how, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void end_with(struct capy_read *r, enum capy_read_end how, const char *format, ...)
{
    if (r->over != CAPY_READ_GOES_ON)
        return;
    r->over = how;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(r->line, sizeof r->line, format, args);
    va_end(args);
}

static void end_damaged(struct capy_read *r, const char *what)
{
    end_with(r, CAPY_READ_DAMAGED, "damaged: block %llu, at byte %llu, %s",
             (unsigned long long)r->block_cnt, (unsigned long long)r->offset, what);
}

static void end_by_mark(struct capy_read *r, uint32_t len)
{
    if (len != 1 || r->payload[0] < CAPY_RECORD_CLOSED || r->payload[0] >= CAPY_RECORD_END_CNT) {
        end_damaged(r, "is an end of no known kind");
        return;
    }
    switch ((enum capy_record_end)r->payload[0]) {
    case CAPY_RECORD_CLOSED:
        end_with(r, CAPY_READ_CLOSED, "the program ended");
        return;
    case CAPY_RECORD_LIMIT:
        end_with(r, CAPY_READ_LIMIT, "the recording had reached its size limit");
        return;
    case CAPY_RECORD_SLOW:
        end_with(r, CAPY_READ_SLOW, "the disk did not keep up with the recording");
        return;
    case CAPY_RECORD_END_CNT:
        return;
    }
}

/* A block's payload, right by its hash. 0: r->over says why there is none. */
static uint32_t read_block(struct capy_read *r, uint32_t *len)
{
    uint8_t h[CAPY_RECORD_HEADER_LEN];
    size_t got = fread(h, 1, sizeof h, r->file);
    uint32_t payload_len = got == sizeof h ? capy_load32(h + 4) : 0;
    if (got == sizeof h && (payload_len > CAPY_RECORD_BLOCK_MAX || h[0] < CAPY_RECORD_SETUP ||
                            h[0] > CAPY_RECORD_END || capy_load64(h + 8) != r->block_cnt)) {
        end_damaged(r, "has no header of a block");
        return 0;
    }
    if (got < sizeof h || fread(r->payload, 1, payload_len, r->file) < payload_len) {
        if (r->torn)
            end_with(r, CAPY_READ_CRASHED, "the program died, in its last call or right behind it");
        else
            end_with(r, CAPY_READ_KILLED,
                     "the program was killed, or its disk was full: there is no end mark");
        return 0;
    }
    if (capy_load64(h + CAPY_RECORD_HASHED_LEN) !=
        (capy_record_hash(h, CAPY_RECORD_HASHED_LEN) ^ capy_record_hash(r->payload, payload_len))) {
        end_damaged(r, "has another hash than its bytes");
        return 0;
    }
    r->offset += CAPY_RECORD_HEADER_LEN + payload_len;
    r->block_cnt++;
    *len = payload_len;
    return h[0];
}

/* Makes the next byte of the stream of calls there. False at the end. */
static bool fill(struct capy_read *r)
{
    while (r->at == r->end && r->over == CAPY_READ_GOES_ON) {
        uint32_t len = 0, type = read_block(r, &len);
        if (type == CAPY_RECORD_END)
            end_by_mark(r, len);
        else if (type == CAPY_RECORD_SETUP)
            end_damaged(r, "begins another recording");
        if (type != CAPY_RECORD_CALLS && type != CAPY_RECORD_TORN)
            break;
        r->torn = type == CAPY_RECORD_TORN;
        r->at = r->payload;
        r->end = r->payload + len;
    }
    return r->at < r->end;
}

void capy_read_nonsense(struct capy_read *r, const char *what)
{
    r->cut = true;
    r->at = r->end;
    end_with(r, CAPY_READ_DAMAGED, "damaged: call %llu %s",
             (unsigned long long)capy_read_call_number(r), what);
}

uint64_t capy_get_number(struct capy_read *r)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && !r->cut; shift += 7) {
        if (!fill(r)) {
            r->cut = true;
            return 0;
        }
        uint8_t byte = *r->at++;
        v |= (uint64_t)(byte & 0x7fu) << shift;
        if (!(byte & 0x80u))
            return v;
    }
    if (!r->cut)
        capy_read_nonsense(r, "has a number of more than 64 bits");
    return 0;
}

int64_t capy_get_signed(struct capy_read *r)
{
    uint64_t v = capy_get_number(r);
    return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

static void copy(struct capy_read *r, uint8_t *out, size_t len)
{
    while (len > 0 && !r->cut) {
        if (!fill(r)) {
            r->cut = true;
            return;
        }
        size_t n = (size_t)(r->end - r->at) < len ? (size_t)(r->end - r->at) : len;
        memcpy(out, r->at, n);
        r->at += n;
        out += n;
        len -= n;
    }
}

uint64_t capy_get_hash(struct capy_read *r)
{
    uint8_t bytes[8] = {0};
    copy(r, bytes, sizeof bytes);
    return r->cut ? 0 : capy_load64(bytes);
}

const uint8_t *capy_get_bytes(struct capy_read *r, size_t *len)
{
    uint64_t n = capy_get_number(r);
    if (n > CAPY_RECORD_BYTES_MAX)
        capy_read_nonsense(r, "has more bytes than one has room for");
    *len = 0;
    if (!r->cut)
        copy(r, r->bytes, (size_t)n);
    if (!r->cut)
        *len = (size_t)n;
    return r->bytes;
}

bool capy_read_call(struct capy_read *r, uint8_t *call)
{
    if (r->cut || !fill(r))
        return false;
    uint8_t first = *r->at++;
    *call = first & (uint8_t)~CAPY_RECORD_TIME_PASSED;
    if (first & CAPY_RECORD_TIME_PASSED) {
        uint64_t passed = capy_get_number(r);
        if (passed > INT64_MAX - r->now)
            capy_read_nonsense(r, "is after the end of time");
        else
            r->now += passed;
    }
    if (r->cut)
        return false;
    r->call_cnt++;
    return true;
}

uint64_t capy_read_now(const struct capy_read *r)
{
    return r->now;
}

uint64_t capy_read_call_number(const struct capy_read *r)
{
    return r->call_cnt;
}

bool capy_read_whole(const struct capy_read *r)
{
    return !r->cut;
}

const struct capy_record_setup *capy_read_setup(const struct capy_read *r)
{
    return &r->setup;
}

enum capy_read_end capy_read_end(const struct capy_read *r, const char **line)
{
    *line = r->line;
    return r->over;
}

static const char *read_start(struct capy_read *r)
{
    uint8_t magic[CAPY_RECORD_MAGIC_LEN];
    uint32_t len = 0;
    if (fread(magic, 1, sizeof magic, r->file) < sizeof magic ||
        memcmp(magic, CAPY_RECORD_MAGIC, sizeof magic - 1) != 0)
        return "is no recording; name a file that --record wrote";
    if (magic[7] != CAPY_RECORD_MAGIC[7])
        return "is a recording of another version; replay it with the capy that wrote it";
    r->offset = sizeof magic;
    if (read_block(r, &len) != CAPY_RECORD_SETUP || !(r->setup_bytes = malloc(len + 1u)))
        return r->over == CAPY_READ_KILLED ? "ends in its first block; nothing was recorded"
                                           : "is damaged in its first block";
    memcpy(r->setup_bytes, r->payload, len);
    if (!capy_record_setup_decode(&r->setup, r->setup_bytes, len) || r->setup.now > INT64_MAX)
        return "is damaged in its first block";
    r->now = r->setup.now;
    return NULL;
}

struct capy_read *capy_read_open(const char *path, char *err, size_t err_len)
{
    struct stat st;
    struct capy_read *r = calloc(1, sizeof *r);
    if (!r || !(r->bytes = malloc(CAPY_RECORD_BYTES_MAX))) {
        (void)snprintf(err, err_len, "out of memory");
        free(r);
        return NULL;
    }
    r->file = fopen(path, "re");
    if (r->file && fstat(fileno(r->file), &st) == 0 && S_ISDIR(st.st_mode)) {
        (void)fclose(r->file);
        r->file = NULL;
        errno = EISDIR;
    }
    const char *fault = r->file ? read_start(r) : strerror(errno);
    if (fault) {
        (void)snprintf(err, err_len, "%s: %s%s", path, fault,
                       r->file ? "" : "; name a file that --record wrote");
        capy_read_close(r);
        return NULL;
    }
    return r;
}

void capy_read_close(struct capy_read *r)
{
    if (!r)
        return;
    if (r->file)
        (void)fclose(r->file);
    free(r->setup_bytes);
    free(r->bytes);
    free(r);
}
