// The start message: what the daemon asks of this shim. Read once from fd 0, never changed afterwards.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stdin_mode { STDIN_NONE, STDIN_ONCE, STDIN_OPEN };

struct start {
  const char *directory, *cwd, *log_path, *log_attrs, *oom_file, *hide_cgroup2, *oom_score_adj;
  bool terminal, log_compress;
  unsigned rows, cols, wait_attach, log_max_file;
  int64_t log_max_size; // bytes, 0 is unlimited
  enum stdin_mode stdin_mode;
  char **argv, **env; // NULL-terminated
  char *message;      // owns every string above
};

// Parses a message of NUL-terminated `key=value` strings. Takes ownership of `message` (malloc'ed) when it returns 0.
// On failure returns -EINVAL and points `why` at the offending string or a reason.
int start_parse(struct start *start, char *message, size_t length, const char **why);

// Reads the whole message from `fd` until EOF and parses it. `start_free` releases it.
int start_read(struct start *start, int fd, const char **why);
void start_free(struct start *start);
