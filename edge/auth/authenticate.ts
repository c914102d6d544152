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

/** The name of a route. Signatures cover it. */
type RouteName =
  | "deliver"
  | "publish"
  | "tick"
  | "checkback"
  | "half"
  | "query"
  | "dead-letter";

/** An authenticated and authorized request. */
interface VerifiedRequest {
  /** Its body. */
  readonly body: Uint8Array;
  /** The caller. */
  readonly principal: Principal;
  /** The push provider's data about its delivery; null for other callers. */
  readonly push: DialectDelivery | null;
}

/** A delivery of a push provider, with the dialect of its response. */
export interface DialectDelivery extends PushDelivery {
  /** The provider's dialect. */
  readonly dialect: DeliveryDialect;
}

/** The parts of the surroundings that authentication uses. */
type AuthenticationRequest = Pick<Surroundings, "report" | "speaks">;

/** The caller if the verifier names no principal. It may not request callbacks. */
const UNNAMED: Principal = { name: "", kind: "publisher" };

/**
 * Authenticates a request and checks the right to use this route. A verifier that can refuse a
 * request without its body does so before the body is read.
 *
 * @param around Gets the errors of verifiers other than the one that accepted, and the dialect of
 * later refusals.
 */
export async function verified(
  request: Request,
  verify: Verify,
  maxBytes: number,
  route: RouteName,
  around: AuthenticationRequest,
): Promise<VerifiedRequest> {
  const { method, url, headers } = request;
  const toVerify = { method, url, headers, route };
  if (verify.beforeBody !== undefined) {
    const refusal = checkRefusal(await verify.beforeBody(toVerify));
    if (refusal !== null) throw refusedBy(refusal);
  }
  const body = await readBody(request, maxBytes);
  const result = checkVerifyResult(await verify(toVerify, body));
  if (result.ok === false) throw refusedBy(result);
  for (const error of result.errors ?? []) around.report(error);
  const { principal, push, dialect } = result;
  if (principal?.kind !== "push_provider") {
    // Anyone can send a provider's header, so a named principal is refused without a dialect.
    // Without a name, the caller may still be the provider.
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

/**
 * The same for a request with one of Atlast's content types, whose signature covers only the body.
 */
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
 * Checks that verifiers are functions.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkVerify(...verifiers: readonly unknown[]): void {
  if (verifiers.every((verify) => typeof verify === "function")) return;
  throw new AtlastError(
    "invalid_option",
    "Cannot use verify: want a function, such as the result of verifySignature({ signingKeys })",
  );
}
