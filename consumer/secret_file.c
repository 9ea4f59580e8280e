/* consumer/secret_file.c - see secret_file.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static enum err io_error(const char *path, const char *what)
{
    log_error("secret file: %s path=%s error=\"%s\"", what, path, strerror(errno));
    return ERR_IO;
}

enum err secret_file_read(const char *path, struct secret *out)
{
    unsigned char bytes[SECRET_SIZE + 1];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? ERR_NOT_FOUND : io_error(path, "cannot be opened");
    }
    const ssize_t size = read(fd, bytes, sizeof(bytes));
    close(fd);
    if (size < 0) {
        return io_error(path, "cannot be read");
    }
    if (size != SECRET_SIZE) {
        log_error("secret file: it has not %d bytes; it is not one that suppressd made path=%s",
                  SECRET_SIZE, path);
        return ERR_BAD_FORMAT;
    }
    secret_init(out, bytes);
    return OK;
}

static enum err make_folders(const char *path)
{
    char folder[PATH_MAX];
    if (strlen(path) >= sizeof(folder)) {
        errno = ENAMETOOLONG;
        return io_error(path, "cannot be made");
    }
    for (const char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        memcpy(folder, path, (size_t)(slash - path));
        folder[slash - path] = '\0';
        if (mkdir(folder, 0750) != 0 && errno != EEXIST) {
            return io_error(folder, "its folder cannot be made");
        }
    }
    return OK;
}

enum err secret_file_create(const char *path)
{
    unsigned char bytes[SECRET_SIZE];
    enum err err = make_folders(path);
    if (err != OK) {
        return err;
    }
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes)) {
        return io_error(path, "no randomness from the kernel");
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno == EEXIST ? ERR_REFUSED : io_error(path, "cannot be made");
    }
    if (write(fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) || fsync(fd) != 0) {
        err = io_error(path, "cannot be written");
    }
    close(fd);
    if (err != OK) {
        (void)unlink(path);
    }
    return err;
}

void secret_fixed(struct secret *out)
{
    /* XXH3 asks a secret to look random: any fixed bytes that do will serve */
    unsigned char bytes[SECRET_SIZE];
    uint64_t x = UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        bytes[i] = (unsigned char)(x >> 32);
    }
    secret_init(out, bytes);
}
