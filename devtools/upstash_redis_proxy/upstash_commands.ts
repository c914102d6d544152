/**
 * The commands of Upstash, from the command reference of its documentation (August 2026).
 *
 * @module
 */
import { type Argument, argumentText, type RestCommand } from "./command.ts";

function names(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}

/** Those without subcommands, or with all that Redis has. */
const COMMANDS = names(`APPEND BITCOUNT BITFIELD BITFIELD_RO BITOP BITPOS COMMAND COPY DBSIZE DECR
  DECRBY DEL DELEX DIGEST DUMP ECHO EVAL EVAL_RO EVALSHA EVALSHA_RO EXISTS EXPIRE EXPIREAT EXPIRETIME
  FCALL FCALL_RO FLUSHALL FLUSHDB GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUS_RO
  GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH GEOSEARCHSTORE GET GETBIT GETDEL GETEX GETRANGE
  GETSET HDEL HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT
  HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX
  HSETNX HSTRLEN HTTL HVALS INCR INCRBY INCRBYFLOAT INFO JSON.ARRAPPEND JSON.ARRINDEX JSON.ARRINSERT
  JSON.ARRLEN JSON.ARRPOP JSON.ARRTRIM JSON.CLEAR JSON.DEBUG JSON.DEL JSON.FORGET JSON.GET JSON.MERGE
  JSON.MGET JSON.MSET JSON.NUMINCRBY JSON.NUMMULTBY JSON.OBJKEYS JSON.OBJLEN JSON.RESP JSON.SET
  JSON.STRAPPEND JSON.STRLEN JSON.TOGGLE JSON.TYPE KEYS LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS
  LPUSH LPUSHX LRANGE LREM LSET LTRIM MGET MSET MSETNX PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PFADD
  PFCOUNT PFMERGE PING PSETEX PTTL PUBLISH PUBSUB RANDOMKEY RENAME RENAMENX RESTORE RPOP RPOPLPUSH
  RPUSH RPUSHX SADD SCAN SCARD SDIFF SDIFFSTORE SEARCH.AGGREGATE SEARCH.ALIASADD SEARCH.ALIASDEL
  SEARCH.COUNT SEARCH.CREATE SEARCH.DESCRIBE SEARCH.DROP SEARCH.LISTALIASES SEARCH.LISTINDEXES
  SEARCH.QUERY SEARCH.REINDEX SEARCH.WAITINDEXING SET SETBIT SETEX SETNX SETRANGE SINTER SINTERCARD
  SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM SSCAN STRLEN SUNION
  SUNIONSTORE TIME TOUCH TTL TYPE UNLINK WAIT WAITAOF XACK XACKDEL XADD XAUTOCLAIM XCLAIM XDEL XDELEX
  XGROUP XLEN XPENDING XRANGE XREAD XREADGROUP XREVRANGE XTRIM ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE
  ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE
  ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE
  ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE`);

/** The subcommands of those of which Upstash has only some. */
const SUBCOMMANDS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    "ACL",
    names(`CAT DELUSER GENPASS GENTOKEN GETUSER LIST LOAD LOG RESTTOKEN SAVE SETUSER USERS WHOAMI`),
  ],
  ["CONFIG", names("GET SET")],
  ["FUNCTION", names("DELETE FLUSH KILL LIST LOAD STATS")],
  ["MEMORY", names("USAGE")],
  ["SCRIPT", names("EXISTS FLUSH KILL LOAD")],
  ["XINFO", names("CONSUMERS GROUPS STREAM")],
]);

/** Options that Upstash has and Redis 7.0 does not. */
const OPTIONS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["BITOP", names("DIFF DIFF1 ANDOR ONE")],
  ["HSCAN", names("NOVALUES")],
  ["SCAN", names("WITHTYPE")],
  ["SET", names("IFEQ IFNE IFDEQ IFDNE")],
  ["XADD", names("KEEPREF DELREF ACKED")],
  ["XTRIM", names("KEEPREF DELREF ACKED")],
]);

/** Whether Upstash has a command of this name. */
export function hasCommand(name: string): boolean {
  return COMMANDS.has(name) || SUBCOMMANDS.has(name);
}

/** The name of a command with its subcommand, if Upstash has none of this name; null if it has. */
export function missingSubcommand({ name, args }: RestCommand): string | null {
  const known = SUBCOMMANDS.get(name);
  const subcommand = argumentText(args[0]);
  return known === undefined || subcommand === "" || known.has(subcommand)
    ? null
    : `${name} ${subcommand}`;
}

/** The option of a command that Upstash has and Redis 7.0 does not; null for none. */
export function newOptionOf({ name, args }: RestCommand): string | null {
  const options = OPTIONS.get(name);
  if (options === undefined) return null;
  // The first argument is a key or a cursor, except for BITOP, whose first one is the operation.
  const candidates: readonly Argument[] = name === "BITOP" ? args.slice(0, 1) : args.slice(1);
  return candidates.map(argumentText).find((text) => options.has(text)) ?? null;
}
