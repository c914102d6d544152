/**
 * Checks that a value is an Upstash Redis client.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** Checks the option `redis` when it is given, so that a wrong value fails there and not at first use. */
export function checkRedisClient(redis: unknown): void {
  const client = redis as { readonly pipeline?: unknown } | null | undefined;
  if (typeof client?.pipeline === "function") return;
  throw new AtlastError(
    "invalid_option",
    `Cannot use a redis of type ${redis === null ? "null" : typeof redis}: want a client of ` +
      "@upstash/redis, as new Redis({ url, token }) makes",
  );
}
