/**
 * The option `sharedStore` of a bus.
 *
 * @module
 */

/** Which groups use the store of this bus. */
export interface SharedStoreOptions {
  /**
   * The groups of other processes that take messages of a name, such as the workers of an API. The subscribers of
   * this bus need not be listed.
   *
   * @default none
   */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
}
