import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConfigFile } from "./config-file.ts";
import { contextId, currentContextName, type EndpointChoice, resolveEndpoint } from "./endpoint.ts";

const folder = mkdtempSync(join(tmpdir(), "gantry-endpoint-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const none: EndpointChoice = {
  hosts: [],
  context: "",
  tls: false,
  tlsVerify: false,
  tlsCa: "",
  tlsCert: "",
  tlsKey: "",
};
const config: ConfigFile = { directory: folder, values: {} };
const resolve = (choice: Partial<EndpointChoice>, env = {}, values = {}, program = "gantry") =>
  resolveEndpoint(program, { ...none, ...choice }, { ...config, values }, env);

function addContext(name: string, host: string): void {
  const meta = join(folder, "contexts", "meta", contextId(name));
  mkdirSync(meta, { recursive: true });
  const Endpoints = { docker: { Host: host, SkipTLSVerify: false } };
  writeFileSync(join(meta, "meta.json"), JSON.stringify({ Name: name, Metadata: {}, Endpoints }));
}

describe("which daemon", () => {
  addContext("remote", "tcp://example.org:2376");

  test("the program's own socket when nothing is said", () => {
    expect(resolve({}).unix).toBe("/run/gantry.sock");
    expect(resolve({}, {}, {}, "docker").unix).toBe("/var/run/docker.sock");
  });

  test("-H before DOCKER_HOST before the context of the configuration", () => {
    const env = { DOCKER_HOST: "tcp://1.2.3.4:5" };
    const values = { currentContext: "remote" };
    expect(resolve({ hosts: ["unix:///x"] }, env, values).unix).toBe("/x");
    expect(resolve({}, env, values)).toMatchObject({ host: "1.2.3.4", port: 5 });
    expect(resolve({}, {}, values)).toMatchObject({ host: "example.org", port: 2376 });
    expect(resolve({}, { DOCKER_CONTEXT: "remote" })).toMatchObject({ host: "example.org" });
  });

  test("a host makes the context the default one", () => {
    expect(currentContextName({ ...none, hosts: ["x"] }, config, { DOCKER_CONTEXT: "remote" })).toBe("default");
  });

  test("TLS material of a context", () => {
    const tls = join(folder, "contexts", "tls", contextId("remote"), "docker");
    mkdirSync(tls, { recursive: true });
    writeFileSync(join(tls, "ca.pem"), "CA");
    expect(resolve({ context: "remote" }).tls).toEqual({ ca: "CA", verify: true });
  });

  test("TLS by flags and environment; the CA and any named file must exist", () => {
    const hosts = ["tcp://h"];
    expect(() => resolve({ hosts, tls: true })).toThrow(`open ${folder}/ca.pem: no such file or directory`);
    writeFileSync(join(folder, "ca.pem"), "CA");
    writeFileSync(join(folder, "cert.pem"), "CERT");
    const expected = { port: 2376, tls: { ca: "CA", cert: "CERT", verify: false } };
    expect(resolve({ hosts, tls: true })).toMatchObject(expected);
    expect(resolve({ hosts }, { DOCKER_TLS_VERIFY: "1" }).tls?.verify).toBe(true);
    const elsewhere = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: "/nonexistent" };
    expect(() => resolve({ hosts }, elsewhere)).toThrow("open /nonexistent/ca.pem: no such file or directory");
    expect(() => resolve({ hosts, tls: true, tlsKey: "/nonexistent" })).toThrow("open /nonexistent: no such");
    expect(resolve({ hosts: ["unix:///x"], tls: true }).tls).toBeUndefined();
  });

  test("conflicts and unknown contexts", () => {
    expect(() => resolve({ hosts: ["a"], context: "b" })).toThrow(
      "conflicting options: cannot specify both --host and --context",
    );
    expect(() => resolve({ context: "nope" })).toThrow('context "nope": context not found');
    expect(() => resolve({ hosts: ["foo://x"] })).toThrow(
      "Failed to initialize: unable to resolve docker endpoint: invalid bind address format: foo://x",
    );
  });
});
