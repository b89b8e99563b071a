import { expect, test } from "bun:test";
import { upgradeCreate } from "./request-versions.ts";

const created = (NetworkMode: string) =>
  upgradeCreate({ Image: "x", MacAddress: "02:42:00:00:00:01", HostConfig: { NetworkMode } }, 40).NetworkingConfig;

test("an older client's address is the first network's, whatever that is called; modes without a network have none", () => {
  for (const network of ["default", "hostnet", "none-of-it", "mine"]) {
    expect(created(network)?.EndpointsConfig?.[network]).toEqual({ MacAddress: "02:42:00:00:00:01" });
  }
  for (const mode of ["host", "none", "container:x"]) expect(created(mode)).toBeUndefined();
});
