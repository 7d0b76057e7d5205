/* /events: server-sent events. One event at a time goes through x->out, and only when the one
 * before has been taken, so a slow reader holds its own stream back and costs no memory. A late
 * event does not bring a burst: those missed are skipped in time, never in number. */
#include "apps/httpd/resources.h"
#include "apps/httpd/response.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INTERVAL_MS_DEFAULT 1000u
#define INTERVAL_MS_MAX 3600000u /* an hour */
#define NS_PER_MS 1000000ull

void capy_httpd_open_events(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                            const struct capy_httpd_request *req, uint64_t now)
{
    uint64_t interval_ms = INTERVAL_MS_DEFAULT, cnt = 0;
    if (!capy_httpd_query_number(req, "interval_ms", INTERVAL_MS_MAX, &interval_ms) ||
        !capy_httpd_query_number(req, "count", UINT64_MAX - 1, &cnt) || interval_ms == 0) {
        capy_httpd_error(site, x, HTTP_STATUS_BAD_REQUEST, NULL);
        return;
    }
    struct capy_httpd_answer answer = {.status = HTTP_STATUS_OK,
                                       .type = "text/event-stream",
                                       .fields = "Cache-Control: no-store\r\n",
                                       .unbounded = true};
    capy_httpd_head(site, x, &answer);
    if (x->head_only)
        return;
    x->body = CAPY_HTTPD_BODY_EVENTS;
    x->interval_ms = (uint32_t)interval_ms;
    x->next_id = 1;
    x->last_id = cnt;
    x->due_at = now;
}

void capy_httpd_next_event(const struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                           uint64_t now)
{
    char event[128];
    bool ended = x->last_id != 0 && x->next_id > x->last_id;
    x->out_at = x->out_len = 0;
    if (ended) {
        x->body = CAPY_HTTPD_BODY_NONE;
        x->due_at = 0;
        if (x->http11) /* last-chunk, RFC 9112 §7.1 */
            x->out_len = (uint32_t)sprintf((char *)x->out, "0\r\n\r\n");
        return;
    }
    int len = snprintf(event, sizeof event, "id: %" PRIu64 "\ndata: %s %" PRIu64 "\n\n", x->next_id,
                       site->server, x->next_id);
    int n = x->http11
                ? snprintf((char *)x->out, sizeof x->out, "%x\r\n%s\r\n", (unsigned)len, event)
                : snprintf((char *)x->out, sizeof x->out, "%s", event);
    x->out_len = (uint32_t)n;
    x->next_id++;
    if (x->last_id != 0 && x->next_id > x->last_id)
        return; /* the end is due at once */
    x->due_at += x->interval_ms * NS_PER_MS;
    if (x->due_at <= now)
        x->due_at = now + x->interval_ms * NS_PER_MS;
}
