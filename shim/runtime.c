#define _GNU_SOURCE
#include "runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

// Set by the vfork child, which shares our memory until it execs.
struct failure {
  const char *step;
  int error;
};

// crun refuses hosts where a cgroup v2 hierarchy beside v1 carries controllers: it must not see that hierarchy. Only
// the mount above it is made private, so that every other mount still propagates as the host has it.
static const char *hide_cgroup2(const char *path) {
  char parent[PATH_MAX];
  if (strlen(path) >= sizeof parent)
    return "hide-cgroup2";
  strcpy(parent, path);
  if (unshare(CLONE_NEWNS) < 0)
    return "unshare mount namespace";
  if (mount(NULL, dirname(parent), NULL, MS_PRIVATE, NULL) < 0)
    return "make the cgroup mount private";
  return umount2(path, MNT_DETACH) < 0 ? "unmount cgroup2" : NULL;
}

static void restore_oom_score(void) {
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, "0", 1) < 0)
    errno = 0; // the runtime sets what the container asks for anyway
  if (fd >= 0)
    close(fd);
}

static void runtime_child(const struct start *start, const struct stdio *child, volatile struct failure *failure) {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < 32; number++) // what the daemon or its shell ignores would survive exec
    signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  if (start->oom_score_adj)
    restore_oom_score();
  const char *step = start->hide_cgroup2 ? hide_cgroup2(start->hide_cgroup2) : NULL;
  if (!step && (dup2(child->in, 0) < 0 || dup2(child->out, 1) < 0 || dup2(child->err, 2) < 0))
    step = "dup2";
  if (!step && chdir(start->cwd) < 0)
    step = start->cwd;
  if (!step) {
    execvpe(start->argv[0], start->argv, start->env);
    step = start->argv[0];
  }
  failure->error = errno;
  failure->step = step;
  _exit(127);
}

int runtime_spawn(struct shim *shim, const struct stdio *child, const char **why) {
  volatile struct failure failure = {0};
  pid_t pid = vfork();
  if (!pid)
    runtime_child(&shim->start, child, &failure);
  close(child->in);
  close(child->out);
  if (child->err != child->out)
    close(child->err);
  if (pid < 0) {
    *why = "vfork";
    return -errno;
  }
  if (failure.step) {
    waitpid(pid, NULL, 0);
    *why = failure.step;
    return -failure.error;
  }
  shim->runtime_pid = pid;
  return 0;
}

static ssize_t read_file(const char *path, char *out, size_t size) {
  close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
  out[n < 0 ? 0 : n] = 0;
  return n;
}

// The last `size` bytes: the error comes after any warnings.
static ssize_t read_tail(const char *path, char *out, size_t size) {
  close_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
  off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
  ssize_t n = end <= 0 ? 0 : pread(fd, out, size - 1, end > (off_t)size - 1 ? end - (off_t)(size - 1) : 0);
  out[n < 0 ? 0 : n] = 0;
  return n;
}

// The runtime's log file holds its errors; one that ignored the option has written them to its stderr.
static void read_error(struct shim *shim, char *text, size_t size) {
  if (read_tail("runtime.log", text, size) > 0)
    return;
  int fd = shim->start.terminal ? shim->runtime_stderr : shim->outputs[1].source.fd;
  ssize_t n = read(fd, text, size - 1);
  text[n < 0 ? 0 : n] = 0;
}

int runtime_result(struct shim *shim, int status, char *text, size_t size) {
  char number[32];
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code)
    read_error(shim, text, size);
  else if (read_file("pid", number, sizeof number) <= 0 || (shim->init_pid = atoi(number)) <= 0) {
    snprintf(text, size, "the runtime wrote no pid file");
    code = 125;
  } else if (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) < 0) {
    // (crun's helper, the init's first parent, may end a moment after crun: the init itself need not be ours yet.)
    snprintf(text, size, "process %d of the runtime's pid file is not the shim's child", (int)shim->init_pid);
    code = 125;
  }
  if (shim->runtime_stderr >= 0)
    close(shim->runtime_stderr);
  shim->runtime_stderr = -1;
  return code;
}
