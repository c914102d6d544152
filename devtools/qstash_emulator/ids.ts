/**
 * Ids in the form of QStash's, and base64url.
 *
 * @module
 */
import { toBase64 } from "../../core/wire/base64.ts";

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** An id such as `msg_7Yx…`: opaque, of letters and digits. */
export function newId(prefix: "msg" | "scd" | "jwt" | "sig", random: () => number): string {
  const letters = Array.from(
    { length: prefix === "msg" ? 44 : 28 },
    () => ALPHABET[Math.floor(random() * ALPHABET.length)],
  );
  return `${prefix}_${letters.join("")}`;
}

/** Base64 for URLs, with its padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_");
}

/** The SHA-256 of bytes. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** The SHA-256 of bytes, in hexadecimal digits. */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(await sha256(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
