/**
 * A dialect's description for the OpenAPI document of the edge app.
 *
 * @module
 */

/** The description of a dialect. Schemas are JSON Schemas (2020-12). */
export interface DialectDescription {
  /** The provider's name, for people. */
  readonly name: string;
  /** How the provider's requests are authenticated: a security scheme of OpenAPI, with its name. */
  readonly security: {
    /** The name of the scheme. */
    readonly scheme: string;
    /** The scheme itself. */
    readonly definition: Readonly<Record<string, unknown>>;
  };
  /** The status of a final refusal. */
  readonly finalStatus: number;
  /** The headers of a final refusal, by their names in lower case, as header objects of OpenAPI. */
  readonly finalHeaders: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The schema of a dead-letter report; omitted for a provider that sends none. */
  readonly deadLetter?: Readonly<Record<string, unknown>>;
}
