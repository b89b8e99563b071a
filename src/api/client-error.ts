/** What can go wrong between a client and the Engine API. */

/** The daemon answered with an error. `message` is the daemon's own; callers print it after "Error response from daemon: ". */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The daemon could not be reached. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError";
}

export function isStatus(error: unknown, status: number): boolean {
  return error instanceof ApiError && error.status === status;
}

/** The error of an unsuccessful answer: Docker's `{"message": …}`, or plain text. */
export function toApiError(status: number, body: string, path: string): ApiError {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed && typeof parsed.message === "string") {
      return new ApiError(status, parsed.message.trim());
    }
  } catch {
    // Not JSON: an old daemon or a proxy.
  }
  const text = body.trim();
  if (text !== "") return new ApiError(status, text);
  return new ApiError(status, `API returned a ${status} but provided no error-message: ${path}`);
}
