/** One difference between API versions. */

/** A change applies to clients older than `before`. It may edit the value, which is the server's own copy. */
export interface Change<T> {
  readonly before: number;
  readonly apply: (value: T) => void;
}

/** Applies the changes that a client of this version does not know of. */
export function shape<T>(changes: readonly Change<T>[], value: T, version: number): T {
  for (const { before, apply } of changes) if (version < before) apply(value);
  return value;
}
