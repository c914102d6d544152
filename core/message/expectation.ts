/**
 * Says what a schema wanted, from the fields of an issue that come from the schema and never from the value.
 *
 * @module
 */
import { propertyOf } from "../user_code/thrown.ts";

/** The longest expectation in an error, in characters. */
const MAX_LENGTH = 100;

/**
 * The arktype problems whose expectation is text of the schema alone. That of a union quotes the value.
 */
const ARKTYPE_CODES: ReadonlySet<unknown> = new Set([
  "domain",
  "proto",
  "unit",
  "pattern",
  "divisor",
  "min",
  "max",
  "minLength",
  "maxLength",
  "exactLength",
  "before",
  "after",
]);

/**
 * What the schema wanted at the place of an issue, such as `number` or `string at least 1`; undefined if that is
 * not known. It reads fields of zod, valibot and arktype, never the text of an issue: schemas quote values in it.
 */
export function expectationOf(issue: unknown): string | undefined {
  const expected = byCode(issue, propertyOf(issue, "code")) ?? byKind(issue);
  if (expected === undefined) return undefined;
  return expected.replace(/\p{C}/gu, " ").slice(0, MAX_LENGTH).toWellFormed();
}

/** Of zod and arktype, whose issues have a code. */
function byCode(issue: unknown, code: unknown): string | undefined {
  if (code === "invalid_type" || ARKTYPE_CODES.has(code)) return textOf(issue, "expected");
  const origin = textOf(issue, "origin") ?? "a value";
  switch (code) {
    case "too_small":
      return limit(
        origin,
        propertyOf(issue, "inclusive") === false ? "more than" : "at least",
        issue,
        "minimum",
      );
    case "too_big":
      return limit(
        origin,
        propertyOf(issue, "inclusive") === false ? "less than" : "at most",
        issue,
        "maximum",
      );
    case "invalid_format":
      return textOf(issue, "format");
    case "not_multiple_of":
      return limit("a multiple", "of", issue, "divisor");
    case "unrecognized_keys":
      return "no other fields";
    case "invalid_value":
      return oneOf(propertyOf(issue, "values"));
  }
}

/** Of valibot, whose issues have a kind. Not every validation has an expectation beside its type. */
function byKind(issue: unknown): string | undefined {
  const kind = propertyOf(issue, "kind");
  if (kind !== "schema" && kind !== "validation") return undefined;
  return textOf(issue, "expected") ?? textOf(issue, "type");
}

function limit(what: string, compared: string, issue: unknown, key: string): string | undefined {
  const value = propertyOf(issue, key);
  const isNumber = typeof value === "number" || typeof value === "bigint";
  return isNumber ? `${what} ${compared} ${value}` : undefined;
}

function oneOf(values: unknown): string | undefined {
  if (!Array.isArray(values)) return undefined;
  const isSimple = values.every((value) => typeof value === "string" || typeof value === "number");
  return isSimple ? values.map((value) => JSON.stringify(value)).join(" or ") : undefined;
}

function textOf(issue: unknown, key: string): string | undefined {
  const value = propertyOf(issue, key);
  return typeof value === "string" && value !== "" ? value : undefined;
}
