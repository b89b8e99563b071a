/** What is meant to lead out of volumes: names, options, labels, and a subpath that changes while it is mounted. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { useTarget } from "./lib/journey.ts";
import { targetKind } from "./lib/settings.ts";

const target = useTarget();

const post = async (path: string, json: object) => {
  const response = await target().api(path, { method: "POST", json });
  return { status: response.status, body: (await response.json()) as { message?: string; Id?: string } };
};

test("names, options and labels that are none are refused, and nothing is made of them", async () => {
  const before = readdirSync(join(target().dataRoot, "volumes")).sort();
  const names = [
    "..",
    ".",
    "../x",
    "a/b",
    "/etc",
    "a",
    "-x",
    ".staged-1",
    ".removed-1",
    "a\0b",
    "a b",
    "a\nb",
    "%2e%2e",
    "é".repeat(9),
  ];
  for (const Name of [...names, "n".repeat(256), "n".repeat(100_000)]) {
    const { status, body } = await post("/volumes/create", { Name });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body.message).toContain("create ");
    const path = encodeURIComponent(Name.slice(0, 1000));
    // Paths are cleaned, so that some of these are no volume's.
    expect(
      (await target().api(`/volumes/${path}`, { method: "DELETE", redirect: "manual" })).status,
    ).toBeGreaterThanOrEqual(300);
  }
  for (const DriverOpts of [{ "": "" }, { constructor: "x" }, JSON.parse('{"__proto__":"x"}'), { type: "tmpfs" }]) {
    expect((await post("/volumes/create", { Name: "opts", DriverOpts })).status).toBe(400);
  }
  if (targetKind === "gantry") {
    const Labels = { a: "v".repeat(2 << 20) };
    expect((await post("/volumes/create", { Name: "labels", Labels })).body.message).toContain(
      "larger than 1048576 bytes",
    );
    const device = { type: "none", o: "bind", device: "/\0/x" };
    expect((await post("/volumes/create", { Name: "nul", DriverOpts: device })).status).toBe(400);
    for (const bind of ["/tmp\0/x:/m", "/tmp:/m\0x"]) {
      const request = { Image: "busybox", Cmd: ["true"], HostConfig: { Binds: [bind] } };
      expect((await post("/containers/create", request)).body.message).toContain("invalid volume specification");
    }
  }
  expect(readdirSync(join(target().dataRoot, "volumes")).sort()).toEqual(before);
  expect((await target().api("/_ping")).status).toBe(200);
});

test("a link that comes and goes where a subpath is mounted never leads out of the volume", async () => {
  const outside = join(target().root, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "the host's");
  const swap = [
    "mkdir -p /v/dir; echo inside >/v/dir/secret; ln -s $OUT /v/link; touch /v/ready",
    "while :; do mv -T /v/dir /v/sub; mv -T /v/sub /v/dir; mv -T /v/link /v/sub; mv -T /v/sub /v/link; done",
  ].join("; ");
  await target().must(
    "run",
    "-d",
    "--name",
    "swapper",
    "-e",
    `OUT=${outside}`,
    "-v",
    "raced:/v",
    "busybox",
    "sh",
    "-c",
    swap,
  );
  const seen = new Map<string, number>();
  for (let round = 0; round < 40; round++) {
    const mount = { Type: "volume", Source: "raced", Target: "/m", VolumeOptions: { Subpath: "sub" } };
    const script = "cat /m/secret 2>/dev/null || echo nothing; echo written >/m/made 2>/dev/null";
    const request = { Image: "busybox", Cmd: ["sh", "-c", script], HostConfig: { Mounts: [mount] } };
    const { Id = "" } = (await post("/containers/create", request)).body;
    const { code, stdout, stderr } = await target().docker("start", "-a", Id);
    const result =
      stdout.trim() ||
      (code === 0 ? "nothing" : (/no such file|too many|not a directory|escapes/i.exec(stderr)?.[0] ?? stderr));
    seen.set(result, (seen.get(result) ?? 0) + 1);
    await target().must("rm", "-f", Id);
  }
  await target().must("rm", "-f", "swapper");
  expect([...seen.keys()]).not.toContain("the host's");
  expect(
    [...seen.keys()].filter((result) => !/inside|nothing|no such file|escapes|not a directory/i.test(result)),
  ).toEqual([]);
  expect(existsSync(join(outside, "made"))).toBe(false);
});
