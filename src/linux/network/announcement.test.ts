import { expect, test } from "bun:test";
import { announcementFrame } from "./announcement.ts";

const mac = "02:42:0a:01:00:02";

test("version 4: a request for one's own address, to all", () => {
  const arp = ["0001080006040001", "02420a010002", "0a010002", "000000000000", "0a010002"];
  expect(announcementFrame(mac, "10.1.0.2").toString("hex")).toBe(
    ["ffffffffffff", "02420a010002", "0806", ...arp].join(""),
  );
});

test("version 6: an advertisement that overrides, with its checksum", () => {
  const frame = announcementFrame(mac, "fd00::2").toString("hex");
  const addresses = ["fd000000000000000000000000000002", "ff020000000000000000000000000001"];
  // The checksum was computed by another program.
  const message = ["8800", "5055", "20000000", "fd000000000000000000000000000002", "0201", "02420a010002"];
  expect(frame).toBe(
    ["333300000001", "02420a010002", "86dd", "60000000", "0020", "3aff", ...addresses, ...message].join(""),
  );
});
