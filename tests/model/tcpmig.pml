/* TCPMig as a model for spin: one flow, its home server and two others, the switch, and a network
 * that loses, repeats, reorders and delays. States, messages and verdicts have the names of the code
 * (src/mig, switch/core/entry.h); docs/protocol.md says which function each inline is.
 *
 * With VIP the flow is one of the service address: nobody is its home, it was born at server 0 at epoch 1,
 * and while no entry names an owner nobody may speak for it, nor install anything. Then LATE_SYNS copies of
 * a SYN of its name come to a switch that rebooted and knows nothing of it: some server is given it.
 *
 * What bounds the search: MIGS migrations, FAULTS (a loss, a repeat, a full directory, a veto, a
 * refusal), EARLY (a timer that fires although its answer is still on its way), CRASHES of servers,
 * REBOOTS of the switch. Reordering is free: any message under way may be the next to arrive.
 *
 * Time. When nothing is under way any more, time passes: all owed repeats go out (an odd tick), and
 * when these changed nothing either, all other timers fire (an even one). So whatever waits for
 * something is served, and a bound on ticks is a bound on time.
 *
 * Checked in every state: never two owners; no copy runs that is out of date; the home server never
 * answers a client's frame with RST while the connection lives, nor, of the service address, whoever the
 * switch gives a frame to that no entry has. At the end: no slot is left, somebody
 * runs the connection and the switch knows who, unless it died with an owner that served, or a late SYN
 * has its name at the epoch at which it runs (docs/protocol.md, Known limits). And every run ends within TICKS of the last fault.
 *
 * Left out: fragments (a CONN_STATE is one), leases that end without a crash, FLOW_CLOSED and age; how a
 * connection of the service address is born. */

#ifndef MIGS
#define MIGS 2
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef EARLY
#define EARLY 2
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef REBOOTS
#define REBOOTS 0
#endif
#ifndef LATE_SYNS
#define LATE_SYNS 0
#endif
#ifndef TICKS
#define TICKS 20
#endif
/* Looking for runs that never end: then the application works, and the client knocks at a server that
 * does not know its flow, just so often out of turn. Both would be endless by themselves. */
#ifdef WORKS
byte works = WORKS;
#define OFTEN_ENOUGH (works == 0)
#define ONCE_MORE works--
#else
#define OFTEN_ENOUGH false
#define ONCE_MORE skip
#endif

#define SERVERS 3
#define HOME 0
#define NOBODY 3 /* a server that is none, and a migration that is none */
#ifdef VIP
#define WHO_IS_HOME NOBODY
#define FIRST_EPOCH 1
#else
#define WHO_IS_HOME HOME
#define FIRST_EPOCH 0
#endif
#define IS_HOME(x) ((x) == WHO_IS_HOME)

/* A message under way is one number: its fields side by side. */
#define TO_SWITCH 0
#define TO_SERVER 1
#define HOP(x) ((x) & 1)
#define TYPE(x) (((x) >> 1) & 7)
#define MIG(x) (((x) >> 4) & 3)
#define SERVER(x) (((x) >> 6) & 3) /* the sender, or on its second hop the receiver */
#define TARGET(x) (((x) >> 8) & 3)
#define VERDICT(x) (((x) >> 10) & 7)
#define PHASE(x) (((x) >> 13) & 3)
#define OWNER(x) (((x) >> 15) & 3)
#define ENTRY_EPOCH(x) (((x) >> 17) & 7)
#define EPOCH(x) (((x) >> 20) & 7) /* ANNOUNCE, and NACK of an unknown flow */

#define PREPARE_MIG 0
#define PREPARE_MIG_ACK 1
#define CONN_STATE 2
#define CONN_STATE_ACK 3
#define CANCEL 4
#define NACK 5
#define ANNOUNCE 6

#define V_NONE 0
#define V_OK 1
#define V_NO_TARGET 2
#define V_FULL 3
#define V_STALE 4
#define V_SETTLED 5
#define V_LEARNING 6

/* Of the directory's entry. */
#define NONE 0
#define PENDING 1
#define SETTLED 2

/* Of a copy of the connection. */
#define ABSENT 0
#define RUNNING 1
#define FROZEN 2

/* Of a slot, at an origin and at a target. */
#define IDLE 0
#define PREPARING 1
#define GRANTED 2
#define SENDING 3
#define CANCELLING 4
#define HOLDING 1
#define NACKING 2

/* ---- the switch ---- */
byte phase, epoch, owner = NOBODY, previous = NOBODY, mig = NOBODY;
bool served, dead, learning;
bool half;                /* made by a SYN to the service address, not known to be a connection */
byte silent[SERVERS];     /* 0 its lease runs, 1 over, 2 taken for dead */
bool owner_old, previous_old; /* of an incarnation before the one the switch knows */

/* ---- the servers ---- */
byte copy[SERVERS], copy_epoch[SERVERS];
byte origin[SERVERS], origin_mig[SERVERS]; /* slot, and its migration */
bool origin_again[SERVERS];                /* more than one PREPARE_MIG left */
byte origin_target[SERVERS];
byte target[SERVERS], target_mig[SERVERS];
byte refused[SERVERS];                     /* memory: the highest epoch refused */
byte imported[SERVERS];                    /* and the last migration imported, plus 1 */
bool left_epoch[SERVERS];                  /* the flow went elsewhere */
bool down[SERVERS], quiet[SERVERS], unheard[SERVERS];
bool announce[SERVERS];                    /* owed since the switch's boot id is new */
bool late_slot[SERVERS];                   /* opened under the switch's boot before this one */

/* ---- migrations ---- */
byte mig_cnt, mig_origin[MIGS], mig_epoch[MIGS];

/* ---- what only the model knows ---- */
bool stale[SERVERS];    /* another copy did work since this one was made or stopped */
bool mig_stale[MIGS];   /* the same of the state that CONN_STATE carries */
bool used;              /* servers 1 and 2 are no longer alike */
bool lost;              /* the connection died with its owner */
bool cut;               /* or a late SYN has its name, at its epoch */
byte faults = FAULTS, early = EARLY, crashes = CRASHES, reboots = REBOOTS, late_syns = LATE_SYNS, ticks;
#define CHANCES (faults + early + crashes + reboots + late_syns + MIGS - mig_cnt)
byte chances = FAULTS + EARLY + CRASHES + REBOOTS + LATE_SYNS + MIGS; /* of the world to do something */

#include "network.pml"
#include "switch.pml"
#include "origin.pml"
#include "target.pml"
#include "events.pml"

/* One of three of which something holds. */
#define ANY(p) (p(0) || p(1) || p(2))
#define CHOOSE(p) if :: p(0) -> s = 0 :: p(1) -> s = 1 :: p(2) -> s = 2 fi

#define MAY_START(x) (RUNS(x) && origin[x] == IDLE)
#define IS_GRANTED(x) (origin[x] == GRANTED)
#define IS_DOWN(x) down[x]
#define UNHEARD(x) (unheard[x] && !down[x])
#define HAS_TIMER(x) (origin[x] != IDLE || target[x] != IDLE)

inline arrive()
{
    do
    :: at + 1 < under_way_cnt -> at++
    :: break
    od;
    if
    :: take(); printf("arrive"); TRACE_MSG
    :: faults > 0 -> faults--; take(); printf("lose"); TRACE_MSG; msg = 0
    :: faults > 0 -> faults--; msg = under_way[at]; printf("repeat"); TRACE_MSG /* arrives, and will again */
    fi;
    if
    :: msg == 0 -> skip
    :: msg != 0 && HOP(msg) == TO_SWITCH -> capy_switch_tcpmig()
    :: msg != 0 && HOP(msg) == TO_SERVER -> capy_rack_input()
    fi
}

inline time_passes()
{
    ticks++;
    printf("tick\n");
    assert(ticks < TICKS);
    if
    :: ticks % 2 == 1 ->
        s = 0;
        do
        :: s < SERVERS -> repeats(); s++
        :: else -> break
        od
    :: else ->
        if
        :: phase == PENDING && !ANY(HAS_TIMER) -> printf("given_back\n"); capy_entry_give_back() /* CAPY_ENTRY_PENDING_MAX_NS */
        :: else -> skip
        fi;
        s = 0;
        do
        :: s < SERVERS ->
            give_up();
            hold_expires();
            if
            :: down[s] && silent[s] < 2 -> silent[s]++; printf("silent %d %d\n", s, silent[s])
            :: UNHEARD(s) -> beat()
            :: !down[s] && !unheard[s] && quiet[s] -> quiet[s] = false; printf("awake %d\n", s)
            :: else -> skip
            fi;
            if /* the client repeats what nobody acknowledges */
            :: UNKNOWN(s) -> unknown_flow()
            :: else -> skip
            fi;
            s++
        :: else -> break
        od;
        if
        :: learning && !(announce[0] || announce[1] || announce[2]) ->
            learning = false;
            printf("learned\n")
        :: else -> skip
        fi
    fi;
    capy_entry_refresh() /* the switch sweeps its directory */
}

active proctype rack()
{
    copy[HOME] = RUNNING;
    copy_epoch[HOME] = FIRST_EPOCH;
#ifdef VIP
    printf("born\n"); /* and heard of since */
    capy_entry_give(HOME, FIRST_EPOCH);
#endif
    do
    :: atomic {
        if
        :: under_way_cnt > 0 -> arrive()
        :: under_way_cnt == 0 && !ALL_QUIET -> time_passes()
        :: mig_cnt < MIGS && ANY(MAY_START) -> CHOOSE(MAY_START); start_migration()
        :: ANY(IS_GRANTED) -> CHOOSE(IS_GRANTED); freeze()
        :: ANY(IS_GRANTED) && faults > 0 -> faults--; CHOOSE(IS_GRANTED); give_up() /* veto */
        :: !OFTEN_ENOUGH && ANY(MAY_SEND) -> ONCE_MORE; CHOOSE(MAY_SEND); work()
        :: early > 0 && under_way_cnt > 0 && ANY(HAS_TIMER) -> early--; CHOOSE(HAS_TIMER); give_up()
        :: early > 0 && under_way_cnt > 0 && ANY(HAS_TIMER) -> early--; CHOOSE(HAS_TIMER); hold_expires()
        :: early > 0 && under_way_cnt > 0 && ANY(NEEDS_REPEAT) -> early--; CHOOSE(NEEDS_REPEAT); repeats()
        :: early > 0 && under_way_cnt > 0 && phase == PENDING -> early--; printf("given_back\n"); capy_entry_give_back()
        :: crashes > 0 -> crashes--; s = 0; do :: s < 2 -> s++ :: break od; crash()
        :: ANY(IS_DOWN) -> CHOOSE(IS_DOWN); restart()
        :: ANY(UNHEARD) -> CHOOSE(UNHEARD); beat()
        :: !OFTEN_ENOUGH && ANY(UNKNOWN) -> ONCE_MORE; CHOOSE(UNKNOWN); unknown_flow()
        :: reboots > 0 -> reboots--; reboot()
        :: late_syns > 0 && MAY_ASSIGN -> late_syns--; late_syn()
        :: under_way_cnt == 0 && ALL_QUIET && (mig_cnt == MIGS || !ANY(MAY_START)) &&
           crashes == 0 && reboots == 0 -> break /* a late SYN may be none */
        fi;
        if
        :: CHANCES < chances -> ticks = ticks % 2; chances = CHANCES
        :: else -> skip
        fi;
        flush();
        trace_state();
        check()
       }
    od;
    check_end()
}
