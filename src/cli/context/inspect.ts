/** `context inspect`. */
import { defineCommand } from "../command.ts";
import type { CliContext } from "../context.ts";
import { inspectFormat } from "../format/options.ts";
import { anyType } from "../format/template/go-type.ts";
import { inspectAll } from "../inspect/inspector.ts";
import { resolveContext } from "./docker-endpoint.ts";
import { ContextStore } from "./store.ts";

export const command = defineCommand({
  usage: "[OPTIONS] [CONTEXT] [CONTEXT...]",
  args: { min: 0 },
  flags: { format: inspectFormat },
  run(context, flags, names) {
    const chosen = names.length > 0 ? names : [context.contextName];
    return inspectAll(context, chosen, flags.value.format, async (name) => ({
      text: contextText(context, name),
      type: anyType,
    }));
  },
});

function contextText(context: CliContext, name: string): string {
  const { meta, tls } = resolveContext(context, name);
  const store = new ContextStore(context.config.directory);
  const material: Record<string, string[]> = {};
  for (const path of Object.keys(tls)) {
    const [endpoint = "", file = ""] = path.split("/");
    material[endpoint] = [...(material[endpoint] ?? []), file];
  }
  const inMemory = "<IN MEMORY>";
  const text = JSON.stringify({
    Name: meta.Name,
    Metadata: meta.Metadata,
    Endpoints: meta.Endpoints,
    TLSMaterial: material,
    Storage: {
      MetadataPath: name === "default" ? inMemory : store.metaPath(name),
      TLSPath: name === "default" ? inMemory : store.tlsPath(name),
    },
  });
  // Go's encoder escapes these.
  return text.replace(/[<>&]/g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}
