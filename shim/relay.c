// gantry-relay: carries the body of one HTTP message between a client's socket and a pipe, so that its bytes do not go through the daemon.
//
//   gantry-relay out plain|chunked    fd 0, a pipe, until its end  →  fd 1, the socket; with `chunked` each piece is framed as a chunk, and
//                                     the last, empty one is left to the caller
//   gantry-relay in length N          fd 3, what the caller has read of the socket already, until its end, then fd 0, the socket  →  fd 1,
//   gantry-relay in chunked N         a pipe; N bytes are left of the body, or of the chunk that has been begun (0: none has). Who reads
//                                     the pipe may stop: the rest of the body is read all the same
//
// Exit code: 0 all was carried; 1 the client has gone, or another error; 2 the framing is malformed. (RFC 9112, section 7.1)
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFER (512 * 1024)
#define MAX_LINE 4096
#define AHEAD 3

enum { CARRIED = 0, GONE = 1, MALFORMED = 2 };

static char buffer[BUFFER];

static void wait_until(int fd, short events) {
  struct pollfd entry = {.fd = fd, .events = events};
  poll(&entry, 1, -1);
}

static bool interrupted(int fd, short events) {
  if (errno == EINTR)
    return true;
  if (errno != EAGAIN)
    return false;
  wait_until(fd, events);
  return true;
}

static bool write_all(int fd, struct iovec *parts, int count) {
  while (count > 0) {
    ssize_t written = writev(fd, parts, count);
    if (written < 0) {
      if (!interrupted(fd, POLLOUT))
        return false;
      continue;
    }
    for (; count > 0 && (size_t)written >= parts->iov_len; parts++, count--)
      written -= (ssize_t)parts->iov_len;
    if (count > 0) {
      parts->iov_base = (char *)parts->iov_base + written;
      parts->iov_len -= (size_t)written;
    }
  }
  return true;
}

static ssize_t read_some(int fd) {
  ssize_t size;
  do
    size = read(fd, buffer, sizeof buffer);
  while (size < 0 && interrupted(fd, POLLIN));
  return size;
}

static int carry_out(bool chunked) {
  ssize_t size;
  while ((size = read_some(STDIN_FILENO)) > 0) {
    char head[24];
    int length = chunked ? snprintf(head, sizeof head, "%zx\r\n", (size_t)size) : 0;
    struct iovec parts[] = {{head, (size_t)length}, {buffer, (size_t)size}, {"\r\n", chunked ? 2 : 0}};
    if (!write_all(STDOUT_FILENO, parts, 3))
      return GONE;
  }
  return size < 0 ? GONE : CARRIED;
}

// A body as it is taken apart.
struct body {
  enum { DATA, END_OF_DATA, SIZE, TRAILER, DONE, BROKEN } expect;
  bool chunked;
  bool unread;      // nobody reads the pipe any more
  uint64_t left;    // of the data
  char line[MAX_LINE];
  size_t length;    // of the line so far
};

static bool parse_size(const char *line, uint64_t *size) {
  size_t digits = strspn(line, "0123456789abcdefABCDEF");
  const char *rest = line + digits + strspn(line + digits, " \t");
  if (digits == 0 || digits > 12 || (*rest != 0 && *rest != ';'))
    return false;
  *size = strtoull(line, NULL, 16);
  return true;
}

static void end_line(struct body *body) {
  body->line[body->length] = 0;
  bool empty = body->length == 0;
  body->length = 0;
  if (body->expect == END_OF_DATA)
    body->expect = empty ? SIZE : BROKEN;
  else if (body->expect == TRAILER)
    body->expect = empty ? DONE : TRAILER;
  else if (!parse_size(body->line, &body->left))
    body->expect = BROKEN;
  else
    body->expect = body->left ? DATA : TRAILER;
}

// Takes a line's next bytes, without its CR LF. Returns how many.
static size_t take_line(struct body *body, const char *bytes, size_t size) {
  const char *end = memchr(bytes, '\n', size);
  size_t taken = end ? (size_t)(end - bytes) : size;
  if (body->length + taken >= sizeof body->line) {
    body->expect = BROKEN;
    return size;
  }
  memcpy(body->line + body->length, bytes, taken);
  body->length += taken;
  if (!end)
    return taken;
  if (body->length == 0 || body->line[--body->length] != '\r')
    body->expect = BROKEN;
  else
    end_line(body);
  return taken + 1;
}

static size_t take_data(struct body *body, char *bytes, size_t size) {
  size_t taken = size < body->left ? size : (size_t)body->left;
  struct iovec part = {bytes, taken};
  if (!body->unread && !write_all(STDOUT_FILENO, &part, 1))
    body->unread = true;
  body->left -= taken;
  if (body->left == 0)
    body->expect = body->chunked ? END_OF_DATA : DONE;
  return taken;
}

static int carry_in(bool chunked, uint64_t left) {
  struct body body = {.expect = left > 0 ? DATA : chunked ? SIZE : DONE, .chunked = chunked, .left = left};
  int from = AHEAD;
  while (body.expect != DONE && body.expect != BROKEN) {
    ssize_t size = read_some(from);
    if (size == 0 && from == AHEAD) {
      from = STDIN_FILENO;
      continue;
    }
    if (size <= 0)
      return GONE;
    for (size_t at = 0; at < (size_t)size && body.expect != DONE && body.expect != BROKEN;)
      at += body.expect == DATA ? take_data(&body, buffer + at, (size_t)size - at)
                                : take_line(&body, buffer + at, (size_t)size - at);
  }
  return body.expect == DONE ? CARRIED : MALFORMED;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  if (argc == 3 && !strcmp(argv[1], "out"))
    return carry_out(!strcmp(argv[2], "chunked"));
  if (argc == 4 && !strcmp(argv[1], "in"))
    return carry_in(!strcmp(argv[2], "chunked"), strtoull(argv[3], NULL, 10));
  fputs("usage: gantry-relay out plain|chunked | gantry-relay in length|chunked N\n", stderr);
  return GONE;
}
