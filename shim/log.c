#define _GNU_SOURCE
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "json.h"

#define OUT_SIZE (256 * 1024)
// After the entries the buffer holds what follows the text of each: `\n","stream":"stdout",…,"time":"…"}` and a
// newline.
#define TAIL_SIZE (16 * 1024)
#define ATTRS_LIMIT (TAIL_SIZE - 256)
#define HEAD "{\"log\":\""
#define HEAD_SIZE (sizeof HEAD - 1)

int log_open(struct log *log, const char *path, const char *attrs, int64_t max_size, unsigned max_file, bool compress) {
  *log = (struct log){.fd = -1};
  if (!path)
    return 0;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) {
    int rc = -errno;
    if (fd >= 0)
      close(fd);
    return rc;
  }
  if (attrs && strlen(attrs) > ATTRS_LIMIT) {
    close(fd);
    return -E2BIG;
  }
  *log = (struct log){.fd = fd,
                      .path = path,
                      .attrs = attrs,
                      .size = st.st_size,
                      .inode = st.st_ino,
                      .max_size = max_size,
                      .max_file = max_file ? max_file : 1,
                      .compress = compress};
  return 0;
}

// Go's RFC3339Nano: trailing zeros of the fraction are left out.
static void format_time(char *out, size_t size) {
  struct timespec now;
  struct tm utc;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  char *digit = out + strftime(out, size, "%Y-%m-%dT%H:%M:%S", &utc);
  if (now.tv_nsec)
    *digit++ = '.';
  for (long nsec = now.tv_nsec, unit = 100000000; nsec; nsec %= unit, unit /= 10)
    *digit++ = (char)('0' + nsec / unit);
  memcpy(digit, "Z", 2);
}

// All entries of one burst share their time, and so their tail.
static bool begin_burst(struct log *log, const struct log_stream *stream) {
  if (!log->out && !(log->out = malloc(OUT_SIZE + TAIL_SIZE)))
    return false;
  char time[40];
  format_time(time, sizeof time);
  log->tail_length =
      (size_t)snprintf(log->out + OUT_SIZE, TAIL_SIZE, "\\n\",\"stream\":\"%s\",%s%s%s\"time\":\"%s\"}\n", stream->name,
                       log->attrs ? "\"attrs\":" : "", log->attrs ? log->attrs : "", log->attrs ? "," : "", time);
  return true;
}

static void flush(struct log *log) {
  size_t done = 0;
  while (done < log->out_length) {
    ssize_t n = write(log->fd, log->out + done, log->out_length - done);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    done += (size_t)n;
  }
  if (done == log->out_length)
    log->size += (int64_t)done;
  else if (done && ftruncate(log->fd, log->size) < 0) // never leave half an entry
    log->size += (int64_t)done;
  log->out_length = 0;
}

// Short pieces, many per second: cheaper than a call of memcpy.
static inline char *append(char *out, const char *text, size_t length) {
  for (; length >= 16; length -= 16, out += 16, text += 16)
    memcpy(out, text, 16);
  for (; length; length--)
    *out++ = *text++;
  return out;
}

static void make_room(struct log *log, size_t text_length) {
  size_t room = HEAD_SIZE + text_length * JSON_EXPANSION + JSON_SLACK + log->tail_length;
  if (log->out_length + room > OUT_SIZE)
    flush(log);
  if (log->max_size && log->size + (int64_t)log->out_length >= log->max_size) {
    flush(log);
    log_rotate(log);
  }
}

// Writes an entry of `text` up to its first newline, or all of it as a piece of a line. With `complete_only`, text
// without a newline is left alone. Returns the bytes used, the newline included.
static size_t entry(struct log *log, const char *text, size_t length, bool complete_only) {
  size_t taken;
  make_room(log, length);
  char *start = log->out + log->out_length;
  char *out = append(start, HEAD, HEAD_SIZE);
  out += json_escape_line(out, text, length, &taken);
  bool newline = taken < length;
  if (!newline && complete_only)
    return 0;
  size_t skip = newline ? 0 : 2; // a piece has no `\n`
  out = append(out, log->out + OUT_SIZE + skip, log->tail_length - skip);
  log->out_length += (size_t)(out - start);
  return taken + newline;
}

// Completes the unfinished line from the front of `data`; returns how many bytes that took.
static size_t continue_partial(struct log *log, struct log_stream *stream, const char *data, size_t length) {
  size_t room = LOG_PIECE - stream->length;
  size_t take = length < room ? length : room;
  const char *newline = memchr(data, '\n', take);
  if (newline)
    take = (size_t)(newline - data) + 1;
  memcpy(stream->partial + stream->length, data, take);
  stream->length += take;
  if (newline || stream->length == LOG_PIECE) {
    entry(log, stream->partial, stream->length, false);
    stream->length = 0;
  }
  return take;
}

static void keep_partial(struct log_stream *stream, const char *data, size_t length) {
  if (length && (stream->partial || (stream->partial = malloc(LOG_PIECE)))) {
    memcpy(stream->partial, data, length);
    stream->length = length;
  } else if (!stream->length) {
    free(stream->partial);
    stream->partial = NULL;
  }
}

void log_write(struct log *log, struct log_stream *stream, const char *data, size_t length) {
  if (log->fd < 0 || !begin_burst(log, stream))
    return;
  const char *end = data + length;
  if (stream->length)
    data += continue_partial(log, stream, data, length);
  while (data < end) {
    size_t left = (size_t)(end - data);
    bool whole_piece = left >= LOG_PIECE;
    size_t used = entry(log, data, whole_piece ? LOG_PIECE : left, !whole_piece);
    if (!used)
      break;
    data += used;
  }
  keep_partial(stream, data, (size_t)(end - data));
  flush(log);
}

void log_finish(struct log *log, struct log_stream *stream) {
  if (log->fd >= 0 && stream->length && begin_burst(log, stream)) {
    entry(log, stream->partial, stream->length, false);
    flush(log);
  }
  free(stream->partial);
  stream->partial = NULL;
  stream->length = 0;
}

void log_idle(struct log *log) {
  free(log->out);
  log->out = NULL;
}

struct log_position log_position(const struct log *log) {
  if (log->fd < 0)
    return (struct log_position){0};
  return (struct log_position){log->generation, log->inode, (uint64_t)log->size};
}
