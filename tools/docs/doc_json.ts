/**
 * Reads the interfaces that the package exports from `deno doc --json`.
 *
 * @module
 */
import config from "../../deno.json" with { type: "json" };
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { deno } from "./markdown.ts";

/** A field of an interface, for a page. */
export interface Field {
  /** Its name; for a field of a nested object the whole path, such as `tick.verify`. */
  readonly name: string;
  readonly type: string;
  readonly isOptional: boolean;
  /** The text of its `@default`; null for none. */
  readonly defaultValue: string | null;
  readonly doc: string;
}

/** An interface that is exported. */
export interface DocumentedType {
  readonly name: string;
  readonly doc: string;
  /** The names of the types it extends. */
  readonly bases: readonly string[];
  readonly fields: readonly Field[];
}

interface JsDoc {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string; readonly value?: string }[];
}

interface Property {
  readonly name: string;
  readonly jsDoc?: JsDoc;
  readonly location: { readonly filename: string; readonly line: number; readonly col: number };
  readonly optional?: boolean;
  readonly tsType?: { readonly kind: string; readonly value?: unknown };
}

interface Members {
  readonly properties?: readonly Property[];
  readonly methods?: readonly Property[];
}

interface Declaration {
  readonly kind: string;
  readonly jsDoc?: JsDoc;
  readonly def: Members & {
    readonly extends?: readonly { readonly repr?: string }[];
    readonly tsType?: { readonly kind: string; readonly value?: unknown };
  };
}

interface DocJson {
  readonly nodes: Readonly<
    Record<
      string,
      {
        readonly symbols: readonly {
          readonly name: string;
          readonly declarations: readonly Declaration[];
        }[];
      }
    >
  >;
}

/** Every interface and object type that the package exports, by name. */
export function documentedTypes(): ReadonlyMap<string, DocumentedType> {
  const { nodes } = JSON.parse(
    deno(["doc", "--json", ...Object.values(config.exports)]),
  ) as DocJson;
  const types = new Map<string, DocumentedType>();
  for (const { symbols } of Object.values(nodes)) {
    for (const { name, declarations } of symbols) {
      const declaration = declarations.find(({ kind }) =>
        kind === "interface" || kind === "typeAlias"
      );
      if (declaration !== undefined && !types.has(name)) {
        types.set(name, documentedType(name, declaration));
      }
    }
  }
  return types;
}

function documentedType(name: string, { jsDoc, def }: Declaration): DocumentedType {
  const members = def.tsType?.kind === "typeLiteral" ? def.tsType.value as Members : def;
  return {
    name,
    doc: jsDoc?.doc ?? "",
    bases: (def.extends ?? []).flatMap(({ repr }) => repr === undefined ? [] : [repr]),
    fields: fieldsOf(members, ""),
  };
}

function fieldsOf({ properties = [], methods = [] }: Members, prefix: string): Field[] {
  return [...properties, ...methods].flatMap((property) => fieldsOfProperty(property, prefix));
}

function fieldsOfProperty(property: Property, prefix: string): Field[] {
  const { name, jsDoc, optional, tsType } = property;
  const path = prefix + name;
  const nested = tsType?.kind === "typeLiteral"
    ? fieldsOf(tsType.value as Members, `${path}.`)
    : [];
  return [
    {
      name: path,
      type: nested.length > 0 ? "object" : writtenType(property),
      isOptional: optional === true,
      defaultValue: defaultOf(jsDoc),
      doc: jsDoc?.doc ?? "",
    },
    ...nested,
  ];
}

function defaultOf(jsDoc: JsDoc | undefined): string | null {
  for (const { value } of jsDoc?.tags ?? []) {
    const found = /^@default\s+([\s\S]+)$/.exec(value ?? "");
    if (found !== null) return found[1]!.trim();
  }
  return null;
}

/** The type of a property as in its source, on one line. */
function writtenType({ location, name }: Property): string {
  const lines = readFileSync(fileURLToPath(location.filename), "utf8").split("\n");
  const source = [
    (lines[location.line - 1] ?? "").slice(location.col),
    ...lines.slice(location.line, location.line + 40),
  ].join("\n").replace(/^(?:\/\*[\s\S]*?\*\/|\/\/.*\n|\s)+/, "");
  const start = source.indexOf(name) + name.length;
  const end = endOfMember(source, start);
  return source.slice(start, end)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "")
    .replace(/^\??:?/, "")
    .replace(/\s+/g, " ")
    .replace(/^ ?\| /, "")
    .replaceAll("( ", "(")
    .replaceAll(", )", ")")
    .trim();
}

/** Where a member of an interface ends: the first semicolon outside of brackets and comments. */
function endOfMember(source: string, start: number): number {
  let depth = 0;
  for (let i = start; i < source.length; i++) {
    if (source.startsWith("/*", i)) i = source.indexOf("*/", i) + 1;
    else if ("([{".includes(source[i]!)) depth++;
    else if (")]}".includes(source[i]!)) {
      if (depth === 0) return i;
      depth--;
    } else if (source[i] === ";" && depth === 0) return i;
  }
  throw new Error(`Cannot find the end of a member in ${JSON.stringify(source.slice(0, 80))}`);
}
