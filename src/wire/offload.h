/* What a network device may take over from the stack: the transport checksum, the cutting of one
 * large TCP segment into packets (TSO), and the joining of packets (LRO). A frame together with a
 * capy_offload says what is left to do or was done already; here is the same in software, for
 * devices that cannot, and for large frames that must go on as they came. Sans-I/O. */
#ifndef CAPY_WIRE_OFFLOAD_H
#define CAPY_WIRE_OFFLOAD_H

#include "wire/ether.h"

#include <stdbool.h>
#include <stddef.h>

/* A frame that stands for many packets: IP counts its length in 16 bits. */
#define CAPY_LARGE_FRAME_MAX (CAPY_ETHER_LEN + 65535u)

struct capy_offload {
    uint16_t segment; /* TCP payload of each packet but the last, where the frame stands for more
                         than one; 0: it is one packet */
    bool checked;     /* received: the device found the transport checksum right */
    bool partial;     /* the checksum field holds the sum of the pseudo-header, and who puts the
                         frame on a wire completes it: never sent so, or not come over a wire */
};

/* Cuts a frame into the packets that it stands for, with whole checksums; a frame that is one
 * packet comes out completed. */
struct capy_cutter {
    const uint8_t *frame; /* borrowed until the last piece is out */
    size_t ip_at, tcp_at, data_at;
    uint32_t data_len, done, piece_max;
    bool any; /* a piece came out already: an empty segment is one piece, too */
};

/* False: not a TCP frame that capy_frame_parse would take but for its checksum. */
bool capy_cutter_begin(struct capy_cutter *c, const uint8_t *frame, size_t len,
                       const struct capy_offload *how);
/* Writes the next packet to out (room: headers and piece_max): its length; 0: that was all.
 * Sequence numbers go on; FIN and PSH are the last piece's, CWR the first one's (RFC 3168 §6.1.2:
 * once per window is enough). */
size_t capy_cutter_next(struct capy_cutter *c, uint8_t *out);

#endif
