#define _GNU_SOURCE
#include "attach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"
#include "io.h"
#include "main.h"

#define HELLO_LIMIT 128
#define SEND_BUFFER (1024 * 1024)

struct attach_client {
  struct source source; // the connection, or the client's own stream, which the daemon passed on it
  struct source lease;  // the connection behind a passed stream: its end is the end of our service
  struct attach_client *next;
  bool greeted, wants[3]; // by stream number
  bool in_open, out_open; // the client may still send, may still receive
  size_t ahead;           // bytes on the lease that come before what the passed stream sends
  char *pending;          // queued output, only while the socket is full
  size_t pending_start, pending_length, pending_capacity;
};

static void drop_pending(struct shim *shim, struct attach_client *client) {
  if (!client->pending_length)
    return;
  free(client->pending);
  client->pending = NULL;
  client->pending_start = client->pending_length = client->pending_capacity = 0;
  shim->blocking--;
  io_update_outputs(shim);
}

static void end_output(struct shim *shim, struct attach_client *client) {
  client->out_open = false;
  drop_pending(shim, client);
}

static void update(struct shim *shim, struct attach_client *client) {
  bool paused = client->greeted && client->wants[0] && shim->input.blocked;
  bool reading = client->in_open && !paused && !client->ahead;
  uint32_t events = (reading ? EPOLLIN : 0) | (client->pending_length ? EPOLLOUT : 0);
  // A vanished client keeps reporting its hang-up: while its last input waits for room, do not listen.
  bool deaf = !events && !client->out_open;
  source_watch(shim, &client->source, deaf ? UNWATCHED : events);
  source_watch(shim, &client->lease, client->ahead && paused ? 0 : EPOLLIN);
}

void attach_update_all(struct shim *shim) {
  for (struct attach_client *client = shim->attached; client; client = client->next)
    update(shim, client);
}

static void queue(struct shim *shim, struct attach_client *client, const char *data, size_t length) {
  if (!length || !client->out_open)
    return;
  size_t used = client->pending_start + client->pending_length;
  if (used + length > client->pending_capacity) {
    size_t capacity = used + length + (client->pending ? used : 0);
    char *bigger = realloc(client->pending, capacity);
    if (!bigger) {
      end_output(shim, client);
      return;
    }
    client->pending = bigger;
    client->pending_capacity = capacity;
  }
  if (!client->pending_length)
    shim->blocking++;
  memcpy(client->pending + used, data, length);
  client->pending_length += length;
}

// Sends as much as the socket takes and queues the rest.
static void deliver(struct shim *shim, struct attach_client *client, int stream, const char *data, size_t length) {
  char header[FRAME_HEADER];
  size_t header_length = shim->start.terminal ? 0 : frame_header(header, stream, length);
  size_t sent = 0;
  if (!client->pending_length) {
    struct iovec iov[2] = {{header, header_length}, {(char *)data, length}};
    struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
    ssize_t n = sendmsg(client->source.fd, &message, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      end_output(shim, client);
      update(shim, client);
      return;
    }
    sent = n < 0 ? 0 : (size_t)n;
  }
  size_t header_sent = sent < header_length ? sent : header_length;
  queue(shim, client, header + header_sent, header_length - header_sent);
  queue(shim, client, data + (sent - header_sent), length - (sent - header_sent));
  update(shim, client);
}

void attach_broadcast(struct shim *shim, int stream, const char *data, size_t length) {
  for (struct attach_client *client = shim->attached; client; client = client->next)
    if (client->greeted && client->out_open && client->wants[stream])
      deliver(shim, client, stream, data, length);
  io_update_outputs(shim);
}

static void flush(struct shim *shim, struct attach_client *client) {
  ssize_t n = send(client->source.fd, client->pending + client->pending_start, client->pending_length, MSG_DONTWAIT);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR)
      end_output(shim, client);
    return;
  }
  if ((size_t)n == client->pending_length) {
    drop_pending(shim, client);
    return;
  }
  client->pending_start += (size_t)n;
  client->pending_length -= (size_t)n;
}

static void read_input(struct shim *shim, struct attach_client *client, int fd) {
  if (!client->wants[0]) {
    char nothing[512];
    ssize_t n = read(fd, nothing, sizeof nothing);
    client->in_open = n > 0 || (n < 0 && errno == EAGAIN);
    return;
  }
  ssize_t n = io_take_input(shim, fd);
  if (n > 0 && client->ahead)
    client->ahead -= (size_t)n < client->ahead ? (size_t)n : client->ahead;
  if (n > 0 || n == -EAGAIN || n == -EINTR)
    return;
  client->in_open = false;
  // A terminal has no end of file to pass on; dockerd does not make one up either.
  if (shim->start.stdin_mode == STDIN_ONCE && !shim->start.terminal)
    io_close_input(shim);
}

struct hello {
  bool replay, passed;
  int stream; // the passed one, or -1
  size_t ahead;
};

// "attach [stdin] [stdout] [stderr] [replay] [passed] [ahead=N]"
static int parse_hello(struct attach_client *client, char *line, struct hello *hello) {
  char *rest, *word = strtok_r(line, " \n", &rest);
  if (!word || strcmp(word, "attach"))
    return -EPROTO;
  while ((word = strtok_r(NULL, " \n", &rest))) {
    if (!strcmp(word, "stdin"))
      client->wants[0] = true;
    else if (!strcmp(word, "stdout"))
      client->wants[1] = true;
    else if (!strcmp(word, "stderr"))
      client->wants[2] = true;
    else if (!strcmp(word, "replay"))
      hello->replay = true;
    else if (!strcmp(word, "passed"))
      hello->passed = true;
    else if (!strncmp(word, "ahead=", 6))
      hello->ahead = strtoul(word + 6, NULL, 10);
    else
      return -EPROTO;
  }
  bool complete = hello->passed == (hello->stream >= 0) && (!hello->ahead || (hello->passed && client->wants[0]));
  return complete ? 0 : -EPROTO;
}

// Takes the hello line and not one byte of the input behind it. The line must have come in one write.
static int read_hello(struct attach_client *client, struct hello *hello) {
  char line[HELLO_LIMIT + 1];
  ssize_t n = recv(client->source.fd, line, HELLO_LIMIT, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return -EAGAIN;
  char *newline = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;
  if (!newline)
    return -EPROTO;
  size_t length = (size_t)(newline - line) + 1;
  if (receive_with_fd(client->source.fd, line, length, &hello->stream) != (ssize_t)length)
    return -EPROTO;
  line[length] = 0;
  return parse_hello(client, line, hello);
}

// What the daemon had read before it passed the stream; then the end: it takes the client back, or is gone.
static void lease_ready(struct shim *shim, struct source *source, uint32_t events) {
  struct attach_client *client = (struct attach_client *)((char *)source - offsetof(struct attach_client, lease));
  if (client->ahead && client->in_open && (events & EPOLLIN)) {
    read_input(shim, client, source->fd);
  } else {
    client->in_open = false;
    client->ahead = 0;
    end_output(shim, client);
  }
  update(shim, client);
}

static void enlarge_send_buffer(int fd) {
  int size = SEND_BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

static void serve_passed(struct shim *shim, struct attach_client *client, int stream) {
  source_watch(shim, &client->source, UNWATCHED);
  client->lease = (struct source){client->source.fd, UNWATCHED, lease_ready};
  fcntl(stream, F_SETFL, fcntl(stream, F_GETFL) | O_NONBLOCK);
  enlarge_send_buffer(stream);
  client->source.fd = stream;
}

static void greet(struct shim *shim, struct attach_client *client) {
  struct hello hello = {.stream = -1};
  int rc = read_hello(client, &hello);
  if (rc == -EAGAIN)
    return;
  if (rc) {
    if (hello.stream >= 0)
      close(hello.stream);
    client->in_open = client->out_open = false;
    return;
  }
  char reply[80];
  struct log_position at = log_position(&shim->log);
  int length = snprintf(reply, sizeof reply, "ok %llu %llu %llu\n", (unsigned long long)at.generation,
                        (unsigned long long)at.inode, (unsigned long long)at.offset);
  if (hello.passed) {
    send(client->source.fd, reply, (size_t)length, MSG_DONTWAIT); // the first bytes of a connection always fit
    serve_passed(shim, client, hello.stream);
    client->ahead = hello.ahead;
  } else {
    queue(shim, client, reply, (size_t)length);
  }
  client->greeted = true;
  // What a client that has replayed the log still lacks: the lines the log does not hold yet because they go on.
  for (int i = 0; hello.replay && i < 2; i++) {
    struct log_stream *line = &shim->outputs[i].log;
    if (line->length && client->wants[i + 1])
      deliver(shim, client, i + 1, line->partial, line->length);
  }
  if (client->pending_length)
    flush(shim, client);
  shim->greeted++;
  gate_update(shim);
}

static void client_ready(struct shim *shim, struct source *source, uint32_t events) {
  struct attach_client *client = (struct attach_client *)source;
  if ((events & EPOLLOUT) && client->pending_length)
    flush(shim, client);
  if (events & (EPOLLHUP | EPOLLERR))
    end_output(shim, client);
  if (client->in_open && !client->ahead && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
    if (client->greeted)
      read_input(shim, client, source->fd);
    else
      greet(shim, client);
  }
  update(shim, client);
  io_update_outputs(shim);
}

static void listener_ready(struct shim *shim, struct source *source, uint32_t events) {
  (void)events;
  int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0)
    return;
  struct attach_client *client = calloc(1, sizeof *client);
  if (!client) {
    close(fd);
    return;
  }
  enlarge_send_buffer(fd);
  client->source = (struct source){fd, UNWATCHED, client_ready};
  client->lease = CLOSED_SOURCE;
  client->in_open = client->out_open = true;
  client->next = shim->attached;
  shim->attached = client;
  update(shim, client);
}

int attach_listen(struct shim *shim) {
  shim->attach_listener.ready = listener_ready;
  return source_listen(shim, &shim->attach_listener, "attach.sock");
}

// Input nobody reads would turn the client's end of file into a reset: refuse more, then throw it away. A passed stream
// goes on when the process never ran: the daemon has something left to say.
static void discard_input(const struct shim *shim, const struct attach_client *client) {
  char nothing[4096];
  if (client->lease.fd >= 0 && !shim->record.time_ns)
    return;
  shutdown(client->source.fd, SHUT_RDWR);
  while (recv(client->source.fd, nothing, sizeof nothing, MSG_DONTWAIT) > 0)
    ;
}

static void free_client(struct shim *shim, struct attach_client *client) {
  drop_pending(shim, client);
  discard_input(shim, client);
  source_close(shim, &client->source);
  source_close(shim, &client->lease);
  free(client);
}

void attach_sweep(struct shim *shim) {
  for (struct attach_client **link = &shim->attached; *link;) {
    struct attach_client *client = *link;
    bool over = shim->phase == LINGERING ? !client->pending_length : !client->in_open && !client->out_open;
    if (!over) {
      link = &client->next;
      continue;
    }
    *link = client->next;
    free_client(shim, client);
  }
}

void attach_finish(struct shim *shim) {
  source_close(shim, &shim->attach_listener);
  unlink("attach.sock");
}

void attach_close_all(struct shim *shim) {
  while (shim->attached) {
    struct attach_client *client = shim->attached;
    shim->attached = client->next;
    free_client(shim, client);
  }
}
