// Running the OCI runtime and learning what became of it.
#pragma once
#include "io.h"

// Starts the runtime with the child's ends of its streams. On failure `why` names what failed.
int runtime_spawn(struct shim *shim, const struct stdio *child, const char **why);

// The runtime has ended. On success `shim->init_pid` is set and 0 is returned; else the exit code to report, with the
// runtime's own words in `text`.
int runtime_result(struct shim *shim, int status, char *text, size_t size);
