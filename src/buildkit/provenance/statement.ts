/** A predicate about results, as in-toto writes it. Source: in-toto.io/Statement/v0.1. */
import { type Digest, hexOf } from "../../oci/digest.ts";

export interface Subject {
  name: string;
  digest: Digest;
}

export function statement(predicateType: string, predicate: object, subjects: readonly Subject[]): object {
  return {
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType,
    subject: subjects.map(({ name, digest }) => ({ name, digest: { sha256: hexOf(digest) } })),
    predicate,
  };
}
