/* bench/process.c - see process.h.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_STEP_MS = 2, EXEC_FAILED = 127 };

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t bench_mono_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

int64_t bench_wall_ms(void)
{
    return clock_ns(CLOCK_REALTIME) / 1000000;
}

void bench_sleep_ms(int ms)
{
    const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* In the child, between fork and exec: only what a signal handler may call. */
static void become(const char *const *argv, const char *log, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    const int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (getppid() == parent && out >= 0 && in >= 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
    }
    _exit(EXEC_FAILED);
}

enum err process_start(const char *const *argv, const char *log, pid_t *out)
{
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        become(argv, log, parent);
    }
    if (pid < 0) {
        fprintf(stderr, "suppressd-bench: no process: %s\n", strerror(errno));
        return ERR_IO;
    }
    *out = pid;
    return OK;
}

bool process_is_running(pid_t pid)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

static int64_t ns_of(struct timeval time)
{
    return (int64_t)time.tv_sec * 1000000000 + (int64_t)time.tv_usec * 1000;
}

static enum err judge(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return OK;
    }
    fprintf(stderr, "suppressd-bench: a child ended with %s %d\n",
            WIFEXITED(status) ? "exit code" : "signal",
            WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return ERR_IO;
}

enum err process_end(pid_t pid, int signal, int timeout_ms, struct process_usage *usage)
{
    const int64_t deadline_ns = bench_mono_ns() + (int64_t)timeout_ms * 1000000;
    if (signal != 0) {
        kill(pid, signal);
    }
    while (process_is_running(pid) && bench_mono_ns() < deadline_ns) {
        bench_sleep_ms(WAIT_STEP_MS);
    }
    const bool was_late = process_is_running(pid);
    if (was_late) {
        fprintf(stderr, "suppressd-bench: a child does not end within %d ms\n", timeout_ms);
        kill(pid, SIGKILL);
    }
    int status = 0;
    struct rusage used = {0};
    wait4(pid, &status, 0, &used);
    *usage = (struct process_usage){
        .cpu_ns = ns_of(used.ru_utime) + ns_of(used.ru_stime),
        .max_rss_bytes = (int64_t)used.ru_maxrss * 1024,
    };
    return was_late ? ERR_TIMEOUT : judge(status);
}

void process_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

enum err process_run(const char *const *argv,
                     const char *log,
                     int timeout_ms,
                     struct process_usage *usage)
{
    pid_t pid;
    const enum err err = process_start(argv, log, &pid);
    return err == OK ? process_end(pid, 0, timeout_ms, usage) : err;
}
