// The process's streams, and the small helpers over epoll that all sources share.
#pragma once
#include "shim.h"

#define close_fd __attribute__((cleanup(close_fd_cleanup)))
void close_fd_cleanup(int *fd);

// Sets the events epoll watches the source for. 0 still tells hang-ups; UNWATCHED takes it out, hang-ups and all.
int source_watch(struct shim *shim, struct source *source, uint32_t events);
void source_close(struct shim *shim, struct source *source);

// A unix stream socket listening at `name` in the shim's directory.
int source_listen(struct shim *shim, struct source *source, const char *name);

// Receives bytes and, with them, at most one descriptor (else -1). Returns as recvmsg does, without waiting.
ssize_t receive_with_fd(int socket, void *bytes, size_t size, int *fd);

// The child's ends of its standard streams.
struct stdio {
  int in, out, err;
};

// Opens pipes for the process. In terminal mode the runtime gets /dev/null and one pipe that only carries its errors,
// and the terminal comes later over console.sock.
int io_open(struct shim *shim, struct stdio *child);

// Reads output whenever the gate is open and no client owes a read; call after either has changed.
void io_update_outputs(struct shim *shim);

// True when every output has come to its end.
bool io_drained(const struct shim *shim);

// Ends the outputs, EOF or not, and writes the last unfinished lines to the log.
void io_close_outputs(struct shim *shim);

// Moves what a client has sent into stdin. Returns bytes moved, 0 at the client's EOF, -EAGAIN when there is nothing to
// do now, or another error when the client is gone.
ssize_t io_take_input(struct shim *shim, int client);
void io_close_input(struct shim *shim);

int io_resize(struct shim *shim, unsigned rows, unsigned cols);

// The runtime has succeeded: takes the terminal it has sent, should that event still be waiting in line.
void io_take_terminal(struct shim *shim);

// The buffer shared by all readers, or NULL when memory is out.
char *io_buffer(struct shim *shim);
