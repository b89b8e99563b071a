/**
 * Random creations, connections, publications, ends and kills of the daemon, against a model. ROUNDS (default 30) and SEED choose how many
 * and which; a failure names its seed.
 */
import { expect, test } from "bun:test";
import { useTarget } from "./lib/journey.ts";
import { apiLines, disagreements, NetworkModel } from "./lib/network-model.ts";
import { until } from "./lib/run.ts";
import { targetKind } from "./lib/settings.ts";

const target = useTarget();
const rounds = Number(process.env["ROUNDS"] ?? 30);
const seed = Number(process.env["SEED"] ?? 20261124);

/** Marsaglia's xorshift: the same numbers for the same seed. */
function randomizer(start: number): (below: number) => number {
  let state = start >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}
const random = randomizer(seed);
const pick = <T>(list: readonly T[]): T | undefined => list[random(list.length)];

async function call(method: string, path: string, json?: unknown): Promise<Record<string, unknown>> {
  const response = await target().api(`/v1.51${path}`, { method, ...(json === undefined ? {} : { json }) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
}

const model = new NetworkModel();
let serial = 0;

function toBindings(ports: Iterable<string>): Record<string, { HostPort: string }[]> {
  const pairs = [...ports].map((port) => port.split(":") as [string, string]);
  return Object.fromEntries(pairs.map(([HostPort, inside]) => [`${inside}/tcp`, [{ HostPort }]]));
}

/** Ports of the host that nobody has; each container port once. */
function newPorts(count: number): Set<string> {
  return new Set(Array.from({ length: count }, () => `${20000 + serial++}:${1 + (serial % 1000)}`));
}

/** One change: what it does to the daemon, then to the model. undefined: there is nothing to do it to. */
type Step = { text: string; act(): Promise<unknown>; apply(result: Record<string, unknown>): void } | undefined;

const steps: (() => Step)[] = [
  () => {
    const [name, ipv6, Internal] = [`net${serial++}`, random(3) === 0, random(6) === 0];
    if (model.networks.size >= 6) return undefined;
    return {
      text: `network create ${name}`,
      act: () => call("POST", "/networks/create", { Name: name, EnableIPv6: ipv6, Internal }),
      apply: ({ Id }) => void model.networks.set(name, { id: String(Id), ipv6 }),
    };
  },
  () => {
    const used = new Set([...model.containers.values()].flatMap(({ networks }) => [...networks]));
    const name = pick([...model.networks.keys()].filter((network) => !used.has(network)));
    if (name === undefined) return undefined;
    return {
      text: `network rm ${name}`,
      act: () => call("DELETE", `/networks/${name}`),
      apply: () => void model.networks.delete(name),
    };
  },
  ...Array.from({ length: 2 }, () => () => {
    if (model.containers.size >= 8) return undefined;
    const name = `con${serial++}`;
    const networks = [...model.networks.keys(), "bridge"].filter(() => random(3) === 0);
    if (networks.length === 0) networks.push("bridge");
    const ports = newPorts(random(4));
    return {
      text: `run ${name} on ${networks.join(", ")} with ${[...ports].join(", ")}`,
      act: async () => {
        const body = {
          Image: "busybox",
          Cmd: ["sleep", "100000"],
          StopSignal: "SIGKILL",
          ExposedPorts: Object.fromEntries(Object.keys(toBindings(ports)).map((port) => [port, {}])),
          HostConfig: { NetworkMode: networks[0], PortBindings: toBindings(ports) },
          NetworkingConfig: { EndpointsConfig: Object.fromEntries(networks.map((network) => [network, {}])) },
        };
        const made = await call("POST", `/containers/create?name=${name}`, body);
        await call("POST", `/containers/${name}/start`);
        return made;
      },
      apply: ({ Id }: Record<string, unknown>) =>
        void model.containers.set(name, { id: String(Id), networks: new Set(networks), ports }),
    };
  }),
  () => {
    const name = pick([...model.containers.keys()]);
    if (name === undefined) return undefined;
    return {
      text: `rm -f ${name}`,
      act: () => call("DELETE", `/containers/${name}?force=1`),
      apply: () => void model.containers.delete(name),
    };
  },
  ...Array.from({ length: 2 }, () => () => {
    const [name, container] = pick([...model.containers]) ?? [];
    const network = pick([...model.networks.keys()].filter((entry) => !container?.networks.has(entry)));
    if (!container || network === undefined) return undefined;
    return {
      text: `network connect ${network} ${name}`,
      act: () => call("POST", `/networks/${network}/connect`, { Container: name }),
      apply: () => void container.networks.add(network),
    };
  }),
  () => {
    const [name, container] = pick([...model.containers]) ?? [];
    const network = pick([...(container?.networks ?? [])]);
    if (!container || network === undefined) return undefined;
    return {
      text: `network disconnect ${network} ${name}`,
      act: () => call("POST", `/networks/${network}/disconnect`, { Container: name }),
      apply: () => void container.networks.delete(network),
    };
  },
  () => {
    const [name, container] = pick([...model.containers]) ?? [];
    if (!container) return undefined;
    const ports = new Set([...[...container.ports].filter(() => random(2) === 0), ...newPorts(random(3))]);
    return {
      text: `update ${name} to ${[...ports].join(", ")}`,
      act: () => call("POST", `/containers/${name}/update`, { PortBindings: toBindings(ports) }),
      apply: () => {
        container.ports = ports;
      },
    };
  },
  () => {
    const name = pick([...model.containers.keys()]);
    if (name === undefined) return undefined;
    return {
      text: `restart ${name}`,
      act: () => call("POST", `/containers/${name}/restart?t=0`),
      apply: () => undefined,
    };
  },
];

/** Ports lead nowhere in containers that are on internal networks only, and there the model does not look. */
const withoutPorts = (lines: string[]) => lines.filter((line) => !line.startsWith("port "));

async function expectAgreement(): Promise<void> {
  expect(withoutPorts(await apiLines(target()))).toEqual(withoutPorts(model.lines()));
  // Deletions in the background take a moment.
  let found: string[] = [];
  await until("agreement", async () => {
    const bare = [...model.containers.values()].filter(({ networks }) => networks.size === 0).length;
    found = await disagreements(target(), bare);
    return found.length === 0 ? true : undefined;
  }).catch(() => expect(found).toEqual([]));
}

async function restartDaemon(signal: NodeJS.Signals): Promise<void> {
  await target().stopDaemon(signal);
  await target().startDaemon();
}

/** Kills the daemon in the middle of a step. What then is there, the model takes over: before or after it, but nothing between. */
async function killDuring(step: NonNullable<Step>): Promise<void> {
  const before = withoutPorts(model.lines());
  const acting = step.act().then(
    (result) => result as Record<string, unknown>,
    () => undefined,
  );
  await Bun.sleep(random(120));
  await restartDaemon("SIGKILL");
  const result = await acting;
  const now = withoutPorts(await apiLines(target()));
  if (result) step.apply(result);
  else if (JSON.stringify(now) !== JSON.stringify(before)) await adopt();
}

/** The model becomes what the API says; containers that were created and not started go. */
async function adopt(): Promise<void> {
  const networks = (await call("GET", "/networks")) as unknown as { Name: string; Id: string; EnableIPv6: boolean }[];
  model.networks.clear();
  for (const { Name, Id, EnableIPv6 } of networks) {
    if (/^net\d/.test(Name)) model.networks.set(Name, { id: Id, ipv6: EnableIPv6 });
  }
  const containers = (await call("GET", "/containers/json?all=1")) as unknown as {
    Id: string;
    Names: string[];
    State: string;
    NetworkSettings: { Networks: Record<string, object> };
  }[];
  const former = new Map(model.containers);
  model.containers.clear();
  for (const { Id, Names, State, NetworkSettings } of containers) {
    const name = Names[0]?.slice(1) ?? "";
    if (State !== "running") await call("DELETE", `/containers/${name}?force=1`);
    else {
      const { ports = new Set<string>() } = former.get(name) ?? {};
      model.containers.set(name, { id: Id, networks: new Set(Object.keys(NetworkSettings.Networks)), ports });
    }
  }
}

test.if(targetKind === "gantry")(`${rounds} rounds of the seed ${seed}`, async () => {
  const log: string[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      const step = pick(steps)?.();
      const kind = random(12);
      if (kind === 0) {
        log.push("kill -9");
        await restartDaemon("SIGKILL");
      } else if (kind === 1) {
        log.push("restart of the daemon");
        await restartDaemon("SIGTERM");
      } else if (step && kind === 2) {
        log.push(`kill -9 during: ${step.text}`);
        await killDuring(step);
      } else if (step) {
        log.push(step.text);
        step.apply((await step.act()) as Record<string, unknown>);
      } else continue;
      await expectAgreement();
    }
  } catch (error) {
    console.error(`seed ${seed}:\n${log.join("\n")}`);
    throw error;
  }
  for (const name of [...model.containers.keys()]) await call("DELETE", `/containers/${name}?force=1`);
  for (const name of [...model.networks.keys()]) await call("DELETE", `/networks/${name}`);
  model.containers.clear();
  model.networks.clear();
  await expectAgreement();
});
