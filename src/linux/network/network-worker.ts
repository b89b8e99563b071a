/** Entry point of a network thread: carries out NetworkHost's operations in order of arrival. See network-thread.ts. */
import { NetworkHost } from "./network-host.ts";
import { type NetworkCall, type NetworkReply, packError } from "./network-thread.ts";

declare const self: Worker;

const host = new NetworkHost();

self.onmessage = async ({ data }: MessageEvent<NetworkCall>) => {
  self.postMessage(await run(data));
};

async function run({ id, operation, parameters }: NetworkCall): Promise<NetworkReply> {
  try {
    const method = host[operation] as (...values: unknown[]) => unknown;
    return { id, value: await method.apply(host, parameters) };
  } catch (error) {
    return { id, error: packError(error) };
  }
}
