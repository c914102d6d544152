/**
 * Checks the types of the options that a bus and a receiver without a store have in common.
 *
 * @module
 */
import {
  aFunction,
  aList,
  aNumber,
  MILLISECONDS,
  oneOf,
  type OptionCheck,
  withMethods,
} from "../../core/check_options.ts";
import { checkText, IDENTIFIER } from "../../core/check_text.ts";
import { aRetryPolicy } from "../../core/message/contract.ts";
import { checkPattern } from "../../core/message/name.ts";

const aPattern: OptionCheck = (_option, value) => checkPattern(value as string);

const aService: OptionCheck = (_option, value) =>
  void checkText("the name of a service", value, IDENTIFIER);

const aLogger: OptionCheck = (option, value, attempt) => {
  if (value !== false) withMethods("error", "warn")(option, value, attempt);
};

/** The default of `leaseMs`. */
export const DEFAULT_LEASE_MS = 60_000;

/** The default of `handlerTimeoutMs`. */
export const DEFAULT_HANDLER_TIMEOUT_MS = 30_000;

/** The checks of the options that both have. */
export const COMMON_OPTIONS = {
  service: aService,
  callbackNames: aList(aPattern),
  failureDetail: oneOf("class", "reason"),
  redact: aFunction,
  retry: aRetryPolicy,
  handlerTimeoutMs: aNumber(),
  clockToleranceMs: aNumber(MILLISECONDS),
  onConsume: aList(aFunction),
  observe: aFunction,
  logger: aLogger,
  clock: withMethods("now", "after"),
  random: aFunction,
};
