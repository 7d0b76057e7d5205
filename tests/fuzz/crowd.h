/* The connections of a world (world.h) and what their applications know of them: who runs each, how
 * far each stream is, and what must be true of all that (docs/architecture.md, invariants). Each
 * stream's bytes follow from its number, so a wrong, lost or repeated one is seen at once. */
#ifndef CAPY_TESTS_FUZZ_CROWD_H
#define CAPY_TESTS_FUZZ_CROWD_H

#include "bytes.h"
#include "world.h"

enum { CROWD_MAX = 4 };

enum crowd_place { CROWD_NOWHERE, CROWD_AT, CROWD_BETWEEN, CROWD_OVER };

struct crowd_end {
    capy_handle conn;
    bool open, shut, saw_fin;
    uint64_t read, written;
};

struct crowd_conn {
    bool used, ipv6, connected;
    bool doomed; /* an application cut it: resets and lost bytes are in order from now on */
    uint8_t home, at, place;
    uint64_t read_at_release, written_at_release;
    struct crowd_end client, server;
};

/* What a server's application says when asked to let go. */
enum crowd_manner { CROWD_RELEASES, CROWD_VETOES, CROWD_IS_SILENT, CROWD_MANNER_CNT };

struct crowd {
    struct world w; /* first: the world's turn finds the crowd by it */
    struct crowd_conn conn[CROWD_MAX];
    uint8_t manner;
    uint32_t state_len; /* of the application's, beyond the fixed part */
    unsigned moved;
};

void crowd_open(struct crowd *c, bool ipv6_only, uint32_t blocks);
/* Everybody writes the rest, reads all and closes; no more faults. Then nothing may be left. */
void crowd_finish(struct crowd *c);

/* What may be done with one of them. All do nothing when it cannot be done now. */
void crowd_connect(struct crowd *c, unsigned i, unsigned home, bool ipv6);
void crowd_write(struct crowd *c, unsigned i, bool server, uint32_t len);
void crowd_read(struct crowd *c, unsigned i, bool server, uint32_t max);
void crowd_shutdown(struct crowd *c, unsigned i, bool server);
void crowd_close(struct crowd *c, unsigned i, bool server);
void crowd_abort(struct crowd *c, unsigned i, bool server);
void crowd_migrate(struct crowd *c, unsigned i, uint16_t target);
void crowd_set(struct crowd *c, unsigned i, bool server, enum capy_option option, uint64_t value);

/* One owner at most, in every moment. */
void crowd_check_owners(const struct crowd *c);

#endif
