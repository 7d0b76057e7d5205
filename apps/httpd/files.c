/* Static files. Two guards against leaving the root: the path's text is sanitised, and the kernel
 * resolves it beneath the root whatever links lie there (openat2 with RESOLVE_BENEATH, Linux 5.6).
 * Files are read, not mapped: one that shrinks under us is a short read instead of a SIGBUS. */
#include "apps/httpd/files.h"
#include "apps/httpd/resources.h"
#include "apps/httpd/response.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *extension, *type;
} mime_types[] = {
    {"html", "text/html; charset=utf-8"},
    {"htm", "text/html; charset=utf-8"},
    {"css", "text/css; charset=utf-8"},
    {"js", "text/javascript; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"txt", "text/plain; charset=utf-8"},
    {"md", "text/markdown; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"json", "application/json"},
    {"xml", "application/xml"},
    {"pdf", "application/pdf"},
    {"wasm", "application/wasm"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"svg", "image/svg+xml"},
    {"ico", "image/x-icon"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
};

const char *capy_httpd_mime(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    for (size_t i = 0; dot && (!slash || dot > slash) && i < sizeof mime_types / sizeof *mime_types;
         i++) {
        if (strcasecmp(dot + 1, mime_types[i].extension) == 0)
            return mime_types[i].type;
    }
    return "application/octet-stream";
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

/* The character at *at, decoded; moves *at behind it. -1: a broken escape or NUL. */
static int next_char(const char **at, const char *end)
{
    const char *p = *at;
    int c = (unsigned char)*p;
    *at = p + 1;
    if (c == '%') {
        if (end - p < 3 || hex_digit(p[1]) < 0 || hex_digit(p[2]) < 0)
            return -1;
        c = hex_digit(p[1]) * 16 + hex_digit(p[2]);
        *at = p + 3;
    }
    return c ? c : -1;
}

/* Judges the segment out[from .. to): false for "..", and *to moves back over "." */
static bool end_segment(const char *out, size_t from, size_t *to)
{
    size_t len = *to - from;
    if (len == 2 && out[from] == '.' && out[from + 1] == '.')
        return false;
    if (len == 1 && out[from] == '.')
        *to = from;
    return true;
}

bool capy_httpd_path(const char *path, size_t len, char *out, size_t cap)
{
    static const char index_name[] = "index.html";
    const char *at = path, *end = path + len;
    size_t n = 0, segment = 0;
    while (at < end) {
        int c = next_char(&at, end);
        if (c < 0)
            return false;
        if (c == '/') {
            if (!end_segment(out, segment, &n))
                return false;
            if (n == segment)
                continue; /* "//", "/./", or the first slash */
        }
        if (n + 1 >= cap)
            return false;
        out[n++] = (char)c;
        if (c == '/')
            segment = n;
    }
    if (!end_segment(out, segment, &n))
        return false;
    if (n == segment) { /* a directory */
        if (n + sizeof index_name > cap)
            return false;
        memcpy(out + n, index_name, sizeof index_name);
        return true;
    }
    out[n] = 0;
    return true;
}

static int64_t mtime_of(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* A regular file below the root, open for reading; or -1 with errno: EISDIR for a directory, ENOENT
 * for anything else that is no file. */
static int open_beneath(int root_fd, const char *path, struct stat *st)
{
    struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, /* no waiting for a fifo's writer */
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd < 0)
        return -1;
    int problem = fstat(fd, st) < 0 ? errno : S_ISDIR(st->st_mode) ? EISDIR : ENOENT;
    if (problem == ENOENT && S_ISREG(st->st_mode))
        return fd;
    close(fd);
    errno = problem;
    return -1;
}

static void answer_open_error(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                              const struct capy_httpd_request *req)
{
    char location[CAPY_HTTPD_PATH_MAX + 32];
    if (errno == EISDIR && req->path_len < CAPY_HTTPD_PATH_MAX) {
        const char *path = req->path; /* "//name" would name another host */
        size_t len = req->path_len;
        for (; len > 1 && path[1] == '/'; len--)
            path++;
        snprintf(location, sizeof location, "Location: %.*s/\r\n", (int)len, path);
        capy_httpd_text(site, x, HTTP_STATUS_MOVED_PERMANENTLY, NULL, location, "");
    } else if (errno == EACCES) {
        capy_httpd_error(site, x, HTTP_STATUS_FORBIDDEN, NULL);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
        capy_httpd_error(site, x, HTTP_STATUS_SERVICE_UNAVAILABLE, NULL);
    } else {
        capy_httpd_error(site, x, HTTP_STATUS_NOT_FOUND, NULL);
    }
}

void capy_httpd_open_file(struct capy_httpd_site *site, struct capy_httpd_exchange *x,
                          const struct capy_httpd_request *req)
{
    struct stat st;
    char fields[160], modified[32];
    if (!capy_httpd_path(req->path, req->path_len, x->path, sizeof x->path)) {
        capy_httpd_error(site, x, HTTP_STATUS_BAD_REQUEST, NULL);
        return;
    }
    int fd = open_beneath(site->root_fd, x->path, &st);
    if (fd < 0) {
        answer_open_error(site, x, req);
        return;
    }
    capy_httpd_serve(site, site->service_ns);
    struct tm tm;
    gmtime_r(&st.st_mtim.tv_sec, &tm);
    strftime(modified, sizeof modified, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    x->length = (uint64_t)st.st_size;
    x->mtime_ns = mtime_of(&st);
    snprintf(fields, sizeof fields, "Last-Modified: %s\r\nETag: \"%" PRIx64 "-%" PRIx64 "\"\r\n",
             modified, x->length, (uint64_t)x->mtime_ns);
    struct capy_httpd_answer answer = {.status = HTTP_STATUS_OK,
                                       .type = capy_httpd_mime(x->path),
                                       .fields = fields,
                                       .length = x->length};
    capy_httpd_head(site, x, &answer);
    if (x->head_only) {
        close(fd);
        return;
    }
    x->body = CAPY_HTTPD_BODY_FILE;
    x->fd = fd;
}

bool capy_httpd_reopen_file(const struct capy_httpd_site *site, struct capy_httpd_exchange *x)
{
    struct stat st;
    if (site->root_fd < 0)
        return false;
    /* The path came over the network; that it stays below the root is openat2's word. */
    x->fd = open_beneath(site->root_fd, x->path, &st);
    return x->fd >= 0 && (uint64_t)st.st_size == x->length && mtime_of(&st) == x->mtime_ns;
}

bool capy_httpd_file_read(const struct capy_httpd_exchange *x, uint8_t *out, uint32_t len)
{
    for (uint32_t done = 0; done < len;) {
        ssize_t n = pread(x->fd, out + done, len - done, (off_t)(x->offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (uint32_t)n;
    }
    return true;
}
