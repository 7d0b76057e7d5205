/* A test of the TCP stack from outside: a SYN goes in, what comes out is printed with its time; the
 * SYN-ACK is never acknowledged, so it comes again, also after a migration.   drive */
#include "capy/drive.h"
#include <stdio.h>
#include <string.h>

/* An IPv4 packet from 192.0.2.2:40000 to 192.0.2.1:80: a SYN without options, checksums included. */
static const unsigned char syn[40] = {
    0x45, 0,  0, 40, 0, 0, 0x40, 0, 64, 6, 0xb6, 0xcc, 192,  0, 2,    2,    192,  0,    2, 1,
    0x9c, 64, 0, 80, 0, 0, 0,    1, 0,  0, 0,    0,    0x50, 2, 0xff, 0xff, 0x8f, 0x4d, 0, 0};

static void print_packets(struct drive *d, int64_t wait_ns)
{
    unsigned char p[DRIVE_PACKET_MAX];
    uint64_t at;
    for (ssize_t n; (n = drive_sniff(d, p, sizeof p, &at, wait_ns)) > 0;)
        printf("%8.3f s: %zd bytes, TCP flags %02x, seq %02x%02x%02x%02x\n", (double)at / 1e9, n,
               p[33], p[24], p[25], p[26], p[27]);
}

int main(void)
{
    char err[128];
    struct drive_options o;
    drive_options_default(&o);
    struct drive *d = drive_create(&o, err, sizeof err);
    if (!d)
        return fprintf(stderr, "%s\n", err), 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(80)};
    int l = drive_socket(d, AF_INET, SOCK_STREAM, 0);
    if (drive_bind(d, l, (struct sockaddr *)&name, sizeof name) || drive_listen(d, l, 5) ||
        drive_inject(d, syn, sizeof syn))
        return perror("drive"), 1;
    print_packets(d, 0);
    if (drive_migrate(d))
        return perror("drive_migrate"), 1;
    print_packets(d, 120 * INT64_C(1000000000));
    drive_destroy(d);
    return 0;
}
