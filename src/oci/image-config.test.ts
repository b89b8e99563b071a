import { expect, test } from "bun:test";
import { encodeImageConfig, parseImageConfig, toDockerRunConfig } from "./image-config.ts";

const digest = `sha256:${"a".repeat(64)}`;
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const rootfs = { type: "layers", diff_ids: [digest] };

test("known fields are read, nulls and unknown fields are not", () => {
  const config = parseImageConfig(
    bytes({
      rootfs,
      architecture: "amd64",
      os: "linux",
      created: null,
      config: { Cmd: ["sh"], Env: null, Volumes: { "/v": null }, Junk: 1, Healthcheck: { Test: ["NONE"] } },
      history: [{ created_by: "x", empty_layer: true }, { comment: "c" }],
    }),
  );
  expect(config).toEqual({
    rootfs: { type: "layers", diff_ids: [digest] },
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["sh"], Volumes: { "/v": {} }, Healthcheck: { Test: ["NONE"] } },
    history: [{ created_by: "x", empty_layer: true }, { comment: "c" }],
  });
});

test.each([
  [{}, "invalid image JSON, no RootFS key"],
  [{ rootfs: { diff_ids: ["../x"] } }, 'invalid diff ID "../x" in the image config'],
  [{ rootfs, config: { Env: "A=b" } }, "config.Env must be an array"],
  [{ rootfs, config: { Labels: { a: 1 } } }, "config.Labels.a must be a string"],
  [{ rootfs, history: {} }, "history must be an array"],
])("%j is refused", (value, message) => {
  expect(() => parseImageConfig(bytes(value))).toThrow(message);
});

test("a config is written as dockerd writes it", () => {
  const config = toDockerRunConfig({ Cmd: ["sh"], ExposedPorts: { "90/udp": {}, "80/tcp": {} }, Shell: [] });
  const encoded = new TextDecoder().decode(encodeImageConfig({ rootfs: { type: "layers", diff_ids: [] }, config }));
  expect(encoded).toBe(
    '{"config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,' +
      '"ExposedPorts":{"80/tcp":{},"90/udp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["sh"],' +
      '"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null},' +
      '"rootfs":{"type":"layers","diff_ids":[]}}',
  );
});
