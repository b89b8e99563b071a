/**
 * A small plugin for Docker's legacy protocol, run as a program: `test-plugin.ts SOCKET ROOT`. It is a volume driver that keeps volumes as
 * directories below ROOT, and an authorization plugin that denies what ROOT/deny-request or ROOT/deny-response (regular expressions
 * over `METHOD URI`) match. Every call is a line of ROOT/calls. https://docs.docker.com/engine/extend/plugin_api/
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

const [socket = "", root = ""] = process.argv.slice(2);
mkdirSync(join(root, "volumes"), { recursive: true });

type Body = Record<string, unknown> & { Name?: string; ID?: string; Opts?: Record<string, string> | null };
const pathOf = (name = "") => join(root, "volumes", name);
const missing = (name = "") => (existsSync(pathOf(name)) ? undefined : { Err: `no volume ${name} here` });

const matches = (file: string, body: Body) => {
  const path = join(root, file);
  if (!existsSync(path)) return false;
  return new RegExp(readFileSync(path, "utf8").trim()).test(`${body["RequestMethod"]} ${body["RequestUri"]}`);
};
const decide = (denied: boolean) => (denied ? { Allow: false, Msg: "not today" } : { Allow: true });

const answers: Record<string, (body: Body) => object> = {
  "Plugin.Activate": () => ({ Implements: ["VolumeDriver", "authz"] }),
  "VolumeDriver.Create": ({ Name, Opts }) => {
    if (Opts?.["fail"]) return { Err: Opts["fail"] };
    mkdirSync(pathOf(Name), { recursive: true });
    return {};
  },
  "VolumeDriver.Remove": ({ Name }) => {
    if (existsSync(join(root, "refuse-remove"))) return { Err: "I keep it" };
    const problem = missing(Name);
    if (!problem) rmSync(pathOf(Name), { recursive: true });
    return problem ?? {};
  },
  "VolumeDriver.Mount": ({ Name }) => {
    if (existsSync(join(root, "refuse-mount"))) return { Err: "I do not mount" };
    return missing(Name) ?? { Mountpoint: pathOf(Name) };
  },
  "VolumeDriver.Unmount": () => ({}),
  "VolumeDriver.Path": ({ Name }) => missing(Name) ?? { Mountpoint: pathOf(Name) },
  "VolumeDriver.Get": ({ Name }) =>
    missing(Name) ?? {
      Volume: { Name, Mountpoint: pathOf(Name), Status: { mood: "good" }, CreatedAt: "2020-02-02T02:02:02Z" },
    },
  "VolumeDriver.List": () => ({
    Volumes: readdirSync(join(root, "volumes")).map((Name) => ({ Name, Mountpoint: pathOf(Name) })),
  }),
  "VolumeDriver.Capabilities": () => ({ Capabilities: { Scope: "global" } }),
  "AuthZPlugin.AuthZReq": (body) => decide(matches("deny-request", body)),
  "AuthZPlugin.AuthZRes": (body) => decide(matches("deny-response", body)),
};

function record(call: string, body: Body): void {
  const { Name, Opts, RequestMethod, RequestUri, RequestBody, ResponseStatusCode, ResponseBody } = body;
  const decoded = (field: unknown) =>
    typeof field === "string" ? Buffer.from(field, "base64").toString().trim() : undefined;
  const shown = { Name, ID: body.ID ? "ID" : undefined, Opts, RequestMethod, RequestUri, ResponseStatusCode };
  const bodies = { RequestBody: decoded(RequestBody), ResponseBody: decoded(ResponseBody) };
  appendFileSync(join(root, "calls"), `${call} ${JSON.stringify({ ...shown, ...bodies })}\n`);
}

Bun.serve({
  unix: socket,
  async fetch(request) {
    const call = new URL(request.url).pathname.slice(1);
    const text = await request.text();
    const body = (text.trim() === "" ? {} : JSON.parse(text)) as Body;
    record(call, body);
    const answer = answers[call];
    return answer ? Response.json(answer(body)) : new Response("404 page not found\n", { status: 404 });
  },
});
