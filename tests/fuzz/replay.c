/* The plain driver of a fuzz target: feeds it every file of the folders, or the files, named on the
 * command line, in order of name. For compilers without libFuzzer, for make test, and for finding
 * out what one input does.
 *
 *     replay-NAME tests/fuzz/corpus/NAME        exit status 0; an oracle that is hurt aborts */
#include "target.h"
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

extern unsigned fuzz_accepted __attribute__((weak)); /* no decoder: its address is NULL */
static unsigned fed;
static size_t fed_bytes;

static int fail(const char *path)
{
    fprintf(stderr, "replay: %s: %s; name files or folders of inputs\n", path, strerror(errno));
    return 2;
}

static int feed(const char *path)
{
    struct stat st;
    FILE *file = fopen(path, "rbe");
    if (!file || fstat(fileno(file), &st) != 0)
        return fail(path);
    size_t len = (size_t)st.st_size;
    uint8_t *data =
        malloc(len > 0 ? len : 1); /* of just its size: sanitizers see one byte beyond */
    if (!data || fread(data, 1, len, file) != len)
        return fail(path);
    (void)fclose(file);
    fprintf(stderr, "%s\n", path); /* the last one named is the one that fails */
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    fed++;
    fed_bytes += len;
    return 0;
}

static int no_dots(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* A corpus of a decoder is worth its time when it decodes. */
static int judge_corpus(const char *folder, unsigned cnt, unsigned accepted)
{
    if (accepted * 2 >= cnt)
        return 0;
    fprintf(stderr,
            "replay: %s: only %u of %u inputs decode; remake them in today's format "
            "(docs/testing.md, Equivalence)\n",
            folder, accepted, cnt);
    return 1;
}

static int feed_folder(const char *folder)
{
    struct dirent **names;
    unsigned fed_before = fed, accepted_before = &fuzz_accepted ? fuzz_accepted : 0;
    int cnt = scandir(folder, &names, no_dots, alphasort), rc = 0;
    if (cnt < 0)
        return fail(folder);
    for (int i = 0; i < cnt; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (rc == 0)
            rc = feed(path);
        free(names[i]);
    }
    free(names);
    if (rc == 0 && &fuzz_accepted)
        rc = judge_corpus(folder, fed - fed_before, fuzz_accepted - accepted_before);
    return rc;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) != 0)
            return fail(argv[i]);
        int rc = S_ISDIR(st.st_mode) ? feed_folder(argv[i]) : feed(argv[i]);
        if (rc != 0)
            return rc;
    }
    if (fed == 0) {
        fprintf(stderr, "replay: no input; name files or folders of inputs\n");
        return 2;
    }
    printf("%u inputs, %zu bytes\n", fed, fed_bytes);
    return 0;
}
