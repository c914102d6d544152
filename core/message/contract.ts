/**
 * Contracts: a message name with the schema of its body and, if it has one, of its reply. Any Standard Schema
 * library works: zod, valibot, arktype.
 *
 * @module
 */
import { optionError, typeName } from "../check_option.ts";
import { checkOptions, type OptionCheck } from "../check_options.ts";
import { AtlastError, ContractError, type Problem } from "../errors.ts";
import { expectationOf } from "./expectation.ts";
import { checkName } from "./name.ts";
import { propertyOf } from "../user_code/thrown.ts";
import { checkRetryPolicy, type RetryPolicy } from "../lifecycle/retry.ts";

/** The part of Standard Schema (https://standardschema.dev, version 1) that contracts use. */
export interface Schema<Input = unknown, Output = Input> {
  /** The standard interface of the schema. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The library of the schema. */
    readonly vendor: string;
    /** Validates a value. */
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    /** The schema's types; absent at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The result of a validation: the parsed value, or the issues. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

/** One issue of a value. */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string;
  /** Its place in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** The input type of a schema. */
export type InputOf<S> = S extends { readonly "~standard": { readonly types?: infer T } }
  ? NonNullable<T> extends { readonly input: infer I } ? I : never
  : never;

/** The output type of a schema. */
export type OutputOf<S> = S extends { readonly "~standard": { readonly types?: infer T } }
  ? NonNullable<T> extends { readonly output: infer O } ? O : never
  : never;

/**
 * A message name with its schemas.
 *
 * @typeParam Body The body's schema.
 * @typeParam Reply The reply's schema; `undefined` for a message without a reply.
 */
export interface Contract<
  // deno-lint-ignore no-explicit-any -- a contract of any body, which unknown would not let in: bodies are also taken.
  Body extends Schema = Schema<any>,
  Reply extends Schema | undefined = Schema | undefined,
> {
  /** The message's name. */
  readonly name: string;
  /** The body's schema. */
  readonly body: Body;
  /** The reply's schema; undefined when handlers return nothing. */
  readonly reply: Reply;
  /**
   * When the publisher tries again to send it.
   *
   * @default the bus's own policy
   */
  readonly retry?: RetryPolicy;
  /** Absent at run time: lets the compiler check that a callback accepts the reply. */
  readonly accepts?: (body: InputOf<Body>) => void;
}

/** The type of a contract's body for publishers. */
export type BodyInput<C extends Contract> = InputOf<C["body"]>;

/** The type of a contract's body for handlers. */
export type BodyOutput<C extends Contract> = OutputOf<C["body"]>;

/** The return type of a contract's handlers. */
export type ReplyInput<C extends Contract> = C["reply"] extends Schema ? InputOf<C["reply"]> : void;

/** A contract whose body accepts the type `Reply`. */
export interface CallbackContract<Reply> {
  /** The name under which the reply is published. */
  readonly name: string;
  /** For the compiler only. */
  readonly accepts?: (body: Reply) => void;
}

/** The options of {@linkcode defineMessage}. */
export interface ContractOptions<Body extends Schema, Reply extends Schema | undefined> {
  /** The body's schema. */
  readonly body: Body;
  /** The reply's schema, for a message whose handlers return something. */
  readonly reply?: Reply;
  /**
   * When the publisher tries again to send it.
   *
   * @default the bus's own policy
   */
  readonly retry?: RetryPolicy;
}

/**
 * Defines a message.
 *
 * @example
 * ```ts
 * import { defineMessage } from "@atlast/bus";
 * import * as z from "zod";
 *
 * const OrderPlaced = defineMessage("order.placed", {
 *   body: z.object({ orderId: z.number() }),
 * });
 * ```
 * @throws {AtlastError} `invalid_name` or `invalid_option`.
 */
export function defineMessage<Body extends Schema, Reply extends Schema | undefined = undefined>(
  name: string,
  options: ContractOptions<Body, Reply>,
): Contract<Body, Reply> {
  checkName(name);
  const attempt = `define "${name}" with`;
  checkOptions(attempt, options, { retry: aRetryPolicy, reply: aSchema }, { body: aSchema });
  return { ...options, name, reply: options.reply as Reply };
}

/** A retry policy; see {@linkcode checkRetryPolicy}. */
export const aRetryPolicy: OptionCheck = (_option, value) => checkRetryPolicy(value as RetryPolicy);

const aSchema: OptionCheck = (option, value, attempt) => {
  if (isSchema(value)) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot ${attempt} a ${option} of type ${
      typeName(value)
    }: want a Standard Schema, such as zod's`,
  );
};

function isSchema(value: unknown): boolean {
  return typeof (value as Schema | null | undefined)?.["~standard"]?.validate === "function";
}

/**
 * Checks a contract that a caller passes.
 *
 * @param attempt What was attempted, for the error text: `publish with`.
 * @throws {AtlastError} `invalid_option`.
 */
export function checkContract(contract: unknown, attempt: string): void {
  const { name, body, reply } = (contract ?? {}) as Partial<Contract>;
  if (typeof name === "string" && isSchema(body) && (reply === undefined || isSchema(reply))) {
    return;
  }
  throw optionError(attempt, "a contract", contract, "one that defineMessage makes");
}

/**
 * Returns the value of a schema's result.
 *
 * @param what What was validated, for the error text: `body of "order.placed"`.
 * @throws {ContractError} With every problem, when the schema found any.
 */
export function valueOf<Output>(result: SchemaResult<Output>, what: string): Output {
  if (typeof result !== "object" || result === null) {
    throw new TypeError(`Cannot read the ${what}: the schema returned no result`);
  }
  const { issues } = result;
  if (issues === undefined) return result.value;
  if (Array.isArray(issues)) throw new ContractError(what, issues.map(problemOf));
  throw new TypeError(`Cannot read the ${what}: the schema returned issues that are no list`);
}

/** The longest place in an error, in characters, because field names come from the body. */
const MAX_PATH_LENGTH = 200;

function problemOf(issue: SchemaIssue): Problem {
  // A schema of user code may return anything.
  const given: unknown = propertyOf(issue, "path");
  const keys = (Array.isArray(given) ? given : [])
    .map((step: unknown) => typeof step === "object" ? propertyOf(step, "key") : step);
  const text = keys.map((key) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("");
  const path = text.replace(/^\./, "").replace(/\p{C}/gu, " ").slice(0, MAX_PATH_LENGTH);
  const expected = expectationOf(issue);
  const problem = { path: path.toWellFormed(), message: String(propertyOf(issue, "message")) };
  return expected === undefined ? problem : { ...problem, expected };
}
