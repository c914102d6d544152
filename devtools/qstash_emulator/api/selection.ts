/**
 * Reads which messages a request selects.
 *
 * @module
 */
import { checkParameter, readSelection, type Selection } from "../filters.ts";
import { Refusal } from "../refusal.ts";
import { type Call, jsonBody } from "./call.ts";

/**
 * Reads what a request selects: from its query and, as older clients send it, from a JSON body.
 *
 * @param known The filters of the route; those of the query are already checked.
 * @throws {Refusal} 400
 */
export async function selectionOf(call: Call, known: readonly string[]): Promise<Selection> {
  const given = new Map<string, readonly string[]>();
  for (const name of call.query.keys()) given.set(name, call.query.getAll(name));
  if (call.method === "GET") return readSelection(given);
  for (const [name, value] of Object.entries(await jsonBody(call))) {
    checkParameter(name, known);
    given.set(name, [...given.get(name) ?? [], ...textsOf(name, value)]);
  }
  return readSelection(given);
}

function textsOf(name: string, value: unknown): readonly string[] {
  const values = Array.isArray(value) ? value : [value];
  if (values.every((one) => typeof one === "string" || typeof one === "number")) {
    return values.map(String);
  }
  throw new Refusal(400, `invalid ${name}: want texts or numbers`);
}

/** `count`, limited to the size of a page. */
export function pageSize({ count }: Selection, most: number): number {
  return Math.min(most, count ?? most);
}
