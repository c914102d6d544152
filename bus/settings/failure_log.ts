/**
 * Logs the failures among the events of a bus, so that they are seen without an observer.
 *
 * @module
 */
import { callGuarded } from "../../core/user_code/guard.ts";
import { propertyOf, textOfThrown } from "../../core/user_code/thrown.ts";
import type { Logger } from "../api/logger.ts";
import { type BusEvent, guarded, type Observer } from "../api/observer.ts";
import { type Redact, redacted } from "./redact.ts";

/** How many causes of an error are logged. */
const MAX_CAUSES = 3;
/** The longest text about one failure, in characters. */
const MAX_LENGTH = 10_000;

/** The observer of a bus: the one of its options, and the log of failures. */
export function observerOf(
  { observe, logger }: { readonly observe?: Observer; readonly logger?: Logger | false },
  redact: Redact | null,
): Observer {
  const own = guarded(observe);
  const log = loggerOf(logger);
  if (log === null) return redacted(own, redact);
  return redacted((event) => {
    own(event);
    const level = levelOf(event);
    if (level !== null) callGuarded(() => log[level](`Atlast: ${lineOf(event)}`));
  }, redact);
}

function loggerOf(logger: Logger | false | undefined): Logger | null {
  // The console is looked up at each call, so that one that is replaced later is used.
  if (logger === undefined) {
    return { error: (text) => console.error(text), warn: (text) => console.warn(text) };
  }
  if (logger === false) return null;
  return logger;
}

function levelOf(event: BusEvent): keyof Logger | null {
  switch (event.kind) {
    case "failed":
    case "rejected":
    case "in_doubt":
    case "contradicted":
    case "error":
      return "error";
    case "retrying":
    case "unroutable":
      return "warn";
    case "orphaned":
      return "warn";
    case "released":
      return event.error === undefined ? null : "warn";
    default:
      return null;
  }
}

function lineOf(event: BusEvent): string {
  const error: unknown = propertyOf(event, "error");
  const reason = propertyOf(event, "reason");
  const details = error !== undefined
    ? stackOf(error)
    : typeof reason === "string" && reason !== ""
    ? reason
    : undefined;
  // The text of an error may come from a message: it must not begin a line, nor control a terminal.
  const shown = details?.slice(0, MAX_LENGTH).replace(/[^\P{C}\n\t]/gu, " ").replaceAll(
    "\n",
    "\n    ",
  );
  return shown === undefined ? headOf(event) : `${headOf(event)}: ${shown}`;
}

function headOf(event: BusEvent): string {
  if (event.kind === "error") return `error during ${event.during}`;
  if (event.kind === "orphaned") {
    const { count, name, group, sinceMs } = event;
    return `${count} or more of "${name}" wait for group "${group}" since ${
      timeOf(sinceMs)
    }, and nobody handles them`;
  }
  if (!("id" in event)) return event.kind;
  const { box, name, id, group } = event;
  const message = `"${name}" (${box} id ${id}${group === "" ? "" : `, group ${group}`})`;
  switch (event.kind) {
    case "retrying":
      return `attempt ${event.attempts} of ${message} failed, the next is at ${
        timeOf(event.dueAtMs)
      }`;
    case "failed":
      return `${message} failed for good, attempts: ${event.attempts}`;
    case "unroutable":
      return `${message} waits`;
    case "released":
      return `${message} is given back and tried again later, no attempt counted`;
    case "contradicted":
      return `${message} is ${event.state}, and its outcome is ${event.outcome}`;
    default:
      return `${message} is ${event.kind.replace("_", " ")}`;
  }
}

/** A time as ISO text; the number itself where it is beyond what a date can be. */
function timeOf(atMs: number): string {
  return Math.abs(atMs) <= 8.64e15 ? new Date(atMs).toISOString() : String(atMs);
}

/** The stacks of an error and its causes. An error is not printed as an object, whose other fields may be secret. */
function stackOf(error: unknown): string {
  const parts: string[] = [];
  for (let each = error; each !== undefined && parts.length <= MAX_CAUSES;) {
    const { name, message } = textOfThrown(each);
    const stack = propertyOf(each, "stack");
    const isWhole = typeof stack === "string" && stack.includes(message);
    parts.push(
      isWhole ? stack : `${name}: ${message}${typeof stack === "string" ? `\n${stack}` : ""}`,
    );
    each = propertyOf(each, "cause");
  }
  return parts.join("\ncaused by ");
}
