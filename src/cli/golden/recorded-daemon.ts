/** A daemon that answers from fixtures.json: recorded from dockerd 28.5, then varied by hand. */
import { join } from "node:path";

const answers: Record<string, unknown> = await Bun.file(join(import.meta.dir, "fixtures.json")).json();
const headers = {
  "Content-Type": "application/json",
  "Api-Version": "1.51",
  Ostype: "linux",
  "Docker-Experimental": "false",
  "Builder-Version": "2",
};

/** Serves on a unix socket until it is stopped. */
export function serveRecorded(unix: string) {
  return Bun.serve({ unix, fetch: answer });
}

function answer(request: Request): Response {
  const path = decodeURIComponent(new URL(request.url).pathname).replace(/^\/v[\d.]+/, "");
  if (path === "/_ping") return new Response("OK", { headers });
  if (Object.hasOwn(answers, path)) return Response.json(answers[path], { headers });
  const [, kind = "", name = ""] = path.split("/");
  const messages: Record<string, string> = {
    containers: `No such container: ${name}`,
    images: `No such image: ${name}:latest`,
    networks: `network ${name} not found`,
    volumes: `get ${name}: no such volume`,
  };
  return Response.json({ message: messages[kind] ?? "page not found" }, { status: 404, headers });
}

/** The environment both programs run in. */
export function goldenEnv(socket: string, configDirectory: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: configDirectory,
    DOCKER_HOST: `unix://${socket}`,
    DOCKER_CONFIG: configDirectory,
    TZ: "UTC",
  };
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Takes out what depends on the day: the fixtures are years old, and grow older. */
export function steady({ code, stdout, stderr }: Outcome): Outcome {
  const fixed = (text: string) => text.replace(/\b\d+ years/g, "N years").replace(/0xc[0-9a-f]{9}/g, "0xc000000000");
  return { code, stdout: fixed(stdout), stderr: fixed(stderr) };
}
