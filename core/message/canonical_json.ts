/**
 * Canonical JSON text, so that two texts of one value can be compared.
 *
 * @module
 */

/** The greatest nesting that is canonicalised. Deeper texts are compared byte for byte. */
const MAX_DEPTH = 500;
/** Exponents with up to this many characters are exact integers in JavaScript. */
const MAX_EXPONENT_LENGTH = 15;

const NUMBER = /(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y;
const LITERAL = /true|false|null/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * The canonical text of a JSON value: without white space, with sorted names, and with strings and
 * numbers each written in one way. Numbers are compared as decimals of any length, because
 * JavaScript would read different large numbers as equal. Of duplicate names the last counts, as in
 * `JSON.parse`.
 *
 * @returns Null for a text that is not JSON, or is too deep.
 */
export function canonicalJson(text: string): string | null {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  return new Reader(text).value(0);
}

/** Reads a text that is known to be JSON. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** The value at this place; null when it is too deep. */
  value(depth: number): string | null {
    if (depth > MAX_DEPTH) return null;
    this.#match(SPACE);
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
      case "f":
      case "n":
        return this.#match(LITERAL)[0];
      default:
        return this.#number();
    }
  }

  #object(depth: number): string | null {
    const members = new Map<string, string>();
    while (this.#goesOn("}")) {
      this.#match(SPACE);
      const name = this.#string();
      this.#match(SPACE);
      this.#at += 1;
      const value = this.value(depth + 1);
      if (value === null) return null;
      members.set(name, value);
    }
    const names = [...members.keys()].sort();
    return `{${names.map((name) => `${name}:${members.get(name)}`).join(",")}}`;
  }

  #array(depth: number): string | null {
    const values: string[] = [];
    while (this.#goesOn("]")) {
      const value = this.value(depth + 1);
      if (value === null) return null;
      values.push(value);
    }
    return `[${values.join(",")}]`;
  }

  /** Skips an opening bracket or a comma; returns false after the closing bracket. */
  #goesOn(closing: string): boolean {
    this.#match(SPACE);
    const isEnd = this.#text[this.#at] === closing;
    this.#at += 1;
    if (isEnd) return false;
    const before = this.#at;
    this.#match(SPACE);
    if (this.#text[this.#at] !== closing) {
      this.#at = before;
      return true;
    }
    this.#at += 1;
    return false;
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    this.#at = end + 1;
    return JSON.stringify(JSON.parse(this.#text.slice(start, this.#at)));
  }

  #number(): string {
    const [raw, sign = "", whole = "", fraction = "", exponent = "0"] = this.#match(NUMBER);
    if (exponent.length > MAX_EXPONENT_LENGTH) return raw;
    const digits = whole + fraction;
    let [first, end] = [0, digits.length];
    while (first < end && digits[first] === "0") first += 1;
    if (first === end) return "0";
    while (digits[end - 1] === "0") end -= 1;
    const power = Number(exponent) - fraction.length + digits.length - end;
    return `${sign}${digits.slice(first, end)}e${power}`;
  }

  #match(pattern: RegExp): RegExpExecArray {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text) as RegExpExecArray;
    this.#at += found[0].length;
    return found;
  }
}
