/** Container names on the way into a request path. */
import { CliError } from "../command.ts";

/** `/containers/NAME`, the name trimmed and encoded. Throws for an empty one, which would mean another route. */
export function containerPath(name: string): string {
  const trimmed = name.trim().replace(/^\/+|\/+$/g, "");
  if (trimmed === "") throw new CliError("invalid container name or ID: value is empty");
  return `/containers/${encodeURIComponent(trimmed)}`;
}
