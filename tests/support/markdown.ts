/**
 * The code blocks of a Markdown page, for the tests that run what the documentation shows.
 *
 * @module
 */

/** A fenced code block. */
export interface CodeBlock {
  /** What follows the opening fence, such as `ts` or `ts ignore`. */
  readonly info: string;
  /** The lines between the fences. */
  readonly code: string;
  /** The text between the block before and this one. */
  readonly before: string;
}

/** The `@example` tags of a source file, each as Markdown. */
export function docstringExamples(source: string): string[] {
  return [...source.matchAll(/^ *\/\*\*\n(.*?)^ *\*\/$/gms)].flatMap(([, comment = ""]) => {
    const text = comment.replaceAll(/^ *\* ?/gm, "");
    // A tag ends where the next one begins; a line of code may begin with `@` too.
    const [, ...examples] = text.split(/^@example.*\n/gm);
    return examples.map((example) =>
      example.replace(/^@(?:module|throws|typeParam|param|returns)[^]*/m, "")
    );
  });
}

/** The fenced code blocks of a page, in order. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let end = 0;
  for (const found of markdown.matchAll(/^```([^`\n]*)\n(.*?)^```$/gms)) {
    const [whole, info = "", code = ""] = found;
    blocks.push({ info: info.trim(), code, before: markdown.slice(end, found.index) });
    end = found.index + whole.length;
  }
  return blocks;
}
