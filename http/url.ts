/**
 * Checks the URLs of requests.
 *
 * @module
 */
import { typeName } from "../core/check_option.ts";
import { AtlastError } from "../core/errors.ts";

/**
 * Checks an absolute http(s) URL without credentials, and returns its normal form.
 *
 * @param what What it is, for the error text: `the route for "order.placed"`.
 * @throws {AtlastError} `invalid_option`. The text never shows the URL, which may contain a secret.
 */
export function checkedUrl(text: string | URL, what: string): string {
  // Only texts and URLs, of any realm: a list with one text in it could be parsed too.
  const isUrl = typeof text === "string" || typeName(text) === "URL";
  const url = isUrl && URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw notUsable(what, "text that is no URL", "an absolute http(s) URL");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw notUsable(what, `a URL with "${url.protocol}"`, "http: or https:");
  }
  if (url.username !== "" || url.password !== "") {
    throw notUsable(what, "a URL with credentials", "them somewhere else than in the URL");
  }
  return url.href;
}

function notUsable(what: string, got: string, want: string): AtlastError {
  return new AtlastError("invalid_option", `Cannot use ${what}: got ${got}, want ${want}`);
}
