/**
 * A dialect's description for the OpenAPI document of the edge app.
 *
 * @module
 */

/** A dialect, described. Schemas are JSON Schemas (2020-12). */
export interface DialectDescription {
  /** The provider's name, as it is written for people. */
  readonly name: string;
  /** How the provider's requests are known: a security scheme of OpenAPI, by its name. */
  readonly security: {
    /** The name of the scheme. */
    readonly scheme: string;
    /** The scheme itself. */
    readonly definition: Readonly<Record<string, unknown>>;
  };
  /** The status of a refusal for good. */
  readonly finalStatus: number;
  /** The headers of a refusal for good, by their names in lower case, as header objects of OpenAPI. */
  readonly finalHeaders: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The body of a report of a dead-lettered message; not given for a provider that sends none. */
  readonly deadLetter?: Readonly<Record<string, unknown>>;
}
