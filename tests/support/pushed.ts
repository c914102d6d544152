/**
 * A verifier that lets everyone in: whoever says so in its headers as a push provider, as QStash's verifier
 * does with what QStash signed, and all others as one of our own services.
 *
 * @module
 */
import type { Verify } from "../../core/wire/wire.ts";
import { attemptOf } from "../../adapters/qstash/dialect/attempt.ts";
import { qstashDialect } from "../../adapters/qstash/verify.ts";

/** When every delivery was signed, in Unix milliseconds. */
export const SIGNED_AT_MS = 7_000;

const verify: Verify = ({ url, headers }) => {
  if (!headers.get("upstash-message-id")) {
    return { ok: true, principal: { name: "services", kind: "service" } };
  }
  return {
    ok: true,
    principal: { name: "push", kind: "push_provider", callbackNames: ["#"] },
    push: {
      attempt: attemptOf(headers),
      signedAtMs: SIGNED_AT_MS,
      url,
      bindsHeaders: true,
      unbound: null,
    },
    dialect: qstashDialect,
  };
};

/** Lets everyone in. */
export const pushed: Verify = Object.assign(verify, { dialects: [qstashDialect] });
