// The container's log in Docker's json-file format, with rotation. One write(2) per burst in the usual case.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// A line longer than this is written in pieces, as dockerd's copier does.
#define LOG_PIECE (16 * 1024)

struct log {
  int fd; // -1 when nothing is logged
  const char *path, *attrs;
  int64_t size, max_size; // bytes; max_size 0 never rotates
  uint64_t inode, generation;
  unsigned max_file;
  bool compress;
  char *out; // escaped entries not yet written, then `tail`; only while there is traffic
  size_t out_length;
  size_t tail_length; // bytes of the text that ends each entry of the burst at hand
  int64_t compress_deadline; // 0: nothing waits to be compressed
  pid_t gzip_pid;
  uint64_t gzip_inode; // what gzip is reading, wherever rotation has moved it since
  int gzip_source; // the same, held open so that the inode is no other file's before gzip is reaped
};

// One stream's unfinished line.
struct log_stream {
  const char *name; // "stdout" or "stderr"
  char *partial;    // LOG_PIECE bytes, only while a line is unfinished
  size_t length;
};

// Where the log stands: `offset` bytes of the file with that inode; `generation` counts rotations since the shim began.
struct log_position {
  uint64_t generation, inode, offset;
};

// Opens `path` for appending, creating it with mode 0640. A NULL path logs nothing.
int log_open(struct log *log, const char *path, const char *attrs, int64_t max_size, unsigned max_file, bool compress);

// Writes what `data` completes; keeps an unfinished line in `stream`. On return everything complete is in the file.
// A write error (disk full) drops entries whole: the file never holds half a line, and the container never stalls.
void log_write(struct log *log, struct log_stream *stream, const char *data, size_t length);

// The stream has ended: writes its unfinished line, without a newline.
void log_finish(struct log *log, struct log_stream *stream);

// Gives back the buffers that only traffic needs.
void log_idle(struct log *log);

struct log_position log_position(const struct log *log);

// Rotates path → path.1 → path.2 … and starts a fresh file (rotate.c).
void log_rotate(struct log *log);

// Begins to compress what was rotated, one file after the other in the background. Rotation itself only sets a deadline for
// this: while output floods, what is compressed now would be dropped a moment later (rotate.c).
void log_compress(struct log *log);

// A child ended: if it was the log's gzip, puts its result in place and goes on with the next file (rotate.c).
void log_child_exited(struct log *log, pid_t pid, int status);
