// control.sock: one-line commands with one-line answers, and the reports for the daemon.
#pragma once
#include "shim.h"

int control_listen(struct shim *shim);

// Sends "KIND DETAIL" to fd 1 and to every subscriber. `detail` ends with a newline.
void control_report(struct shim *shim, const char *kind, const char *detail);

// "CODE SIGNAL OOM TIME_NS\n"
void control_format_exit(const struct shim *shim, char *line, size_t size);

// Takes no more connections.
void control_finish(struct shim *shim);

// Frees clients that are gone; called between rounds of events.
void control_sweep(struct shim *shim);
