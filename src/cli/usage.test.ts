import { expect, test } from "bun:test";
import { flag } from "./flag-kinds.ts";
import { flagHelp } from "./usage.ts";

test("columns, sorting, defaults and wrapping are pflag's", () => {
  const specs = {
    zeta: flag.bool("Last"),
    name: flag.stringWith("x", "Assign a name to the container", { short: "n" }),
    env: flag.list("Set environment variables", { short: "e" }),
    map: flag.map("Options"),
    proxy: flag.boolOn("Proxy received signals to the process"),
    size: flag.intWith(-1, "Size"),
    secret: flag.bool("Hidden", { hidden: true }),
    old: flag.bool("Old", { deprecated: "gone" }),
    long: flag.string("Start period for the container to initialize before starting health-retries countdown"),
  };
  const expected = [
    "  -e, --env list      Set environment variables",
    "      --long string   Start period for the container",
    "                      to initialize before starting",
    "                      health-retries countdown",
    "      --map map       Options (default map[])",
    "  -n, --name string   Assign a name to the container",
    '                      (default "x")',
    "      --proxy         Proxy received signals to the",
    "                      process (default true)",
    "      --size int      Size (default -1)",
    "      --zeta          Last",
  ];
  expect(flagHelp(specs, 60)).toBe(expected.join("\n"));
});

test("too narrow for a column: the text goes below", () => {
  expect(flagHelp({ name: flag.string("Assign a name") }, 44)).toBe(
    "      --name string   \n                Assign a name",
  );
});
