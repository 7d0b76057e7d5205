/* Who may take the last blocks of the shared pool. In-order bytes may take any; bytes out of order
 * leave an eighth of the pool, bytes to send a quarter. Otherwise a pool filled by writers could
 * not receive the data whose reading would empty it, and a pool filled beyond holes could not
 * receive what closes them: connections would wait for each other for ever. */
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

#endif
