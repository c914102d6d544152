/**
 * The results of adding records to a store.
 *
 * @module
 */
import type { RememberedMessage } from "./inbox_memory.ts";
import type { StoredRecord } from "./record.ts";

/** What became of a record that was to be added. */
export type AddResult =
  | { readonly added: true }
  /** Its key was taken; `existing` is the record that has it, read after the collision. */
  | { readonly added: false; readonly existing: StoredRecord };

/** What became of a record that may have been here before. */
export type ReturnResult =
  | AddResult
  /** Its record was deleted, and it is remembered. */
  | { readonly added: false; readonly remembered: RememberedMessage }
  /** It is not known, but others that arrived no earlier than it may have were forgotten. */
  | { readonly added: false; readonly mayBePruned: true };
