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
// What one entry adds to its text at most, the attributes aside.
#define ENTRY_OVERHEAD 128

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
  if (attrs && strlen(attrs) > OUT_SIZE / 4) {
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
static void stamp(struct log *log) {
  struct timespec now;
  struct tm utc;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  size_t n = strftime(log->time, sizeof log->time, "%Y-%m-%dT%H:%M:%S", &utc);
  if (now.tv_nsec) {
    char *digit = log->time + n;
    *digit++ = '.';
    for (long nsec = now.tv_nsec, unit = 100000000; nsec; nsec %= unit, unit /= 10)
      *digit++ = (char)('0' + nsec / unit);
    n = (size_t)(digit - log->time);
  }
  memcpy(log->time + n, "Z", 2);
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

static void append(struct log *log, const char *text) {
  size_t length = strlen(text);
  memcpy(log->out + log->out_length, text, length);
  log->out_length += length;
}

static void entry(struct log *log, const struct log_stream *stream, const char *text, size_t length, bool newline) {
  if (!log->out && !(log->out = malloc(OUT_SIZE)))
    return;
  size_t room = length * JSON_EXPANSION + ENTRY_OVERHEAD + (log->attrs ? strlen(log->attrs) : 0);
  if (log->out_length + room > OUT_SIZE)
    flush(log);
  if (log->max_size && log->size + (int64_t)log->out_length >= log->max_size) {
    flush(log);
    log_rotate(log);
  }
  append(log, "{\"log\":\"");
  log->out_length += json_escape(log->out + log->out_length, text, length);
  append(log, newline ? "\\n\",\"stream\":\"" : "\",\"stream\":\"");
  append(log, stream->name);
  if (log->attrs) {
    append(log, "\",\"attrs\":");
    append(log, log->attrs);
    append(log, ",\"time\":\"");
  } else
    append(log, "\",\"time\":\"");
  append(log, log->time);
  append(log, "\"}\n");
}

// Completes the unfinished line from the front of `data`; returns how many bytes that took.
static size_t continue_partial(struct log *log, struct log_stream *stream, const char *data, size_t length) {
  size_t room = LOG_PIECE - stream->length;
  size_t take = length < room ? length : room;
  const char *newline = memchr(data, '\n', take);
  if (newline)
    take = (size_t)(newline - data);
  memcpy(stream->partial + stream->length, data, take);
  stream->length += take;
  if (!newline && stream->length < LOG_PIECE)
    return take;
  entry(log, stream, stream->partial, stream->length, newline != NULL);
  stream->length = 0;
  return take + (newline != NULL);
}

void log_write(struct log *log, struct log_stream *stream, const char *data, size_t length) {
  if (log->fd < 0)
    return;
  stamp(log);
  const char *end = data + length;
  if (stream->length)
    data += continue_partial(log, stream, data, length);
  while (data < end) {
    size_t left = (size_t)(end - data);
    size_t window = left < LOG_PIECE ? left : LOG_PIECE;
    const char *newline = memchr(data, '\n', window);
    if (!newline && left < LOG_PIECE)
      break;
    size_t piece = newline ? (size_t)(newline - data) : LOG_PIECE;
    entry(log, stream, data, piece, newline != NULL);
    data += piece + (newline != NULL);
  }
  if (data < end && (stream->partial || (stream->partial = malloc(LOG_PIECE)))) {
    memcpy(stream->partial, data, (size_t)(end - data));
    stream->length = (size_t)(end - data);
  } else if (!stream->length) {
    free(stream->partial);
    stream->partial = NULL;
  }
  flush(log);
}

void log_finish(struct log *log, struct log_stream *stream) {
  if (log->fd >= 0 && stream->length) {
    stamp(log);
    entry(log, stream, stream->partial, stream->length, false);
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
