/* A picture of a rack, for people. See local.h. */
#include "apps/rack/local.h"

static void print_ip(FILE *out, const uint8_t ip[16])
{
    fprintf(out, "%u.%u.%u.%u", ip[12], ip[13], ip[14], ip[15]);
}

/*   c1 10.99.0.101 ---.            .--- s1 10.99.0.1
 *                      +-- switch --+--- s2 10.99.0.2
 *                                   '--- s3 10.99.0.3 */
void capy_rack_local_picture(const struct capy_rack *rack, unsigned client_cnt, FILE *out)
{
    unsigned rows = rack->server_cnt > client_cnt ? rack->server_cnt : client_cnt;
    unsigned middle = (rows - 1) / 2;
    for (unsigned row = 0; row < rows; row++) {
        if (row < client_cnt) {
            fprintf(out, "  c%-2u 10.99.0.%-3u ---+", row + 1, 101 + row);
        } else {
            fprintf(out, "                     %c", row < middle ? '|' : row == middle ? '+' : ' ');
        }
        fputs(row == middle ? "--- switch ---" : "              ", out);
        if (row < rack->server_cnt) {
            fprintf(out, "+--- %-3s ", rack->server[row].name);
            print_ip(out, rack->server[row].ip);
        } else {
            fputs(row <= middle ? "|" : " ", out);
        }
        fputc('\n', out);
    }
}
