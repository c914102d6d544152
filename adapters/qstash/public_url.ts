/**
 * The public URL of a service, and whether QStash signed a delivery for it.
 *
 * @module
 */
import { typeName } from "../../core/check_option.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../http/url.ts";
import { withoutParameters } from "./dialect/binding.ts";
import type { RequestToVerify } from "../../core/wire/wire.ts";

/**
 * The public URL that QStash delivers to. Either the URL of one route, which ends with the route's name, or
 * the part before the path that this service sees in its requests, so that one verifier serves all routes. If
 * a proxy gives routes other paths: the whole URL of each, by the name of the route.
 */
export type QstashPublicUrl = string | URL | Readonly<Record<string, string | URL>>;

/** Reads the option. Returns a function that checks whether a signed URL belongs to this service and this route. */
export function publicUrl(
  option: QstashPublicUrl,
): (signed: string, request: RequestToVerify) => boolean {
  if (typeof option === "object" && option !== null && typeName(option) !== "URL") {
    const urls = new Map(
      Object.entries(option).map(([route, url]) => [route, checkedUrl(url, `url.${route}`)]),
    );
    if (urls.size > 0) return (signed, { route = "" }) => urls.get(route) === ownPart(signed);
  } else if (option !== undefined && option !== null) {
    const url = checkedUrl(option as string | URL, "the option url");
    const end = new URL(url).pathname.split("/").at(-1);
    return (signed, request) =>
      (ownPart(signed) === url && (request.route === undefined || request.route === end)) ||
      isBelow(url, signed, request);
  }
  throw new AtlastError(
    "invalid_option",
    "Cannot verify without url: want the public URL that QStash delivers to, or that of each route",
  );
}

function ownPart(signed: string): string | null {
  return URL.canParse(signed) ? withoutParameters(signed) : null;
}

/** The public URL may have any prefix before the request's path. */
function isBelow(url: string, signed: string, request: RequestToVerify): boolean {
  if (!URL.canParse(signed) || !URL.canParse(request.url)) return false;
  const { pathname, search } = new URL(request.url);
  return new URL(signed).href === url.replace(/\/$/, "") + pathname + search;
}
