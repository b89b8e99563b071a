/**
 * What authorization plugins are told, as it goes over the wire.
 * Source: https://docs.docker.com/engine/extend/plugins_authorization/#api-schema-and-implementation
 */

export interface AuthorizationRequest {
  User?: string;
  UserAuthNMethod?: string;
  RequestMethod: string;
  RequestUri: string;
  /** Base64. */
  RequestBody?: string;
  RequestHeaders: Record<string, string>;
  /** PEM, in base64. */
  RequestPeerCertificates?: string[];
}

export interface AuthorizationResponse extends AuthorizationRequest {
  ResponseStatusCode: number;
  /** Base64. */
  ResponseBody?: string;
  ResponseHeaders: Record<string, string>;
}
