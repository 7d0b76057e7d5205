/* Reads a recording (format.h), block by block: nothing of it is believed before its hash was right,
 * and no bytes, however made, are read beyond or lead to more than a named end. */
#ifndef CAPY_RECORD_READ_H
#define CAPY_RECORD_READ_H

#include "record/setup.h"

enum capy_read_end {
    CAPY_READ_GOES_ON,
    CAPY_READ_CLOSED, /* as capy_record_end */
    CAPY_READ_LIMIT,
    CAPY_READ_SLOW,
    CAPY_READ_KILLED,  /* no mark: the program was killed, or its disk was full */
    CAPY_READ_CRASHED, /* the program died of itself, in the last call or right behind it */
    CAPY_READ_DAMAGED, /* the text says what and where */
};

struct capy_read; /* one recording being read */

/* Reads magic and setup, which stays valid until close. NULL with one line in err. */
struct capy_read *capy_read_open(const char *path, char *err, size_t err_len);
void capy_read_close(struct capy_read *r);
const struct capy_record_setup *capy_read_setup(const struct capy_read *r);

/* The next call: its number, and the time moves on. False at the end. */
bool capy_read_call(struct capy_read *r, uint8_t *call);
uint64_t capy_read_now(const struct capy_read *r);
/* Of the call in hand, from 1 on. */
uint64_t capy_read_call_number(const struct capy_read *r);

/* Parts of the call in hand. At the end of the recording, or when it makes no sense, they are 0 or
 * empty, and capy_read_whole is false from then on. */
uint64_t capy_get_number(struct capy_read *r);
int64_t capy_get_signed(struct capy_read *r);
uint64_t capy_get_hash(struct capy_read *r);
/* Lent until the next call; the same place each time. */
const uint8_t *capy_get_bytes(struct capy_read *r, size_t *len);
bool capy_read_whole(const struct capy_read *r);
/* The call in hand makes no sense: the recording ends here, damaged. */
void capy_read_nonsense(struct capy_read *r, const char *what);

/* After the end: why, and one line about it. */
enum capy_read_end capy_read_end(const struct capy_read *r, const char **line);

#endif
