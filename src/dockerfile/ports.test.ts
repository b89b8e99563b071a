/** Messages are those of dockerd 28.5. */
import { expect, test } from "bun:test";
import { parseExposedPorts } from "./ports.ts";

test.each([
  ["80", ["80/tcp"]],
  ["80/", ["80/tcp"]],
  ["80/UDP", ["80/udp"]],
  ["00080", ["80/tcp"]],
  ["80-82/sctp", ["80/sctp", "81/sctp", "82/sctp"]],
  ["1:2", ["2/tcp"]],
  ["1-3:4", ["4/tcp"]],
  ["1-2:3-4", ["3/tcp", "4/tcp"]],
  ["1.2.3.4:80:90", ["90/tcp"]],
  ["[::1]:80:90", ["90/tcp"]],
])("%s", (spec, ports) => {
  expect(parseExposedPorts(spec)).toEqual(ports);
});

test.each([
  ["x", "Invalid containerPort: x"],
  ["82-80", "Invalid containerPort: 82-80"],
  ["70000", "Invalid containerPort: 70000"],
  ["80/Foo", "Invalid proto: Foo"],
  ["/tcp", "No port specified: /tcp<empty>"],
  ["x:80", "Invalid hostPort: x"],
  ["1-3:4-5", "Invalid ranges specified for container and host Ports: 4-5 and 1-3"],
  ["1.2.3:80:90", "Invalid ip address: 1.2.3"],
  ["::1:80:90", "Invalid ip address ::1: address ::1:: too many colons in address"],
  ["[::1]:80", "Invalid ip address [:: address [::: missing ']' in address"],
])("%s is refused", (spec, message) => {
  expect(() => parseExposedPorts(spec)).toThrow(new Error(message));
});
