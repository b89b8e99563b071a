/** Counts API requests and their latency, for `/metrics`. */

/** Upper bounds in seconds: Prometheus' own default, and two finer ones. */
export const latencyBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;

export interface Histogram {
  /** Observations per bound, not cumulative; the last is above all bounds. */
  buckets: number[];
  sum: number;
  count: number;
}

/** Routes whose duration dockerd reports as a container action. */
const containerActions: Record<string, string> = {
  "POST /containers/create": "create",
  "POST /containers/{id}/start": "start",
  "DELETE /containers/{id}": "delete",
  "GET /containers/{id}/changes": "changes",
  "POST /commit": "commit",
};

export class RequestMetrics {
  /** `method path status` → requests. */
  readonly requests = new Map<string, { method: string; path: string; status: number; count: number }>();
  /** By container action, of the successful ones. */
  readonly actions = new Map<string, Histogram>();
  /** `method path` → time until the response's head. */
  readonly latency = new Map<string, { method: string; path: string; histogram: Histogram }>();

  /** Fits `ApiServerOptions.observe`. */
  readonly observe = (method: string, path: string, status: number, seconds: number): void => {
    const key = `${method} ${path} ${status}`;
    const counter = this.requests.get(key) ?? { method, path, status, count: 0 };
    counter.count++;
    this.requests.set(key, counter);
    const route = `${method} ${path}`;
    const latency = this.latency.get(route) ?? { method, path, histogram: newHistogram() };
    add(latency.histogram, seconds);
    this.latency.set(route, latency);
    const action = status < 300 ? containerActions[route] : undefined;
    if (action === undefined) return;
    const histogram = this.actions.get(action) ?? newHistogram();
    add(histogram, seconds);
    this.actions.set(action, histogram);
  };
}

function newHistogram(): Histogram {
  return { buckets: new Array<number>(latencyBounds.length + 1).fill(0), sum: 0, count: 0 };
}

function add(histogram: Histogram, seconds: number): void {
  const found = latencyBounds.findIndex((bound) => seconds <= bound);
  const index = found < 0 ? latencyBounds.length : found;
  histogram.buckets[index] = (histogram.buckets[index] ?? 0) + 1;
  histogram.sum += seconds;
  histogram.count++;
}
