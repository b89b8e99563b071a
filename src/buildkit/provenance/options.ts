/** `--provenance`, as clients send it: `attest:provenance=mode=max,version=v1`. Source: moby/buildkit frontend/attestations/parse.go. */
import { invalidArgument, notImplemented } from "../../base/errors.ts";
import { splitOnce } from "../../base/text.ts";

export interface ProvenanceOptions {
  mode: "min" | "max";
  version: "v0.2" | "v1";
  builderId: string;
  reproducible: boolean;
}

export const fullProvenance: ProvenanceOptions = { mode: "max", version: "v0.2", builderId: "", reproducible: false };

/**
 * What the outputs are to carry; undefined: nothing. buildx asks for `inline-only` where its user has asked for nothing: that is not
 * taken as a wish, so that a plain build's image is an image. Throws for attestations of other kinds.
 */
export function parseAttestations(given: readonly [kind: string, value: string][]): ProvenanceOptions | undefined {
  let found: ProvenanceOptions | undefined;
  for (const [kind, value] of given) {
    if (kind === "provenance") found = parseProvenance(value);
    else if (kind === "sbom" && !isDisabled(value)) {
      throw notImplemented("SBOM attestations (--sbom) are not supported: no scanner is run on results");
    } else if (kind !== "sbom") throw invalidArgument(`unknown attestation type "attest:${kind}"`);
  }
  return found;
}

function isDisabled(text: string): boolean {
  return fieldsOf(text).get("disabled") === "true";
}

function fieldsOf(text: string): Map<string, string> {
  return new Map(
    text
      .split(",")
      .filter(Boolean)
      .map((field) => splitOnce(field.replace(/^"|"$/g, ""), "=")),
  );
}

function parseProvenance(text: string): ProvenanceOptions | undefined {
  if (isDisabled(text)) return undefined;
  const { mode = "max", version = "v0.2", "builder-id": builderId = "", ...rest } = Object.fromEntries(fieldsOf(text));
  const { reproducible = "false", "inline-only": inlineOnly = "false", disabled: _, type: __, ...others } = rest;
  if (!["min", "max", "full"].includes(mode)) throw invalidArgument(`invalid mode "${mode}"`);
  if (version !== "v0.2" && version !== "v1") throw invalidArgument(`invalid provenance SLSA version: ${version}`);
  if (!/^(true|false|1|0)$/.test(reproducible)) {
    throw invalidArgument(`failed to parse reproducible flag ${JSON.stringify(reproducible)}`);
  }
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw notImplemented(`the option ${unknown} of provenance attestations is not supported`);
  if (inlineOnly === "true") return undefined;
  return { mode: mode === "min" ? "min" : "max", version, builderId, reproducible: /^(true|1)$/.test(reproducible) };
}
