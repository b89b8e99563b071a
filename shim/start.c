#define _GNU_SOURCE
#include "start.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_LIMIT (4 * 1024 * 1024)

static int parse_number(const char *text, int64_t limit, int64_t *out) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (errno || end == text || *end || value < 0 || value > limit)
    return -EINVAL;
  *out = value;
  return 0;
}

static int parse_unsigned(const char *text, unsigned limit, unsigned *out) {
  int64_t value;
  int rc = parse_number(text, limit, &value);
  if (!rc)
    *out = (unsigned)value;
  return rc;
}

static int parse_bool(const char *text, bool *out) {
  *out = !strcmp(text, "1");
  return *out || !strcmp(text, "0") ? 0 : -EINVAL;
}

static int parse_stdin_mode(const char *text, enum stdin_mode *out) {
  static const char *const names[] = {[STDIN_NONE] = "none", [STDIN_ONCE] = "once", [STDIN_OPEN] = "open"};
  for (int i = STDIN_NONE; i <= STDIN_OPEN; i++)
    if (!strcmp(text, names[i])) {
      *out = (enum stdin_mode)i;
      return 0;
    }
  return -EINVAL;
}

// An unknown key is an error: daemon and shim of different versions must not half understand each other.
static int set_option(struct start *start, const char *key, const char *value) {
  const struct {
    const char *key;
    const char **field;
  } strings[] = {
      {"directory", &start->directory},         {"cwd", &start->cwd},           {"log-path", &start->log_path},
      {"log-attrs", &start->log_attrs},         {"oom-file", &start->oom_file}, {"hide-cgroup2", &start->hide_cgroup2},
      {"oom-score-adj", &start->oom_score_adj},
  };
  for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
    if (!strcmp(key, strings[i].key)) {
      *strings[i].field = value;
      return *value ? 0 : -EINVAL;
    }
  if (!strcmp(key, "terminal"))
    return parse_bool(value, &start->terminal);
  if (!strcmp(key, "rows"))
    return parse_unsigned(value, UINT16_MAX, &start->rows);
  if (!strcmp(key, "cols"))
    return parse_unsigned(value, UINT16_MAX, &start->cols);
  if (!strcmp(key, "stdin"))
    return parse_stdin_mode(value, &start->stdin_mode);
  if (!strcmp(key, "wait-attach"))
    return parse_unsigned(value, UINT16_MAX, &start->wait_attach);
  if (!strcmp(key, "log-max-size"))
    return parse_number(value, INT64_MAX, &start->log_max_size);
  if (!strcmp(key, "log-max-file"))
    return parse_unsigned(value, UINT16_MAX, &start->log_max_file);
  if (!strcmp(key, "log-compress"))
    return parse_bool(value, &start->log_compress);
  return -EINVAL;
}

int start_parse(struct start *start, char *message, size_t length, const char **why) {
  *start = (struct start){.log_max_file = 1};
  if (!length || message[length - 1] || strcmp(message, "gantry-shim=1")) {
    *why = "not a start message of version 1";
    return -EINVAL;
  }
  size_t fields = 0;
  for (size_t i = 0; i < length; i++)
    fields += !message[i];
  start->argv = calloc(fields + 1, sizeof *start->argv);
  start->env = calloc(fields + 1, sizeof *start->env);
  size_t argc = 0, envc = 0;
  int rc = start->argv && start->env ? 0 : -ENOMEM;
  *why = rc ? "out of memory" : NULL;
  bool ended = false;
  char *field = message + strlen(message) + 1;
  for (; !rc && field < message + length; field += strlen(field) + 1) {
    *why = field;
    char *equals = strchr(field, '=');
    if (!equals || ended)
      rc = -EINVAL;
    else if (!strcmp(field, "end=1"))
      ended = true;
    else if (!strncmp(field, "arg=", 4))
      start->argv[argc++] = equals + 1;
    else if (!strncmp(field, "env=", 4))
      start->env[envc++] = equals + 1;
    else {
      *equals = 0;
      rc = set_option(start, field, equals + 1);
      // The value's own string must outlive this loop's view of the field: skip to it by hand.
      field = equals + 1;
    }
  }
  if (!rc && (!ended || !argc || !start->directory || !start->cwd)) {
    *why = "end, arg, directory and cwd are required";
    rc = -EINVAL;
  }
  if (rc) {
    free(start->argv);
    free(start->env);
    return rc;
  }
  start->message = message;
  return 0;
}

int start_read(struct start *start, int fd, const char **why) {
  size_t capacity = 4096, length = 0;
  char *message = malloc(capacity);
  int rc = 0;
  while (message) {
    ssize_t n = read(fd, message + length, capacity - length);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      rc = n < 0 ? -errno : 0;
      break;
    }
    length += (size_t)n;
    if (length < capacity)
      continue;
    capacity *= 2;
    char *bigger = capacity > MESSAGE_LIMIT ? NULL : realloc(message, capacity);
    if (!bigger) {
      rc = -E2BIG;
      break;
    }
    message = bigger;
  }
  *why = "cannot read the start message";
  if (!message)
    return -ENOMEM;
  if (!rc)
    rc = start_parse(start, message, length, why);
  if (rc) // `why` may point into the message, and the shim is about to end: keep it.
    return rc;
  return 0;
}

void start_free(struct start *start) {
  free(start->argv);
  free(start->env);
  free(start->message);
  *start = (struct start){0};
}
