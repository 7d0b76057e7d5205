/* Who is who in the vectors: names of hosts, their addresses in each kind of rack, their MACs and
 * the switch ports they are attached to.
 *
 *   s1 s2 s3   servers, ids 0..2, each on a port of its own
 *   c1 c2      clients, each on a client-facing port of its own
 *   r1         a router behind c1's port; x1 nobody, anywhere
 *   sw         the switch      vip  the service address
 *
 * A name may say which of its addresses is meant: c1.4, c1.6; c1.p, of the version that
 * TCPMig has in this rack; c1.m, the IPv4-mapped one inside IPv6. */
#ifndef CAPY_TESTS_VECTORS_PLACES_H
#define CAPY_TESTS_VECTORS_PLACES_H

#include "words.h"

enum { SERVERS = 3, PORTS = 5 };
enum { PORT_BAD = 99, PORT_FLOOD = 0xffff };

/* IPv4; IPv6; and IPv4 with second addresses, where the flows are IPv6 and TCPMig is IPv4. */
enum rack_kind { RACK_V4, RACK_V6, RACK_BOTH, RACK_KINDS };
extern const char *const rack_names[RACK_KINDS];

struct place {
    uint8_t n;       /* the last byte of addresses and MAC; 0: nobody; PLACE_ALL */
    uint8_t version; /* '4', '6', 'p', 'm', or 0: of the rack's flows */
    uint16_t port;   /* TCP or UDP */
};

enum { PLACE_NONE = 0, PLACE_VIP = 50, PLACE_SW = 100, PLACE_ALL = 255 };

struct place place_read(struct words *w); /* NAME or NAME:PORT */
bool place_parse(const char *text, struct place *out);
const char *place_name(uint8_t n);                        /* "?" when there is none */
uint16_t place_server(struct words *w, const char *name); /* server id; "any" is 0xffff */
uint16_t place_port(struct words *w); /* a switch port by the name of who is there */
const char *place_port_name(uint16_t port);

uint8_t place_version(enum rack_kind rack, const struct place *p);               /* 4 or 6 */
void place_address(enum rack_kind rack, const struct place *p, uint8_t out[16]); /* IPv4 mapped */
void place_mac(uint8_t n, uint8_t out[6]);
/* "c1" or "c1.4" of an address, or "?". */
const char *place_of_address(enum rack_kind rack, const uint8_t address[16]);

#endif
