/**
 * Reads a QStash delivery, and separates the signed parts from those that are not signed.
 *
 * @module
 */
import { anything, checkOptions } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { digestText } from "../../http/signature_id.ts";
import { checkPattern } from "../../core/message/name.ts";
import type { PushDelivery } from "../../core/ports/push_delivery.ts";
import { isBatch, type RequestToVerify } from "../../core/wire/wire.ts";
import { attemptOf } from "./dialect/attempt.ts";
import { headersDigest, parametersOf } from "./dialect/binding.ts";

/** Which messages are accepted from publishers that do not bind their headers. */
export interface UnboundRaw {
  /** Their names, or patterns of names. */
  readonly names: readonly string[];
}

/** The claims of a signature that are used here. */
export interface SignedClaims {
  readonly url: string;
  readonly tokenId: string;
  readonly signedAtMs: number;
}

/**
 * Checks the option.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`.
 */
export function checkUnboundRaw(option: UnboundRaw | undefined): void {
  if (option === undefined) return;
  const names: unknown = option?.names;
  if (!Array.isArray(names) || names.length === 0) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use acceptUnboundRaw: want { names } with one name or more, such as "order.*"`,
    );
  }
  checkOptions("use acceptUnboundRaw with", option, { names: anything });
  names.forEach(checkPattern);
}

/** The trusted parts of a delivery; null when its headers differ from those that its URL was signed with. */
export async function pushDelivery(
  { url, tokenId, signedAtMs }: SignedClaims,
  { headers }: RequestToVerify,
  acceptUnboundRaw: UnboundRaw | undefined,
): Promise<PushDelivery | null> {
  const { bound, isForBatches } = parametersOf(url);
  const said = { attempt: attemptOf(headers), signedAtMs, url };
  if (bound !== null) {
    const isSame = bound === await headersDigest(headers);
    return isSame ? { ...said, bindsHeaders: true, unbound: null } : null;
  }
  // A batch is self-contained. But if raw bodies are accepted, the author of a body could make it look like a
  // batch, unless the URL says which of the two it is.
  if (isBatch(headers.get("content-type"))) {
    const bindsHeaders = isForBatches || acceptUnboundRaw === undefined;
    return { ...said, bindsHeaders, unbound: null };
  }
  if (acceptUnboundRaw === undefined || isForBatches || tokenId === "") {
    return { ...said, bindsHeaders: false, unbound: null };
  }
  const id = `qstash_${await digestText(`${tokenId}\n${url}`)}`;
  return { ...said, bindsHeaders: false, unbound: { id, names: acceptUnboundRaw.names } };
}
