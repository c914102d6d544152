/**
 * The form of `inbox_memory.json`.
 *
 * @module
 */

/** What the inbox's memory beyond its records takes. */
export interface InboxMemoryResults {
  readonly machine: string;
  /** How many messages are remembered. */
  readonly keys: number;
  readonly rememberDays: number;
  readonly postgres: {
    readonly version: string;
    readonly heapBytesPerKey: number;
    readonly keyIndexBytesPerKey: number;
    readonly arrivalIndexBytesPerKey: number;
    /** How long it takes to receive late messages: the median. */
    readonly addUnlessKnownMs: number;
  };
  readonly redis: {
    readonly version: string;
    readonly bytesPerKey: number;
    readonly billedToRemember: { readonly records: number; readonly commands: number };
    readonly billedToAddUnlessKnown: {
      readonly records: number;
      readonly buckets: number;
      readonly commands: number;
    };
  };
}
