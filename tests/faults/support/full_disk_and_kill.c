/*
 * Faults of the system at moments of work, for a process that this library is preloaded into: below one folder it lets
 * so many bytes be written and then says that the disk is full, or it kills the process in the middle of its n-th call
 * that changes files. Counting calls and bytes, not seconds, makes every fault repeatable.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES = 64 };

/* Shared with forked processes, which count together. */
struct moment {
    long calls, bytes;  /* so far */
    long kill_at, room; /* the call that is the last one, and the bytes that fit; negative: never */
    char folder[PATH_MAX];
    struct {
        dev_t device;
        ino_t inode;
        off_t size;
    } reserved[FILES]; /* space that was asked for beforehand is there later */
    int reservations;
};

static struct moment *armed;

struct moment *arm(const char *folder, long kill_at, long room)
{
    armed = mmap(NULL, sizeof *armed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strncpy(armed->folder, folder, PATH_MAX - 1);
    armed->kill_at = kill_at;
    armed->room = room;
    return armed;
}

void disarm(void)
{
    munmap(armed, sizeof *armed);
    armed = NULL;
}

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static int is_below(const char *path)
{
    size_t length = strlen(armed->folder);
    return strncmp(path, armed->folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int watches_file(int fd)
{
    char link[32], path[PATH_MAX];
    if (!armed)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return is_below(path);
}

static int watches_path(int folder, const char *path)
{
    if (!armed || !path)
        return 0;
    if (path[0] != '/' && folder != AT_FDCWD)
        return watches_file(folder);
    if (path[0] == '/')
        return is_below(path);
    char here[PATH_MAX];
    return getcwd(here, sizeof here) && is_below(here);
}

/* Count a call that changes files; true for the last one. */
static int is_last(void)
{
    return __atomic_add_fetch(&armed->calls, 1, __ATOMIC_SEQ_CST) == armed->kill_at;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void step(int watched)
{
    if (watched && is_last())
        die();
}

/* Take room for so many bytes; returns how many of them fit. */
static size_t take(size_t wanted)
{
    long taken = __atomic_fetch_add(&armed->bytes, (long)wanted, __ATOMIC_SEQ_CST);
    if (armed->room < 0 || taken + (long)wanted <= armed->room)
        return wanted;
    return taken < armed->room ? (size_t)(armed->room - taken) : 0;
}

static off_t reserved(int fd)
{
    struct stat file;
    if (fstat(fd, &file))
        return 0;
    for (int i = 0; i < armed->reservations; i++)
        if (armed->reserved[i].device == file.st_dev && armed->reserved[i].inode == file.st_ino)
            return armed->reserved[i].size;
    return 0;
}

static int reserve(int fd, off_t size)
{
    struct stat file;
    off_t before = reserved(fd);
    if (size <= before || fstat(fd, &file))
        return 0;
    if (take((size_t)(size - before)) < (size_t)(size - before))
        return ENOSPC;
    if (armed->reservations < FILES) {
        int i = armed->reservations++;
        armed->reserved[i].device = file.st_dev;
        armed->reserved[i].inode = file.st_ino;
        armed->reserved[i].size = size;
    }
    return 0;
}

/* How many of the bytes that are to be written at `offset` may be; the last call of a process gets half through. */
static size_t admitted(int fd, off_t offset, size_t count, int *last)
{
    *last = is_last();
    if (*last)
        return count / 2;
    return offset + (off_t)count <= reserved(fd) ? count : take(count);
}

#define WRITE(fd, offset, count, call)                        \
    do {                                                      \
        int last = 0;                                         \
        if (watches_file(fd)) {                               \
            size_t fits = admitted(fd, offset, count, &last); \
            if (!fits && count && !last) {                    \
                errno = ENOSPC;                               \
                return -1;                                    \
            }                                                 \
            count = fits;                                     \
        }                                                     \
        ssize_t done = call;                                  \
        if (last)                                             \
            die();                                            \
        return done;                                          \
    } while (0)

ssize_t write(int fd, const void *data, size_t count)
{
    WRITE(fd, lseek(fd, 0, SEEK_CUR), count, REAL(write)(fd, data, count));
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
    WRITE(fd, offset, count, REAL(pwrite)(fd, data, count, offset));
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset) __attribute__((alias("pwrite")));

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (!watches_file(fd))
        return REAL(writev)(fd, parts, count);
    return count ? write(fd, parts[0].iov_base, parts[0].iov_len) : 0; /* a short write, which callers must expect */
}

size_t fwrite(const void *data, size_t size, size_t count, FILE *file)
{
    if (!watches_file(fileno(file)))
        return REAL(fwrite)(data, size, count, file);
    int last = 0;
    size_t fits = admitted(fileno(file), ftello(file), size * count, &last);
    size_t done = REAL(fwrite)(data, 1, fits, file);
    fflush(file);
    if (last)
        die();
    if (done < size * count)
        errno = ENOSPC;
    return size ? done / size : 0;
}

ssize_t sendfile(int to, int from, off_t *offset, size_t count)
{
    if (!watches_file(to))
        return REAL(sendfile)(to, from, offset, count);
    errno = EINVAL; /* let the caller read and write */
    return -1;
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) __attribute__((alias("sendfile")));

ssize_t copy_file_range(int from, off64_t *start, int to, off64_t *at, size_t count, unsigned flags)
{
    if (!watches_file(to))
        return REAL(copy_file_range)(from, start, to, at, count, flags);
    errno = EXDEV; /* let the caller read and write */
    return -1;
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    step(watches_file(fd));
    int full = watches_file(fd) ? reserve(fd, offset + length) : 0;
    return full ? full : REAL(posix_fallocate)(fd, offset, length);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) __attribute__((alias("posix_fallocate")));

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    step(watches_file(fd));
    if (watches_file(fd) && reserve(fd, offset + length)) {
        errno = ENOSPC;
        return -1;
    }
    return REAL(fallocate)(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) __attribute__((alias("fallocate")));

/* A file with holes that is mapped to be written: the kernel asks for the space when a page is touched, and where there
   is none it can only send a signal. */
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if ((flags & MAP_SHARED) && (protection & PROT_WRITE) && fd >= 0 && watches_file(fd) &&
        reserve(fd, offset + (off_t)length))
        kill(getpid(), SIGBUS);
    return REAL(mmap)(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset)
    __attribute__((alias("mmap")));

#define CREATES(flags) (((flags) & O_CREAT) || (((flags) & O_TRUNC) && ((flags) & O_ACCMODE) != O_RDONLY))

#define OPEN(name, folder, parameters, arguments)           \
    int name parameters                                     \
    {                                                       \
        mode_t mode = 0;                                    \
        if (flags & (O_CREAT | O_TMPFILE)) {                \
            va_list rest;                                   \
            va_start(rest, flags);                          \
            mode = va_arg(rest, mode_t);                    \
            va_end(rest);                                   \
        }                                                   \
        step(CREATES(flags) && watches_path(folder, path)); \
        return REAL(name) arguments;                        \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

/* A call that changes files without taking space: counted, then made. */
#define STEP(watched, name, parameters, arguments) \
    int name parameters                            \
    {                                              \
        step(watched);                             \
        return REAL(name) arguments;               \
    }

STEP(watches_file(fd), ftruncate, (int fd, off_t length), (fd, length))
STEP(watches_file(fd), ftruncate64, (int fd, off64_t length), (fd, length))
STEP(watches_file(fd), fsync, (int fd), (fd))
STEP(watches_file(fd), fdatasync, (int fd), (fd))
STEP(watches_path(AT_FDCWD, path), mkdir, (const char *path, mode_t mode), (path, mode))
STEP(watches_path(AT_FDCWD, to), rename, (const char *from, const char *to), (from, to))
STEP(watches_path(folder, to), renameat, (int from_folder, const char *from, int folder, const char *to),
     (from_folder, from, folder, to))
STEP(watches_path(AT_FDCWD, to), link, (const char *from, const char *to), (from, to))
STEP(watches_path(AT_FDCWD, path), unlink, (const char *path), (path))
STEP(watches_path(folder, path), unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
STEP(watches_path(AT_FDCWD, path), rmdir, (const char *path), (path))
