/**
 * Finds records by their ids, for `verify`.
 *
 * @module
 */
import type { Box } from "../../../core/lifecycle/lifecycle.ts";
import { outlineOf, type RecordOutline } from "../../../core/ports/inspection.ts";
import type { Client } from "./client.ts";
import { type BoxKeys, groupName, isStorable } from "./keys.ts";
import { groupNamesOf, isText, messageSizeOf, recordOf } from "./record_text.ts";

/** The most standings that one request asks for: they contain replies. */
const MAX_STANDINGS = 100;
/** The most characters of messages in one answer. */
const MAX_ANSWER = 4 * 1024 * 1024;

interface Found {
  readonly member: string;
  readonly standing: string;
}

/**
 * See `InspectionHints.outlinesOf`. It costs one command for the groups of the inbox, one for each 100 pairs of id
 * and group, and one for each 4 MiB of messages that are found.
 */
export async function outlinesOf(
  client: Client,
  keys: BoxKeys,
  box: Box,
  ids: readonly string[],
): Promise<RecordOutline[]> {
  const read = (names: readonly string[]) => client.plain((redis) => redis.mget(...names));
  const wanted = [...new Set(ids)].filter((id) => isStorable({ id, group: "" }));
  if (wanted.length === 0) return [];
  const [totals] = box === "inbox" ? await read([keys.totals]) : [];
  const groups = box === "inbox" ? groupNamesOf(isText(totals) ? totals : null) : [groupName("")];
  const members = wanted.flatMap((id) => groups.map((group) => `${group}:${id}`));
  const outlines: RecordOutline[] = [];
  for (let from = 0; from < members.length; from += MAX_STANDINGS) {
    const some = members.slice(from, from + MAX_STANDINGS);
    const standings = await read(some.map((member) => keys.standing(member)));
    const found = some.flatMap((member, i): Found | [] => {
      const standing = standings[i];
      return isText(standing) ? { member, standing } : [];
    });
    for (const part of inAnswers(found)) {
      const messages = await read(part.map(({ member }) => keys.message(member)));
      for (const [i, { member, standing }] of part.entries()) {
        const message = messages[i];
        if (!isText(message)) continue;
        outlines.push(outlineOf(recordOf(box, member, standing, message)));
      }
    }
  }
  return outlines;
}

/** Parts whose messages each fit into an answer; one that is too long gets an answer of its own. */
function inAnswers(all: readonly Found[]): Found[][] {
  const parts: Found[][] = [];
  let size = Infinity;
  for (const found of all) {
    const own = messageSizeOf(found.standing);
    size += own;
    if (size > MAX_ANSWER) {
      parts.push([]);
      size = own;
    }
    parts.at(-1)?.push(found);
  }
  return parts;
}
