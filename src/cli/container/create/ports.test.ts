import { expect, test } from "bun:test";
import { displayPorts } from "./ports.ts";

const tcp = (PrivatePort: number, PublicPort?: number, IP = "0.0.0.0") =>
  PublicPort === undefined ? { PrivatePort, Type: "tcp" } : { PrivatePort, PublicPort, IP, Type: "tcp" };

test("equal mappings in a row become a range, others stand alone", () => {
  expect(displayPorts([tcp(9001, 9001), tcp(9000, 9000), tcp(80, 8080), tcp(80, 8080, "::"), tcp(443)])).toBe(
    "443/tcp, 0.0.0.0:9000-9001->9000-9001/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp",
  );
  expect(displayPorts([tcp(1), tcp(2), tcp(4), { PrivatePort: 53, Type: "udp" }])).toBe("1-2/tcp, 4/tcp, 53/udp");
  expect(displayPorts([])).toBe("");
});
