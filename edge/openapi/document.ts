/**
 * Makes the document that describes the edge app.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { DialectDescription } from "../../core/ports/dialect_description.ts";
import { checkedUrl } from "../../http/url.ts";
import { ANSWER_HEADERS } from "./answers.ts";
import { dialectParts } from "./dialects.ts";
import { type OperationPath, operations, reportOperations } from "./operations.ts";
import { SECURITY_SCHEMES } from "./parameters.ts";
import { jsonSchemas } from "./schemas.ts";

/** What {@linkcode openApiDocument} takes. */
export interface OpenApiOptions {
  /** Where the app is, its base path included. */
  readonly serverUrl: string | URL;
  /**
   * Which routes it has. `/dead-letter` wants a dialect that reports dead-lettered messages.
   *
   * @default all that the dialects allow
   */
  readonly paths?: readonly OperationPath[];
  /**
   * What the dialects of the push providers that deliver to it say of themselves, which come with
   * their verifiers.
   *
   * @default none
   */
  readonly dialects?: readonly DialectDescription[];
  /**
   * What the service is called.
   *
   * @default "Atlast"
   */
  readonly title?: string;
  /**
   * The version of the service's interface.
   *
   * @default that of Atlast
   */
  readonly version?: string;
  /** What else there is to say of it, in CommonMark. */
  readonly description?: string;
}

/** An OpenAPI document (https://spec.openapis.org/oas/v3.1.1). */
export interface OpenApiDocument {
  /** The version of OpenAPI. */
  readonly openapi: string;
  /** What is described. */
  readonly info: {
    /** What it is called. */
    readonly title: string;
    /** Its version. */
    readonly version: string;
    /** What else there is to say of it. */
    readonly description?: string;
  };
  /** Where it is. */
  readonly servers: readonly { readonly url: string }[];
  /** What can be done there, by path and method. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** What the paths refer to. */
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The version of Atlast, whose interface this is. */
const VERSION = "0.1.0";

/**
 * The OpenAPI document of an edge app, as a plain object: serve it with the option `openApi` of
 * `createApp`, or write it to a file for whoever generates a client from it.
 *
 * @example
 * ```ts
 * import { openApiDocument } from "@atlast/bus/edge/openapi";
 *
 * const document = openApiDocument({
 *   serverUrl: "https://orders.example/atlast",
 *   paths: ["/deliver", "/publish", "/tick", "/health", "/ready"],
 * });
 * ```
 * @throws {AtlastError} `invalid_option`.
 */
export function openApiDocument(options: OpenApiOptions): OpenApiDocument {
  const { serverUrl, title = "Atlast", version = VERSION, description, dialects = [] } = options;
  const { providers, securitySchemes, headers, finalHeaders, reports } = dialectParts(dialects);
  const described: Partial<Record<OperationPath, Readonly<Record<string, unknown>>>> = {
    ...operations(providers, finalHeaders),
    ...(reports.length === 0
      ? {}
      : { "/dead-letter": reportOperations(providers, reports, finalHeaders) }),
  };
  const all = Object.keys(described) as OperationPath[];
  const paths = options.paths ?? all;
  const unknown = paths.find((path) => !all.includes(path));
  if (unknown !== undefined) {
    throw new AtlastError(
      "invalid_option",
      `Cannot describe path "${unknown}": want some of ${all.join(", ")}`,
    );
  }
  return {
    openapi: "3.1.1",
    info: { title, version, ...(description === undefined ? {} : { description }) },
    servers: [{ url: checkedUrl(serverUrl, "the serverUrl").replace(/\/$/, "") }],
    paths: Object.fromEntries(
      all.filter((path) => paths.includes(path)).map((path) => [path, described[path] ?? {}]),
    ),
    components: {
      schemas: jsonSchemas(),
      headers: { ...ANSWER_HEADERS, ...headers },
      securitySchemes: { ...SECURITY_SCHEMES, ...securitySchemes },
    },
  };
}
