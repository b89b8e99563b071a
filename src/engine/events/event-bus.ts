/**
 * The engine's events: kept in a ring for `since`, and streamed live. A stream holds every event from its start on: between what is
 * past and what is live nothing is lost or seen twice, because both are taken in one synchronous step.
 */
import type { EventMessage, Filters } from "../../api/system.ts";
import { nowNanos } from "../../base/clock.ts";
import { type EngineError, unavailable } from "../../base/errors.ts";
import { eventMatches } from "./event-filter.ts";

export interface EngineEvent {
  /** `container`, `image`, `network`, `volume`, `daemon`, `builder`. */
  type: string;
  /** Docker's word: `create`, `start`, `die`, `exec_start: sh`, … */
  action: string;
  /** The actor: a container id, an image id, a volume's name. */
  id: string;
  attributes?: Record<string, string> | undefined;
}

export interface EventStreamOptions {
  /** Nanoseconds since 1970; undefined: only live events, or with an end all that are kept. */
  since?: bigint | undefined;
  /** The stream ends then; a time in the past means past events only. */
  until?: bigint | undefined;
  filters: Filters;
  signal: AbortSignal;
}

/** The oldest of these are forgotten (dockerd keeps 256). */
const ringSize = 1000;

/** A subscriber that is this many events behind is cut off with an error rather than fed from memory for ever. */
const maxPending = 20_000;

/** Longest delay that a timer takes; later ends are reached by renewing it. */
const maxTimerMillis = 2 ** 31 - 1;

export class EventBus {
  private ring: { nanos: bigint; message: EventMessage }[] = [];
  private readonly subscriptions = new Set<Subscription>();
  private last = 0n;
  private published = 0;

  /** How many events there were since the start. */
  get total(): number {
    return this.published;
  }

  /** How many streams are open (`NEventsListener` of /info). */
  get listeners(): number {
    return this.subscriptions.size;
  }

  publish(event: EngineEvent): void {
    const now = nowNanos();
    // Later events have later times, so that a client may continue from the last one that it saw.
    const nanos = now > this.last ? now : this.last + 1000n;
    this.last = nanos;
    this.published++;
    const message = toMessage(event, nanos);
    this.ring.push({ nanos, message });
    if (this.ring.length >= ringSize * 2) this.ring = this.ring.slice(-ringSize);
    for (const subscription of this.subscriptions) subscription.offer(message);
  }

  /** Subscribes at once, not at the first read. Ends at `until` or on abort; rejects `unavailable` for a reader that is far too slow. */
  stream(options: EventStreamOptions): AsyncIterable<EventMessage> {
    const { since, until, filters, signal } = options;
    const subscription = new Subscription(filters, () => this.subscriptions.delete(subscription));
    if (since !== undefined || until !== undefined) {
      for (const { nanos, message } of this.ring.slice(-ringSize)) {
        if (nanos >= (since ?? 0n) && (until === undefined || nanos <= until)) subscription.offer(message);
      }
    }
    if (signal.aborted || (until !== undefined && until <= nowNanos())) {
      subscription.finish();
      return subscription;
    }
    this.subscriptions.add(subscription);
    subscription.endOn(signal);
    if (until !== undefined) subscription.endAt(until);
    return subscription;
  }
}

function toMessage(event: EngineEvent, nanos: bigint): EventMessage {
  const attributes = event.attributes ?? {};
  const legacy =
    event.type === "container" || event.type === "image"
      ? {
          status: event.action,
          id: event.id,
          ...(event.type === "container" && attributes["image"] ? { from: attributes["image"] } : {}),
        }
      : {};
  return {
    ...legacy,
    Type: event.type,
    Action: event.action,
    Actor: { ID: event.id, Attributes: { ...attributes } },
    scope: "local",
    time: Number(nanos / 1_000_000_000n),
    timeNano: Number(nanos),
  };
}

/** One reader's queue. What was queued before the end is still delivered. */
class Subscription implements AsyncIterable<EventMessage>, AsyncIterator<EventMessage> {
  private readonly filters: Filters;
  private readonly onEnd: () => void;
  private queue: EventMessage[] = [];
  private wake: (() => void) | undefined;
  private ended = false;
  private failure: EngineError | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private unlisten: (() => void) | undefined;

  constructor(filters: Filters, onEnd: () => void) {
    this.filters = filters;
    this.onEnd = onEnd;
  }

  [Symbol.asyncIterator](): AsyncIterator<EventMessage> {
    return this;
  }

  offer(message: EventMessage): void {
    if (this.ended || !eventMatches(message, this.filters)) return;
    if (this.queue.length >= maxPending) {
      this.failure = unavailable("event stream closed: the client reads too slowly");
      this.finish();
      return;
    }
    this.queue.push(message);
    this.wake?.();
  }

  endOn(signal: AbortSignal): void {
    const stop = () => this.finish();
    signal.addEventListener("abort", stop, { once: true });
    this.unlisten = () => signal.removeEventListener("abort", stop);
  }

  endAt(until: bigint): void {
    const millis = Number((until - nowNanos()) / 1_000_000n) + 1;
    this.timer =
      millis > maxTimerMillis
        ? setTimeout(() => this.endAt(until), maxTimerMillis)
        : setTimeout(() => this.finish(), Math.max(0, millis));
  }

  finish(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    this.unlisten?.();
    this.onEnd();
    this.wake?.();
  }

  async next(): Promise<IteratorResult<EventMessage>> {
    while (this.queue.length === 0 && !this.ended) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      this.wake = undefined;
    }
    const value = this.queue.shift();
    if (value !== undefined) return { done: false, value };
    if (this.failure) throw this.failure;
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<EventMessage>> {
    this.queue = [];
    this.finish();
    return { done: true, value: undefined };
  }
}
