/**
 * A thread (Worker) that carries out NetworkHost's operations, so that waiting for the kernel's network locks never stops the daemon.
 * The compiled executable needs the worker as a second entry point: `bun build --compile src/main.ts src/linux/network/network-worker.ts`.
 */
import { EngineError, type ErrorKind, errorMessage } from "../../base/errors.ts";
import { isCompiled } from "../../base/self.ts";
import { SyscallError } from "../libc.ts";
import type { NetworkHost } from "./network-host.ts";

export interface NetworkCall {
  id: number;
  operation: keyof NetworkHost;
  parameters: unknown[];
}

export interface NetworkReply {
  id: number;
  value?: unknown;
  error?: PackedError;
}

interface PackedError {
  message: string;
  kind?: ErrorKind;
  syscall?: { name: string; errno: number };
}

export class NetworkThread {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  private nextId = 1;
  private failure: Error | undefined;

  /** The thread lives in the network namespace that the calling thread is in now. */
  constructor() {
    const path = isCompiled() ? "./linux/network/network-worker.ts" : "./network-worker.ts";
    this.worker = new Worker(new URL(path, import.meta.url).href, { smol: true });
    this.worker.onmessage = ({ data }: MessageEvent<NetworkReply>) => this.settle(data);
    this.worker.onerror = (event) => this.fail(new Error(`the network thread failed: ${event.message}`));
    this.worker.unref();
  }

  /** Runs one operation after those called before. Rejects with what it threw (EngineError and SyscallError keep their class). */
  call<K extends keyof NetworkHost>(
    operation: K,
    ...parameters: Parameters<NetworkHost[K]>
  ): Promise<Awaited<ReturnType<NetworkHost[K]>>> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.waiting.size === 0) this.worker.ref();
      this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.worker.postMessage({ id, operation, parameters } satisfies NetworkCall);
    });
  }

  /** Ends the thread. Calls under way are rejected. */
  close(): void {
    this.fail(new Error("the network thread was closed"));
    this.worker.terminate();
  }

  private settle({ id, value, error }: NetworkReply): void {
    const waiter = this.waiting.get(id);
    this.waiting.delete(id);
    if (this.waiting.size === 0) this.worker.unref();
    if (error) waiter?.reject(unpackError(error));
    else waiter?.resolve(value);
  }

  private fail(error: Error): void {
    this.failure = error;
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
    this.worker.unref();
  }
}

/** Messages between threads carry no classes. */
export function packError(error: unknown): PackedError {
  const message = errorMessage(error);
  if (error instanceof EngineError) return { message, kind: error.kind };
  if (error instanceof SyscallError) return { message, syscall: { name: error.syscall, errno: error.errno } };
  return { message };
}

function unpackError({ message, kind, syscall }: PackedError): Error {
  if (kind) return new EngineError(kind, message);
  if (!syscall) return new Error(message);
  const error = new SyscallError(syscall.name, syscall.errno);
  error.message = message;
  return error;
}
