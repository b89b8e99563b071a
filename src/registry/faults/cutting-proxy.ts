/** For tests: a proxy that cuts a connection, both ends of it, after a number of bytes in either direction. */

export interface CuttingProxy {
  readonly url: string;
  /** How many bytes the next connections may carry each; Infinity: all. */
  budget: number;
  readonly cuts: number;
  stop(): void;
}

interface Pipe {
  other: Bun.Socket<Pipe> | undefined;
  /** Not sent yet, for the other end does not take more. */
  waiting: Uint8Array[];
  left: { bytes: number };
  /** What came before there was another end. */
  early: Uint8Array[];
}

export function cuttingProxy(port: number): CuttingProxy {
  const state = { budget: Number.POSITIVE_INFINITY, cuts: 0 };
  const cut = (socket: Bun.Socket<Pipe>) => {
    state.cuts++;
    socket.data.other?.terminate();
    socket.terminate();
  };
  const flush = (socket: Bun.Socket<Pipe>) => {
    const { waiting } = socket.data;
    for (let chunk = waiting[0]; chunk; chunk = waiting[0]) {
      const written = socket.write(chunk);
      if (written < chunk.length) {
        waiting[0] = chunk.subarray(Math.max(0, written));
        return;
      }
      waiting.shift();
    }
  };
  const forward = (socket: Bun.Socket<Pipe>, chunk: Uint8Array) => {
    const { left, other, early } = socket.data;
    if (!other) {
      early.push(chunk.slice());
      return;
    }
    const part = chunk.subarray(0, Math.max(0, left.bytes)).slice();
    left.bytes -= chunk.length;
    other.data.waiting.push(part);
    flush(other);
    if (left.bytes < 0) cut(socket);
  };
  const handlers = {
    data: forward,
    drain: flush,
    close: (socket: Bun.Socket<Pipe>) => void socket.data.other?.end(),
    error: () => undefined,
  };
  const server = Bun.listen<Pipe>({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: {
      ...handlers,
      open: async (client) => {
        const left = { bytes: state.budget };
        client.data = { other: undefined, waiting: [], left, early: [] };
        const upstream = await Bun.connect<Pipe>({
          ...{ hostname: "127.0.0.1", port },
          data: { other: client, waiting: [], left, early: [] },
          socket: handlers,
        });
        client.data.other = upstream;
        for (const chunk of client.data.early.splice(0)) forward(client, chunk);
      },
    },
  });
  return Object.assign(state, { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) });
}
