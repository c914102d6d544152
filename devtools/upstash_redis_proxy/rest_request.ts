/**
 * Reads a request of Upstash's REST protocol: one command, or many as a pipeline or a transaction. The
 * command is in the body, or in path, query and body.
 *
 * @module
 */
import {
  type Argument,
  commandOf,
  commandOfJson,
  type RestCommand,
  SyntaxProblem,
} from "./command.ts";

/** The commands of a request, and how to run them. */
interface RestRequest {
  /** One command, many one after the other, or many as a transaction. */
  readonly kind: "one" | "pipeline" | "transaction";
  /** The commands in their order. */
  readonly commands: readonly RestCommand[];
}

/** The query parameter with the token; it is not an argument. */
export const TOKEN_PARAMETER = "_token";

/**
 * The commands of a request.
 *
 * @param body The whole body; empty for a request without one.
 * @throws {SyntaxProblem} When no command can be read.
 */
export function readRestRequest(request: Request, body: Uint8Array): RestRequest {
  const url = new URL(request.url);
  switch (url.pathname) {
    case "/":
      return { kind: "one", commands: [commandOfJson(parsed(body, "command"))] };
    case "/pipeline":
      return { kind: "pipeline", commands: many(body, "pipeline") };
    case "/multi-exec":
      return { kind: "transaction", commands: many(body, "multi-exec") };
    default:
      return { kind: "one", commands: [commandOf(partsOf(url, body))] };
  }
}

function many(body: Uint8Array, what: string): RestCommand[] {
  const list = parsed(body, `${what} request`);
  if (!Array.isArray(list)) throw new SyntaxProblem(`ERR failed to parse ${what} request`);
  return list.map(commandOfJson);
}

function parsed(body: Uint8Array, what: string): unknown {
  if (body.length === 0) throw new SyntaxProblem("ERR empty command");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new SyntaxProblem(`ERR failed to parse ${what}`);
  }
}

/** `/set/k?EX=100` with a body: the parts of the path, then the body, then the query. */
function partsOf(url: URL, body: Uint8Array): Argument[] {
  const path = url.pathname.slice(1).split("/").map(decoded);
  const query = url.search.slice(1).split("&").filter((pair) => pair !== "").flatMap(pairOf);
  return [...path, ...(body.length === 0 ? [] : [body]), ...query];
}

/** `EX=100` is two arguments and `NX` one. */
function pairOf(pair: string): Argument[] {
  const at = pair.indexOf("=");
  const [key, value] = at < 0 ? [pair, null] : [pair.slice(0, at), pair.slice(at + 1)];
  if (key === TOKEN_PARAMETER) return [];
  const decode = (part: string): Argument => decoded(part.replaceAll("+", " "));
  return value === null ? [decode(key)] : [decode(key), decode(value)];
}

/** Decodes percent signs to bytes, which need not be text. */
function decoded(part: string): Argument {
  if (!part.includes("%")) return part;
  const source = new TextEncoder().encode(part);
  const bytes: number[] = [];
  for (let at = 0; at < source.length; at++) {
    const hex = source[at] === 0x25 ? /^%([0-9a-f]{2})/i.exec(ascii(source, at))?.[1] : undefined;
    bytes.push(hex === undefined ? source[at]! : parseInt(hex, 16));
    if (hex !== undefined) at += 2;
  }
  return Uint8Array.from(bytes);
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 3));
}
