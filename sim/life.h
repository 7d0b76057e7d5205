/* One connection of a run, from its opening until both applications are done with it: what its ends
 * have read and written, where its server's end is, and what may end it early. */
#ifndef CAPY_SIM_LIFE_H
#define CAPY_SIM_LIFE_H

#include "sim/pattern.h"
#include "sim/plan.h"

enum { SIM_LIVES_MAX = 512, SIM_SLOTS_MAX = 48, SIM_OPENED_TO_PORT = 443 };
#define SIM_FIRST_CLIENT_PORT 20000u

enum sim_place {
    SIM_NOWHERE, /* no server's application has it yet */
    SIM_AT,      /* one has */
    SIM_BETWEEN, /* one let go of it, none took it up */
    SIM_OVER,    /* it is done with it */
};

const char *sim_place_name(enum sim_place place);

/* Why a connection may end before its time. */
enum sim_excuse {
    SIM_EXCUSE_RESET = 1,    /* one of the applications reset it */
    SIM_EXCUSE_CRASH = 2,    /* its server died */
    SIM_EXCUSE_SILENCE = 4,  /* its server was taken for dead */
    SIM_EXCUSE_PRESSURE = 8, /* its server had no room to go on (docs/architecture.md, Memory) */
    SIM_EXCUSE_COOKIE =
        32, /* of its handshake nothing was kept, and its segments came out of order */
    SIM_EXCUSE_NO_ROOM = 128,  /* its entry gave way, or found no room after a reboot */
    SIM_EXCUSE_UNREACHED = 64, /* its neighbour was asked for three times in vain */
    SIM_EXCUSE_PATIENCE = 16,  /* a timeout that its application asked for, or keep-alive */
};

enum sim_closer { SIM_CLIENT_FIRST, SIM_SERVER_FIRST, SIM_EACH_WHEN_DONE, SIM_CLOSER_CNT };

struct sim_end {
    capy_handle conn;
    bool open; /* the application holds it */
    bool shut; /* it has said all */
    bool saw_fin;
    bool stalled; /* it neither reads nor writes for now */
    uint64_t read, written;
};

struct sim_life {
    uint16_t slot, client, home; /* client, home: hosts; home: or SIM_VIP */
    uint16_t client_port, home_port;
    bool ipv6, opened; /* opened: by the server */
    bool clean;        /* nobody has anything left of an earlier one of this name */
    bool connected, client_over, broken; /* broken: over, and not in order */
    enum sim_kind_of_life kind;
    enum sim_closer closer;
    uint32_t ask, answer;          /* bytes; 0: each side writes as it likes */
    uint64_t up, down;             /* bytes in all */
    uint64_t up_grant, down_grant; /* to be written so far */
    struct sim_end c, s;
    uint64_t opened_at, over_at; /* over_at: at its client */

    enum sim_place place;
    uint16_t at;          /* the server that has it, or let go of it last */
    uint16_t released_by; /* the last that let go of it */
    uint64_t arrived_at;  /* at that place */
    uint64_t died_at;     /* with its server; 0: it did not */
    uint64_t released_at, read_at_release, written_at_release;
    bool shut_at_release;
    uint64_t arrived_event;      /* event number of the last arrival */
    uint32_t releases, arrivals; /* arrivals: the release that the last arrival came from */
    uint32_t moves;
    bool migrating, asked; /* of the application that has it */
    uint64_t migrating_since;
    uint32_t excuses;
    uint64_t policy_ends; /* connections that its server had ended by policy when it arrived */

    /* As seen from outside (oracle.c). */
    uint16_t runner;                 /* the server that sent last; SIM_HOSTS_MAX: none */
    uint16_t owner;                  /* whom the switch last named, settled */
    uint64_t named_at;               /* ... and when */
    uint64_t no_room_at;             /* ... when it said that it has no room for its entry */
    uint64_t no_cancel_at;           /* ... and none to burn the epoch of its move in */
    uint32_t turn;                   /* counts changes of runner */
    uint32_t passed;                 /* the turn of the last segment that the client was sent */
    uint16_t answered;               /* a bit per server: its SYN, at the service address */
    uint64_t spoke[SIM_SERVERS_MAX]; /* event number of a server's last segment */
    uint64_t
        licensed[SIM_SERVERS_MAX]; /* ... of the last message that may have made it the owner */
    uint64_t served;       /* event number of the last segment that the switch sent to the client */
    uint16_t said_late_by; /* the target of a move, of a time when it was the owner before ... */
    uint64_t said_late_at; /* ... and when the switch took that for service */
    uint32_t label[2];     /* of IPv6, of the last two SYN-ACKs that differ; 0: none seen */
};

#endif
