/**
 * Checks the options of a call or a constructor by a table of what each may be.
 *
 * @module
 */
import { type Allowed, checkNumber, described, optionError, typeName } from "./check_option.ts";
import type { AllowedText } from "./check_text.ts";
import { AtlastError } from "./errors.ts";

/** Checks the value of an option; throws `invalid_option` if it is not allowed. */
export type OptionCheck = (option: string, value: unknown, attempt: string) => void;

/** The check of each option. */
export type OptionTable = Readonly<Record<string, OptionCheck>>;

/** Milliseconds from 0 on, and Infinity. */
export const MILLISECONDS: Allowed = { unit: "milliseconds", least: 0, most: Infinity };

/**
 * Checks options. An option that is `undefined` counts as left out. A name that is in neither table is refused, even
 * if its value is `undefined`.
 *
 * @param attempt What was attempted, for the error text: `make a bus with`.
 * @param required The options that may not be left out.
 * @throws {AtlastError} `invalid_option` with what was attempted, the name or the value, and what is allowed.
 */
export function checkOptions(
  attempt: string,
  options: unknown,
  table: OptionTable,
  required: OptionTable = {},
): void {
  nested(table, required)("", options, attempt);
}

/**
 * Checks some fields of an object that may have others, because it comes from elsewhere: a record, an event or a
 * message.
 *
 * @throws {AtlastError} As {@linkcode checkOptions}.
 */
export function checkFields(
  attempt: string,
  fields: unknown,
  table: OptionTable,
  required: OptionTable = {},
): void {
  checkWithin("", attempt, fields, table, required, true);
}

function checkWithin(
  path: string,
  attempt: string,
  options: unknown,
  table: OptionTable,
  required: OptionTable,
  isOpen = false,
): void {
  if (!isRecord(options)) {
    throw optionError(attempt, path || "options", options, "an object with options");
  }
  for (const name of isOpen ? [] : Object.keys(options)) {
    if (Object.hasOwn(table, name) || Object.hasOwn(required, name)) continue;
    const known = Object.keys({ ...required, ...table });
    throw new AtlastError(
      "invalid_option",
      `Cannot ${attempt} unknown option ${described(name)}${path && ` in ${path}`}: want ${
        nearest(name, known) ?? known.join(", ")
      }`,
    );
  }
  const before = path === "" ? "" : `${path}.`;
  for (const option in table) {
    const value = options[option];
    if (value !== undefined) table[option]?.(before + option, value, attempt);
  }
  for (const option in required) required[option]?.(before + option, options[option], attempt);
}

/** The known name that a name is probably a misspelling of. */
function nearest(name: string, known: readonly string[]): string | undefined {
  for (let edits = 0; edits <= Math.min(2, name.length / 3); edits++) {
    const near = known.find((each) => isNear(name.toLowerCase(), each.toLowerCase(), edits));
    if (near !== undefined) return near;
  }
}

/** Whether so many characters inserted, removed or replaced make one text of the other. */
function isNear(a: string, b: string, edits: number): boolean {
  if (a === b) return true;
  const [restOfA, restOfB] = [a.slice(1), b.slice(1)];
  if (a[0] === b[0]) return isNear(restOfA, restOfB, edits);
  return edits > 0 && (isNear(restOfA, b, edits - 1) || isNear(a, restOfB, edits - 1) ||
    isNear(restOfA, restOfB, edits - 1));
}

/** Any value: the option is checked where it is read. */
export const anything: OptionCheck = () => {};

/** A number. */
export function aNumber(allowed: Allowed = {}): OptionCheck {
  return (option, value, attempt) => void checkNumber(option, value, allowed, attempt);
}

/** True or false. */
export const aFlag: OptionCheck = kind("true or false", (value) => typeof value === "boolean");

/** A function. */
export const aFunction: OptionCheck = kind("a function", (value) => typeof value === "function");

/** Any text. */
export const aText: OptionCheck = kind("a text", (value) => typeof value === "string");

/** Any text. An error shows its type alone, as it may be a secret. */
export const aSecret: OptionCheck = (option, value, attempt) => {
  if (typeof value === "string") return;
  throw new AtlastError(
    "invalid_option",
    `Cannot ${attempt} ${option} of type ${typeName(value)}: want a text`,
  );
};

/** An object with named values, such as headers; no list, Map or Date. */
export const aRecord: OptionCheck = kind("an object with named values", isRecord);

/** An object, of any class. */
export const anObject: OptionCheck = kind(
  "an object",
  (value) => typeof value === "object" && value !== null,
);

/** A text of a certain form. */
export function aTextLike({ pattern, words }: AllowedText): OptionCheck {
  return kind(words, (value) => typeof value === "string" && pattern.test(value));
}

/** A list; `each` checks its members. */
export function aList(each?: OptionCheck): OptionCheck {
  return (option, value, attempt) => {
    if (!Array.isArray(value)) throw optionError(attempt, option, value, "a list");
    if (each === undefined) return;
    // Not forEach, which skips the gaps of a list.
    for (let i = 0; i < value.length; i++) each(`${option}[${i}]`, value[i], attempt);
  };
}

/** One of a few values. */
export function oneOf(...values: readonly (string | number)[]): OptionCheck {
  return kind(values.map(described).join(", "), (value) => values.includes(value as string));
}

/** An object or a function that has these methods. */
export function withMethods(...methods: readonly string[]): OptionCheck {
  const want = `an object with the method${methods.length === 1 ? "" : "s"} ${methods.join(", ")}`;
  return kind(
    want,
    (value) =>
      (typeof value === "object" || typeof value === "function") && value !== null &&
      methods.every((method) => typeof (value as Record<string, unknown>)[method] === "function"),
  );
}

/** What `check` allows, or null. */
export function orNull(check: OptionCheck): OptionCheck {
  return (option, value, attempt) => {
    if (value !== null) check(option, value, attempt);
  };
}

/** An object with options of its own. */
export function nested(table: OptionTable, required: OptionTable = {}): OptionCheck {
  return (option, value, attempt) => checkWithin(option, attempt, value, table, required);
}

/** An object with any names, whose values `each` checks. */
export function eachOf(each: OptionCheck): OptionCheck {
  return (option, value, attempt) => {
    aRecord(option, value, attempt);
    for (const [name, own] of Object.entries(value as object)) {
      each(`${option}[${described(name)}]`, own, attempt);
    }
  };
}

/** An id: a text. Other rules about ids are checked where it is used. */
export const anId: OptionCheck = (option, value, attempt) => {
  if (typeof value === "string") return;
  throw new AtlastError(
    "invalid_id",
    `Cannot ${attempt} ${option} ${described(value)}: want a text`,
  );
};

/** Whether a value is an object with named values; false for lists, Maps, Dates and the like. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && RECORDS.includes(typeName(value));
}

/** The imports of a module are named values too. */
const RECORDS: readonly string[] = ["object", "Module"];

function kind(want: string, allows: (value: unknown) => boolean): OptionCheck {
  return (option, value, attempt) => {
    if (!allows(value)) throw optionError(attempt, option, value, want);
  };
}
