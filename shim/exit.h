// The end of the process: reaping, the durable record, the drain.
#pragma once
#include "shim.h"

// Watches for children that end. All signals stay blocked: nothing but SIGKILL ends a shim.
int exit_watch_children(struct shim *shim);

// The `oom_kill` count of the cgroup file in the start message, 0 when there is none.
int64_t exit_oom_kills(const struct shim *shim);

// Starts the drain's clocks: call when the process has ended or the gate has opened, whichever is later.
void exit_begin_drain(struct shim *shim);

// Reports the exit when all output is in the log; called once per round of events.
void exit_finish_if_drained(struct shim *shim);

// The runtime has failed: records and reports why, and ends the shim.
void exit_start_failed(struct shim *shim, int code, const char *text);
