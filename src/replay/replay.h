/* Replays a recording (record/format.h): makes the machine anew, makes the same calls at the same times,
 * and compares everything it gives with what it gave then. `capy replay` is a thin shell around this. */
#ifndef CAPY_REPLAY_REPLAY_H
#define CAPY_REPLAY_REPLAY_H

#include "capy/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct capy_replay_options {
    const char *file;
    /* Where to stop, before what comes then; all 0: at the end of the recording. */
    bool until_given;
    uint64_t until_ns; /* since the recording began */
    uint64_t event;    /* behind this call, counted from 1 */
    uint64_t frame;    /* behind this frame sent, counted from 1 */

    bool connections; /* print them where it stops */
    bool print;       /* a line for each call */
    const char *pcap; /* pcapng file of the frames, both ways; NULL: none */
    FILE *out;        /* for all that is printed */
};

/* CAPY_OK: all that was replayed was identical. CAPY_E_STATE: it was not, or the recording is damaged;
 * told on out. Else one line in err: CAPY_E_FORMAT (no recording, or one of another capy), CAPY_E_SYS,
 * CAPY_E_NOMEM. */
int capy_replay(const struct capy_replay_options *opt, char *err, size_t err_len);

#endif
