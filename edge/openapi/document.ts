/**
 * Builds the OpenAPI document of the edge app.
 *
 * @module
 */
import {
  aList,
  anObject,
  anything,
  aText,
  checkOptions,
  type OptionCheck,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import type { DialectDescription } from "../../core/ports/dialect_description.ts";
import { checkedUrl } from "../../http/url.ts";
import { ANSWER_HEADERS } from "./answers.ts";
import { dialectParts } from "./dialects.ts";
import { type OperationPath, operations, reportOperations } from "./operations.ts";
import { SECURITY_SCHEMES } from "./parameters.ts";
import { jsonSchemas } from "./schemas.ts";

/** The options of {@linkcode openApiDocument}. */
export interface OpenApiOptions {
  /** The URL of the app, including its base path. */
  readonly serverUrl: string | URL;
  /**
   * The routes it has. `/dead-letter` needs a dialect that reports dead-lettered messages.
   *
   * @default all routes that the dialects allow
   */
  readonly paths?: readonly OperationPath[];
  /**
   * The descriptions of the dialects of the push providers that deliver to it. They are exported
   * with their verifiers.
   *
   * @default none
   */
  readonly dialects?: readonly DialectDescription[];
  /**
   * The name of the service.
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
  /** A further description, in CommonMark. */
  readonly description?: string;
}

/** An OpenAPI document (https://spec.openapis.org/oas/v3.1.1). */
export interface OpenApiDocument {
  /** The version of OpenAPI. */
  readonly openapi: string;
  /** The description of the service. */
  readonly info: {
    /** Its name. */
    readonly title: string;
    /** Its version. */
    readonly version: string;
    /** A further description. */
    readonly description?: string;
  };
  /** Its URL. */
  readonly servers: readonly { readonly url: string }[];
  /** The operations, by path and method. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The components that the paths refer to. */
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<Record<keyof OpenApiOptions, OptionCheck>> = {
  serverUrl: anything,
  paths: aList(aText),
  dialects: aList(anObject),
  title: aText,
  version: aText,
  description: aText,
};

/** The version of Atlast. */
const VERSION = "0.1.0";

/**
 * Returns the OpenAPI document of an edge app as a plain object. Serve it with the option `openApi`
 * of `createApp`, or write it to a file to generate clients.
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
  checkOptions("describe an app with", options, OPTIONS);
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
