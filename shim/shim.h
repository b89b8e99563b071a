// The shared state of one shim: one supervised process (a container's init or an exec), its streams, its clients.
// Everything hangs off one `struct shim` that main() owns; there are no globals. Functions return 0 or -errno.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "start.h"

struct shim;

// Something epoll watches. `ready` is called with the events; it may close any source, its own included.
struct source {
  int fd;           // -1 when closed
  uint32_t watched; // events registered with epoll, or UNWATCHED
  void (*ready)(struct shim *shim, struct source *source, uint32_t events);
};

#define UNWATCHED UINT32_MAX
#define CLOSED_SOURCE ((struct source){.fd = -1, .watched = UNWATCHED})

// One output stream of the process: its stdout or terminal (1), or its stderr (2).
struct output {
  struct source source;
  struct log_stream log;
  bool big; // the pipe has been enlarged: it has seen traffic
};

// The process's stdin: a pipe, or a duplicate of the terminal's master.
struct input {
  struct source source;
  bool open;    // bytes are accepted; false discards what clients send
  bool blocked; // full, or the terminal has not arrived yet: clients wait
  bool big;
  char *pending; // terminal only: what the last write left over
  size_t pending_length;
};

enum phase {
  STARTING,  // the runtime is at work
  RUNNING,   // the process lives
  DRAINING,  // it has ended; what it wrote is being read
  LINGERING, // all is reported; clients take their last bytes
};

struct exit_record {
  int code, signal;
  bool oom_killed;
  int64_t time_ns;
};

struct shim {
  struct start start;
  enum phase phase;
  bool in_directory; // relative names are ours to write
  int epoll;
  struct source signals, report, console, attach_listener, control_listener;
  struct output outputs[2];
  struct input input;
  struct log log;
  struct attach_client *attached;
  struct control_client *controls;
  unsigned greeted;  // attach clients that have said hello, ever
  unsigned blocking; // attach clients that still owe a read
  bool gate_open;    // output may be read
  pid_t runtime_pid, init_pid;
  int runtime_stderr; // read end that tells why the runtime failed (terminal mode), or -1
  int64_t oom_kills;  // count when the shim started
  struct exit_record record;
  char *buffer; // BURST bytes, only while there is traffic
  size_t drain_budget;
  // Deadlines in monotonic milliseconds; 0 is none.
  int64_t gate_deadline, silence_deadline, drain_deadline, linger_deadline, idle_deadline;
};

// Bytes read at once from the process, and so the largest frame a client gets.
#define BURST (128 * 1024)
