/**
 * Names of prepared statements.
 *
 * @module
 */

/**
 * Different in each process, and in each copy of the library. Behind a pooler, processes share server connections: with
 * equal names, one would run the statement that another has prepared.
 */
const PREFIX = `atlast_${crypto.randomUUID().replaceAll("-", "")}_`;

const names = new Map<string, string>();

/** The name of a statement: one for each text. */
export function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) names.set(text, name = `${PREFIX}${names.size}`);
  return name;
}
