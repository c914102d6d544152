/**
 * The form of `sizes.json`, which `deno task bundle-size` writes.
 *
 * @module
 */

/** The size of a bundled program. */
export interface BundleSize {
  /** The description of the program. */
  readonly name: string;
  /** Its size minified and gzipped, in bytes. */
  readonly gzipBytes: number;
}
