/* A pcapng writer (draft-ietf-opsawg-pcapng): one section, one Ethernet interface, nanosecond
 * timestamps. Blocks gather in memory and reach the file whole, so that the file can be read at any
 * moment, also after the program was killed. Private to src/drv. */
#ifndef CAPY_DRV_PCAPNG_H
#define CAPY_DRV_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPY_PCAPNG_BUFFER_LEN (256u * 1024u)

enum capy_pcapng_direction { CAPY_PCAPNG_IN = 1, CAPY_PCAPNG_OUT = 2 }; /* epb_flags bits 0-1 */

struct capy_pcapng {
    int fd;           /* -1 once writing failed: nothing more is written */
    int64_t file_len; /* bytes in the file, always whole blocks */
    uint32_t used;
    uint8_t buffer[CAPY_PCAPNG_BUFFER_LEN];
};

/* Creates or empties the file and writes the section and interface blocks. Names are for people.
 * CAPY_OK or CAPY_E_SYS with errno. */
int capy_pcapng_open(struct capy_pcapng *p, const char *path, const char *ifname,
                     const char *description);
/* wall_ns: since 1970. */
void capy_pcapng_frame(struct capy_pcapng *p, enum capy_pcapng_direction direction,
                       uint64_t wall_ns, const uint8_t *data, uint32_t len);
/* Hands what gathered to the kernel. False when the file can no longer be written (say, the disk is
 * full): it is cut back to its last whole block and closed. */
bool capy_pcapng_flush(struct capy_pcapng *p);
void capy_pcapng_close(struct capy_pcapng *p);

#endif
