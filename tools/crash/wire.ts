/**
 * How a commit looks on its way to a store.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** The bytes of a commit, and of its answer. */
export interface Wire {
  /** Within what a client sends to commit. */
  readonly commit: Buffer;
  /** Within what the server answers then. */
  readonly committed: Buffer;
}

/** Postgres' protocol, as the bus and its guarded clients commit. */
export const POSTGRES: Wire = {
  commit: Buffer.from("Q\0\0\0\x0bcommit\0", "latin1"),
  committed: Buffer.from("C\0\0\0\x0bCOMMIT\0", "latin1"),
};

/** Upstash's REST protocol: each request may be a script that writes. */
export const REST: Wire = {
  commit: Buffer.from("POST /", "latin1"),
  committed: Buffer.from("HTTP/1.1 200", "latin1"),
};
