/** The words of Go's client for what keeps a connection from coming about. */
import { expect, test } from "bun:test";
import { connectionProblem } from "./connection-problem.ts";

const failure = (code: string) => Object.assign(new Error("as Bun words it"), { code });

test.each([
  ["ECONNREFUSED", "http://127.0.0.1:1/x.tar", "dial tcp 127.0.0.1:1: connect: connection refused"],
  ["ConnectionRefused", "https://example.org/", "dial tcp example.org:443: connect: connection refused"],
  ["ENOTFOUND", "http://nowhere.test/", "dial tcp: lookup nowhere.test: no such host"],
  ["ECONNRESET", "http://example.org/", "EOF"],
  [
    "EPROTO",
    "https://example.org/",
    "remote error: tls: handshake failure: does the registry want a certificate, from certs.d?",
  ],
  [
    "CERT_HAS_EXPIRED",
    "https://example.org/",
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
  ],
  ["ESOMETHING", "http://example.org/", "as Bun words it"],
])("%s at %s", (code, url, message) => {
  expect(connectionProblem(failure(code), url)).toBe(message);
});
