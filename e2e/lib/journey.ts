/** What every journey starts with: one daemon for the file, ended (and looked after) when the file is done. */
import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { Target, type TargetOptions } from "./target.ts";

/** Returns the daemon's holder; `target.now` is there once the tests run. */
export function useTarget(options: TargetOptions = {}): () => Target {
  setDefaultTimeout(400_000);
  let target: Target | undefined;
  beforeAll(async () => {
    target = await Target.start(options);
  }, 180_000);
  afterAll(async () => {
    await target?.stop();
  }, 120_000);
  return () => {
    if (!target) throw new Error("the daemon did not start");
    return target;
  };
}
