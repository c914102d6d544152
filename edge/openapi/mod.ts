/**
 * The OpenAPI document of the edge app, built from zod schemas. No other part of the edge imports
 * zod.
 *
 * @module
 */
export { type OpenApiDocument, openApiDocument, type OpenApiOptions } from "./document.ts";
export type { OperationPath } from "./operations.ts";
export type { DialectDescription } from "../../core/ports/dialect_description.ts";
