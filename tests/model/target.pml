/* Part of tcpmig.pml: the target side, as in src/mig/target.c and src/stack/migrate_in.c, and who a
 * server gives a message to */

inline go_nacking() { target[s] = NACKING; say(NACK, s, target_mig[s], s, 0) }

/* CAPY_MIG_DO_DROP */
inline drop()
{
    if
    :: refused[s] < mig_epoch[target_mig[s]] -> refused[s] = mig_epoch[target_mig[s]]
    :: else -> skip
    fi;
    target[s] = IDLE;
    target_mig[s] = 0;
    late_slot[s] = false
}

inline refuse()
{
    if
    :: refused[s] < mig_epoch[m] -> refused[s] = mig_epoch[m]
    :: else -> skip
    fi;
    say(NACK, s, m, s, 0)
}

inline capy_target_prepare()
{
    if
    :: target[s] != IDLE && target_mig[s] == m ->
        if
        :: target[s] == HOLDING -> say(PREPARE_MIG_ACK, s, m, s, 0)
        :: else -> say(NACK, s, m, s, 0)
        fi
    :: else ->
        if /* capy_origin_overtaken */
        :: origin[s] != IDLE && copy[s] == FROZEN && mig_epoch[m] > mig_epoch[origin_mig[s]] ->
            release()
        :: else -> skip
        fi;
        if
        :: imported[s] == m + 1 -> skip
        :: else ->
            if
            :: mig_epoch[m] <= refused[s] || copy[s] != ABSENT || target[s] != IDLE || quiet[s] ->
                refuse()
            :: else ->
                if
                :: faults > 0 -> faults--; printf("refuses\n"); refuse() /* full, draining, a clash */
                :: true ->
                    target[s] = HOLDING;
                    target_mig[s] = m;
                    say(PREPARE_MIG_ACK, s, m, s, 0)
                fi
            fi
        fi
    fi
}

inline import()
{
    assert(copy[s] == ABSENT && !mig_stale[m]);
    copy[s] = RUNNING;
    copy_epoch[s] = mig_epoch[m];
    stale[s] = false;
    imported[s] = m + 1;
    left_epoch[s] = false;
    announce[s] = late_slot[s];
    target[s] = IDLE;
    target_mig[s] = 0;
    late_slot[s] = false;
    say(CONN_STATE_ACK, s, m, s, 0)
}

inline capy_target_message()
{
    if
    :: TYPE(msg) == CONN_STATE && target[s] != IDLE && target_mig[s] == m ->
        if
        :: target[s] == NACKING -> say(NACK, s, m, s, 0)
        :: else ->
            if
            :: faults > 0 -> faults--; printf("refuses\n"); go_nacking() /* it does not fit after all */
            :: true -> import()
            fi
        fi
    :: TYPE(msg) == CONN_STATE && !(target[s] != IDLE && target_mig[s] == m) ->
        if
        :: imported[s] == m + 1 || (copy[s] == RUNNING && copy_epoch[s] == mig_epoch[m]) ->
            say(CONN_STATE_ACK, s, m, s, 0)
        :: else -> refuse()
        fi
    :: TYPE(msg) == PREPARE_MIG_ACK && target[s] != IDLE && target_mig[s] == m -> /* bounced */
        if
        :: VERDICT(msg) == V_STALE && !(OWNER(msg) == s && ENTRY_EPOCH(msg) == mig_epoch[m]) &&
           target[s] == HOLDING -> drop()
        :: VERDICT(msg) == V_STALE && !(OWNER(msg) == s && ENTRY_EPOCH(msg) == mig_epoch[m]) &&
           target[s] != HOLDING && ENTRY_EPOCH(msg) >= mig_epoch[m] -> drop()
        :: TURNED_DOWN && target[s] == HOLDING -> drop()
        :: else -> skip
        fi
    :: TYPE(msg) == NACK && target[s] == NACKING && target_mig[s] == m ->
        if
        :: VERDICT(msg) != V_LEARNING -> drop()
        :: else -> skip
        fi
    :: else -> skip
    fi
}

/* An answer to ANNOUNCE. */
inline capy_announce_input()
{
    if
    :: VERDICT(msg) == V_OK && EPOCH(msg) == copy_epoch[s] -> announce[s] = false
    :: VERDICT(msg) == V_STALE && origin[s] == IDLE && copy[s] == RUNNING &&
       ENTRY_EPOCH(msg) > copy_epoch[s] && PHASE(msg) == SETTLED ->
        if
        :: OWNER(msg) == s -> copy_epoch[s] = ENTRY_EPOCH(msg); announce[s] = learning
        :: else -> copy[s] = ABSENT; copy_epoch[s] = 0; announce[s] = false; left_epoch[s] = true
        fi
    :: VERDICT(msg) == V_STALE && !(origin[s] == IDLE && copy[s] == RUNNING &&
       ENTRY_EPOCH(msg) > copy_epoch[s] && PHASE(msg) == SETTLED) ->
        if
        :: ENTRY_EPOCH(msg) < copy_epoch[s] -> skip /* it answers an earlier one */
        :: else -> announce[s] = false /* the code asks for ever */
        fi
    :: else -> skip
    fi
}

inline capy_rack_input()
{
    s = SERVER(msg);
    m = MIG(msg);
    if
    :: down[s] -> skip
    :: else ->
        if
        :: TYPE(msg) == ANNOUNCE -> capy_announce_input()
        :: else ->
            if
            :: m == NOBODY -> skip
            :: m != NOBODY && mig_origin[m] == s ->
                if
                :: origin[s] != IDLE && origin_mig[s] == m -> capy_mig_origin_input()
                :: else -> skip
                fi
            :: else ->
                if
                :: TYPE(msg) == PREPARE_MIG -> capy_target_prepare()
                :: else -> capy_target_message()
                fi
            fi
        fi
    fi
}

