/**
 * The commands that Upstash refuses and a Redis server would run. The proxy refuses them, so that a program
 * that works with the proxy also works with Upstash.
 *
 * @module
 */
import { argumentText, type RestCommand } from "./command.ts";

function names(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}

/** Commands that block, change or need a connection, which REST does not have. */
const NOT_OVER_REST = names(`BLPOP BRPOP BRPOPLPUSH BLMOVE BLMPOP BZPOPMIN BZPOPMAX BZMPOP
  MULTI EXEC WATCH UNWATCH DISCARD AUTH HELLO RESET QUIT CLIENT SELECT
  SUBSCRIBE PSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE MONITOR`);

/** Upstash's reference does not have these; those in the last three lines administer a server. */
const NOT_AVAILABLE = names(`SORT SORT_RO OBJECT MOVE SWAPDB MIGRATE LCS SUBSTR XSETID
  SPUBLISH SSUBSCRIBE SUNSUBSCRIBE DEBUG LATENCY SLOWLOG CLUSTER ROLE SAVE BGSAVE LASTSAVE
  REPLICAOF SLAVEOF MODULE LOLWUT PFDEBUG
  PFSELFTEST BGREWRITEAOF SHUTDOWN FAILOVER SYNC PSYNC REPLCONF READONLY READWRITE ASKING
  RESTORE-ASKING`);

/** Missing subcommands of existing commands. */
const NOT_AVAILABLE_SUBCOMMANDS = names("FUNCTION|DUMP FUNCTION|RESTORE SCRIPT|DEBUG");

/** The only setting that can be read and changed. */
const ONLY_SETTING = "NOTIFY-KEYSPACE-EVENTS";

/** Upstash's error for this command; null when it accepts it. */
export function refusalOf(command: RestCommand): string | null {
  const { name, args } = command;
  const sub = `${name}|${argumentText(args[0])}`;
  if (NOT_OVER_REST.has(name) || blocks(command)) return notOverRest(name);
  if (isMissing(name)) return notAvailable(name);
  if (NOT_AVAILABLE_SUBCOMMANDS.has(sub)) return notAvailable(sub.replace("|", " "));
  if (name === "MEMORY" && sub !== "MEMORY|USAGE") return notAvailable(sub.replace("|", " "));
  if (name === "CONFIG" && !isOnlySetting(command)) return notAvailable(sub.replace("|", " "));
  return null;
}

/** Whether Upstash has no command of this name at all. */
export function isMissing(name: string): boolean {
  return NOT_AVAILABLE.has(name);
}

/** The error for a command that neither Redis nor Upstash knows, or only one of them. */
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
