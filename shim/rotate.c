// Log rotation: path → path.1 → path.2 …, the oldest dropped. Once rotation has come to rest, or the output has ended, the
// older ones are compressed, by one gzip at a time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

#define REST_MS 1000

static void name(char *out, const struct log *log, unsigned index, const char *suffix) {
  if (index)
    snprintf(out, PATH_MAX, "%s.%u%s", log->path, index, suffix);
  else
    snprintf(out, PATH_MAX, "%s", log->path);
}

// The name carries our pid: the shim of the container's last run may still be compressing the same log.
static void temporary_name(char *out, const struct log *log) {
  snprintf(out, PATH_MAX, "%s.%d.gz.tmp", log->path, (int)getpid());
}

static void shift(const struct log *log) {
  char from[PATH_MAX], to[PATH_MAX];
  for (unsigned i = log->max_file - 1; i > 0; i--) {
    for (int compressed = 0; compressed < 2; compressed++) {
      const char *suffix = compressed ? ".gz" : "";
      name(to, log, i, suffix);
      name(from, log, i - 1, i > 1 ? suffix : "");
      if (i == log->max_file - 1)
        unlink(to);
      if (i > 1 || !compressed)
        rename(from, to);
    }
  }
}

static void child_gzip(int in, int out) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  execlp("gzip", "gzip", "-c", (char *)NULL);
  _exit(127);
}

// The newest rotated file that is not compressed yet, or -1.
static int open_uncompressed(const struct log *log) {
  char path[PATH_MAX];
  for (unsigned i = 1; i < log->max_file; i++) {
    name(path, log, i, "");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
      return fd;
  }
  return -1;
}

void log_compress(struct log *log) {
  char target[PATH_MAX];
  struct stat st;
  log->compress_deadline = 0;
  int in = log->gzip_pid ? -1 : open_uncompressed(log);
  if (in < 0)
    return;
  temporary_name(target, log);
  int out = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (out >= 0 && !fstat(in, &st)) {
    pid_t pid = vfork();
    if (!pid)
      child_gzip(in, out);
    log->gzip_pid = pid > 0 ? pid : 0;
    log->gzip_inode = st.st_ino;
    log->gzip_source = in;
  }
  if (!log->gzip_pid) {
    unlink(target);
    close(in);
  }
  if (out >= 0)
    close(out);
}

void log_rotate(struct log *log) {
  if (log->max_file < 2) {
    if (!ftruncate(log->fd, 0))
      log->size = 0;
    log->generation++;
    return;
  }
  shift(log);
  int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) < 0) { // go on in the renamed file rather than lose lines
    if (fd >= 0)
      close(fd);
    return;
  }
  close(log->fd);
  log->fd = fd;
  log->size = st.st_size;
  log->inode = st.st_ino;
  log->generation++;
  if (log->compress)
    log->compress_deadline = now_ms() + REST_MS;
}

void log_child_exited(struct log *log, pid_t pid, int status) {
  if (!log->gzip_pid || pid != log->gzip_pid)
    return;
  log->gzip_pid = 0;
  char source[PATH_MAX], target[PATH_MAX], temporary[PATH_MAX];
  temporary_name(temporary, log);
  bool good = WIFEXITED(status) && !WEXITSTATUS(status);
  for (unsigned i = 1; good && i < log->max_file; i++) {
    struct stat st;
    name(source, log, i, "");
    if (stat(source, &st) < 0 || st.st_ino != log->gzip_inode)
      continue;
    name(target, log, i, ".gz");
    if (!rename(temporary, target))
      unlink(source);
    break;
  }
  close(log->gzip_source);
  unlink(temporary); // still there when gzip failed, or fell off the end meanwhile
  if (good)
    log_compress(log);
}
