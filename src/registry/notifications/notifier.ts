/**
 * Tells endpoints of what happened here, in the envelope of Docker's registry. Events are queued in the database and sent in their order;
 * an endpoint that fails is asked again, at growing intervals, until it takes them or they are too old.
 * https://distribution.github.io/distribution/about/notifications/
 */
import { errorMessage } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import type { Digest } from "../../oci/digest.ts";
import type { EventQueue, QueuedEvent } from "../metadata/event-queue.ts";
import type { Endpoint } from "./endpoints.ts";

const envelopeType = "application/vnd.docker.distribution.events.v1+json";
/** How long an instance may take to deliver an event before another tries. */
const claimMillis = 120_000;
const pollMillis = 5_000;
const firstWaitMillis = 1_000;
const longestWaitMillis = 300_000;
const batch = 50;

export type EventAction = "push" | "pull" | "mount" | "delete";

export interface Change {
  readonly action: EventAction;
  readonly repository: string;
  readonly target: {
    readonly kind: "manifests" | "blobs";
    readonly digest?: Digest;
    readonly tag?: string | undefined;
    readonly mediaType?: string;
    readonly size?: number;
    /** The repository that a blob was mounted from. */
    readonly from?: string;
  };
}

/** Whose doing it was. */
export interface Origin {
  readonly request: Request;
  readonly url: URL;
  readonly user: string | undefined;
  readonly remote: string;
}

export class Notifier {
  private readonly endpoints: readonly Endpoint[];
  private readonly queue: EventQueue;
  private readonly logger: Logger;
  private readonly instance = crypto.randomUUID();
  private readonly ending = new AbortController();
  private readonly running = new Map<string, Promise<void>>();
  private readonly timer: Timer;

  constructor(endpoints: readonly Endpoint[], queue: EventQueue, logger: Logger) {
    this.endpoints = endpoints;
    this.queue = queue;
    this.logger = logger;
    this.timer = setInterval(() => this.wake(), pollMillis);
    this.wake();
  }

  /** Queues the event for those who want it. Never throws: what happened has happened. */
  tell(change: Change, origin: Origin): void {
    const wanting = this.endpoints.filter((endpoint) => endpoint.actions.has(change.action));
    if (wanting.length === 0) return;
    const body = JSON.stringify(this.event(change, origin));
    void Promise.all(wanting.map(({ name }) => this.queue.add(name, body))).then(
      () => this.wake(),
      (error) => this.logger.error("event is lost", { error, action: change.action, repository: change.repository }),
    );
  }

  /** Lets deliveries under way end. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    this.ending.abort();
    await Promise.all(this.running.values());
  }

  private wake(): void {
    for (const endpoint of this.endpoints) {
      if (this.ending.signal.aborted || this.running.has(endpoint.name)) continue;
      const work = this.deliver(endpoint).catch((error) => this.logger.error("notifications failed", { error }));
      this.running.set(
        endpoint.name,
        work.finally(() => this.running.delete(endpoint.name)),
      );
    }
  }

  /** All that is due, the oldest first; stops at the first that is not taken, for their order counts. */
  private async deliver(endpoint: Endpoint): Promise<void> {
    for (;;) {
      const events = await this.queue.oldest(endpoint.name, batch);
      for (const event of events) {
        const now = Date.now();
        if (this.ending.signal.aborted || event.due > now) return;
        if (!(await this.queue.claim(event, now + claimMillis))) return;
        if (!(await this.send(endpoint, event))) return;
      }
      if (events.length < batch) return;
    }
  }

  private async send(endpoint: Endpoint, event: QueuedEvent): Promise<boolean> {
    const failure = await this.post(endpoint, event.body);
    const age = Date.now() - Number(event.id.slice(0, 15));
    if (failure === undefined || age > endpoint.lifetimeMillis) {
      if (failure !== undefined)
        this.logger.error("event is given up", { endpoint: endpoint.name, failure, event: event.body });
      await this.queue.remove(event.id);
      return true;
    }
    const wait = Math.min(firstWaitMillis * 2 ** Math.min(event.attempts, 20), longestWaitMillis);
    await this.queue.putOff(event.id, Date.now() + wait);
    this.logger.warn("endpoint does not take events", { endpoint: endpoint.name, failure, retryMillis: wait });
    return false;
  }

  /** Undefined when the endpoint took it, else why not. */
  private async post(endpoint: Endpoint, event: string): Promise<string | undefined> {
    try {
      const response = await fetch(endpoint.url, {
        method: "POST",
        headers: { "content-type": envelopeType, ...endpoint.headers },
        body: `{"events":[${event}]}`,
        redirect: "manual",
        signal: AbortSignal.timeout(endpoint.timeoutMillis),
      });
      await response.body?.cancel();
      return response.status >= 200 && response.status < 400 ? undefined : `status ${response.status}`;
    } catch (error) {
      return errorMessage(error);
    }
  }

  private event({ action, repository, target }: Change, { request, url, user, remote }: Origin) {
    const { kind, digest, tag, mediaType, size, from } = target;
    return {
      id: crypto.randomUUID(),
      timestamp: new Date().toISOString(),
      action,
      target: {
        ...(mediaType === undefined ? {} : { mediaType }),
        ...(size === undefined ? {} : { size, length: size }),
        ...(digest === undefined ? {} : { digest, url: `${url.origin}/v2/${repository}/${kind}/${digest}` }),
        repository,
        ...(from === undefined ? {} : { fromRepository: from }),
        ...(tag === undefined ? {} : { tag }),
      },
      request: {
        id: crypto.randomUUID(),
        addr: remote,
        host: url.host,
        method: request.method,
        useragent: request.headers.get("user-agent") ?? "",
      },
      actor: user === undefined ? {} : { name: user },
      source: { addr: url.host, instanceID: this.instance },
    };
  }
}
