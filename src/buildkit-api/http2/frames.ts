/** Numbers of HTTP/2. Source: RFC 9113, sections 4.1, 6, 7. */
export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const flags = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const settings = { enablePush: 2, initialWindowSize: 4, maxFrameSize: 5 } as const;

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
} as const;

export const frameHeaderSize = 9;

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** What both sides begin with, until SETTINGS say otherwise. */
export const defaults = { windowSize: 65_535, maxFrameSize: 16_384 } as const;

export const maxWindow = 2 ** 31 - 1;
