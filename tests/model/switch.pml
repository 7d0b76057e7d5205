/* Part of tcpmig.pml: the directory entry, rule by rule as in switch/core/entry.h */

inline capy_entry_give(to, ep)
{
    owner = to;
    previous = to;
    epoch = ep;
    phase = SETTLED;
    mig = NOBODY;
    dead = false;
    served = true;
    half = false;
    owner_old = false;
    previous_old = false
}

inline capy_entry_give_back()
{
    if
    :: previous_old -> capy_entry_give(previous, epoch + 1); owner_old = true; previous_old = true
    :: else -> capy_entry_give(previous, epoch + 1)
    fi
}

inline capy_entry_refresh()
{
    if
    :: phase == PENDING && (owner_old || silent[owner] == 2) -> capy_entry_give_back()
    :: phase == SETTLED && owner_old && !served && !half -> capy_entry_give_back()
    :: else -> skip
    fi;
    if
    :: phase == SETTLED && (owner_old || silent[owner] == 2) -> dead = true
    :: else -> skip
    fi
}

#define OWNER_SAID (phase == NONE -> WHO_IS_HOME : (dead -> NOBODY : owner))
#define ENTRY_SAID ((phase << 13) | (OWNER_SAID << 15) | ((phase == NONE -> 0 : epoch) << 17))

/* On to server `to`, with what the switch writes beside it. */
inline pass(to, verdict)
{
    put((msg & ~(3 << 6)) | TO_SERVER | ((to) << 6) | ((verdict) << 10) | ENTRY_SAID)
}

#define MAY_INSTALL(ep, by) (phase == NONE -> ((ep) == 1 && IS_HOME(by)) : (phase == SETTLED && !dead && epoch + 1 == (ep) && owner == (by)))

/* No room for a new entry, now and then. */
inline look_for_room()
{
    fresh = true;
    if
    :: phase == NONE && faults > 0 -> faults--; fresh = false; printf("no_room\n")
    :: true -> skip
    fi
}

inline capy_entry_prepare()
{
    look_for_room();
    if
    :: phase == PENDING && epoch == mig_epoch[m] && mig == m && previous == s ->
        msg = (msg & ~(3 << 8)) | (owner << 8);
        pass(owner, V_OK)
    :: else ->
        if
        :: !MAY_INSTALL(mig_epoch[m], s) -> pass(s, V_STALE)
        :: else ->
            if
            :: !fresh -> pass(s, V_FULL)
            :: else ->
                if /* capy_server_choose; any of them may be the least loaded */
                :: s != 0 && silent[0] == 0 -> msg = msg & ~(3 << 8); pass(0, V_OK)
                :: s != 1 && silent[1] == 0 -> msg = (msg & ~(3 << 8)) | (1 << 8); pass(1, V_OK)
                :: s != 2 && silent[2] == 0 && (used || s == 1) -> /* until then 1 and 2 are alike */
                    msg = (msg & ~(3 << 8)) | (2 << 8); pass(2, V_OK)
                :: silent[(s + 1) % 3] != 0 && silent[(s + 2) % 3] != 0 -> pass(s, V_NO_TARGET)
                fi;
                printf("chosen %d\n", TARGET(msg));
                used = true
            fi
        fi
    fi
}

inline capy_entry_prepare_ack()
{
    look_for_room();
    if
    :: phase == PENDING && epoch == mig_epoch[m] && mig == m && owner == s ->
        pass(mig_origin[m], V_OK)
    :: else ->
        if
        :: !MAY_INSTALL(mig_epoch[m], mig_origin[m]) ->
            pass(mig_origin[m], V_STALE); pass(s, V_STALE)
        :: else ->
            if
            :: silent[s] != 0 -> pass(mig_origin[m], V_NO_TARGET); pass(s, V_NO_TARGET)
            :: else ->
                if
                :: !fresh -> pass(mig_origin[m], V_FULL); pass(s, V_FULL)
                :: else ->
                    previous = mig_origin[m];
                    previous_old = (phase == NONE -> false : owner_old);
                    owner = s;
                    owner_old = false;
                    epoch = mig_epoch[m];
                    mig = m;
                    phase = PENDING;
                    served = false;
                    half = false;
                    dead = false;
                    pass(mig_origin[m], V_OK)
                fi
            fi
        fi
    fi
}

/* The commit point. */
inline capy_entry_state()
{
    if
    :: phase == NONE || epoch != mig_epoch[m] || owner != TARGET(msg) -> pass(s, V_STALE)
    :: else ->
        if
        :: phase == SETTLED && mig == NOBODY -> pass(TARGET(msg), V_OK)
        :: else ->
            if
            :: mig != m || previous != s -> pass(s, V_STALE)
            :: else ->
                if
                :: dead || (phase == PENDING && silent[owner] != 0) -> pass(s, V_NO_TARGET)
                :: else -> phase = SETTLED; pass(TARGET(msg), V_OK)
                fi
            fi
        fi
    fi
}

inline capy_entry_state_ack()
{
    if
    :: phase != NONE && epoch == mig_epoch[m] && (owner != s || phase == PENDING) -> skip
    :: else -> pass(mig_origin[m], V_OK)
    fi
}

inline capy_entry_cancel()
{
    look_for_room();
    if
    :: !fresh -> pass(s, V_FULL)
    :: else ->
        if
        :: phase == NONE || epoch < mig_epoch[m] ->
            capy_entry_give(s, mig_epoch[m] + 1); pass(s, V_OK)
        :: phase != NONE && epoch == mig_epoch[m] ->
            if
            :: owner == s || (previous != s && !(phase == SETTLED && mig == NOBODY)) ->
                pass(s, V_STALE)
            :: else ->
                if
                :: phase == SETTLED && !dead && silent[owner] != 2 && !owner_old ->
                    pass(s, V_SETTLED)
                :: phase == SETTLED && (dead || silent[owner] == 2 || owner_old) && served ->
                    /* CAPY_RULE_OWNER_GONE */
                    put((msg & ~(3 << 6)) | TO_SERVER | (s << 6) | (V_STALE << 10) | (SETTLED << 13) |
                        (NOBODY << 15) | ((epoch + 1) << 17))
                :: else -> capy_entry_give_back(); pass(s, V_OK)
                fi
            fi
        :: phase != NONE && epoch > mig_epoch[m] ->
            if
            :: epoch == mig_epoch[m] + 1 && phase == SETTLED && owner == s -> pass(s, V_OK)
            :: else -> pass(s, V_STALE)
            fi
        fi
    fi
}

/* m == NOBODY: of a flow that the sender does not know, at exactly EPOCH. */
inline capy_entry_nack()
{
    byte ep = (m == NOBODY -> EPOCH(msg) : mig_epoch[m]);
    byte peer = (m == NOBODY -> NOBODY : mig_origin[m]);
    look_for_room();
    if
    :: phase == NONE || epoch < ep ->
        if
        :: fresh && peer != NOBODY && MAY_INSTALL(ep, peer) -> capy_entry_give(peer, ep + 1)
        :: else -> skip
        fi;
        if
        :: peer != NOBODY -> pass(peer, V_OK)
        :: else -> skip
        fi;
        pass(s, V_OK)
    :: else ->
        if
        :: epoch == ep && owner == s && (mig == m || m == NOBODY) ->
            if
            :: phase == PENDING || !served ->
                capy_entry_give_back();
                if
                :: peer != NOBODY -> pass(peer, V_OK)
                :: else -> skip
                fi;
                pass(s, V_OK)
            :: else -> dead = true; pass(s, V_OK)
            fi
        :: else ->
            if
            :: epoch == ep + 1 && phase == SETTLED && peer != NOBODY && owner == peer ->
                pass(peer, V_OK); pass(s, V_OK)
            :: else -> pass(s, V_STALE)
            fi
        fi
    fi;
    ep = 0;
    peer = 0
}

inline capy_entry_announce()
{
    if
    :: phase == NONE || epoch < EPOCH(msg) -> capy_entry_give(s, EPOCH(msg)); pass(s, V_OK)
    :: else ->
        if
        :: phase == PENDING && previous == s -> pass(s, V_OK)
        :: phase == SETTLED && epoch == EPOCH(msg) && owner == s && !owner_old ->
            dead = false; served = true; half = false; pass(s, V_OK)
        :: else -> pass(s, V_STALE)
        fi
    fi
}

inline capy_switch_tcpmig()
{
    s = SERVER(msg);
    m = MIG(msg);
    capy_entry_refresh();
    if
    :: learning && TYPE(msg) != CONN_STATE_ACK && TYPE(msg) != ANNOUNCE && m != NOBODY ->
        pass(s, V_LEARNING)
    :: else ->
        if
        :: TYPE(msg) == PREPARE_MIG -> capy_entry_prepare()
        :: TYPE(msg) == PREPARE_MIG_ACK -> capy_entry_prepare_ack()
        :: TYPE(msg) == CONN_STATE -> capy_entry_state()
        :: TYPE(msg) == CONN_STATE_ACK -> capy_entry_state_ack()
        :: TYPE(msg) == CANCEL -> capy_entry_cancel()
        :: TYPE(msg) == NACK -> capy_entry_nack()
        :: TYPE(msg) == ANNOUNCE -> capy_entry_announce()
        fi
    fi
}

/* capy_vip_assign: a SYN of a name that no entry has, while the switch learns; later every flow has one. It is
 * a connection of another's, or none. Known limits: one that is at its first epoch, elsewhere, cannot
 * take its name back. */
#define MAY_ASSIGN (WHO_IS_HOME == NOBODY && learning && phase == NONE)
#define AT_FIRST(x) (copy[x] != ABSENT && copy_epoch[x] == FIRST_EPOCH && owner != x)

inline late_syn()
{
    if /* capy_vip_choose; any of them */
    :: silent[0] == 0 -> s = 0
    :: silent[1] == 0 -> s = 1
    :: silent[2] == 0 && used -> s = 2 /* until then 1 and 2 are alike */
    :: silent[0] != 0 && silent[1] != 0 && silent[2] != 0 -> s = NOBODY
    fi;
    printf("late_syn %d\n", s);
    if
    :: s == NOBODY -> skip
    :: else ->
        used = used || s != 0;
        capy_entry_give(s, FIRST_EPOCH);
        served = false;
        half = true;
        cut = cut || AT_FIRST(0) || AT_FIRST(1) || AT_FIRST(2)
    fi
}
