/**
 * Checks the types of the options that all apps have.
 *
 * @module
 */
import {
  aFunction,
  aNumber,
  aTextLike,
  checkOptions,
  type OptionTable,
} from "../core/check_options.ts";

const APP_OPTIONS: OptionTable = {
  basePath: aTextLike({ pattern: /^\//, words: `one that starts with "/"` }),
  maxBodyBytes: aNumber({ whole: true, least: 1 }),
  onError: aFunction,
};

/**
 * Checks the types of options of an app.
 *
 * @param others The options that only this app has, as far as they are not checked where they are read.
 * @throws {AtlastError} `invalid_option`.
 */
export function checkAppOptions(options: unknown, others: OptionTable): void {
  checkOptions("make an app with", options, { ...APP_OPTIONS, ...others });
}
