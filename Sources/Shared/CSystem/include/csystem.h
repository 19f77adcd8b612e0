/* What Swift's Glibc overlay cannot import (macros, GNU-only calls) or must not do itself
 * (work between fork and exec). Every function returns what its system call returns: -1 and errno. */
#ifndef DRAGOMAN_CSYSTEM_H
#define DRAGOMAN_CSYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>

/* accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC. */
int cs_accept(int listener, struct sockaddr_storage *address, socklen_t *length);

/* One SOCK_SEQPACKET datagram with at most one descriptor (fd < 0: none). Never blocks. */
ssize_t cs_send_packet(int channel, const void *bytes, size_t count, int fd);
/* Receives one datagram; *fd becomes the passed descriptor (close-on-exec), -1, or CS_DESCRIPTOR_LOST when one
 * came that this process had no number left for. A datagram longer than `capacity` or with more than one descriptor is refused: EMSGSIZE, all closed. */
#define CS_DESCRIPTOR_LOST (-2)
ssize_t cs_receive_packet(int channel, void *bytes, size_t capacity, int *fd);

/* An anonymous file holding `bytes`, sealed against every change, offset 0, close-on-exec. */
int cs_sealed_file(const char *name, const void *bytes, size_t count);

/* An anonymous file of `count` zero bytes that may be written but never change its size, close-on-exec. */
int cs_shared_file(const char *name, size_t count);
/* Stores `value`, aligned to four bytes, after all that was stored before. */
void cs_publish(void *place, uint32_t value);

/* A child that is to be started with nothing inherited but what is listed here. */
struct cs_spawn {
    const char *path;          /* executable, absolute */
    char *const *argv;
    char *const *envp;
    const int *descriptors;    /* descriptors[i] becomes descriptor 3 + i; stdin becomes /dev/null */
    size_t descriptor_count;
    int oom_score_adj;         /* written to /proc/self/oom_score_adj, best effort */
};
/* fork + exec; returns the child's pid, and a pidfd (close-on-exec) in *pidfd.
 * The child leads a process group of its own and dies with the calling thread's process
 * (PR_SET_PDEATHSIG, SIGKILL). An exec failure is reported as -1 with the child's errno, the child
 * already reaped. */
pid_t cs_spawn(const struct cs_spawn *plan, int *pidfd);

/* A program between two of our descriptors: what is sent to *input is its stdin (a socket, non-blocking; shut
 * down or closed = end of input), *output reads its stdout (a pipe, non-blocking). Its stderr is /dev/null, its
 * environment empty, its group its own, its processor time and memory limited where that is permitted. Returns
 * the pid and fills the three descriptors (close-on-exec), or -1 with errno. */
pid_t cs_spawn_filter(const char *path, char *const *argv, uint64_t cpu_seconds, uint64_t memory_bytes,
                      int *input, int *output, int *pidfd);

int cs_pidfd_signal(int pidfd, int signal);
/* waitpid without blocking; returns 1 when the child has ended, 0 when not, -1 on error.
 * *code = exit status or signal number; *signalled = 1 when killed by a signal. */
int cs_reap(pid_t pid, int *code, int *signalled);

/* 1 while this child is stopped (SIGSTOP, a debugger); changes nothing. */
int cs_is_stopped(pid_t pid);

/* Monotonic time in nanoseconds. */
uint64_t cs_now(void);

/* CLOCK_REALTIME in nanoseconds since 1970. */
uint64_t cs_wall_now(void);

/* The monotonic clock as of its last tick, some milliseconds ago at most: costs a fifth. */
uint64_t cs_coarse_now(void);

/* Processor time of the calling thread in nanoseconds; a system call. */
uint64_t cs_processor_time(void);

/* Processors this process may run on; at least 1. */
int cs_processors(void);

/* Fills `bytes` from getrandom(2); 0 or -1. */
int cs_random(void *bytes, size_t count);

/* The local port of an IPv4 or IPv6 socket; -1 for others. */
int cs_local_port(int fd);

/* Peer of an AF_UNIX connection (SO_PEERCRED); 0 or -1. */
int cs_peer_credentials(int fd, pid_t *pid, uid_t *uid);

/* Empty signal mask for `signals` blocked in this thread and readable from the returned signalfd. */
int cs_signal_descriptor(const int *signals, size_t count);
/* Next signal number waiting in a signalfd, or 0 when none, -1 on error. */
int cs_next_signal(int fd, pid_t *sender);

/* Creates a TCP (v4 or v6) listener: SO_REUSEADDR, IPV6_V6ONLY, non-blocking, close-on-exec. */
int cs_listen_tcp(const struct sockaddr *address, socklen_t length, int backlog);

/* TCP_NODELAY and SO_KEEPALIVE (idle 60 s, interval 15 s, 4 probes); harmless on Unix sockets. */
void cs_tune_connection(int fd);

/* Sends with MSG_NOSIGNAL | MSG_DONTWAIT. */
ssize_t cs_send(int fd, const void *bytes, size_t count);

/* No core of this process, and no look into its memory but root's: it holds keys and conversations. */
void cs_keep_secrets(void);

/* Lets the allocator keep up to `bytes` at the top of its heap instead of giving them back and asking for
 * them again with every burst. */
void cs_keep_memory(int bytes);

/* Returns memory that the allocator holds but does not use to the system. */
void cs_trim_memory(void);

#endif
