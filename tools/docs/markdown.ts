/**
 * Generated pages: formatted as `deno fmt` formats the repository, so that a page that was just written passes
 * the format check and a test can compare it byte for byte.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A page that is generated from the code. */
export interface GeneratedPage {
  /** Its path in the repository. */
  readonly path: string;
  /** Makes its text. `current` is the existing text, for a page with a generated part. */
  text(current: string): string | Promise<string>;
}

/** The text of a file of the repository. */
export function readSource(path: string): string {
  return readFileSync(ROOT + path, "utf8");
}

/** A page as it should be, formatted. */
export async function generate(page: GeneratedPage, current: string): Promise<string> {
  return formatted(await page.text(current));
}

/**
 * A page whose part between `<!-- name:begin -->` and `<!-- name:end -->` is `text`.
 *
 * @throws {Error} If the page has no such part.
 */
export function withPart(page: string, name: string, text: string): string {
  const [first, last] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const begin = page.indexOf(first);
  const end = page.indexOf(last);
  if (begin < 0 || end < begin) {
    throw new Error(`Cannot write the part "${name}" of a page: it has no ${first} … ${last}`);
  }
  return `${page.slice(0, begin)}${first}\n\n${text}\n\n${page.slice(end)}`;
}

/** A table. */
export function tableOf(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Writes a page and prints its path. */
export async function write(page: GeneratedPage): Promise<void> {
  let current = "";
  try {
    current = readSource(page.path);
  } catch {
    // A new page.
  }
  writeFileSync(ROOT + page.path, await generate(page, current));
  console.log(`Wrote ${page.path}`);
}

/** Runs a subcommand of this Deno in the repository and returns what it prints. */
export function deno(args: readonly string[], input = ""): string {
  const done = spawnSync(process.execPath, args, {
    cwd: ROOT,
    input,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (done.status !== 0) throw new Error(`Cannot run deno ${args[0]}: ${done.stderr}`);
  return done.stdout;
}

/** A docstring as one paragraph of Markdown: links to symbols become code. */
export function paragraph(doc: string): string {
  return doc
    .replace(/\{@link(?:code|plain)? ([^}|]+?)(?:\s*\|[^}]*)?\}/g, "`$1`")
    .replace(/\s+/g, " ")
    .trim();
}

function formatted(markdown: string): string {
  return deno(["fmt", "--ext", "md", "--line-width", "100", "-"], markdown);
}
