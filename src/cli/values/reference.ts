/** Image references where the CLI only shows them: what cannot be read is undefined rather than an error. */
import { parseReference, type Reference } from "../../oci/reference.ts";

/** Undefined when the text is no reference. */
export function tryReference(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}
