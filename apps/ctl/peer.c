/* Questions and answers; see peer.h. */
#include "apps/ctl/peer.h"
#include "apps/common/jsonl.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS                                                                                  \
    3000 /* a server answers between two bursts; this is for a machine that stalls                 \
          */

int ctl_fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("capy ctl: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

static json_t *ask(const struct ctl *ctl, const char *name, json_t *question)
{
    char path[sizeof ctl->rack.run_dir + CAPY_RACK_NAME_MAX + 8];
    snprintf(path, sizeof path, "%s/%s.sock", ctl->rack.run_dir, name);
    return capy_jsonl_ask(path, question, ANSWER_MS);
}

static const char *remedy(int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return "it is not running; start it, or name another rack file with --rack";
    case EACCES:
    case EPERM:
        return "run as the user that started it, or as root";
    case ETIMEDOUT:
        return "it is stopped or overloaded; try again";
    default:
        return "see its log";
    }
}

json_t *ctl_try(const struct ctl *ctl, const char *name, json_t *question)
{
    json_t *answer = ask(ctl, name, question);
    if (answer && !json_object_get(answer, "error"))
        return answer;
    json_decref(answer);
    return NULL;
}

json_t *ctl_ask(const struct ctl *ctl, const char *name, json_t *question)
{
    json_t *answer = ask(ctl, name, question);
    if (!answer) {
        int why = errno;
        ctl_fail(0, "no answer at %s/%s.sock: %s; %s", ctl->rack.run_dir, name, strerror(why),
                 remedy(why));
        return NULL;
    }
    if (!json_object_get(answer, "error"))
        return answer;
    ctl_fail(0, "%s says: %s", name, ctl_text(answer, "error"));
    json_decref(answer);
    return NULL;
}

json_t *ctl_question(const char *cmd)
{
    return json_pack("{s:s}", "cmd", cmd);
}

bool ctl_know(const struct ctl *ctl, const char *server)
{
    if (capy_rack_server_index(&ctl->rack, server) >= 0)
        return true;
    char known[512] = "";
    size_t used = 0;
    for (unsigned i = 0; i < ctl->rack.server_cnt && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 ctl->rack.server[i].name);
    ctl_fail(0, "no server \"%s\" in %s; known are %s", server, ctl->rack.path, known);
    return false;
}

bool ctl_anybody(const struct ctl *ctl)
{
    bool answers = false;
    int why = 0;
    for (unsigned i = 0; i <= ctl->rack.server_cnt && !answers; i++) {
        const char *name = i < ctl->rack.server_cnt ? ctl->rack.server[i].name : CTL_SWITCH;
        json_t *status = ask(ctl, name, ctl_question("status"));
        if (!status && (why == 0 || why == ENOENT))
            why = errno;
        answers = status != NULL;
        json_decref(status);
    }
    if (answers)
        return true;
    if (why == EACCES || why == EPERM)
        ctl_fail(0, "no permission for the control sockets in %s; %s", ctl->rack.run_dir,
                 remedy(why));
    else
        ctl_fail(0,
                 "no program of the rack %s runs (no answer in %s); start one with `capy rack up`, "
                 "or name another rack file with --rack",
                 ctl->rack.path, ctl->rack.run_dir);
    return false;
}

uint64_t ctl_number(const json_t *at, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(at, key));
    return n > 0 ? (uint64_t)n : 0;
}

const char *ctl_text(const json_t *at, const char *key)
{
    const char *text = json_string_value(json_object_get(at, key));
    return text ? text : "-";
}

bool ctl_flag(const json_t *at, const char *key)
{
    return json_is_true(json_object_get(at, key));
}

int ctl_print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(value);
    return 0;
}
