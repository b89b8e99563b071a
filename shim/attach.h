// attach.sock: any number of clients that see the output and feed stdin, in the format of PROTOCOL.md.
#pragma once
#include "shim.h"

int attach_listen(struct shim *shim);

// Queues one burst of stream 1 or 2 for every client that wants it; clients that cannot take it all now hold up
// reading.
void attach_broadcast(struct shim *shim, int stream, const char *data, size_t length);

// Sets what epoll watches for each client after the state of stdin changed.
void attach_update_all(struct shim *shim);

// No more output will come: closes each client as soon as it has taken what is queued.
void attach_finish(struct shim *shim);

// Frees clients that are done; called between rounds of events, never within one.
void attach_sweep(struct shim *shim);

// Drops every client, with whatever it has not taken.
void attach_close_all(struct shim *shim);
