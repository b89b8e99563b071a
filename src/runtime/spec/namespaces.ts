/** Which namespaces a container has of its own, and which it shares. */
import type { NamespaceType, SpecNamespace } from "../../oci/runtime-spec.ts";
import type { NamespaceChoice, SpecInput } from "./input.ts";

export function buildNamespaces(choices: SpecInput["namespaces"]): SpecNamespace[] {
  const wanted: [NamespaceType, NamespaceChoice][] = [
    ["mount", "new"],
    ["network", choices.net],
    ["uts", choices.uts],
    ["pid", choices.pid],
    ["ipc", choices.ipc],
    ["cgroup", choices.cgroup],
  ];
  return wanted.flatMap(([type, choice]) => {
    if (choice === "host") return [];
    return [choice === "new" ? { type } : { type, path: choice.path }];
  });
}
