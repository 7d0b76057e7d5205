/* Part of tcpmig.pml: messages under way, and the trace of what happens */

#define UNDER_WAY_MAX 12
int under_way[UNDER_WAY_MAX];
byte under_way_cnt;
int msg;    /* the one that arrives */
byte s, m;  /* who is concerned, and which migration */
byte i, at;
bool fresh;

/* What this event sends; on the way when it is over. */
#define OUTBOX_MAX 10
int outbox[OUTBOX_MAX];
byte outbox_cnt;

inline put(x) { outbox[outbox_cnt] = (x); outbox_cnt++ }

/* Keeps what is under way sorted, so that equal sets are equal states. A second copy of the same
 * message is a repeat of the network's, which is made on arrival. */
inline flush()
{
    do
    :: outbox_cnt > 0 ->
        outbox_cnt--;
        msg = outbox[outbox_cnt];
        outbox[outbox_cnt] = 0;
        i = 0;
        do
        :: i < under_way_cnt && under_way[i] < msg -> i++
        :: else -> break
        od;
        if
        :: i < under_way_cnt && under_way[i] == msg -> skip
        :: else ->
            assert(under_way_cnt < UNDER_WAY_MAX);
            at = under_way_cnt;
            do
            :: at > i -> under_way[at] = under_way[at - 1]; at--
            :: else -> break
            od;
            under_way[i] = msg;
            under_way_cnt++
        fi
    :: else -> break
    od;
    at = 0; i = 0; s = 0; m = 0; msg = 0; fresh = false
}

/* One line per event, and one that says how things stand: read by trace_test.c. */
inline trace_state()
{
    printf("state %d %d %d %d %d %d %d %d", phase, epoch, owner, previous, mig, served, dead, learning);
    i = 0;
    do
    :: i < SERVERS ->
        printf(" | %d %d %d %d %d %d %d", copy[i], copy_epoch[i], origin[i], target[i], refused[i], imported[i], announce[i]);
        i++
    :: else -> break
    od;
    printf(" | tick %d way %d\n", ticks, under_way_cnt);
    i = 0
}
#define TRACE_MSG printf(" %d %d %d %d %d %d %d %d %d %d\n", HOP(msg), TYPE(msg), MIG(msg), SERVER(msg), TARGET(msg), VERDICT(msg), PHASE(msg), OWNER(msg), ENTRY_EPOCH(msg), EPOCH(msg))

inline take()
{
    msg = under_way[at];
    under_way_cnt--;
    do
    :: at < under_way_cnt -> under_way[at] = under_way[at + 1]; at++
    :: else -> break
    od;
    under_way[under_way_cnt] = 0
}

inline say(type, who, which, tgt, ep)
{
    put(TO_SWITCH | ((type) << 1) | ((which) << 4) | ((who) << 6) | ((tgt) << 8) | ((ep) << 20))
}

