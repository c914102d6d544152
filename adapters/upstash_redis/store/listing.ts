/**
 * Lists records: one set page by page, or several sets merged in one order.
 *
 * @module
 */
import type { ListQuery } from "../../../core/ports/store.ts";
import type { RecordKey, StoredRecord } from "../../../core/ports/record.ts";
import type { Client } from "./client.ts";
import { type BoxKeys, groupName, LISTED, memberOf } from "./keys.ts";
import { compareBytes } from "./byte_order.ts";
import { recordOf } from "./record_text.ts";
import { LIST_SCRIPT } from "./scripts.ts";

/** The largest page, in characters of messages. */
const MAX_PAGE = 4 * 1024 * 1024;

/** A record with its position in the order. */
interface Listed {
  readonly member: string;
  readonly record: StoredRecord;
}

/**
 * See `Store.list`. Failed, cancelled and undecided records have a set for their state. Other lists read all
 * records from the newest on until they have enough.
 */
export async function listRecords(
  client: Client,
  base: string,
  keys: BoxKeys,
  query: ListQuery,
): Promise<StoredRecord[]> {
  const { states, limit } = query;
  if (limit <= 0 || states?.length === 0) return [];
  const sources = states !== undefined && states.every((state) => LISTED.includes(state))
    ? [...new Set(states)].map((state) => `list:${state}`)
    : ["all"];
  const lists = await Promise.all(
    sources.map((source) => readSet(client, base, keys, query, source)),
  );
  const [only] = lists;
  const all = lists.length === 1 && only !== undefined ? only : lists.flat().sort(newestFirst);
  return all.slice(0, limit).map(({ record }) => record);
}

async function readSet(
  client: Client,
  base: string,
  keys: BoxKeys,
  query: ListQuery,
  source: string,
): Promise<Listed[]> {
  const { box, states, name, group, limit } = query;
  const listed: Listed[] = [];
  let after = query.after &&
    { at: String(query.after.createdAtMs), member: cursorOf(query.after.key) };
  for (;;) {
    const [said, ...answer] = await client.run(LIST_SCRIPT, [`${keys.base}${source}`], [
      base,
      box,
      source,
      states === undefined ? "*" : states.join(" "),
      name === undefined ? "*" : JSON.stringify(name),
      group === undefined ? "*" : `=${groupName(group)}`,
      after?.at ?? "-",
      after?.member ?? "",
      String(limit - listed.length),
      String(MAX_PAGE),
    ]) as string[];
    for (let i = 0; i + 2 < answer.length; i += 3) {
      const [member = "", standing = "", message = ""] = answer.slice(i, i + 3);
      listed.push({ member, record: recordOf(box, member, standing, message) });
    }
    if (said === undefined || !said.startsWith(">") || listed.length >= limit) return listed;
    const space = said.indexOf(" ");
    after = { at: said.slice(1, space), member: said.slice(space + 1) };
  }
}

/** A page may continue after any text, even one that cannot be a stored key. */
function cursorOf({ id, group }: RecordKey): string {
  return memberOf({ id: id.toWellFormed(), group: group.toWellFormed() });
}

/** The order of the sets: by time, then by the bytes of the member. */
function newestFirst(a: Listed, b: Listed): number {
  const time = b.record.createdAtMs - a.record.createdAtMs;
  return time !== 0 ? time : compareBytes(b.member, a.member);
}
