/* A million connections at one server: what they take, and what a request on one of them costs. */
#ifndef CAPY_BENCH_MILLION_H
#define CAPY_BENCH_MILLION_H

struct million_figures {
    double bytes_per_connection, request_ns;
};

/* tick_ns: of wire_ticks. Takes half a gigabyte meanwhile. */
struct million_figures million(double tick_ns);

#endif
