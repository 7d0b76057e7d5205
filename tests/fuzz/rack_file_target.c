/* Rack files from anywhere: one clear line of refusal, or a rack that can be written, and read back to
 * the same.
 *
 * Input: the file. */
#define _GNU_SOURCE /* memmem */
#include "capy/rack.h"
#include "target.h"
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* libconfig 1.5 forgets a string that a syntax error interrupts. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static char folder[] = "/tmp/capy-fuzz-XXXXXX";
static char in_path[64], out_path[64];

static void remove_folder(void)
{
    (void)unlink(in_path);
    (void)unlink(out_path);
    (void)rmdir(folder);
}

static void set_up(void)
{
    if (in_path[0])
        return;
    fuzz_check(mkdtemp(folder), "mkdtemp %s", folder);
    (void)snprintf(in_path, sizeof in_path, "%s/in", folder);
    (void)snprintf(out_path, sizeof out_path, "%s/out", folder);
    (void)atexit(remove_folder);
}

/* libconfig would read other files, and this is about this one. */
static int includes(const uint8_t *data, size_t size)
{
    return size >= 8 && memmem(data, size, "@include", 8) != NULL;
}

static void check_same(const struct capy_rack *rack)
{
    static struct capy_rack again;
    char err[512];
    fuzz_check(capy_rack_write(rack, out_path) == CAPY_OK, "not written");
    int rc = capy_rack_read(out_path, &again, err, sizeof err);
    fuzz_check(rc == CAPY_OK, "written and not read: %s", err);
    memcpy(again.path, rack->path, sizeof again.path);
    fuzz_check(memcmp(rack, &again, sizeof again) == 0, "written and read, it is another one");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct capy_rack rack;
    char err[512] = "";
    set_up();
    if (includes(data, size))
        return 0;
    FILE *file = fopen(in_path, "wbe");
    fuzz_check(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, "%s", in_path);
    memset(&rack, 0, sizeof rack);
    int rc = capy_rack_read(in_path, &rack, err, sizeof err);
    if (rc == CAPY_OK) {
        check_same(&rack);
    } else {
        fuzz_check(rc == CAPY_E_CONFIG, "error %d", rc);
        fuzz_check(strncmp(err, in_path, strlen(in_path)) == 0 && !strchr(err, '\n'),
                   "not one line with the file's name: %s", err);
    }
    return 0;
}
