/* Part of tcpmig.pml: what happens without a message */

inline start_migration()
{
    printf("start_migration %d\n", s);
    m = mig_cnt;
    mig_origin[m] = s;
    mig_epoch[m] = copy_epoch[s] + 1;
    mig_cnt++;
    origin[s] = PREPARING;
    origin_mig[s] = m;
    say(PREPARE_MIG, s, m, NOBODY, 0)
}

inline freeze()
{
    printf("freeze %d\n", s);
    m = origin_mig[s];
    copy[s] = FROZEN;
    mig_stale[m] = stale[s];
    go_sending()
}

/* A segment of the copy at s passes the switch: every other one is out of date. What the client
 * never sees is not work: a copy that dies before is as if it had not been. */
inline work()
{
    printf("work %d\n", s);
    i = 0;
    do
    :: i < SERVERS ->
        if
        :: i != s && copy[i] != ABSENT -> stale[i] = true
        :: else -> skip
        fi;
        i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < mig_cnt -> mig_stale[i] = true; i++
    :: else -> break
    od;
    served = served || phase == SETTLED;
    half = false
}

/* capy_entry_may_send */
#define MAY_SEND(x) (RUNS(x) && (phase == NONE -> IS_HOME(x) : (phase == PENDING -> previous == x : owner == x && !dead)))

inline give_up()
{
    printf("give_up %d\n", s);
    if
    :: origin[s] == PREPARING || origin[s] == GRANTED || origin[s] == SENDING -> go_cancelling()
    :: else -> skip
    fi
}

inline hold_expires()
{
    printf("hold_expires %d\n", s);
    if
    :: target[s] == HOLDING -> go_nacking()
    :: target[s] == NACKING -> drop()
    :: else -> skip
    fi
}

inline repeats()
{
    printf("repeats %d\n", s);
    if
    :: origin[s] == PREPARING ->
        origin_again[s] = true;
        say(PREPARE_MIG, s, origin_mig[s], NOBODY, 0)
    :: origin[s] == SENDING -> say(CONN_STATE, s, origin_mig[s], origin_target[s], 0)
    :: origin[s] == CANCELLING -> say(CANCEL, s, origin_mig[s], 0, 0)
    :: else -> skip
    fi;
    if
    :: target[s] == HOLDING -> say(PREPARE_MIG_ACK, s, target_mig[s], s, 0)
    :: target[s] == NACKING -> say(NACK, s, target_mig[s], s, 0)
    :: else -> skip
    fi;
    if
    :: announce[s] -> say(ANNOUNCE, s, NOBODY, 0, copy_epoch[s])
    :: else -> skip
    fi
}

#define NEEDS_REPEAT(x) (origin[x] == PREPARING || origin[x] == SENDING || origin[x] == CANCELLING || target[x] != IDLE || announce[x])
#define WAITS(x) (NEEDS_REPEAT(x) || origin[x] == GRANTED || (unheard[x] && !down[x]) || quiet[x] || (down[x] && silent[x] < 2))

/* Where the flow has a port of those that migrate, and not the one of its home, or of its birth. */
#ifdef VIP
#define AWAY(x) (!half && ((x) != 0 || imported[0] > 0))
#else
#define AWAY(x) true
#endif
/* Client's frames reach an owner that never heard of the flow: NACK(0), and after the answer NACK. */
#define UNKNOWN(x) (AWAY(x) && !down[x] && !quiet[x] && phase == SETTLED && owner == x && !dead && !owner_old && copy[x] == ABSENT && target[x] == IDLE)

inline restart() { printf("restart %d\n", s); down[s] = false; quiet[s] = true; unheard[s] = true }

inline unknown_flow()
{
    printf("unknown_flow %d\n", s);
    if
    :: refused[s] < epoch -> refused[s] = epoch
    :: else -> skip
    fi;
    say(NACK, s, NOBODY, s, epoch)
}

inline crash()
{
    printf("crash %d\n", s);
    if /* nobody else has what it had */
    :: copy[s] == RUNNING -> lost = true
    :: copy[s] == FROZEN && !stale[s] -> lost = true /* until somebody imports it */
    :: else -> skip
    fi;
    copy[s] = ABSENT; copy_epoch[s] = 0; stale[s] = false;
    origin[s] = IDLE; origin_mig[s] = 0; origin_again[s] = false; origin_target[s] = 0;
    target[s] = IDLE; target_mig[s] = 0; late_slot[s] = false;
    refused[s] = 0; imported[s] = 0; left_epoch[s] = false; announce[s] = false; quiet[s] = false;
    down[s] = true;
    used = true
}

inline beat()
{
    printf("beat %d\n", s);
    unheard[s] = false;
    silent[s] = 0;
    if
    :: owner == s -> owner_old = true
    :: else -> skip
    fi;
    if
    :: previous == s -> previous_old = true
    :: else -> skip
    fi;
    capy_entry_refresh()
}

inline reboot()
{
    printf("reboot\n");
    phase = NONE; epoch = 0; owner = NOBODY; previous = NOBODY; mig = NOBODY;
    served = false; dead = false; half = false; owner_old = false; previous_old = false;
    learning = true;
    s = 0;
    do
    :: s < SERVERS ->
        announce[s] = (copy[s] != ABSENT && copy_epoch[s] > 0);
        late_slot[s] = (target[s] != IDLE);
        s++
    :: else -> break
    od
}

#define RUNS(x) (copy[x] == RUNNING)
#define ALL_QUIET (!WAITS(0) && !WAITS(1) && !WAITS(2) && !learning && phase != PENDING && !UNKNOWN(0) && !UNKNOWN(1) && !UNKNOWN(2))

inline check()
{
    assert(!(RUNS(0) && RUNS(1)) && !(RUNS(0) && RUNS(2)) && !(RUNS(1) && RUNS(2)));
    assert(!(RUNS(0) && stale[0]) && !(RUNS(1) && stale[1]) && !(RUNS(2) && stale[2]));
#ifdef VIP
    /* Else a client's frame goes to a server that does not know it, and is answered with RST. */
    assert(lost || cut || learning || (phase != NONE && (!half || copy[owner] != ABSENT)));
    assert(lost || cut || !dead || crashes < CRASHES)
#else
    /* Else a client's frame that gets to the home server is answered with RST. */
    assert(lost || down[HOME] || copy[HOME] != ABSENT || target[HOME] != IDLE || left_epoch[HOME] ||
           (phase != NONE && owner != HOME) || crashes < CRASHES)
#endif
}

/* Nothing is left to happen. */
inline check_end()
{
    assert(under_way_cnt == 0);
    if
    :: cut -> skip
    :: RUNS(0) && !cut -> assert((phase == NONE && IS_HOME(0)) || (phase == SETTLED && owner == 0 && epoch >= copy_epoch[0] && !dead))
    :: RUNS(1) && !cut -> assert(phase == SETTLED && owner == 1 && epoch >= copy_epoch[1] && !dead)
    :: RUNS(2) && !cut -> assert(phase == SETTLED && owner == 2 && epoch >= copy_epoch[2] && !dead)
    :: else -> assert(lost)
    fi
}

