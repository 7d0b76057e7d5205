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
    /* An application cut it, or it died with its server, or another server was given its SYN: resets and
     * lost bytes are in order from now on. */
    bool doomed;
    uint8_t home, at, place; /* home: a server or WORLD_VIP */
    uint8_t given;           /* of the service address: the server that the switch chose, plus 1 */
    struct crowd_end client, server;
    bool moved;
    uint8_t left; /* where it was last released, and its end there */
    struct crowd_end released;
    bool
        died; /* with its server: it may go on where it left, if the client has heard nothing since */
    bool spared; /* then as if nothing had happened */
};

/* What a server's application says when asked to let go. */
enum crowd_manner { CROWD_RELEASES, CROWD_VETOES, CROWD_IS_SILENT, CROWD_MANNER_CNT };

struct crowd {
    struct world w; /* first: the world's turn finds the crowd by it */
    struct crowd_conn conn[CROWD_MAX];
    uint8_t manner;
    uint32_t state_len; /* of the application's, beyond the fixed part */
    unsigned reboots;   /* of the switch */
};

struct crowd_rack {
    bool ipv6_only, vip_by_load;
    uint32_t blocks;
};

void crowd_open(struct crowd *c, const struct crowd_rack *rack);
/* Everybody writes the rest, reads all and closes; no more faults. Then nothing may be left. */
void crowd_finish(struct crowd *c);

/* It may end anyhow from now on. */
void crowd_doom(struct crowd *c, unsigned i);

/* What may be done with one of them. All do nothing when it cannot be done now. */
void crowd_connect(struct crowd *c, unsigned i, unsigned home, bool ipv6);
void crowd_write(struct crowd *c, unsigned i, bool server, uint32_t len);
void crowd_read(struct crowd *c, unsigned i, bool server, uint32_t max);
void crowd_shutdown(struct crowd *c, unsigned i, bool server);
void crowd_close(struct crowd *c, unsigned i, bool server);
void crowd_abort(struct crowd *c, unsigned i, bool server);
void crowd_migrate(struct crowd *c, unsigned i, uint16_t target);
void crowd_set(struct crowd *c, unsigned i, bool server, enum capy_option option, uint64_t value);

/* What befalls servers and the switch. draining: its connections are told to move, too. */
void crowd_drain(struct crowd *c, unsigned server, bool draining);
void crowd_crash(struct crowd *c, unsigned server, uint64_t down_ns);
void crowd_reboot_switch(struct crowd *c);

/* To be called in every moment: one owner at most. Notes what becomes of connections at the switch. */
void crowd_check_owners(struct crowd *c);

#endif
