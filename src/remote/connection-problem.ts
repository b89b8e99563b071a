/** Why a server could not be reached, in the words of Go's net/http. */
import { errorCode, errorMessage } from "../base/errors.ts";

const certificateReasons: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "x509: certificate signed by unknown authority",
  SELF_SIGNED_CERT_IN_CHAIN: "x509: certificate signed by unknown authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "x509: certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT: "x509: certificate signed by unknown authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "x509: certificate signed by unknown authority",
  CERT_HAS_EXPIRED: "x509: certificate has expired or is not yet valid",
  CERT_NOT_YET_VALID: "x509: certificate has expired or is not yet valid",
  ERR_TLS_CERT_ALTNAME_INVALID: "x509: certificate is not valid for this name",
};

/** What comes after `Get "https://…": ` in Go. The messages of unknown errors stay as they are. */
export function connectionProblem(error: unknown, url: string): string {
  const { hostname, host, port, protocol } = new URL(url);
  const address = port === "" ? `${host}:${protocol === "https:" ? 443 : 80}` : host;
  const code = errorCode(error) ?? "";
  const certificate = certificateReasons[code];
  if (certificate) return `tls: failed to verify certificate: ${certificate}`;
  if (code === "EPROTO")
    return "remote error: tls: handshake failure: does the registry want a certificate, from certs.d?";
  if (code === "ECONNREFUSED" || code === "ConnectionRefused")
    return `dial tcp ${address}: connect: connection refused`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `dial tcp: lookup ${hostname}: no such host`;
  if (code === "ENETUNREACH") return `dial tcp ${address}: connect: network is unreachable`;
  if (code === "EHOSTUNREACH") return `dial tcp ${address}: connect: no route to host`;
  if (code === "ETIMEDOUT" || code === "ConnectionTimeout") return `dial tcp ${address}: i/o timeout`;
  if (code === "ECONNRESET" || code === "ConnectionClosed") return "EOF";
  return errorMessage(error);
}
