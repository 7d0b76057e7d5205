/* The verbs that act on a running rack, over its control socket. See verbs.h. */
#define _GNU_SOURCE /* setns */
#include "apps/rack/verbs.h"

#include "apps/common/jsonl.h"
#include "apps/rack/local.h"
#include "apps/rack/member.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STEER_MS                                                                                   \
    (RACK_STOP_MS + 2 * RACK_READY_MS) /* a stop and a start may each take their full time */

/* Asks the rack in dir; prints what is wrong. The answer when it is ok, else NULL. */
static json_t *ask(const char *dir, json_t *question)
{
    char path[300];
    snprintf(path, sizeof path, "%s/rack.sock", dir);
    json_t *answer = capy_jsonl_ask(path, question, STEER_MS);
    if (!answer) {
        fprintf(stderr, "capy rack: %s: %s; start a rack with capy rack up, or name its --dir\n",
                path, strerror(errno));
        return NULL;
    }
    if (json_is_true(json_object_get(answer, "ok"))) {
        return answer;
    }
    const char *why = json_string_value(json_object_get(answer, "error"));
    fprintf(stderr, "capy rack: %s\n", why ? why : "refused without a word");
    json_decref(answer);
    return NULL;
}

int rack_verb_steer(const char *dir, const char *verb, const char *name)
{
    json_t *answer = ask(dir, json_pack("{s:s, s:s}", "cmd", verb, "name", name));
    json_decref(answer);
    return answer ? 0 : 2;
}

int rack_verb_status(const char *dir)
{
    json_t *answer = ask(dir, json_pack("{s:s}", "cmd", "status")), *m;
    if (!answer) {
        return 2;
    }
    size_t i;
    json_array_foreach(json_object_get(answer, "members"), i, m)
    {
        printf("%-8s pid %-8lld %s\n", json_string_value(json_object_get(m, "name")),
               (long long)json_integer_value(json_object_get(m, "pid")),
               json_string_value(json_object_get(m, "state")));
    }
    json_decref(answer);
    return 0;
}

int rack_verb_exec(const char *dir, const char *name, char **argv)
{
    char err[300];
    int netns = capy_rack_local_netns(dir, name, err, sizeof err);
    if (netns < 0) {
        fprintf(stderr, "capy rack: %s\n", err);
        return 2;
    }
    if (setns(netns, CLONE_NEWNET) < 0) {
        fprintf(stderr, "capy rack: entering %s: %s; run it with sudo\n", name, strerror(errno));
        return 2;
    }
    execvp(argv[0], argv);
    fprintf(stderr, "capy rack: %s: %s\n", argv[0], strerror(errno));
    return 127;
}
