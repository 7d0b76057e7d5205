/* Who may take the last blocks of the shared pool. In-order bytes may take any; bytes out of order
 * leave an eighth of the pool, bytes to send a quarter. Otherwise a pool filled by writers could
 * not receive the data whose reading would empty it, and a pool filled beyond holes could not
 * receive what closes them: connections would wait for each other for ever.
 *
 * A connection's first few blocks are cheaper and its further ones dearer than that: the first bytes
 * to send leave a sixteenth only, in-order bytes behind so many unread ones leave that as well. So
 * who asks for little is served, however many others hold much without moving (stack/pressure.c
 * sees to them). */
#ifndef CAPY_TCP_RESERVE_H
#define CAPY_TCP_RESERVE_H

#include "tcp/tcp.h"

static inline uint32_t capy_tcp_blocks_above(const struct capy_blocks *b, uint32_t reserve)
{
    return b->pool.free_cnt > reserve ? b->pool.free_cnt - reserve : 0;
}

static inline uint32_t capy_tcp_blocks_to_send(const struct capy_blocks *b)
{
    return capy_tcp_blocks_above(b, b->pool.cnt / 4);
}

static inline uint32_t capy_tcp_blocks_out_of_order(const struct capy_blocks *b)
{
    return capy_tcp_blocks_above(b, b->pool.cnt / 8);
}

/* A request, or an answer to one, as most are. */
#define CAPY_TCP_SHARE (4u * CAPY_BLOCK_LEN)
/* Of what is left to those who ask for little: one has no more than this part (Choudhury and Hahne
 * 1998, dynamic thresholds), so that the next one finds some. */
#define CAPY_TCP_SHARE_PART 32u

/* Bytes that a connection with `used` ones to send may queue although the pool is low. */
static inline uint32_t capy_tcp_share_left(const struct capy_blocks *b, uint32_t used)
{
    uint32_t above = capy_tcp_blocks_above(b, b->pool.cnt / 16);
    if (above == 0)
        return 0;
    uint32_t part = above < CAPY_TCP_SHARE_PART ? 1 : above / CAPY_TCP_SHARE_PART;
    uint32_t share =
        part < CAPY_TCP_SHARE / CAPY_BLOCK_LEN ? part * CAPY_BLOCK_LEN : CAPY_TCP_SHARE;
    return used < share ? share - used : 0;
}

/* In-order bytes behind `unread` ones may have blocks. */
static inline bool capy_tcp_may_pile_up(const struct capy_blocks *b, uint32_t unread)
{
    return b->pool.free_cnt > b->pool.cnt / 16 || unread < CAPY_TCP_SHARE;
}

#endif
