/* Numbers that are not of one architecture: Ethernet and IP, TCPMig (docs/protocol.md §1), the
 * entry's flags (switch/core/entry.h) and the limits of this plane. Units are last in a name. */
#ifndef CAPY_P4_NUMBERS
#define CAPY_P4_NUMBERS

#ifndef CAPY_TCPMIG_PORT
#define CAPY_TCPMIG_PORT 7777 /* the parser must know it; control.py checks the rack file */
#endif
#ifndef CAPY_SLOTS
#define CAPY_SLOTS 65536 /* of each of the directory's two levels; the paper's 16-bit hash */
#endif
#define CAPY_SERVERS 16    /* at most; each adds a step to the choice of a target */
#define CAPY_CONTROL_PORT 64 /* where the control program is attached */
#define CAPY_STATIONS 4096 /* MAC addresses that are learned */
#define CAPY_MAGLEV_SLOTS 4093 /* of the service address's table; switch/core/maglev.h */

const bit<16> ETHERTYPE_IPV4 = 0x0800;
const bit<16> ETHERTYPE_ARP = 0x0806;
const bit<16> ETHERTYPE_IPV6 = 0x86dd;
const bit<16> ETHERTYPE_SWEEP = 0x88b6; /* local experimental (IEEE 802): sweep_h */

const bit<8> PROTO_HOP_BY_HOP = 0;
const bit<8> PROTO_ICMP = 1;
const bit<8> PROTO_TCP = 6;
const bit<8> PROTO_UDP = 17;
const bit<8> PROTO_ROUTING = 43;
const bit<8> PROTO_FRAGMENT = 44;
const bit<8> PROTO_ICMP6 = 58;
const bit<8> PROTO_DESTINATION = 60;

const bit<64> ARP_REQUEST = 0x0001080006040001; /* Ethernet, IPv4, lengths, operation (RFC 826) */
const bit<64> ARP_REPLY = 0x0001080006040002;

const bit<128> ALL_NODES = 0xff020000000000000000000000000001;
const bit<104> SOLICITED_NODE = 0xff0200000000000000000001ff; /* ff02::1:ff00:0/104 */
const bit<96> IP4_MAPPED = 0xffff; /* ::ffff:0:0/96 */

const bit<32> FRAME_MAX = 1514;
const bit<32> ETHER_LEN = 14;
const bit<32> UDP_LEN = 8;
const bit<16> BEAT_LEN = 32;
const bit<16> BEAT_ACK_LEN = 16;
const bit<16> OPENED_PORTS = 4096; /* below the migration range: of connections that servers open */
const bit<16> VIP_PORTS = 16; /* below those: where connections of the service address are born */

typedef bit<8> mig_type_t;
const mig_type_t PREPARE_MIG = 1;
const mig_type_t PREPARE_MIG_ACK = 2;
const mig_type_t CONN_STATE = 3;
const mig_type_t CONN_STATE_ACK = 4;
const mig_type_t CANCEL = 5;
const mig_type_t NACK = 6;
const mig_type_t HEARTBEAT = 7;
const mig_type_t HEARTBEAT_ACK = 8;
const mig_type_t ANNOUNCE = 9;
const mig_type_t FLOW_CLOSED = 10;

const bit<8> MIG_VERSION = 3;
const bit<8> REASON_UNKNOWN_FLOW = 6;

typedef bit<8> verdict_t;
const verdict_t VERDICT_NONE = 0;
const verdict_t VERDICT_OK = 1;
const verdict_t VERDICT_NO_TARGET = 2;
const verdict_t VERDICT_FULL = 3;
const verdict_t VERDICT_STALE = 4;
const verdict_t VERDICT_SETTLED = 5;
const verdict_t VERDICT_LEARNING = 6;

typedef bit<8> phase_t;
const phase_t PHASE_NONE = 0;
const phase_t PENDING = 1;
const phase_t SETTLED = 2;

/* Of an entry. */
const bit<8> SERVED = 1; /* a segment of the owner was forwarded: its import succeeded */
const bit<8> DEAD = 2;   /* tombstone: the connection died with its owner */
const bit<8> FIN_CLIENT = 4;
const bit<8> FIN_OWNER = 8;
const bit<8> RST_OWNER = 16;
const bit<8> HALF = 32;  /* made by a SYN to the service address, not known to be a connection yet */
const bit<8> ACKED = 64; /* HALF, and the client answered the SYN-ACK: right, or the owner resets it */

const bit<8> TCP_FIN = 0x01;
const bit<8> TCP_SYN = 0x02;
const bit<8> TCP_RST = 0x04;
const bit<8> TCP_ACK = 0x10;

const bit<16> NOBODY = 0xffff; /* in place of a server id */
const bit<16> VIP = 0xfffe; /* in place of a flow's home: the service address */
const bit<8> FAMILY_V4 = 1;
const bit<8> FAMILY_V6 = 2;

#ifdef CAPY_TNA
typedef bit<32> ip_t;
typedef bit<32> time_t; /* in units of 65.536 microseconds */
#else
typedef bit<128> ip_t;
typedef bit<48> time_t; /* in microseconds */
#endif

/* A PENDING entry that both ends abandoned is given back after so long. */
const time_t PENDING_MAX = 2000000;
const time_t HALF_MAX = 60000000; /* so long a server repeats its SYN-ACK */
const time_t STATION_AGE = 300000000; /* IEEE 802.1D-2004 table 7-5 */

#endif
