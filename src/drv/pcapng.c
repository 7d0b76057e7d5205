/* Writes pcapng blocks (pcapng.h). The format is in the writer's byte order, which the section
 * header tells; every block begins and ends with its length, a multiple of 4. */
#include "drv/pcapng.h"

#include "base/assert.h"
#include "capy/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK_SHB = 0x0a0d0d0a, BLOCK_IDB = 1, BLOCK_EPB = 6 };
enum {
    OPT_END = 0,
    SHB_USERAPPL = 4,
    IDB_NAME = 2,
    IDB_DESCRIPTION = 3,
    IDB_TSRESOL = 9,
    EPB_FLAGS = 2
};
enum { LINKTYPE_ETHERNET = 1 };
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define SECTION_LEN_UNKNOWN UINT64_MAX
#define TSRESOL_NANOSECONDS 9u
#define EPB_OVERHEAD 44u /* all of an enhanced packet block but its padded frame */
#define BLOCK_MAX 4096u  /* larger than any block we write */

static void put(struct capy_pcapng *p, const void *bytes, uint32_t len)
{
    CAPY_ASSERT(p->used + len <= sizeof p->buffer);
    memcpy(p->buffer + p->used, bytes, len);
    p->used += len;
}

static void put32(struct capy_pcapng *p, uint32_t v)
{
    put(p, &v, sizeof v);
}

static void pad4(struct capy_pcapng *p)
{
    static const uint8_t zero[4];
    put(p, zero, (4u - p->used % 4u) % 4u); /* the buffer begins at a block, hence aligned */
}

static void put_option(struct capy_pcapng *p, uint16_t code, const void *value, size_t len)
{
    const uint16_t len16 = (uint16_t)len;
    put(p, &code, sizeof code);
    put(p, &len16, sizeof len16);
    put(p, value, len16);
    pad4(p);
}

static uint32_t block_begin(struct capy_pcapng *p, uint32_t type)
{
    uint32_t at = p->used;
    put32(p, type);
    put32(p, 0); /* the length, known at the end */
    return at;
}

static void block_end(struct capy_pcapng *p, uint32_t at)
{
    const uint32_t len = p->used + 4u - at;
    memcpy(p->buffer + at + 4, &len, sizeof len);
    put32(p, len);
}

static void put_section(struct capy_pcapng *p)
{
    static const char program[] = "capybara";
    const uint16_t major = 1, minor = 0;
    const uint64_t section_len = SECTION_LEN_UNKNOWN;
    uint32_t at = block_begin(p, BLOCK_SHB);
    put32(p, BYTE_ORDER_MAGIC);
    put(p, &major, sizeof major);
    put(p, &minor, sizeof minor);
    put(p, &section_len, sizeof section_len);
    put_option(p, SHB_USERAPPL, program, sizeof program - 1);
    put_option(p, OPT_END, "", 0);
    block_end(p, at);
}

static void put_interface(struct capy_pcapng *p, const char *ifname, const char *description)
{
    const uint16_t linktype = LINKTYPE_ETHERNET, reserved = 0;
    const uint8_t tsresol = TSRESOL_NANOSECONDS;
    uint32_t at = block_begin(p, BLOCK_IDB);
    put(p, &linktype, sizeof linktype);
    put(p, &reserved, sizeof reserved);
    put32(p, 0); /* snap length: none, frames are whole */
    put_option(p, IDB_NAME, ifname, strlen(ifname));
    put_option(p, IDB_DESCRIPTION, description, strlen(description));
    put_option(p, IDB_TSRESOL, &tsresol, sizeof tsresol);
    put_option(p, OPT_END, "", 0);
    block_end(p, at);
}

int capy_pcapng_open(struct capy_pcapng *p, const char *path, const char *ifname,
                     const char *description)
{
    p->used = 0;
    p->file_len = 0;
    p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (p->fd < 0)
        return CAPY_E_SYS;
    put_section(p);
    put_interface(p, ifname, description);
    return capy_pcapng_flush(p) ? CAPY_OK : CAPY_E_SYS;
}

void capy_pcapng_frame(struct capy_pcapng *p, enum capy_pcapng_direction direction,
                       uint64_t wall_ns, const uint8_t *data, uint32_t len)
{
    const uint32_t flags = direction;
    CAPY_ASSERT(len + EPB_OVERHEAD <= BLOCK_MAX);
    if (p->fd < 0 || (p->used + BLOCK_MAX > sizeof p->buffer && !capy_pcapng_flush(p)))
        return;
    uint32_t at = block_begin(p, BLOCK_EPB);
    put32(p, 0); /* interface */
    put32(p, (uint32_t)(wall_ns >> 32));
    put32(p, (uint32_t)wall_ns);
    put32(p, len); /* captured */
    put32(p, len); /* on the wire */
    put(p, data, len);
    pad4(p);
    put_option(p, EPB_FLAGS, &flags, sizeof flags);
    put_option(p, OPT_END, "", 0);
    block_end(p, at);
}

bool capy_pcapng_flush(struct capy_pcapng *p)
{
    uint32_t done = 0;
    while (p->fd >= 0 && done < p->used) {
        ssize_t n = write(p->fd, p->buffer + done, p->used - done);
        if (n > 0) {
            done += (uint32_t)n;
        } else if (n == 0 || errno != EINTR) {
            int error = errno;
            if (ftruncate(p->fd, p->file_len) < 0)
                error = errno; /* nothing left to try: readers see one cut block at the end */
            close(p->fd);
            p->fd = -1;
            errno = error;
        }
    }
    p->used = 0;
    p->file_len += done;
    return p->fd >= 0;
}

void capy_pcapng_close(struct capy_pcapng *p)
{
    capy_pcapng_flush(p);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}
