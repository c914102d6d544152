/**
 * The OpenAPI document of the edge app, made from zod schemas. This is the only part of the edge that
 * brings zod along.
 *
 * @module
 */
export { type OpenApiDocument, openApiDocument, type OpenApiOptions } from "./document.ts";
export type { OperationPath } from "./operations.ts";
export type { DialectDescription } from "../../core/ports/dialect_description.ts";
