import { expect, test } from "bun:test";
import type { ConfigValues } from "../config-file.ts";
import { CliContext } from "../context.ts";
import { authHeader, credentialsFor } from "./registry-auth.ts";

function contextWith(values: ConfigValues): CliContext {
  const choice = { hosts: [], context: "", tls: false, tlsVerify: false, tlsCa: "", tlsCert: "", tlsKey: "" };
  return new CliContext({
    program: "gantry",
    config: { directory: "/nonexistent", values },
    choice,
    env: {},
    debug: false,
  });
}

test("the header is padded URL-safe base64, as Go decodes it", async () => {
  const auth = Buffer.from("user:pa?>ss~~").toString("base64");
  const { "X-Registry-Auth": header = "" } = await authHeader(
    contextWith({ auths: { "reg:5000": { auth } } }),
    "reg:5000",
  );
  expect(header.length % 4).toBe(0);
  expect(header).not.toMatch(/[+/]/);
  const decoded = JSON.parse(Buffer.from(header, "base64url").toString());
  expect(decoded).toEqual({ username: "user", password: "pa?>ss~~", serveraddress: "reg:5000" });
});

test("an unknown registry gets an empty object", async () => {
  expect(await authHeader(contextWith({}), "docker.io")).toEqual({ "X-Registry-Auth": "e30=" });
});

test("Docker Hub's entry and entries written with a scheme are found", async () => {
  const auth = Buffer.from("u:p").toString("base64");
  const context = contextWith({
    auths: { "https://index.docker.io/v1/": { auth }, "https://other.example/v2/": { auth, identitytoken: "t" } },
  });
  expect((await credentialsFor(context, "docker.io")).username).toBe("u");
  expect((await credentialsFor(context, "other.example")).identitytoken).toBe("t");
});
