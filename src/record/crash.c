/* Signals that end a program which is wrong; see crash.h. */
#include "record/crash.h"
#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
#define DEADLY_CNT (sizeof deadly / sizeof deadly[0])

static struct capy_record *watched;
static pthread_t owner;

static void on_death(int signal_number)
{
    struct capy_record *r = watched;
    watched = NULL;
    if (r && pthread_equal(pthread_self(), owner)) /* another thread's death interrupts a call */
        capy_record_crashed(r);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

void capy_record_watch_crash(struct capy_record *r)
{
    watched = r;
    owner = pthread_self();
    for (size_t i = 0; i < DEADLY_CNT && r; i++) {
        struct sigaction now, ours = {.sa_handler = on_death};
        if (sigaction(deadly[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
            (void)sigaction(deadly[i], &ours, NULL);
    }
}
