import { expect, test } from "bun:test";
import { linkStats, parseNetDev } from "./link-stats.ts";

test("the kernel's columns become Docker's fields, without lo", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
  eth0:12345678      11    1    2    3     4          5         6      789      12    7    8    9    10      11         12
`;
  expect(parseNetDev(text)).toEqual({
    eth0: {
      rx_bytes: 12345678,
      rx_packets: 11,
      rx_errors: 1,
      rx_dropped: 2,
      tx_bytes: 789,
      tx_packets: 12,
      tx_errors: 7,
      tx_dropped: 8,
    },
  });
});

test("a process that is gone has no interfaces", () => {
  expect(linkStats(0x3fffffff)).toEqual({});
  expect(linkStats(process.pid)).not.toHaveProperty("lo");
});
