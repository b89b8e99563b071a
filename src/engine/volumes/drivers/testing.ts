/** For tests: a host without volume plugins. */
import { notFound } from "../../../base/errors.ts";
import type { PluginDrivers } from "./plugin-driver.ts";

export const noDrivers: Pick<PluginDrivers, "get" | "all"> = {
  async get(name) {
    throw notFound(`error looking up volume plugin ${name}: plugin ${JSON.stringify(name)} not found`);
  },
  all: async () => [],
};
