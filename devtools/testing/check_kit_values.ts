/**
 * Checks values that only the options of the test kit have.
 *
 * @module
 */
import { optionError } from "../../core/check_option.ts";
import { isRecord, type OptionCheck } from "../../core/check_options.ts";
import { checkPattern, isName } from "../../core/message/name.ts";

/** A contract, of which only the name is used. */
export const aContract: OptionCheck = (option, value, attempt) => {
  if (isNamed(value)) return;
  throw optionError(attempt, option, value, "a contract, as defineMessage makes");
};

/** A contract, or a pattern of names. */
export const aDestination: OptionCheck = (option, value, attempt) => {
  if (isNamed(value)) return;
  if (typeof value === "string") return checkPattern(value);
  throw optionError(attempt, option, value, "a contract or a pattern of names");
};

/** A transaction of any driver, or a fake. */
export const aTransaction: OptionCheck = (option, value, attempt) => {
  if (isRecord(value) || typeof value === "function") return;
  throw optionError(attempt, option, value, "a transaction, or an object in its stead");
};

function isNamed(value: unknown): boolean {
  return isRecord(value) && typeof value["name"] === "string" && isName(value["name"]);
}
