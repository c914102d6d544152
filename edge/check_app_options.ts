/**
 * Checks the types of the options that all apps have.
 *
 * @module
 */
import {
  aFunction,
  aNumber,
  anything,
  aTextLike,
  checkOptions,
  type OptionCheck,
  type OptionTable,
} from "../core/check_options.ts";

const APP_OPTIONS: OptionTable = {
  verify: anything,
  basePath: aTextLike({ pattern: /^\//, words: `one that starts with "/"` }),
  onError: aFunction,
};

/** The check of the option `maxBodyBytes`. */
export const aBodyLimit: OptionCheck = aNumber({ whole: true, least: 1 });

/**
 * Checks the types of options of an app.
 *
 * @param others The options that only this app has.
 * @throws {AtlastError} `invalid_option`.
 */
export function checkAppOptions(options: unknown, others: OptionTable): void {
  checkOptions("make an app with", options, { ...APP_OPTIONS, ...others });
}
