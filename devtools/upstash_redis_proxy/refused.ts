/**
 * The commands that Upstash refuses and a Redis server would run. The proxy refuses them, so that a program
 * that works with the proxy also works with Upstash.
 *
 * @module
 */
import { argumentText, type RestCommand } from "./command.ts";
import { hasCommand, missingSubcommand } from "./upstash_commands.ts";

/** Commands that block, change or need a connection, which REST does not have. */
const NOT_OVER_REST: ReadonlySet<string> = new Set(
  `BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP
  MULTI EXEC WATCH UNWATCH DISCARD AUTH HELLO RESET QUIT CLIENT SELECT
  SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE MONITOR`.split(/\s+/),
);

/** The only setting that can be read and changed. */
const ONLY_SETTING = "NOTIFY-KEYSPACE-EVENTS";

/** Upstash's error for this command; null when it accepts it. */
export function refusalOf(command: RestCommand): string | null {
  const { name, args } = command;
  if (NOT_OVER_REST.has(name) || blocks(command)) return notOverRest(name);
  if (isMissing(name)) return notAvailable(name);
  const missing = missingSubcommand(command);
  if (missing !== null) return notAvailable(missing);
  if (name === "CONFIG" && !isOnlySetting(command)) {
    return notAvailable(`CONFIG ${argumentText(args[0])}`);
  }
  return null;
}

/** Whether Upstash has no command of this name at all, neither over REST nor in a script. */
export function isMissing(name: string): boolean {
  return !hasCommand(name) && !NOT_OVER_REST.has(name);
}

/** Upstash's error for a command that it does not have. */
export function notAvailable(name: string): string {
  return `ERR Command is not available: '${name}'. ` +
    "See https://upstash.com/docs/redis/overall/rediscompatibility for details";
}

function notOverRest(name: string): string {
  return `ERR Command "${name}" is not allowed in REST or it has a special context path`;
}

/** `XREAD … BLOCK 0 …`; Upstash's behaviour is not known, so no program may rely on it. */
function blocks({ name, args }: RestCommand): boolean {
  if (name !== "XREAD" && name !== "XREADGROUP") return false;
  const options = args.map(argumentText);
  const streams = options.indexOf("STREAMS");
  // The first three arguments of XREADGROUP are GROUP and two names, which may be any word.
  const from = name === "XREADGROUP" ? 3 : 0;
  return options.slice(from, streams < 0 ? undefined : streams).includes("BLOCK");
}

function isOnlySetting({ args }: RestCommand): boolean {
  return ["GET", "SET"].includes(argumentText(args[0])) && argumentText(args[1]) === ONLY_SETTING;
}
