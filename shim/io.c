#define _GNU_SOURCE
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"

#define BIG_PIPE (1024 * 1024)
#define SMALL_PIPE (64 * 1024)
#define IDLE_MS 1000
#define SILENCE_MS 100

void close_fd_cleanup(int *fd) {
  if (*fd >= 0)
    close(*fd);
}

int source_watch(struct shim *shim, struct source *source, uint32_t events) {
  if (source->fd < 0 || source->watched == events)
    return 0;
  struct epoll_event event = {.events = events, .data.ptr = source};
  int op = events == UNWATCHED ? EPOLL_CTL_DEL : source->watched == UNWATCHED ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  if (epoll_ctl(shim->epoll, op, source->fd, &event) < 0)
    return -errno;
  source->watched = events;
  return 0;
}

void source_close(struct shim *shim, struct source *source) {
  source_watch(shim, source, UNWATCHED);
  if (source->fd >= 0)
    close(source->fd);
  source->fd = -1;
}

int source_listen(struct shim *shim, struct source *source, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strcpy(address.sun_path, name); // our own short names, relative: a deep directory cannot overflow it
  unlink(name);
  source->watched = UNWATCHED;
  source->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (source->fd < 0 || bind(source->fd, (struct sockaddr *)&address, sizeof address) < 0 ||
      listen(source->fd, 128) < 0)
    return -errno;
  return source_watch(shim, source, EPOLLIN);
}

char *io_buffer(struct shim *shim) {
  if (!shim->buffer)
    shim->buffer = malloc(BURST);
  shim->idle_deadline = now_ms() + IDLE_MS;
  return shim->buffer;
}

static void close_output(struct shim *shim, struct output *output) {
  source_close(shim, &output->source);
  log_finish(&shim->log, &output->log);
}

static void output_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  struct output *output = (struct output *)source;
  char *buffer = io_buffer(shim);
  if (!buffer)
    return;
  ssize_t n = read(source->fd, buffer, BURST);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0) { // a terminal says EIO when its last user is gone
    close_output(shim, output);
    return;
  }
  if (n >= SMALL_PIPE && !output->big) {
    output->big = true;
    fcntl(source->fd, F_SETPIPE_SZ, BIG_PIPE); // may be refused: then it stays small
  }
  if (shim->silence_deadline)
    shim->silence_deadline = now_ms() + SILENCE_MS;
  log_write(&shim->log, &output->log, buffer, (size_t)n);
  attach_broadcast(shim, output == &shim->outputs[0] ? 1 : 2, buffer, (size_t)n);
  if (shim->phase == DRAINING) {
    shim->drain_budget -= (size_t)n < shim->drain_budget ? (size_t)n : shim->drain_budget;
    if (!shim->drain_budget)
      io_close_outputs(shim);
  }
}

void io_update_outputs(struct shim *shim) {
  // Once the process has ended nobody is held up by a slow client any more, and the exit report waits for the drain.
  bool reading = shim->gate_open && (!shim->blocking || shim->phase == DRAINING);
  for (int i = 0; i < 2; i++)
    source_watch(shim, &shim->outputs[i].source, reading ? EPOLLIN : UNWATCHED);
}

bool io_drained(const struct shim *shim) { return shim->outputs[0].source.fd < 0 && shim->outputs[1].source.fd < 0; }

void io_close_outputs(struct shim *shim) {
  close_output(shim, &shim->outputs[0]);
  close_output(shim, &shim->outputs[1]);
}

static void set_input_blocked(struct shim *shim, bool blocked) {
  shim->input.blocked = blocked;
  source_watch(shim, &shim->input.source, blocked ? EPOLLOUT : UNWATCHED);
  attach_update_all(shim);
}

void io_close_input(struct shim *shim) {
  source_close(shim, &shim->input.source);
  free(shim->input.pending);
  shim->input.pending = NULL;
  shim->input.open = false;
  set_input_blocked(shim, false);
}

static void input_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  struct input *input = &shim->input;
  if (input->pending) {
    ssize_t n = write(source->fd, input->pending, input->pending_length);
    if (n < 0 && errno == EAGAIN)
      return;
    if (n < 0) {
      io_close_input(shim);
      return;
    }
    input->pending_length -= (size_t)n;
    if (input->pending_length) {
      memmove(input->pending, input->pending + n, input->pending_length);
      return;
    }
    free(input->pending);
    input->pending = NULL;
  }
  set_input_blocked(shim, false);
}

// splice moves whole pages from the socket to the pipe: no copy, no buffer.
static ssize_t splice_input(struct shim *shim, int client) {
  struct input *input = &shim->input;
  ssize_t n = splice(client, NULL, input->source.fd, NULL, BIG_PIPE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  if (n >= 0)
    return n;
  if (errno == EPIPE) {
    io_close_input(shim);
    return -EAGAIN;
  }
  if (errno != EAGAIN)
    return -errno;
  // Either the pipe is full or the socket has nothing after all; waiting for room in the pipe is right for both.
  if (!input->big) {
    input->big = true;
    fcntl(input->source.fd, F_SETPIPE_SZ, BIG_PIPE);
  }
  set_input_blocked(shim, true);
  return -EAGAIN;
}

static ssize_t copy_input(struct shim *shim, int client) {
  struct input *input = &shim->input;
  char bytes[4096];
  ssize_t n = read(client, bytes, sizeof bytes);
  if (n <= 0)
    return n < 0 ? -errno : 0;
  ssize_t done = write(input->source.fd, bytes, (size_t)n);
  if (done < 0 && errno != EAGAIN) {
    io_close_input(shim);
    return n;
  }
  done = done < 0 ? 0 : done;
  if (done < n && (input->pending = malloc((size_t)(n - done)))) {
    input->pending_length = (size_t)(n - done);
    memcpy(input->pending, bytes + done, input->pending_length);
    set_input_blocked(shim, true);
  }
  return n;
}

ssize_t io_take_input(struct shim *shim, int client) {
  if (shim->input.blocked)
    return -EAGAIN;
  if (shim->input.open)
    return shim->start.terminal ? copy_input(shim, client) : splice_input(shim, client);
  char *buffer = io_buffer(shim);
  ssize_t n = buffer ? read(client, buffer, BURST) : -1;
  return n < 0 ? -errno : n;
}

int io_resize(struct shim *shim, unsigned rows, unsigned cols) {
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
  shim->start.rows = rows; // for a terminal still to come
  shim->start.cols = cols;
  if (!shim->start.terminal)
    return -ENOTTY;
  int fd = shim->outputs[0].source.fd;
  return fd < 0 || !ioctl(fd, TIOCSWINSZ, &size) ? 0 : -errno;
}

static void terminal_arrived(struct shim *shim, int master) {
  fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
  shim->outputs[0].source.fd = master;
  if (shim->start.rows && shim->start.cols)
    io_resize(shim, shim->start.rows, shim->start.cols);
  if (shim->input.open) {
    shim->input.source.fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
    set_input_blocked(shim, false);
  }
  io_update_outputs(shim);
}

ssize_t receive_with_fd(int socket, void *bytes, size_t size, int *fd) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct iovec iov = {bytes, size};
  struct msghdr message = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.space};
  ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
  *fd = -1;
  if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
    memcpy(fd, CMSG_DATA(header), sizeof *fd);
  return n;
}

// The runtime's connection carries the terminal's master.
static void connection_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  char text[256];
  int master;
  ssize_t n = receive_with_fd(source->fd, text, sizeof text, &master);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  source_close(shim, source);
  if (master >= 0)
    terminal_arrived(shim, master);
}

static void console_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  int peer = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (peer < 0)
    return;
  source_close(shim, source);
  unlink("console.sock");
  *source = (struct source){peer, UNWATCHED, connection_ready};
  source_watch(shim, source, EPOLLIN);
}

void io_take_terminal(struct shim *shim) {
  for (int step = 0; step < 2 && shim->console.fd >= 0; step++)
    shim->console.ready(shim, &shim->console, EPOLLIN);
}

static int open_pipe(int *ours, int *theirs, bool we_read) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return -errno;
  *ours = ends[!we_read];
  *theirs = ends[we_read];
  return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0; // our end only: the container's stays blocking
}

int io_open(struct shim *shim, struct stdio *child) {
  struct output *out = &shim->outputs[0], *err = &shim->outputs[1];
  struct input *input = &shim->input;
  int rc = 0;
  *out = (struct output){.source = {-1, UNWATCHED, output_ready}, .log.name = "stdout"};
  *err = (struct output){.source = {-1, UNWATCHED, output_ready}, .log.name = "stderr"};
  *input = (struct input){.source = {-1, UNWATCHED, input_ready}, .open = shim->start.stdin_mode != STDIN_NONE};
  *child = (struct stdio){-1, -1, -1};
  shim->runtime_stderr = -1;
  if (shim->start.terminal || !input->open)
    child->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  else
    rc = open_pipe(&input->source.fd, &child->in, false);
  if (rc || child->in < 0)
    return rc ? rc : -errno;
  if (!shim->start.terminal) {
    rc = open_pipe(&out->source.fd, &child->out, true);
    return rc ? rc : open_pipe(&err->source.fd, &child->err, true);
  }
  input->blocked = input->open;
  rc = open_pipe(&shim->runtime_stderr, &child->err, true);
  child->out = child->err;
  shim->console.ready = console_ready;
  return rc ? rc : source_listen(shim, &shim->console, "console.sock");
}
