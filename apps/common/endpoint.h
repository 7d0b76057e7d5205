/* Addresses and ports of either IP version on command lines and in what people read:
 * "10.99.0.11:80", "[fd99::11]:80"; without a port also "10.99.0.11", "fd99::11", "[fd99::11]". */
#ifndef CAPY_APPS_COMMON_ENDPOINT_H
#define CAPY_APPS_COMMON_ENDPOINT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* A socket address; any.sa_family says which. */
union capy_endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

#define CAPY_ADDRESS_TEXT_MAX INET6_ADDRSTRLEN
#define CAPY_ENDPOINT_TEXT_MAX (INET6_ADDRSTRLEN + 9) /* "[", "]:" and a port */

/* port: when the text has none. False: not an endpoint. */
bool capy_endpoint_parse(const char *text, uint16_t port, union capy_endpoint *out);
/* An address as rack files' values keep it, IPv4-mapped or IPv6. */
void capy_endpoint_make(const uint8_t ip[16], uint16_t port, union capy_endpoint *out);
/* For bind and connect. */
socklen_t capy_endpoint_len(const union capy_endpoint *e);
/* With the port; returns out. */
char *capy_endpoint_text(const union capy_endpoint *e, char out[CAPY_ENDPOINT_TEXT_MAX]);
/* The address alone, as in URLs: an IPv6 one in brackets. Returns out. */
char *capy_endpoint_host(const union capy_endpoint *e, char out[CAPY_ENDPOINT_TEXT_MAX]);
/* The bare address of a rack file's value. Returns out. */
char *capy_address_text(const uint8_t ip[16], char out[CAPY_ADDRESS_TEXT_MAX]);

#endif
