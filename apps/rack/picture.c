/* A picture of a rack, for people. See local.h. */
#include "apps/rack/plan.h"

/*   c1  10.99.0.101 ---+              .--- s1  10.99.0.11  fd99::11
 *                      +--- switch ---+--- s2  10.99.0.12  fd99::12
 *                                     '--- s3  10.99.0.13  fd99::13 */
void capy_rack_local_picture(const struct capy_rack *rack, unsigned client_cnt, FILE *out)
{
    unsigned rows = rack->server_cnt > client_cnt ? rack->server_cnt : client_cnt;
    unsigned middle = (rows - 1) / 2;
    for (unsigned row = 0; row < rows; row++) {
        char text[CAPY_ADDRESS_TEXT_MAX];
        if (row < client_cnt) {
            uint8_t ip[16];
            rack_plan_client_ip(rack, row, ip);
            fprintf(out, "  c%-2u %-11s ---+", row + 1, capy_address_text(ip, text));
        } else {
            fprintf(out, "                     %c", row < middle ? '|' : row == middle ? '+' : ' ');
        }
        fputs(row == middle ? "--- switch ---" : "              ", out);
        if (row < rack->server_cnt) {
            const struct capy_rack_server *s = &rack->server[row];
            fprintf(out, "+--- %-3s %s", s->name, capy_address_text(s->ip, text));
            if (s->ip6[0] != 0) {
                fprintf(out, "  %s", capy_address_text(s->ip6, text));
            }
        } else {
            fputs(row <= middle ? "|" : " ", out);
        }
        fputc('\n', out);
    }
    if (rack->vip[10] | rack->vip[15]) {
        char text[CAPY_ADDRESS_TEXT_MAX];
        fprintf(out, "  all servers together: %s (%s)\n", capy_address_text(rack->vip, text),
                rack->vip_policy);
    }
}
