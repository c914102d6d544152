/**
 * Finds dead links in Markdown: a relative link to a missing file or heading, and the path of a missing file
 * or folder of the repository, given as code.
 *
 * @module
 */
import { posix } from "node:path";

/** A dead link. */
export interface DeadLink {
  /** The page that has it. */
  readonly page: string;
  readonly target: string;
  readonly problem: string;
}

/**
 * Finds dead links.
 *
 * @param pages The text of each Markdown page, by its path in the repository.
 * @param exists Whether a path of the repository is a file or a folder.
 */
export function deadLinks(
  pages: ReadonlyMap<string, string>,
  exists: (path: string) => boolean,
): DeadLink[] {
  return [...pages].flatMap(([page, text]) =>
    linksOf(text).flatMap((target) => {
      const problem = problemOf(page, target, pages, exists);
      return problem === null ? [] : [{ page, target, problem }];
    })
  );
}

/** Paths as pages give them: from the root of the repository, a folder with a slash at its end. */
const PATH =
  /`((?:core|bus|http|adapters|edge|client|devtools|docs|tests|tools|bench|examples)\/[\w./-]*)`/g;

/** The paths of missing files and folders, given as code. */
export function stalePaths(
  pages: ReadonlyMap<string, string>,
  exists: (path: string) => boolean,
): DeadLink[] {
  return [...pages].flatMap(([page, text]) =>
    [...withoutFences(text).matchAll(PATH)]
      .map(([, path = ""]) => path)
      .filter((path) => !exists(path.replace(/\/$/, "")))
      .map((target) => ({ page, target, problem: `there is no ${target}` }))
  );
}

/** The anchors that GitHub gives the headings of a page. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutFences(markdown).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const anchor = anchorOf(heading);
    let unique = anchor;
    for (let i = 1; anchors.has(unique); i++) unique = `${anchor}-${i}`;
    anchors.add(unique);
  }
  for (const [, name = ""] of withoutFences(markdown).matchAll(/<a (?:id|name)="([^"]+)">/g)) {
    anchors.add(name);
  }
  return anchors;
}

function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_\- ]/gu, "")
    .replaceAll(" ", "-");
}

/** The targets of the links and images of a page, including reference definitions. */
function linksOf(markdown: string): string[] {
  const text = withoutFences(markdown).replace(/`[^`\n]*`/g, "``");
  const found = [
    ...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g),
    ...text.matchAll(/^\[[^\]]+\]:\s*(\S+)/gm),
  ];
  return found.map(([, target = ""]) => target);
}

function problemOf(
  page: string,
  target: string,
  pages: ReadonlyMap<string, string>,
  exists: (path: string) => boolean,
): string | null {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return null;
  const [path = "", anchor] = target.split("#", 2);
  const file = path === "" ? page : posix.normalize(posix.join(posix.dirname(page), path));
  if (path.startsWith("/") || file.startsWith("..")) return "leads out of the repository";
  const name = file.replace(/\/$/, "");
  if (!exists(name)) return `there is no ${name}`;
  if (anchor === undefined) return null;
  const text = pages.get(name);
  if (text === undefined || anchorsOf(text).has(anchor)) return null;
  return `${name} has no heading #${anchor}`;
}

function withoutFences(markdown: string): string {
  return markdown.replace(/^( *)(```+|~~~+)[\s\S]*?^\1\2 *$/gm, "").replace(/<!--[\s\S]*?-->/g, "");
}
