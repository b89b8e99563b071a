// Unit tests of the shim's pure parts, built with ASan and UBSan: JSON, log lines, rotation, frames, the start message.
#define _GNU_SOURCE
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"
#include "json.h"
#include "log.h"
#include "start.h"

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                          \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

// The input is copied to exactly its size, so that ASan sees any read beyond it.
static void escapes_to(const char *in, size_t length, const char *expected) {
  char *exact = malloc(length ? length : 1), *out = malloc(length * JSON_EXPANSION + JSON_SLACK);
  memcpy(exact, in, length);
  size_t taken, n = json_escape_line(out, exact, length, &taken);
  CHECK(taken == length || in[taken] == '\n');
  out[n] = 0;
  if (strcmp(out, expected)) {
    fprintf(stderr, "escaped to %s, not %s\n", out, expected);
    exit(1);
  }
  free(exact);
  free(out);
}

static void test_json(void) {
  escapes_to("", 0, "");
  escapes_to("plain text, longer than eight", 29, "plain text, longer than eight");
  escapes_to("a\"b\\c<d>e&f", 11, "a\\\"b\\\\c\\u003cd\\u003ee\\u0026f");
  escapes_to("\0\t\r\x1f\x7f", 5, "\\u0000\\u0009\\r\\u001f\x7f");
  escapes_to("one\ntwo", 7, "one");
  escapes_to("\ntwo", 4, "");
  escapes_to("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 15,
             "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
  escapes_to("\xe2\x80\xa8\xe2\x80\xa9", 6, "\\u2028\\u2029");
  escapes_to("\xc0\xaf", 2, "\\ufffd\\ufffd");                       // overlong
  escapes_to("\xed\xa0\x80", 3, "\\ufffd\\ufffd\\ufffd");            // surrogate
  escapes_to("\xf4\x90\x80\x80", 4, "\\ufffd\\ufffd\\ufffd\\ufffd"); // above U+10FFFF
  escapes_to("x\xe2\x82", 3, "x\\ufffd\\ufffd");                     // cut short
  escapes_to("\xff\xfe", 2, "\\ufffd\\ufffd");
  // Every special at every place of a word.
  for (int at = 0; at < 24; at++) {
    char in[24], expected[64] = "";
    memset(in, 'x', sizeof in);
    in[at] = '<';
    snprintf(expected, sizeof expected, "%.*s\\u003c%.*s", at, "xxxxxxxxxxxxxxxxxxxxxxxx", 23 - at,
             "xxxxxxxxxxxxxxxxxxxxxxxx");
    escapes_to(in, sizeof in, expected);
  }
  // Runs of NUL of every length, between other characters and at the end.
  for (size_t length = 1; length < 40; length++)
    for (size_t after = 0; after < 2; after++) {
      char in[64] = "x", expected[256] = "x";
      for (size_t i = 0; i < length; i++)
        strcat(expected, "\\u0000");
      in[length + 1] = '\t';
      escapes_to(in, length + 1 + after, after ? strcat(expected, "\\u0009") : expected);
    }
}

static void test_frame(void) {
  char header[FRAME_HEADER];
  CHECK(frame_header(header, 2, 0x01020384) == 8);
  CHECK(!memcmp(header, "\2\0\0\0\1\2\3\x84", 8));
}

static char *contents(const char *path) {
  char *text = calloc(1, 200000);
  int fd = open(path, O_RDONLY);
  CHECK(fd < 0 || read(fd, text, 199999) >= 0);
  if (fd >= 0)
    close(fd);
  return text;
}

static int exists(const char *path) { return !access(path, F_OK); }

static size_t count(const char *text, const char *needle) {
  size_t n = 0;
  while ((text = strstr(text, needle))) {
    n++;
    text++;
  }
  return n;
}

static void test_log_lines(void) {
  struct log log;
  struct log_stream out = {.name = "stdout"}, err = {.name = "stderr"};
  CHECK(!log_open(&log, "lines.log", NULL, 0, 1, false));
  log_write(&log, &out, "one\ntw", 6);
  log_write(&log, &err, "e\n", 2);
  log_write(&log, &out, "o\n\nlast", 7);
  char *text = contents("lines.log");
  CHECK(!strncmp(text, "{\"log\":\"one\\n\",\"stream\":\"stdout\",\"time\":\"2", 41));
  CHECK(strstr(text, "{\"log\":\"e\\n\",\"stream\":\"stderr\",\"time\":\""));
  CHECK(strstr(text, "{\"log\":\"two\\n\",") && strstr(text, "{\"log\":\"\\n\",") && !strstr(text, "last"));
  CHECK(log_position(&log).offset == strlen(text));
  free(text);
  log_finish(&log, &out);
  log_finish(&log, &err);
  text = contents("lines.log");
  CHECK(strstr(text, "{\"log\":\"last\",\"stream\":\"stdout\"") && count(text, "Z\"}\n") == 5);
  free(text);
  log_idle(&log);
  close(log.fd);
}

static void test_log_split(void) {
  struct log log;
  struct log_stream out = {.name = "stdout"};
  char *line = malloc(40000);
  memset(line, '"', 40000);
  line[39999] = '\n';
  CHECK(!log_open(&log, "split.log", "{\"tag\":\"t\"}", 0, 1, false));
  log_write(&log, &out, line, 10000);
  log_write(&log, &out, line + 10000, 30000);
  char *text = contents("split.log");
  CHECK(count(text, "\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"t\"},\"time\":\"") == 3);
  CHECK(count(text, "\\n\",\"stream") == 1 && count(text, "\\\"") == 39999);
  CHECK(strstr(text, "\",\"stream") - text == 8 + 2 * LOG_PIECE);
  free(text);
  free(line);
  log_finish(&log, &out);
  log_idle(&log);
  close(log.fd);
}

static void write_letters(struct log *log, struct log_stream *out, char first, int count) {
  for (char c = first; c < first + count; c++) {
    char line[2] = {c, '\n'};
    log_write(log, out, line, 2);
  }
}

// Waits for the gzip at work; the next one may be at work then.
static void reap_gzip(struct log *log) {
  int status;
  pid_t pid = waitpid(log->gzip_pid, &status, 0);
  log_child_exited(log, pid, status);
}

static void test_rotation(void) {
  struct log log;
  struct log_stream out = {.name = "stdout"};
  CHECK(!log_open(&log, "rotate.log", NULL, 200, 3, true));
  write_letters(&log, &out, 'a', 9); // three entries to a file
  CHECK(log.generation == 2 && exists("rotate.log") && exists("rotate.log.1") && exists("rotate.log.2"));
  CHECK(log.compress_deadline && !log.gzip_pid);
  log_compress(&log);
  CHECK(!log.compress_deadline && log.gzip_pid);
  reap_gzip(&log);
  CHECK(exists("rotate.log.1.gz") && !exists("rotate.log.1") && log.gzip_pid);
  reap_gzip(&log);
  CHECK(exists("rotate.log.2.gz") && !exists("rotate.log.2") && !log.gzip_pid);
  char *text = contents("rotate.log");
  CHECK(strstr(text, "\"g\\n\"") && strstr(text, "\"i\\n\""));
  free(text);
  CHECK(!system("gzip -dc rotate.log.2.gz | grep -q '\"a'"));
  // Output faster than gzip: the file falls off the end while it is compressed, and nothing waits.
  write_letters(&log, &out, 'j', 3);
  log_compress(&log);
  write_letters(&log, &out, 'm', 12);
  CHECK(log.gzip_pid && exists("rotate.log.1") && exists("rotate.log.2"));
  reap_gzip(&log);
  CHECK(exists("rotate.log.1") && exists("rotate.log.2") && !exists("rotate.log.3"));
  while (log.gzip_pid)
    reap_gzip(&log);
  CHECK(exists("rotate.log.1.gz") && exists("rotate.log.2.gz") && !exists("rotate.log.1") && !exists("rotate.log.2"));
  CHECK(system("ls | grep -q tmp"));
  log_idle(&log);
  close(log.fd);
}

static void test_single_file(void) {
  struct log log;
  struct log_stream out = {.name = "stdout"};
  CHECK(!log_open(&log, "single.log", NULL, 100, 1, false));
  for (int i = 0; i < 10; i++)
    log_write(&log, &out, "line\n", 5);
  CHECK(log.size < 200 && log.generation > 2 && !exists("single.log.1"));
  log_idle(&log);
  close(log.fd);
}

static int parse(const char *fields, size_t length, struct start *start) {
  const char *why;
  char *message = malloc(length);
  memcpy(message, fields, length);
  int rc = start_parse(start, message, length, &why);
  if (rc)
    free(message);
  return rc;
}

static void test_start(void) {
  struct start start;
  static const char good[] = "gantry-shim=1\0directory=/d\0cwd=/\0arg=crun\0arg=a=b\0arg=\0env=K=V\0stdin=once\0"
                             "terminal=1\0rows=24\0log-max-size=10000000\0wait-attach=2\0end=1";
  CHECK(!parse(good, sizeof good, &start));
  CHECK(!strcmp(start.argv[1], "a=b") && !strcmp(start.argv[2], "") && !start.argv[3]);
  CHECK(!strcmp(start.env[0], "K=V") && !start.env[1] && start.stdin_mode == STDIN_ONCE && start.terminal);
  CHECK(start.rows == 24 && start.log_max_size == 10000000 && start.wait_attach == 2 && !start.log_path);
  start_free(&start);
  static const char *const bad[] = {"gantry-shim=2", "gantry-shim=1", "", "directory=/d"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK(parse(bad[i], strlen(bad[i]) + 1, &start));
  static const char unknown[] = "gantry-shim=1\0directory=/d\0cwd=/\0arg=x\0colour=red\0end=1";
  static const char number[] = "gantry-shim=1\0directory=/d\0cwd=/\0arg=x\0rows=99999999\0end=1";
  CHECK(parse(unknown, sizeof unknown, &start) && parse(number, sizeof number, &start));
  CHECK(parse(good, sizeof good - 1, &start));              // not NUL-terminated
  CHECK(parse(good, sizeof good - sizeof "end=1", &start)); // cut off by the daemon's death
}

int main(void) {
  char directory[] = "/tmp/gantry-shim-test-XXXXXX", command[64];
  CHECK(mkdtemp(directory) && !chdir(directory));
  test_json();
  test_frame();
  test_log_lines();
  test_log_split();
  test_rotation();
  test_single_file();
  test_start();
  snprintf(command, sizeof command, "rm -rf %s", directory);
  CHECK(!system(command));
  puts("shim unit tests passed");
  return 0;
}
