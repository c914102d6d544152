/**
 * Authenticates requests and checks the right that their route needs.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Principal } from "../../core/principal.ts";
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import type { PushDelivery } from "../../core/ports/push_delivery.ts";
import { mediaType, type Verify, type VerifyRefusal } from "../../core/wire/wire.ts";
import type { Surroundings } from "../http/error_boundary.ts";
import { textOf } from "../http/message_body.ts";
import { readBody } from "../http/body.ts";
import { Refusal } from "../http/status.ts";
import { checkRefusal, checkVerifyResult } from "./verify_result.ts";

/** The name of a route, which signatures cover. */
type RouteName =
  | "deliver"
  | "publish"
  | "tick"
  | "checkback"
  | "half"
  | "query"
  | "dead-letter";

/** A request that may do what it asks. */
interface VerifiedRequest {
  /** Its body. */
  readonly body: Uint8Array;
  /** Who asks. */
  readonly principal: Principal;
  /** What a push provider says of its delivery; null for everyone else. */
  readonly push: DialectDelivery | null;
}

/** A delivery of a push provider, with the dialect in which it is answered. */
export interface DialectDelivery extends PushDelivery {
  /** The provider's dialect. */
  readonly dialect: DeliveryDialect;
}

/** What a verifier's result is made known to. */
type AuthenticationRequest = Pick<Surroundings, "report" | "speaks">;

/** Whoever asks where a verifier names nobody: it may ask no callbacks. */
const UNNAMED: Principal = { name: "", kind: "publisher" };

/**
 * A request that may do what it asks, at this route. A verifier that can refuse it whatever its body is does
 * so before the body is read.
 *
 * @param around Learns what verifiers threw that were not the one that let it in, and in which dialect the request
 * is refused from here on.
 */
export async function verified(
  request: Request,
  verify: Verify,
  maxBytes: number,
  route: RouteName,
  around: AuthenticationRequest,
): Promise<VerifiedRequest> {
  const { method, url, headers } = request;
  const verdict = { method, url, headers, route };
  if (verify.beforeBody !== undefined) {
    const refusal = checkRefusal(await verify.beforeBody(verdict));
    if (refusal !== null) throw refusedBy(refusal);
  }
  const body = await readBody(request, maxBytes);
  const result = checkVerifyResult(await verify(verdict, body));
  if (result.ok === false) throw refusedBy(result);
  for (const error of result.errors ?? []) around.report(error);
  const { principal, push, dialect } = result;
  if (principal?.kind !== "push_provider") {
    // Anyone can send a provider's header; where nobody is named, it may still be the provider.
    if (principal !== undefined) around.speaks(null);
    return { body, principal: principal ?? UNNAMED, push: null };
  }
  if (dialect === undefined) return { body, principal, push: null };
  around.speaks(dialect);
  return { body, principal, push: push === undefined ? null : { ...push, dialect } };
}

function refusedBy({ kind, reason }: VerifyRefusal): Refusal {
  return new Refusal(kind === "forbidden" ? 403 : 401, kind, reason);
}

/** The same for a request of one of Atlast's own content types, which is what its signature binds. */
export async function verifiedText(
  request: Request,
  contentType: string,
  verify: Verify,
  maxBytes: number,
  route: RouteName,
  around: AuthenticationRequest,
): Promise<{ readonly text: string; readonly principal: Principal }> {
  if (mediaType(request.headers.get("content-type")) !== contentType) {
    throw new Refusal(
      415,
      "unsupported_media_type",
      `Cannot read this request: want content type ${contentType}`,
    );
  }
  const { body, principal } = await verified(request, verify, maxBytes, route, around);
  const text = textOf(body);
  if (text !== null) return { text, principal };
  throw new AtlastError("malformed_message", "Cannot read a body that is no UTF-8: want JSON");
}

/**
 * Checks what verifies requests.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkVerify(...verifiers: readonly unknown[]): void {
  if (verifiers.every((verify) => typeof verify === "function")) return;
  throw new AtlastError(
    "invalid_option",
    "Cannot use verify: want a function, such as verifySignature({ signingKeys }) gives",
  );
}
