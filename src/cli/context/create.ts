/** `context create`. */
import { CliError, defineCommand } from "../command.ts";
import { flag } from "../flag-kinds.ts";
import { dockerEndpoint, dockerFlag, dockerHelp, resolveContext } from "./docker-endpoint.ts";
import { ContextStore, checkContextName } from "./store.ts";

export const command = defineCommand({
  usage: "[OPTIONS] CONTEXT",
  args: { min: 1, max: 1 },
  description: `Create a context${dockerHelp("docker", "create")}`,
  flags: {
    description: flag.string("Description of the context"),
    docker: dockerFlag,
    from: flag.string("create context from a named context"),
  },
  async run(context, flags, [name = ""]) {
    const { description, docker, from } = flags.value;
    const store = new ContextStore(context.config.directory);
    checkContextName(name);
    if (store.has(name)) throw new CliError(`context "${name}" already exists`);
    const given = Object.keys(docker).length > 0;
    const source = from || (given ? "" : context.contextName);
    const copied = source === "" ? undefined : resolveContext(context, source);
    const { endpoint, tls } = given
      ? dockerEndpoint(context, docker)
      : { endpoint: copied?.meta.Endpoints.docker, tls: copied?.tls ?? {} };
    const Description = description || copied?.meta.Metadata.Description || "";
    store.put(
      {
        Name: name,
        Metadata: Description === "" ? {} : { Description },
        Endpoints: endpoint ? { docker: endpoint } : {},
      },
      tls,
    );
    context.stdout.print(name);
    context.stderr.print(`Successfully created context "${name}"`);
    return 0;
  },
});
