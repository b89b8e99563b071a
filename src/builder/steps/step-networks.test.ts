import { expect, test } from "bun:test";
import { StepNetworks } from "./step-networks.ts";

test("steps in a row have one network, steps at once their own, and all go with the build", async () => {
  const kept = new Set<string>();
  const keep = (container: string) => {
    kept.add(container);
    return {
      async [Symbol.asyncDispose]() {
        kept.delete(container);
      },
    };
  };
  const networks = new StepNetworks({ keep });
  const first = networks.take();
  expect(first.of).toBeUndefined();
  first.use("a");
  const beside = networks.take();
  expect(beside.of).toBeUndefined();
  beside.use("b");
  first[Symbol.dispose]();
  const next = networks.take();
  expect(next.of).toBe("a");
  next.use("c");
  // A step that never got as far as a container leaves nothing to share.
  networks.take()[Symbol.dispose]();
  expect(networks.take().of).toBeUndefined();
  expect([...kept]).toEqual(["a", "b"]);
  await networks[Symbol.asyncDispose]();
  expect(kept.size).toBe(0);
});
