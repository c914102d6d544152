/**
 * Hashes that the API shows in place of redacted parts of a message.
 *
 * @module
 */
import { sha256Hex } from "./ids.ts";
import type { MessageConfig } from "./records.ts";

/** Whether a message hides a header. */
function hidesHeader({ redaction }: MessageConfig, name: string): boolean {
  return redaction !== undefined && (redaction.allHeaders || redaction.headers.has(name));
}

/** The hash of each part that a message hides: the body by "", headers by their names. */
export async function redactedParts(
  config: MessageConfig,
  body: Uint8Array<ArrayBuffer>,
): Promise<Map<string, string>> {
  const parts = new Map<string, string>();
  if (config.redaction === undefined) return parts;
  if (config.redaction.body) parts.set("", `REDACTED:${await sha256Hex(body)}`);
  for (const [name, values] of Object.entries(config.header)) {
    if (!hidesHeader(config, name)) continue;
    const hash = await sha256Hex(new TextEncoder().encode(values.join(", ")));
    parts.set(name, `REDACTED:${hash}`);
  }
  return parts;
}
