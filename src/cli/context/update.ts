/** `context update`. */
import { defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { dockerEndpoint, dockerFlag, dockerHelp } from "./docker-endpoint.ts";
import { ContextStore, checkContextName } from "./store.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT",
  args: { min: 1, max: 1 },
  description: `Update a context${dockerHelp("docker", "update")}`,
  flags: { description: flag.string("Description of the context"), docker: dockerFlag },
  async run(context, flags, [name = ""]) {
    const { description, docker } = flags.value;
    const store = new ContextStore(context.config.directory);
    checkContextName(name);
    const meta = store.get(name);
    if (description !== "") meta.Metadata.Description = description;
    let tls = store.tls(name);
    if (Object.keys(docker).length > 0) {
      const made = dockerEndpoint(context, docker);
      meta.Endpoints.docker = made.endpoint;
      tls = made.tls;
    }
    store.put(meta, tls);
    context.stdout.print(name);
    context.stderr.print(`Successfully updated context "${name}"`);
    return 0;
  },
});
