/* The migration switch for a Tofino 1 (TNA): the same contract within twelve stages and one touch of each
 * register in a pass. IPv4. What differs from capy_v1model.p4, why, and what the program takes of the chip:
 * docs/switch.md, "The P4 program". The rules about an entry (entry.p4), headers and numbers are the same. */
#define CAPY_TNA
#define CAPY_RECIRCULATE 68 /* of pipe 0 */
#include <core.p4>
#include <tna.p4>
#include "numbers.p4"
#include "headers.p4"
#include "entry.p4"
#include "tna_types.p4"
#include "tna_parser.p4"
#include "tna_directory.p4"
#include "tna_ingress.p4"
#include "tna_egress.p4"

Pipeline(CapyIngressParser(), CapyIngress(), CapyIngressDeparser(), CapyEgressParser(), CapyEgress(),
         CapyEgressDeparser()) pipe;

Switch(pipe) main;
