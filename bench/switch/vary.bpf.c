/* Makes one frame that BPF_PROG_TEST_RUN feeds again and again a frame of many flows: writes the next
 * flow's end into it, and leaves it to the program that is measured. Also the bare forwarder. */
#include <linux/bpf.h>
#include <stdint.h>

#include <bpf/bpf_helpers.h>

#include "bench/switch/vary.h"

char licence[] SEC("license") = "Dual BSD/GPL";

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, VARY_FLOWS_MAX);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, sizeof(struct vary_flow));
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 2);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, sizeof(uint32_t));
} measured SEC(".maps"); /* the plane, the bare one */

struct {
    __uint(type, BPF_MAP_TYPE_DEVMAP);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(uint32_t));
    __uint(value_size, sizeof(uint32_t));
} device SEC(".maps");

struct vary vary;

SEC("xdp")
int bench_vary(struct xdp_md *ctx)
{
    uint8_t *frame = (uint8_t *)(long)ctx->data;
    const uint8_t *end = (const uint8_t *)(long)ctx->data_end;
    uint32_t at = vary.next++ & vary.mask, which = vary.which;
    const struct vary_flow *flow = bpf_map_lookup_elem(&flows, &at);
    if (!flow || frame + VARY_FRAME_LEN > end)
        return XDP_ABORTED;
    if (vary.back) {
        *(uint32_t *)(frame + 30) = flow->ip;
        *(uint16_t *)(frame + 36) = flow->port;
    } else {
        *(uint32_t *)(frame + 26) = flow->ip;
        *(uint16_t *)(frame + 34) = flow->port;
    }
    bpf_tail_call(ctx, &measured, which);
    return XDP_ABORTED;
}

SEC("xdp")
int bench_bare(struct xdp_md *ctx)
{
    (void)ctx;
    return (int)bpf_redirect_map(&device, 0, XDP_DROP);
}
