/* Loading the program and finding its memory (xdp.h). The maps are the kernel's; those that user space
 * looks into are mapped, and everything here goes with the process but for what is pinned. */
#include "switch/xdp/program.h"

#include "switch/xdp/skeleton.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* The verifier's limit for offsets into one value. */
#define MEMORY_LEN_MAX (((size_t)1 << 29) - 1)
#define SLOTS_MAX ((MEMORY_LEN_MAX - CAPY_XDP_TAGS_AT - 64u) / (sizeof(struct capy_entry) + 1u))
#define PIN_PATH_MAX 256

bool capy_xdp_is_built(void)
{
    return true;
}

static uint32_t slot_cnt(const struct capy_switch_cfg *cfg)
{
    return cfg->levels * cfg->slots;
}

static size_t memory_len(const struct capy_switch_cfg *cfg)
{
    return capy_xdp_entries_at(slot_cnt(cfg)) + slot_cnt(cfg) * sizeof(struct capy_entry);
}

static void *map_memory(const struct bpf_map *map, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *at = mmap(NULL, (len + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED,
                    bpf_map__fd(map), 0);
    return at == MAP_FAILED ? NULL : at;
}

static int map_all(struct capy_xdp *x)
{
    struct capy_switch *sw = &x->sw;
    sw->cfg = &x->cfg;
    sw->index = &x->index;
    sw->count = x->count;
    x->memory = map_memory(x->bpf->maps.memory, memory_len(&x->cfg));
    x->cpu_cnt = (unsigned)libbpf_num_possible_cpus();
    x->per_cpu = calloc(x->cpu_cnt, (sizeof *x->per_cpu + 7u) / 8u * 8u);
    if (!x->memory || !x->per_cpu)
        return CAPY_E_SYS;
    sw->live = (struct capy_switch_live *)(void *)x->memory;
    sw->l2.stations = (struct capy_station *)(void *)(x->memory + CAPY_XDP_STATIONS_AT);
    sw->l2.key = x->cfg.hash_key;
    sw->dir.tags = x->memory + CAPY_XDP_TAGS_AT;
    sw->dir.entries =
        (struct capy_entry *)(void *)(x->memory + capy_xdp_entries_at(slot_cnt(&x->cfg)));
    sw->dir.levels = x->cfg.levels;
    sw->dir.slots = x->cfg.slots;
    sw->dir.mig_port_first = x->cfg.mig_port_first;
    sw->dir.stripe_mask = capy_directory_stripes(x->cfg.slots) - 1u;
    sw->dir.key = x->cfg.hash_key;
    return CAPY_OK;
}

static void unmap_all(struct capy_xdp *x)
{
    if (x->memory)
        munmap(x->memory, memory_len(&x->cfg));
    free(x->per_cpu);
}

void capy_xdp_count(struct capy_xdp *x)
{
    const uint32_t zero = 0;
    int64_t used = 0;
    memcpy(x->count, x->asided, sizeof x->count);
    if (bpf_map_lookup_elem(bpf_map__fd(x->bpf->maps.counts), &zero, x->per_cpu) < 0)
        return;
    for (unsigned cpu = 0; cpu < x->cpu_cnt; cpu++) {
        used += x->per_cpu[cpu].used;
        for (unsigned i = 0; i < CAPY_COUNT_END; i++)
            x->count[i] += x->per_cpu[cpu].count[i];
    }
    x->sw.dir.used = used > 0 ? (uint32_t)used : 0;
}

/* ---- what is kept ---- */

/* Two switches with the same print mean the same by every byte of the kept maps. */
static uint64_t print_of(const struct capy_switch_cfg *cfg)
{
    struct capy_switch_cfg c;
    memcpy(&c, cfg, sizeof c); /* whole, holes too: cfg is a calloc'd or cleared one's copy */
    c.boot_id = 0;
    c.hash_key = (struct capy_key){0, 0};
    c.lease_ns = c.learn_ns = c.age_ns = c.linger_ns = 0; /* may change under way */
    const struct capy_key key = {CAPY_XDP_LAYOUT, CAPY_COUNT_END};
    uint64_t print = capy_siphash13(key, (const uint8_t *)&c, sizeof c);
    return print ^ sizeof(struct capy_entry) ^ sizeof(struct capy_switch_live) << 16;
}

static void pin_path(const struct capy_xdp *x, const char *name, char path[PIN_PATH_MAX])
{
    snprintf(path, PIN_PATH_MAX, "%s/%s", x->pin_dir, name);
}

static struct bpf_map **kept_maps(struct capy_xdp_bpf *bpf, unsigned *cnt)
{
    static struct bpf_map *kept[4];
    kept[0] = bpf->maps.memory;
    kept[1] = bpf->maps.locks;
    kept[2] = bpf->maps.counts;
    kept[3] = bpf->maps.about;
    *cnt = 4;
    return kept;
}

static bool read_about(const struct capy_xdp *x, struct capy_xdp_about *about)
{
    const uint32_t zero = 0;
    char path[PIN_PATH_MAX];
    struct bpf_map_info info = {0};
    uint32_t len = sizeof info;
    pin_path(x, "about", path);
    int fd = bpf_obj_get(path);
    bool is = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &len) == 0 &&
              info.value_size == sizeof *about && bpf_map_lookup_elem(fd, &zero, about) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}

/* The memory below pin_dir is whole and of our kind: goes on as what it is. */
static bool take_over(struct capy_xdp *x)
{
    struct capy_xdp_about about;
    if (!read_about(x, &about) || about.print != print_of(&x->cfg))
        return false;
    x->cfg.boot_id = about.boot_id;
    x->cfg.hash_key = about.hash_key;
    return true;
}

static void forget(struct capy_xdp *x)
{
    unsigned cnt;
    char path[PIN_PATH_MAX];
    struct bpf_map **kept = kept_maps(x->bpf, &cnt);
    for (unsigned i = 0; i < cnt; i++) {
        pin_path(x, bpf_map__name(kept[i]), path);
        unlink(path);
    }
}

static int set_pins(struct capy_xdp *x)
{
    unsigned cnt;
    char path[PIN_PATH_MAX];
    struct bpf_map **kept = kept_maps(x->bpf, &cnt);
    int rc = 0;
    for (unsigned i = 0; i < cnt && rc == 0; i++) {
        pin_path(x, bpf_map__name(kept[i]), path);
        rc = bpf_map__set_pin_path(kept[i], path);
    }
    return rc == 0 ? CAPY_OK : CAPY_E_SYS;
}

/* ---- loading ---- */

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
    if (getenv("CAPY_XDP_DEBUG")) /* what the verifier says, for who changes the program */
        return vfprintf(stderr, format, args);
    (void)level;
    return 0;
}

/* Sets what must be known before the program is verified. */
static int prepare(struct capy_xdp *x)
{
    struct capy_xdp_bpf *bpf = x->bpf;
    memcpy((void *)&bpf->rodata->cfg, &x->cfg, sizeof x->cfg);
    capy_index_build(&x->index, &x->cfg);
    memcpy((void *)&bpf->rodata->server_index, &x->index, sizeof x->index);
    bpf->rodata->testing = x->testing;
    bpf->rodata->entries_at = capy_xdp_entries_at(slot_cnt(&x->cfg));
    bpf->rodata->stripe_mask = capy_directory_stripes(x->cfg.slots) - 1u;
    if (bpf_map__set_value_size(bpf->maps.memory, (uint32_t)memory_len(&x->cfg)) != 0 ||
        bpf_map__set_max_entries(bpf->maps.port_of, x->ifindex_end) != 0)
        return CAPY_E_SYS;
    bpf_program__set_autoload(bpf->progs.capy_both_test, x->testing);
    return x->pin_dir[0] ? set_pins(x) : CAPY_OK;
}

static void explain(int error, char *err, size_t err_len)
{
    const char *remedy = "the kernel must be 5.18 or later, with BTF; or use --plane user";
    if (error == EPERM || error == EACCES)
        remedy = "run as root or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; or use --plane user";
    else if (error == E2BIG)
        remedy = "its verifier gives up on so many servers and levels: take fewer levels, or use "
                 "--plane user";
    else if (error == ENOMEM)
        remedy = "make the directory smaller";
    snprintf(err, err_len, "the XDP program cannot be loaded: %s; %s", strerror(error), remedy);
}

/* Their indices: the program is sized by the largest. */
static int find_devices(struct capy_xdp *x, char *err, size_t err_len)
{
    x->ifindex_end = 1;
    for (uint32_t port = 0; x->device && port < x->cfg.port_cnt; port++) {
        x->ifindex[port] = if_nametoindex(x->device[port]);
        if (x->ifindex[port] == 0) {
            snprintf(err, err_len, "xdp %s: no such device; name one that `ip link` shows",
                     x->device[port]);
            return CAPY_E_SYS;
        }
        x->ifindex_end = capy_max32(x->ifindex_end, x->ifindex[port] + 1);
    }
    return CAPY_OK;
}

static int load(struct capy_xdp *x, bool *kept, uint64_t now)
{
    const uint32_t zero = 0;
    x->bpf = capy_xdp_bpf__open();
    if (!x->bpf)
        return CAPY_E_SYS;
    *kept = x->pin_dir[0] && take_over(x);
    if (x->pin_dir[0] && !*kept)
        forget(x);
    if (prepare(x) != CAPY_OK || capy_xdp_bpf__load(x->bpf) != 0 || map_all(x) != CAPY_OK)
        return CAPY_E_SYS;
    if (!*kept) {
        const struct capy_xdp_about about = {print_of(&x->cfg), x->cfg.boot_id, x->cfg.hash_key};
        capy_switch_live_init(x->sw.live, &x->cfg, now);
        if (bpf_map_update_elem(bpf_map__fd(x->bpf->maps.about), &zero, &about, BPF_ANY) != 0)
            return CAPY_E_SYS;
    }
    return capy_xdp_aside_open(x);
}

struct capy_xdp *capy_xdp_open(struct capy_switch_cfg *cfg, const struct capy_xdp_options *opt,
                               uint64_t now, bool *kept, char *err, size_t err_len)
{
    const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &unlimited); /* maps counted as locked memory before Linux 5.11 */
    libbpf_set_print(quiet);
    if (capy_switch_size(cfg) == 0 || (uint64_t)cfg->levels * cfg->slots > SLOTS_MAX) {
        snprintf(
            err, err_len,
            "the XDP plane's directory ends at %zu entries; make levels x slots smaller, or use "
            "--plane user",
            SLOTS_MAX);
        return NULL;
    }
    struct capy_xdp *x = calloc(1, sizeof *x);
    if (!x) {
        snprintf(err, err_len, "out of memory");
        return NULL;
    }
    memset(x->link, -1, sizeof x->link);
    memset(x->out, -1, sizeof x->out);
    memcpy(&x->cfg, cfg, sizeof x->cfg);
    x->device = opt->device;
    x->testing = !opt->device;
    snprintf(x->pin_dir, sizeof x->pin_dir, "%s", opt->pin_dir ? opt->pin_dir : "");
    if (find_devices(x, err, err_len) != CAPY_OK) {
        capy_xdp_close(x);
        return NULL;
    }
    errno = 0;
    if (load(x, kept, now) != CAPY_OK) {
        explain(errno, err, err_len);
        capy_xdp_close(x);
        return NULL;
    }
    cfg->boot_id = x->cfg.boot_id;
    cfg->hash_key = x->cfg.hash_key;
    return x;
}

void capy_xdp_reset(struct capy_xdp *x, uint64_t now)
{
    const uint32_t zero = 0;
    memset(x->per_cpu, 0, x->cpu_cnt * sizeof *x->per_cpu);
    memset(x->asided, 0, sizeof x->asided);
    memset(x->memory, 0, memory_len(&x->cfg));
    bpf_map_update_elem(bpf_map__fd(x->bpf->maps.counts), &zero, x->per_cpu, BPF_ANY);
    capy_switch_live_init(x->sw.live, &x->cfg, now);
}

struct capy_switch *capy_xdp_plane(struct capy_xdp *x)
{
    return &x->sw;
}

bool capy_xdp_is_generic(const struct capy_xdp *x)
{
    return x->generic;
}

void capy_xdp_close(struct capy_xdp *x)
{
    capy_xdp_detach(x);
    ring_buffer__free(x->ring);
    unmap_all(x);
    capy_xdp_bpf__destroy(x->bpf);
    free(x);
}
