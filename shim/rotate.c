// Log rotation: path → path.1 → path.2 …, the oldest dropped, older ones compressed by at most one gzip at a time.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"

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

// Compresses path.1 in the background. When a gzip is still at work this one stays as it is.
static void compress_newest(struct log *log) {
  char source[PATH_MAX], target[PATH_MAX];
  if (!log->compress || log->gzip_pid)
    return;
  name(source, log, 1, "");
  temporary_name(target, log);
  int in = open(source, O_RDONLY | O_CLOEXEC);
  int out = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  struct stat st;
  if (in >= 0 && out >= 0 && !fstat(in, &st)) {
    pid_t pid = vfork();
    if (!pid)
      child_gzip(in, out);
    log->gzip_pid = pid > 0 ? pid : 0;
    log->gzip_inode = st.st_ino;
    log->gzip_source = in;
  }
  if (!log->gzip_pid) {
    unlink(target);
    if (in >= 0)
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
  compress_newest(log);
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
}
