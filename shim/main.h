// The course of a shim's life, as its parts advance it.
#pragma once
#include "shim.h"

// Opens the gate for output once the runtime has succeeded and the clients that were to be waited for are there.
void gate_update(struct shim *shim);
