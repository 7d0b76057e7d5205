/* What it costs a server that its connections could move, while none does: the same stack in no rack and
 * as a member of one, by turns in one run.
 *
 *   member                       prints JSON: of each figure the median of both, and of each round's ratio
 *   member count WHO FIGURE CNT  CNT samples of one figure of "alone" or "member" and nothing else, for
 *                                callgrind, which counts inside measured_*; prints how many things were done */
#include "figures.h"
#include "wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 31, CONNS = 4096 };
enum who { ALONE, MEMBER, WHO_CNT };

static const char *const name[WHO_CNT] = {"alone", "member"};
static const enum figure figures[] = {FIGURE_REQUEST_64, FIGURE_REQUEST_1K, FIGURE_BULK_SEGMENT_IN,
                                      FIGURE_BULK_SEGMENT_OUT};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static void begin(struct bench *b, struct served *server, enum who who)
{
    if (who == MEMBER)
        served_by_member(server, CONNS);
    else
        served_by_capy(server, CONNS);
    bench_open(b, server, CONNS);
}

static int count(const char *who, const char *figure, unsigned cnt)
{
    static struct bench b;
    struct served server;
    uint64_t things;
    enum figure f = 0;
    while (f < FIGURE_CNT && strcmp(figure_name(f), figure) != 0)
        f++;
    bool known = strcmp(who, name[ALONE]) == 0 || strcmp(who, name[MEMBER]) == 0;
    if (f == FIGURE_CNT || !known || cnt == 0) {
        fprintf(stderr, "member: %s %s: give alone or member, and a figure of bench-stack\n", who,
                figure);
        return 2;
    }
    begin(&b, &server, strcmp(who, name[MEMBER]) == 0 ? MEMBER : ALONE);
    (void)figure_take(&b, f, cnt, &things);
    printf("%" PRIu64 "\n", things);
    return EXIT_SUCCESS;
}

static void print(double taken[FIGURES][WHO_CNT][ROUNDS], double tick_ns)
{
    printf("{\n");
    for (unsigned f = 0; f < FIGURES; f++) {
        double ratio[ROUNDS];
        for (unsigned i = 0; i < ROUNDS; i++)
            ratio[i] = taken[f][MEMBER][i] / taken[f][ALONE][i];
        printf("  \"%s\": {", figure_name(figures[f]));
        for (enum who who = 0; who < WHO_CNT; who++)
            printf("\"%s_ns\": %.1f, ", name[who], figure_median(taken[f][who], ROUNDS) * tick_ns);
        double median = figure_median(ratio, ROUNDS); /* sorts */
        printf("\"ratio\": %.4f, \"ratio_quarters\": [%.4f, %.4f]}%s\n", median, ratio[ROUNDS / 4],
               ratio[ROUNDS * 3 / 4], f + 1 < FIGURES ? "," : "");
    }
    printf("}\n");
}

int main(int argc, char **argv)
{
    static struct bench bench[WHO_CNT];
    static double taken[FIGURES][WHO_CNT][ROUNDS];
    struct served server[WHO_CNT];
    if (argc == 5 && strcmp(argv[1], "count") == 0)
        return count(argv[2], argv[3], (unsigned)atoi(argv[4]));
    if (argc != 1) {
        fprintf(stderr, "usage: bench-member [count alone|member FIGURE CNT]\n");
        return 2;
    }
    for (enum who who = 0; who < WHO_CNT; who++)
        begin(&bench[who], &server[who], who);
    for (unsigned i = 0; i < ROUNDS; i++)
        for (unsigned f = 0; f < FIGURES; f++)
            for (enum who turn = 0; turn < WHO_CNT; turn++) {
                enum who who = i % 2 ? MEMBER - turn : turn;
                uint64_t things;
                taken[f][who][i] =
                    figure_take(&bench[who], figures[f], figure_samples(figures[f]) / 4, &things);
            }
    print(taken, wire_tick_ns());
    for (enum who who = 0; who < WHO_CNT; who++) {
        bench_close(&bench[who]);
        served_by_capy_end(&server[who]);
    }
    return EXIT_SUCCESS;
}
