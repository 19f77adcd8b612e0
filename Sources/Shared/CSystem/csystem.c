#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int cs_accept(int listener, struct sockaddr_storage *address, socklen_t *length) {
    *length = sizeof *address;
    memset(address, 0, sizeof *address);
    return accept4(listener, (struct sockaddr *)address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t cs_send_packet(int channel, const void *bytes, size_t count, int fd) {
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ssize_t sent;
    do {
        sent = sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

ssize_t cs_receive_packet(int channel, void *bytes, size_t capacity, int *fd) {
    /* Room for several descriptors, so that surplus ones are seen and closed instead of truncated. */
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t count;
    *fd = -1;
    do {
        count = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0) return count;
    int surplus = 0, cut = (message.msg_flags & MSG_CTRUNC) != 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS) continue;
        size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int received;
            memcpy(&received, CMSG_DATA(h) + i * sizeof(int), sizeof received);
            if (*fd < 0) {
                *fd = received;
            } else {
                close(received);
                surplus = 1;
            }
        }
    }
    /* Cut short with none received: there was no number left for it here, and the kernel has dropped it. */
    if (cut && *fd < 0 && !(message.msg_flags & MSG_TRUNC)) {
        *fd = CS_DESCRIPTOR_LOST;
        return count;
    }
    if (surplus || cut || (message.msg_flags & MSG_TRUNC)) {
        if (*fd >= 0) close(*fd);
        *fd = -1;
        errno = EMSGSIZE;
        return -1;
    }
    return count;
}

int cs_sealed_file(const char *name, const void *bytes, size_t count) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    size_t done = 0;
    while (done < count) {
        ssize_t n = write(fd, (const char *)bytes + done, count - done);
        if (n < 0) {
            if (errno == EINTR) continue;
            int saved = errno;
            close(fd);
            errno = saved;
            return -1;
        }
        done += (size_t)n;
    }
    if (lseek(fd, 0, SEEK_SET) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

int cs_shared_file(const char *name, size_t count) {
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (ftruncate(fd, (off_t)count) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

void cs_publish(void *place, uint32_t value) { __atomic_store_n((uint32_t *)place, value, __ATOMIC_RELEASE); }

/* Runs in the child between fork and exec: only async-signal-safe calls. Returns only on failure, with
 * errno; *report is where to say so, moved out of the way of the numbers that are given out. */
static void become(const struct cs_spawn *plan, pid_t parent, int *report) {
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++) signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) return;
    if (getppid() != parent) { errno = ESRCH; return; }
    /* A group of its own: Ctrl-C at the terminal is for the supervisor, which lets streams finish. */
    setpgid(0, 0);
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0) return;
    /* First above everything in use, then down to 3…: no order of numbers can overwrite another. */
    int base = 3 + (int)plan->descriptor_count;
    int high = fcntl(*report, F_DUPFD_CLOEXEC, base + (int)plan->descriptor_count + 8);
    if (high < 0) return;
    *report = high;
    int moved[16];
    if (plan->descriptor_count > sizeof moved / sizeof moved[0]) { errno = EINVAL; return; }
    for (size_t i = 0; i < plan->descriptor_count; i++) {
        moved[i] = fcntl(plan->descriptors[i], F_DUPFD_CLOEXEC, high + 1);
        if (moved[i] < 0) return;
    }
    for (size_t i = 0; i < plan->descriptor_count; i++)
        if (dup2(moved[i], 3 + (int)i) < 0) return; /* dup2 clears close-on-exec */
    if (syscall(SYS_close_range, base, high - 1, 0) < 0) return;
    if (syscall(SYS_close_range, high + 1, ~0U, 0) < 0) return;
    /* What may not be dumped is root's in /proc, also for itself; execve makes it anew in any case. */
    prctl(PR_SET_DUMPABLE, 1);
    int oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    prctl(PR_SET_DUMPABLE, 0);
    if (oom >= 0) {
        char text[12];
        int value = plan->oom_score_adj, length = 0, digits = 0;
        char reversed[10];
        if (value < 0) { text[length++] = '-'; value = -value; }
        do { reversed[digits++] = (char)('0' + value % 10); value /= 10; } while (value && digits < 10);
        while (digits) text[length++] = reversed[--digits];
        ssize_t ignored = write(oom, text, (size_t)length);
        (void)ignored;
        close(oom);
    }
    execve(plan->path, plan->argv, plan->envp);
}

pid_t cs_spawn(const struct cs_spawn *plan, int *pidfd) {
    int report[2];
    sigset_t all, before;
    *pidfd = -1;
    if (pipe2(report, O_CLOEXEC) < 0) return -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        become(plan, parent, &report[1]);
        int saved = errno;
        ssize_t ignored = write(report[1], &saved, sizeof saved);
        (void)ignored;
        _exit(127);
    }
    int saved = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (child < 0) {
        close(report[0]);
        errno = saved;
        return -1;
    }
    int failure = 0;
    ssize_t n;
    do {
        n = read(report[0], &failure, sizeof failure);
    } while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == (ssize_t)sizeof failure) {
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        errno = failure;
        return -1;
    }
    int handle = (int)syscall(SYS_pidfd_open, child, 0);
    if (handle < 0) {
        saved = errno;
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        errno = saved;
        return -1;
    }
    *pidfd = handle; /* pidfd_open sets close-on-exec itself */
    return child;
}

pid_t cs_spawn_filter(const char *path, char *const *argv, uint64_t cpu_seconds, uint64_t memory_bytes,
                      int *input, int *output, int *pidfd) {
    int in[2] = {-1, -1}, out[2] = {-1, -1}, handle = -1, error;
    pid_t child = -1;
    char *const nothing[] = {NULL};
    sigset_t none, all;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    *input = *output = *pidfd = -1;
    if ((error = posix_spawn_file_actions_init(&actions)) != 0) { errno = error; return -1; }
    if ((error = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        errno = error;
        return -1;
    }
    sigemptyset(&none);
    sigfillset(&all);
    /* A socket, since writing to it can be kept from raising SIGPIPE. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) < 0 || pipe2(out, O_CLOEXEC) < 0 ||
        fcntl(in[0], F_SETFL, O_NONBLOCK) < 0 || fcntl(out[0], F_SETFL, O_NONBLOCK) < 0) {
        error = errno;
    } else if ((error = posix_spawn_file_actions_adddup2(&actions, in[1], STDIN_FILENO)) == 0 &&
               (error = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO)) == 0 &&
               (error = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)) == 0 &&
               (error = posix_spawn_file_actions_addclosefrom_np(&actions, 3)) == 0 &&
               (error = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
               (error = posix_spawnattr_setsigdefault(&attributes, &all)) == 0 &&
               (error = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
               (error = posix_spawnattr_setflags(
                    &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)) == 0) {
        error = posix_spawn(&child, path, &actions, &attributes, argv, nothing);
        if (error != 0) child = -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (in[1] >= 0) close(in[1]);
    if (out[1] >= 0) close(out[1]);
    if (child > 0) {
        /* Best effort: without them the caller's own limit of time holds. */
        struct rlimit cpu = {cpu_seconds, cpu_seconds}, memory = {memory_bytes, memory_bytes}, core = {0, 0};
        prlimit(child, RLIMIT_CPU, &cpu, NULL);
        prlimit(child, RLIMIT_AS, &memory, NULL);
        prlimit(child, RLIMIT_CORE, &core, NULL);
        handle = (int)syscall(SYS_pidfd_open, child, 0);
        if (handle < 0) {
            error = errno;
            kill(child, SIGKILL);
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
            child = -1;
        }
    }
    if (child < 0) {
        if (in[0] >= 0) close(in[0]);
        if (out[0] >= 0) close(out[0]);
        errno = error;
        return -1;
    }
    *input = in[0];
    *output = out[0];
    *pidfd = handle;
    return child;
}

int cs_pidfd_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int cs_reap(pid_t pid, int *code, int *signalled) {
    int status;
    pid_t ended;
    do {
        ended = waitpid(pid, &status, WNOHANG);
    } while (ended < 0 && errno == EINTR);
    if (ended <= 0) return (int)ended;
    *signalled = WIFSIGNALED(status) ? 1 : 0;
    *code = *signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    return 1;
}

int cs_is_stopped(pid_t pid) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) < 0) return 0;
    return info.si_pid == pid && (info.si_code == CLD_STOPPED || info.si_code == CLD_TRAPPED);
}

int cs_local_port(int fd) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -1;
    if (address.ss_family == AF_INET) return ntohs(((struct sockaddr_in *)&address)->sin_port);
    if (address.ss_family == AF_INET6) return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return -1;
}

uint64_t cs_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t cs_wall_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t cs_coarse_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t cs_processor_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int cs_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int cs_random(void *bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
        ssize_t n = getrandom((char *)bytes + done, count - done, 0);
        if (n < 0) {
            if (errno == EINTR) continue;
            return -1;
        }
        done += (size_t)n;
    }
    return 0;
}

int cs_peer_credentials(int fd, pid_t *pid, uid_t *uid) {
    struct ucred who;
    socklen_t length = sizeof who;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) < 0) return -1;
    *pid = who.pid;
    *uid = who.uid;
    return 0;
}

int cs_signal_descriptor(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < count; i++) sigaddset(&set, signals[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int cs_next_signal(int fd, pid_t *sender) {
    struct signalfd_siginfo info;
    ssize_t n;
    do {
        n = read(fd, &info, sizeof info);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno == EAGAIN ? 0 : -1;
    if (n != (ssize_t)sizeof info) return 0;
    *sender = (pid_t)info.ssi_pid;
    return (int)info.ssi_signo;
}

int cs_listen_tcp(const struct sockaddr *address, socklen_t length, int backlog) {
    int one = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        (address->sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) ||
        bind(fd, address, length) < 0 || listen(fd, backlog) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

void cs_tune_connection(int fd) {
    int one = 1, idle = 60, interval = 15, probes = 4;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

ssize_t cs_send(int fd, const void *bytes, size_t count) {
    ssize_t n;
    do {
        n = send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    return n;
}

void cs_keep_secrets(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
}

void cs_keep_memory(int bytes) {
    /* Setting one threshold ends glibc's own adjusting of both (mallopt(3)): large bodies stay on the heap. */
    mallopt(M_TRIM_THRESHOLD, bytes);
    mallopt(M_MMAP_THRESHOLD, bytes);
}

void cs_trim_memory(void) { malloc_trim(0); }
