// gantry-shim: supervises one container process. PROTOCOL.md says what it reads, writes and listens to.
#define _GNU_SOURCE
#include "main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "control.h"
#include "exit.h"
#include "io.h"
#include "runtime.h"

#define GATE_MS 10000
#define EVENTS 16
#define SEALED_PROGRAM 3

void gate_update(struct shim *shim) {
  if (shim->gate_open || shim->phase == STARTING || shim->greeted < shim->start.wait_attach)
    return;
  shim->gate_open = true;
  shim->gate_deadline = 0;
  source_watch(shim, &shim->report, UNWATCHED);
  io_update_outputs(shim);
  exit_begin_drain(shim);
}

static void stop_waiting(struct shim *shim) {
  shim->start.wait_attach = 0;
  shim->gate_deadline = 0;
  source_watch(shim, &shim->report, UNWATCHED);
  gate_update(shim);
}

// Nobody reads the reports any more: the clients we wait for will not come.
static void report_closed(struct shim *shim, struct source *source, uint32_t events) {
  (void)source;
  (void)events;
  stop_waiting(shim);
}

static void sooner(int64_t *next, int64_t deadline) {
  if (deadline && (!*next || deadline < *next))
    *next = deadline;
}

static int next_timeout(const struct shim *shim) {
  int64_t next = 0;
  sooner(&next, shim->gate_deadline);
  sooner(&next, shim->silence_deadline);
  sooner(&next, shim->drain_deadline);
  sooner(&next, shim->linger_deadline);
  sooner(&next, shim->idle_deadline);
  sooner(&next, shim->log.compress_deadline);
  if (!next)
    return -1;
  int64_t left = next - now_ms();
  return left < 0 ? 0 : (int)left;
}

static bool passed(int64_t deadline, int64_t now) { return deadline && now >= deadline; }

static void check_deadlines(struct shim *shim) {
  int64_t now = now_ms();
  if (passed(shim->gate_deadline, now))
    stop_waiting(shim);
  if (passed(shim->silence_deadline, now) || passed(shim->drain_deadline, now))
    io_close_outputs(shim); // some other process keeps them open
  if (passed(shim->linger_deadline, now)) {
    shim->linger_deadline = 0;
    attach_close_all(shim);
  }
  if (passed(shim->idle_deadline, now)) {
    shim->idle_deadline = 0;
    free(shim->buffer);
    shim->buffer = NULL;
    log_idle(&shim->log);
  }
  if (passed(shim->log.compress_deadline, now))
    log_compress(&shim->log);
}

static bool over(const struct shim *shim) { return shim->phase == LINGERING && !shim->attached && !shim->log.gzip_pid; }

static void loop(struct shim *shim) {
  struct epoll_event events[EVENTS];
  while (!over(shim)) {
    int n = epoll_wait(shim->epoll, events, EVENTS, next_timeout(shim));
    for (int i = 0; i < n; i++) {
      struct source *source = events[i].data.ptr;
      // An earlier handler of this round may have closed or silenced it.
      if (source->fd >= 0 && source->watched != UNWATCHED)
        source->ready(shim, source, events[i].events);
    }
    check_deadlines(shim);
    exit_finish_if_drained(shim);
    attach_sweep(shim);
    control_sweep(shim);
  }
}

static void set_oom_score(const char *value) {
  close_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, value, strlen(value)) < 0)
    errno = 0; // lowering it needs a capability that some hosts withhold; the shim works without
}

// Each step's name is what the daemon is told when it fails.
static int prepare(struct shim *shim, struct stdio *child, const char **why) {
  const struct start *start = &shim->start;
  int rc;
  *why = start->directory;
  if (chdir(start->directory) < 0)
    return -errno;
  shim->in_directory = true;
  static const char *const stale[] = {"exit", "error", "pid", "runtime.log"};
  for (size_t i = 0; i < sizeof stale / sizeof *stale; i++)
    unlink(stale[i]);
  setsid(); // fails only when we lead a group already, as a shell's child may
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  *why = "epoll";
  if ((shim->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0)
    return -errno;
  *why = "signalfd";
  if ((rc = exit_watch_children(shim)) < 0)
    return rc;
  *why = "open the log";
  if ((rc = log_open(&shim->log, start->log_path, start->log_attrs, start->log_max_size, start->log_max_file,
                     start->log_compress)) < 0)
    return rc;
  *why = "open the standard streams";
  if ((rc = io_open(shim, child)) < 0)
    return rc;
  *why = "listen";
  if ((rc = attach_listen(shim)) < 0 || (rc = control_listen(shim)) < 0)
    return rc;
  if (start->oom_score_adj)
    set_oom_score(start->oom_score_adj);
  shim->oom_kills = exit_oom_kills(shim);
  return 0;
}

static void wait_for_clients(struct shim *shim) {
  if (!shim->start.wait_attach)
    return;
  shim->gate_deadline = now_ms() + GATE_MS;
  shim->report = (struct source){STDOUT_FILENO, UNWATCHED, report_closed};
  source_watch(shim, &shim->report, 0);
}

int main(void) {
  const char *why;
  char text[512];
  struct stdio child = {-1, -1, -1};
  struct shim shim = {
      .epoll = -1,
      .signals = CLOSED_SOURCE,
      .report = CLOSED_SOURCE,
      .console = CLOSED_SOURCE,
      .attach_listener = CLOSED_SOURCE,
      .control_listener = CLOSED_SOURCE,
      .outputs = {{.source = CLOSED_SOURCE}, {.source = CLOSED_SOURCE}},
      .input = {.source = CLOSED_SOURCE},
      .log = {.fd = -1},
      .runtime_stderr = -1,
  };
  // The daemon may pass a sealed copy of the runtime, which only the runtime's own exec is to see. Nothing there: no harm.
  fcntl(SEALED_PROGRAM, F_SETFD, FD_CLOEXEC);
  int rc = start_read(&shim.start, STDIN_FILENO, &why);
  if (!rc)
    rc = prepare(&shim, &child, &why);
  if (!rc)
    rc = runtime_spawn(&shim, &child, &why);
  if (rc) {
    snprintf(text, sizeof text, "%s: %s", why, strerror(-rc));
    exit_start_failed(&shim, rc == -ENOENT ? 127 : 126, text);
    return 1;
  }
  control_report(&shim, "ready", "\n");
  wait_for_clients(&shim);
  loop(&shim);
  return 0;
}
