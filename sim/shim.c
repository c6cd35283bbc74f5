/* Faults for a real process: LD_PRELOADed, it holds, delays or fails syncs, fills the disk, and shifts the wall clock.
 *
 * SIXKIT_SHIM_CONTROL        a file, read at each call; absent or empty: no fault. It may say, one or more of
 *                              hold        fsync, fdatasync and sync_file_range of regular files wait while it says so
 *                              delay N     each of them takes N ms longer
 *                              eio         each of them fails with EIO, and nothing is synced
 *                              enospc      write, pwrite, writev, pwritev and fallocate fail with ENOSPC
 * SIXKIT_SHIM_FOLDER         syncs and writes of files elsewhere are left alone (absolute; empty: syncs of all files,
 *                            writes of none)
 * SIXKIT_SHIM_WALL_OFFSET_S  added to what the process reads of the wall clock
 *
 * There is no state but what the constructor sets, so any thread may be in any of these at any time. Programs that make
 * system calls without the C library (those in Go) are not reached.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 5
#define CONTROL_BYTES_MAX 128

static const char *control_path;
static char folder[PATH_MAX];
static size_t folder_length;
static time_t wall_offset_s;

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_sync_file_range)(int, off64_t, off64_t, unsigned int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_pwrite64)(int, const void *, size_t, off64_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fallocate)(int, int, off_t, off_t);
static int (*real_posix_fallocate)(int, off_t, off_t);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    const char *text;

    control_path = getenv("SIXKIT_SHIM_CONTROL");
    text = getenv("SIXKIT_SHIM_FOLDER");
    if (text != NULL && text[0] == '/' && realpath(text, folder) != NULL)
        folder_length = strlen(folder);
    text = getenv("SIXKIT_SHIM_WALL_OFFSET_S");
    wall_offset_s = text != NULL ? (time_t)atoll(text) : 0;

    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_sync_file_range = dlsym(RTLD_NEXT, "sync_file_range");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_pwrite64 = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate");
    real_posix_fallocate = dlsym(RTLD_NEXT, "posix_fallocate");
    real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
}

/* What the control file says now, by system calls of our own; errno is left as it was. */
static void read_control(char text[CONTROL_BYTES_MAX])
{
    int before = errno;
    ssize_t length = 0;
    long fd = control_path != NULL ? syscall(SYS_openat, AT_FDCWD, control_path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        length = syscall(SYS_read, (int)fd, text, CONTROL_BYTES_MAX - 1);
        syscall(SYS_close, (int)fd);
    }
    text[length > 0 ? length : 0] = '\0';
    errno = before;
}

static int is_regular(int fd)
{
    struct stat status;
    int before = errno;
    int regular = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);

    errno = before;
    return regular;
}

static int is_in_folder(int fd)
{
    char link[32], path[PATH_MAX];
    int before = errno;
    ssize_t length;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = readlink(link, path, sizeof path);
    errno = before;
    return length > (ssize_t)folder_length && memcmp(path, folder, folder_length) == 0 && path[folder_length] == '/';
}

static void pause_ms(long ms)
{
    struct timespec length = {ms / 1000, ms % 1000 * 1000000};

    while (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &length, &length) != 0 && errno == EINTR)
        ;
}

/* Waits or fails as the control file says; 0 where the sync may go on. */
static int sync_fault(int fd)
{
    char text[CONTROL_BYTES_MAX];
    const char *delay;
    int before = errno;

    if (control_path == NULL || !is_regular(fd) || (folder_length != 0 && !is_in_folder(fd)))
        return 0;
    for (read_control(text); strstr(text, "hold") != NULL; read_control(text))
        pause_ms(POLL_MS);
    delay = strstr(text, "delay ");
    if (delay != NULL)
        pause_ms(atol(delay + strlen("delay ")));
    errno = before;
    if (strstr(text, "eio") == NULL)
        return 0;
    errno = EIO;
    return -1;
}

/* -1 with ENOSPC where the disk is to be full. */
static int write_fault(int fd)
{
    char text[CONTROL_BYTES_MAX];

    if (control_path == NULL || folder_length == 0)
        return 0;
    read_control(text);
    if (strstr(text, "enospc") == NULL || !is_regular(fd) || !is_in_folder(fd))
        return 0;
    errno = ENOSPC;
    return -1;
}

int fsync(int fd)
{
    return sync_fault(fd) != 0 ? -1 : real_fsync(fd);
}

int fdatasync(int fd)
{
    return sync_fault(fd) != 0 ? -1 : real_fdatasync(fd);
}

int sync_file_range(int fd, off64_t offset, off64_t count, unsigned int flags)
{
    return sync_fault(fd) != 0 ? -1 : real_sync_file_range(fd, offset, count, flags);
}

ssize_t write(int fd, const void *data, size_t count)
{
    return write_fault(fd) != 0 ? -1 : real_write(fd, data, count);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset)
{
    return write_fault(fd) != 0 ? -1 : real_pwrite(fd, data, count, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off64_t offset)
{
    return write_fault(fd) != 0 ? -1 : real_pwrite64(fd, data, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_fault(fd) != 0 ? -1 : real_writev(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return write_fault(fd) != 0 ? -1 : real_pwritev(fd, parts, count, offset);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return write_fault(fd) != 0 ? -1 : real_fallocate(fd, mode, offset, length);
}

int posix_fallocate(int fd, off_t offset, off_t length)
{
    return write_fault(fd) != 0 ? ENOSPC : real_posix_fallocate(fd, offset, length);
}

/* The wall clock. OpenSSL asks time(), Python clock_gettime(). */

static int is_wall(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*volatile real)(clockid_t, struct timespec *); /* may be asked before the constructor has run */

    if (real == NULL)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    if (real(clock, now) != 0)
        return -1;
    if (is_wall(clock))
        now->tv_sec += wall_offset_s;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec fine;

    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &fine) != 0)
        return -1;
    now->tv_sec = fine.tv_sec;
    now->tv_usec = fine.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now)
{
    struct timespec fine;

    clock_gettime(CLOCK_REALTIME_COARSE, &fine);
    if (now != NULL)
        *now = fine.tv_sec;
    return fine.tv_sec;
}

int timespec_get(struct timespec *now, int base)
{
    return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

/* Waits until a wall time: reckoned by the process from the shifted clock, kept by the kernel with its own. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    struct timespec real_until = {until->tv_sec - wall_offset_s, until->tv_nsec};

    return real_sem_timedwait(semaphore, &real_until);
}
