#define _GNU_SOURCE
#include "exit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "control.h"
#include "io.h"
#include "main.h"
#include "runtime.h"

#define DRAIN_SILENCE_MS 100
#define DRAIN_LIMIT_MS 2000
#define DRAIN_BYTES (16 * 1024 * 1024)
#define LINGER_MS 10000

int64_t exit_oom_kills(const struct shim *shim) {
  char text[1024];
  if (!shim->start.oom_file)
    return 0;
  close_fd int fd = open(shim->start.oom_file, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
  if (n <= 0)
    return 0;
  text[n] = 0;
  for (char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (!strncmp(line, "oom_kill ", 9))
      return atoll(line + 9);
  }
  return 0;
}

// After a crash of the machine the file is there whole, or not at all.
static void write_durably(const char *name, const char *text) {
  char temporary[32];
  snprintf(temporary, sizeof temporary, "%s.tmp", name);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0)
    return;
  bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && !fsync(fd);
  close(fd);
  if (!written || rename(temporary, name) < 0)
    unlink(temporary);
}

void exit_begin_drain(struct shim *shim) {
  if (shim->phase != DRAINING || !shim->gate_open)
    return;
  shim->silence_deadline = now_ms() + DRAIN_SILENCE_MS;
  shim->drain_deadline = now_ms() + DRAIN_LIMIT_MS;
  io_update_outputs(shim);
}

static void init_exited(struct shim *shim, int status) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  shim->record = (struct exit_record){
      .code = signal ? 128 + signal : WEXITSTATUS(status),
      .signal = signal,
      .oom_killed = exit_oom_kills(shim) > shim->oom_kills,
      .time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
  };
  char line[80];
  control_format_exit(shim, line, sizeof line);
  write_durably("exit", line);
  shim->phase = DRAINING;
  shim->drain_budget = DRAIN_BYTES;
  io_close_input(shim);
  exit_begin_drain(shim);
}

static void end(struct shim *shim) {
  io_close_outputs(shim);
  shim->silence_deadline = shim->drain_deadline = shim->gate_deadline = 0;
  shim->phase = LINGERING;
  shim->linger_deadline = now_ms() + LINGER_MS;
  if (shim->log.compress_deadline)
    log_compress(&shim->log);
}

void exit_finish_if_drained(struct shim *shim) {
  if (shim->phase != DRAINING || !shim->gate_open || !io_drained(shim))
    return;
  end(shim);
  char line[80];
  control_format_exit(shim, line, sizeof line);
  control_report(shim, "exit", line);
  attach_finish(shim);
  control_finish(shim);
}

void exit_start_failed(struct shim *shim, int code, const char *text) {
  char line[9000];
  size_t n = (size_t)snprintf(line, sizeof line, "%d ", code);
  for (; *text && n < sizeof line - 4; text++) {
    if (*text == '\n' || *text == '\\')
      line[n++] = '\\';
    line[n++] = *text;
    if (*text == '\n')
      line[n - 1] = 'n';
  }
  line[n] = '\n';
  line[n + 1] = 0;
  end(shim);
  if (shim->in_directory)
    write_durably("error", line);
  control_report(shim, "error", line);
  if (!shim->in_directory)
    return;
  attach_finish(shim);
  control_finish(shim);
}

static void runtime_exited(struct shim *shim, int status) {
  char text[4096], line[16];
  int code = runtime_result(shim, status, text, sizeof text);
  if (code) {
    // Whatever is in the pipes was the runtime's: it is in the report, and no part of the container's output.
    source_close(shim, &shim->outputs[0].source);
    source_close(shim, &shim->outputs[1].source);
    exit_start_failed(shim, code, text);
    return;
  }
  shim->phase = RUNNING;
  io_take_terminal(shim);
  source_close(shim, &shim->console);
  snprintf(line, sizeof line, "%d\n", (int)shim->init_pid);
  control_report(shim, "pid", line);
  gate_update(shim);
}

static void signals_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  struct signalfd_siginfo info;
  if (read(source->fd, &info, sizeof info) < 0)
    return;
  int status;
  pid_t pid;
  // The container's init becomes our child when the runtime ends: until then only the runtime is waited for.
  if (shim->phase == STARTING) {
    if (waitpid(shim->runtime_pid, &status, WNOHANG) <= 0)
      return;
    runtime_exited(shim, status);
  }
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == shim->init_pid && shim->phase == RUNNING)
      init_exited(shim, status);
    else
      log_child_exited(&shim->log, pid, status);
  }
}

int exit_watch_children(struct shim *shim) {
  sigset_t all, child;
  sigfillset(&all);
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_SETMASK, &all, NULL);
  shim->signals = (struct source){signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK), UNWATCHED, signals_ready};
  return shim->signals.fd < 0 ? -errno : source_watch(shim, &shim->signals, EPOLLIN);
}
