import { expect, test } from "bun:test";
import { parseOptions } from "./options.ts";
import { answerRequest } from "./subrequests.ts";

function outline(text: string, options: Record<string, string> = {}) {
  const source = { filename: "Dockerfile", text };
  const answer = answerRequest(source, parseOptions({ requestid: "frontend.outline", ...options }));
  return JSON.parse(Buffer.from(answer["result.json"] ?? []).toString()) as {
    secrets: { name: string }[];
    ssh: { name: string }[];
  };
}

test("ids of secrets and agents may be made of arguments and variables, each where it is seen", () => {
  const text = [
    "ARG WHERE=global",
    "FROM scratch AS base",
    "ARG BAR=default",
    "ENV KIND=env-$BAR",
    "RUN --mount=type=secret,id=one-$BAR --mount=type=ssh,id=$KIND true",
    "FROM base",
    "ARG WHERE",
    "RUN --mount=type=secret,id=two-$BAR-$KIND-$WHERE true",
  ].join("\n");
  expect(outline(text).secrets.map(({ name }) => name)).toEqual(["one-default", "two--env-default-global"]);
  const given = outline(text, { "build-arg:BAR": "678" });
  expect(given.secrets.map(({ name }) => name)).toEqual(["one-678", "two--env-678-global"]);
  expect(given.ssh.map(({ name }) => name)).toEqual(["env-678"]);
});

test("a secret is named by its id, its source, or the file that it becomes; an agent is the default one", () => {
  const mounts = ["id=one", "source=two", "target=/dir/three/"].map((mount) => `--mount=type=secret,${mount}`);
  const { secrets, ssh } = outline(`FROM scratch\nRUN ${mounts.join(" ")} --mount=type=ssh true`);
  expect(secrets.map(({ name }) => name)).toEqual(["one", "two", "three"]);
  expect(ssh.map(({ name }) => name)).toEqual(["default"]);
});
