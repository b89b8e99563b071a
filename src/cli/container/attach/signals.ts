/** Signals and window sizes of this process, passed on to the container that it is attached to. */
import type { ApiClient } from "../../../api/client.ts";
import type { CliContext } from "../../context.ts";

/** What `--sig-proxy` forwards: everything that can be caught and means something to the other process. */
const proxied: readonly NodeJS.Signals[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGIO",
  "SIGPWR",
];

/** Forwards signals until disposed. A container that is gone by then is no error. */
export function proxySignals(client: ApiClient, container: string): Disposable {
  const handlers = proxied.map((signal) => {
    const handler = () => {
      client
        .send("POST", `/containers/${container}/kill`, { query: { signal: signal.slice(3) } })
        .catch(() => undefined);
    };
    process.on(signal, handler);
    return [signal, handler] as const;
  });
  return {
    [Symbol.dispose]: () => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    },
  };
}

/** Sends the terminal's size now and at each change, until disposed. `path` is `/containers/ID/resize` or `/exec/ID/resize`. */
export function followTerminalSize(context: CliContext, path: string): Disposable {
  const resize = async (): Promise<boolean> => {
    const size = context.stdout.size();
    if (!size || size.rows === 0 || size.columns === 0) return true;
    return context.client.send("POST", path, { query: { h: size.rows, w: size.columns } }).then(
      () => true,
      () => false,
    );
  };
  // The process may not have its terminal yet: a few tries, as the docker CLI makes them.
  const first = async () => {
    for (let attempt = 1; attempt <= 10; attempt++) {
      if (await resize()) return;
      await Bun.sleep(attempt * 10);
    }
    context.stderr.print("failed to resize tty, using default size");
  };
  void first();
  const onResize = () => void resize();
  process.on("SIGWINCH", onResize);
  return { [Symbol.dispose]: () => void process.off("SIGWINCH", onResize) };
}
