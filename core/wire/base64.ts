/**
 * Base64 (RFC 4648, section 4). There is no platform-independent global for it yet.
 *
 * @module
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Encodes bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[bits >> 18]! + ALPHABET[(bits >> 12) & 63]! +
      (left > 1 ? ALPHABET[(bits >> 6) & 63]! : "=") + (left > 2 ? ALPHABET[bits & 63]! : "=");
  }
  return text;
}

/** Decodes base64, with or without its padding; null for any other text. */
export function fromBase64(unpadded: string): Uint8Array<ArrayBuffer> | null {
  const isPadded = unpadded.length % 4 < 2 || unpadded.includes("=");
  const text = isPadded ? unpadded : unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, "=");
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array(text.length / 4 * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4) {
    const bits = (SIXTET[text.charCodeAt(i)]! << 18) | (SIXTET[text.charCodeAt(i + 1)]! << 12) |
      (SIXTET[text.charCodeAt(i + 2)]! << 6) | SIXTET[text.charCodeAt(i + 3)]!;
    // Writes past the end of a typed array are ignored, which drops the bytes of the padding.
    bytes[at++] = bits >> 16;
    bytes[at++] = bits >> 8;
    bytes[at++] = bits;
  }
  return bytes;
}

/** The value of each character; 0 for the padding and all others. */
const SIXTET: Uint8Array = Uint8Array.from(
  { length: 128 },
  (_, code) => Math.max(0, ALPHABET.indexOf(String.fromCharCode(code))),
);
