/* Part of tcpmig.pml: the origin side, as in src/mig/origin.c */

inline go_sending() { origin[s] = SENDING; say(CONN_STATE, s, origin_mig[s], origin_target[s], 0) }
inline go_cancelling() { origin[s] = CANCELLING; say(CANCEL, s, origin_mig[s], 0, 0) }

/* CAPY_MIG_DO_RESUME */
inline resume(ep)
{
    assert(copy[s] != ABSENT && !stale[s]);
    copy[s] = RUNNING;
    copy_epoch[s] = ep;
    origin[s] = IDLE;
    announce[s] = (learning && (ep) > 0);
    origin_mig[s] = 0;
    origin_target[s] = 0;
    origin_again[s] = false
}

/* CAPY_MIG_DO_RELEASE */
inline release()
{
    copy[s] = ABSENT;
    copy_epoch[s] = 0;
    left_epoch[s] = true;
    stale[s] = false;
    announce[s] = false;
    origin[s] = IDLE;
    origin_mig[s] = 0;
    origin_target[s] = 0;
    origin_again[s] = false
}

inline learn()
{
    if
    :: ENTRY_EPOCH(msg) <= mig_epoch[m] -> skip
    :: else ->
        if
        :: OWNER(msg) == s && PHASE(msg) == SETTLED -> resume(ENTRY_EPOCH(msg))
        :: else ->
            if
            :: copy[s] == FROZEN -> release()
            :: else -> resume(mig_epoch[m] - 1)
            fi
        fi
    fi
}

inline turned_down()
{
    if
    :: origin[s] != PREPARING -> skip
    :: else ->
        if
        :: origin_again[s] -> go_cancelling()
        :: else -> resume(mig_epoch[m] - 1)
        fi
    fi
}

inline stale_prepare()
{
    if
    :: ENTRY_EPOCH(msg) > mig_epoch[m] -> learn()
    :: ENTRY_EPOCH(msg) < mig_epoch[m] && origin[s] == PREPARING -> go_cancelling()
    :: else -> skip
    fi
}

#define TURNED_DOWN (VERDICT(msg) == V_NO_TARGET || VERDICT(msg) == V_FULL || VERDICT(msg) == V_LEARNING)

inline capy_mig_origin_input()
{
    if
    :: TYPE(msg) == PREPARE_MIG || TYPE(msg) == PREPARE_MIG_ACK ->
        if
        :: VERDICT(msg) == V_STALE -> stale_prepare()
        :: TURNED_DOWN -> turned_down()
        :: VERDICT(msg) == V_OK && TYPE(msg) == PREPARE_MIG_ACK && origin[s] == PREPARING ->
            origin[s] = GRANTED;
            origin_target[s] = TARGET(msg)
        :: else -> skip
        fi
    :: TYPE(msg) == CONN_STATE ->
        if
        :: copy[s] == FROZEN && VERDICT(msg) == V_STALE -> learn()
        :: copy[s] == FROZEN && VERDICT(msg) == V_NO_TARGET && origin[s] == SENDING -> go_cancelling()
        :: else -> skip
        fi
    :: TYPE(msg) == CONN_STATE_ACK ->
        if
        :: copy[s] == FROZEN -> release()
        :: else -> skip
        fi
    :: TYPE(msg) == CANCEL ->
        if
        :: VERDICT(msg) == V_OK || VERDICT(msg) == V_STALE -> learn()
        :: VERDICT(msg) == V_SETTLED && origin[s] == CANCELLING && copy[s] == FROZEN -> go_sending()
        :: VERDICT(msg) == V_FULL && origin[s] == CANCELLING && copy[s] != FROZEN ->
            resume(mig_epoch[m] - 1)
        :: else -> skip
        fi
    :: TYPE(msg) == NACK ->
        if
        :: ENTRY_EPOCH(msg) > mig_epoch[m] -> learn()
        :: else -> turned_down()
        fi
    :: else -> skip
    fi
}

