#define _GNU_SOURCE
#include "control.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"

#define LINE_LIMIT 128

struct control_client {
  struct source source;
  struct control_client *next;
  bool subscribed, gone;
  size_t length;
  char line[LINE_LIMIT];
};

// Replies are tiny: a client whose socket is full of them has stopped reading and is dropped.
static void send_line(struct control_client *client, const char *line) {
  size_t length = strlen(line);
  if (send(client->source.fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)length)
    client->gone = true;
}

void control_format_exit(const struct shim *shim, char *line, size_t size) {
  const struct exit_record *record = &shim->record;
  snprintf(line, size, "%d %d %d %lld\n", record->code, record->signal, record->oom_killed, (long long)record->time_ns);
}

void control_report(struct shim *shim, const char *kind, const char *detail) {
  char line[9100] = "report ";
  char *report = line + strlen(line);
  int length = snprintf(report, sizeof line - 8, "%s%s%s", kind, *detail == '\n' ? "" : " ", detail);
  if (write(STDOUT_FILENO, report, (size_t)length) < 0)
    errno = 0; // the daemon is gone; the next one asks over control.sock
  for (struct control_client *client = shim->controls; client; client = client->next)
    if (client->subscribed && !client->gone)
      send_line(client, line); // "report …" tells it from an answer
}

static void status(struct shim *shim, char *reply, size_t size) {
  char line[80];
  if (shim->phase == STARTING)
    snprintf(reply, size, "starting\n");
  else if (shim->phase != LINGERING)
    snprintf(reply, size, "%s %d\n", shim->phase == RUNNING ? "running" : "draining", (int)shim->init_pid);
  else {
    control_format_exit(shim, line, sizeof line);
    snprintf(reply, size, "exited %s", line);
  }
}

// The process is our unreaped child while RUNNING, so its pid cannot have passed to another.
static const char *send_signal(struct shim *shim, int number) {
  if (shim->phase != RUNNING)
    return "error the process is not running\n";
  return kill(shim->init_pid, number) < 0 ? "error no such signal\n" : "ok\n";
}

static void run_command(struct shim *shim, struct control_client *client, const char *line) {
  char reply[160] = "error unknown command\n";
  unsigned rows, cols;
  int number;
  char rest;
  if (sscanf(line, "resize %u %u%c", &rows, &cols, &rest) == 2 && rows <= UINT16_MAX && cols <= UINT16_MAX) {
    int rc = io_resize(shim, rows, cols);
    snprintf(reply, sizeof reply, rc == -ENOTTY ? "error not a terminal\n" : rc ? "error cannot resize\n" : "ok\n");
  } else if (sscanf(line, "signal %d%c", &number, &rest) == 1)
    snprintf(reply, sizeof reply, "%s", send_signal(shim, number));
  else if (!strcmp(line, "status"))
    status(shim, reply, sizeof reply);
  else if (!strcmp(line, "subscribe")) {
    client->subscribed = true;
    snprintf(reply, sizeof reply, "ok\n");
  } else if (!strcmp(line, "close-stdin")) {
    io_close_input(shim);
    snprintf(reply, sizeof reply, "ok\n");
  }
  send_line(client, reply);
}

static void client_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  struct control_client *client = (struct control_client *)source;
  ssize_t n = read(source->fd, client->line + client->length, LINE_LIMIT - client->length);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) {
    client->gone = true;
    return;
  }
  client->length += (size_t)n;
  char *newline, *line = client->line, *end = client->line + client->length;
  while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
    *newline = 0;
    run_command(shim, client, line);
    line = newline + 1;
  }
  client->length = (size_t)(end - line);
  memmove(client->line, line, client->length);
  if (client->length == LINE_LIMIT)
    client->gone = true;
}

static void listener_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  struct control_client *client = fd < 0 ? NULL : calloc(1, sizeof *client);
  if (!client) {
    if (fd >= 0)
      close(fd);
    return;
  }
  client->source = (struct source){fd, UNWATCHED, client_ready};
  client->next = shim->controls;
  shim->controls = client;
  source_watch(shim, &client->source, EPOLLIN);
}

int control_listen(struct shim *shim) {
  shim->control_listener.ready = listener_ready;
  return source_listen(shim, &shim->control_listener, "control.sock");
}

void control_finish(struct shim *shim) {
  source_close(shim, &shim->control_listener);
  unlink("control.sock");
}

void control_sweep(struct shim *shim) {
  for (struct control_client **link = &shim->controls; *link;) {
    struct control_client *client = *link;
    if (!client->gone) {
      link = &client->next;
      continue;
    }
    *link = client->next;
    source_close(shim, &client->source);
    free(client);
  }
}
