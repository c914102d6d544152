/**
 * Where ids come from: the platform's randomness for new ones, its hashing for those that must come
 * out the same each time.
 *
 * @module
 */
import { FIRST_UUID_V7_STATE, UUID_V7_RANDOM_BYTES, uuidV5, uuidV7 } from "../id.ts";

/** Random bytes are fetched for this many ids at once: a call for each is a fifth of a publish. */
const IDS_PER_FETCH = 256;

/** Makes ids that ascend within this bus. */
export function idSource(): (nowMs: number) => string {
  const pool = new Uint8Array(IDS_PER_FETCH * UUID_V7_RANDOM_BYTES);
  let used = pool.length;
  let state = FIRST_UUID_V7_STATE;
  return (nowMs) => {
    if (used >= pool.length) {
      crypto.getRandomValues(pool);
      used = 0;
    }
    const next = uuidV7(state, nowMs, pool, used);
    used += UUID_V7_RANDOM_BYTES;
    state = next.state;
    return next.id;
  };
}

/** The namespace of callback ids; a UUIDv4 drawn once for Atlast. */
const CALLBACK_NAMESPACE = Uint8Array.from([
  ...[0x6e, 0x0c, 0x0f, 0x5d, 0x2b, 0x1a, 0x4c, 0x55],
  ...[0x9a, 0x3e, 0x41, 0x70, 0x8d, 0x17, 0x52, 0xc4],
]);

/**
 * The id of the callback that `group` sends for the message `requestId`: a UUIDv5, so that a handler
 * that runs again cannot publish its answer twice. The failure callback has an id of its own.
 */
export async function callbackId(
  requestId: string,
  group: string,
  kind: "reply" | "failure" | "conflict",
): Promise<string> {
  // A group has no line break in it, so no two (kind, group, id) give the same text.
  const name = new TextEncoder().encode(`${kind}\n${group}\n${requestId}`);
  const input = new Uint8Array(CALLBACK_NAMESPACE.length + name.length);
  input.set(CALLBACK_NAMESPACE);
  input.set(name, CALLBACK_NAMESPACE.length);
  return uuidV5(new Uint8Array(await crypto.subtle.digest("SHA-1", input)));
}
