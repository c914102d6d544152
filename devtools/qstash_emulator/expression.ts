/**
 * The expressions of `Upstash-Retry-Delay`: arithmetic on `retried`, with a result in milliseconds.
 *
 * @module
 */

/** The result of an expression for a number of retries. */
export type Expression = (retried: number) => number;

const FUNCTIONS: Readonly<Record<string, (...values: number[]) => number>> = {
  pow: Math.pow,
  exp: Math.exp,
  sqrt: Math.sqrt,
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  round: Math.round,
  min: Math.min,
  max: Math.max,
};

/** How many values each takes; two or more for the others. */
const ARITY: Readonly<Record<string, number>> = {
  pow: 2,
  exp: 1,
  sqrt: 1,
  abs: 1,
  floor: 1,
  ceil: 1,
  round: 1,
};

/** A longer one is refused, because expressions are read by recursion. */
const MAX_LENGTH = 1000;

/** Reads an expression; undefined for any other text. */
export function parseExpression(text: string): Expression | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const tokens = text.match(/\d+(?:\.\d+)?|[a-z]+|[-+*/%(),]|\S/g) ?? [];
  try {
    return new Parser(tokens).all();
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  all(): Expression {
    const value = this.#sum();
    if (this.#at < this.#tokens.length) throw new SyntaxError();
    return value;
  }

  #sum(): Expression {
    let left = this.#product();
    for (let sign = this.#taken("+", "-"); sign !== null; sign = this.#taken("+", "-")) {
      const [a, b, factor] = [left, this.#product(), sign === "+" ? 1 : -1];
      left = (retried) => a(retried) + factor * b(retried);
    }
    return left;
  }

  #product(): Expression {
    let left = this.#signed();
    for (let sign = this.#taken("*", "/", "%"); sign; sign = this.#taken("*", "/", "%")) {
      const [a, b, operator] = [left, this.#signed(), sign];
      left = (retried) => {
        const [x, y] = [a(retried), b(retried)];
        return operator === "*" ? x * y : operator === "/" ? x / y : x % y;
      };
    }
    return left;
  }

  #signed(): Expression {
    const sign = this.#taken("+", "-");
    if (sign === null) return this.#value();
    const value = this.#signed();
    return sign === "-" ? (retried) => -value(retried) : value;
  }

  #value(): Expression {
    const token = this.#tokens[this.#at++];
    if (token === undefined) throw new SyntaxError();
    if (/^\d/.test(token)) return () => Number(token);
    if (token === "retried") return (retried) => retried;
    if (token === "(") {
      const value = this.#sum();
      this.#expect(")");
      return value;
    }
    const call = Object.hasOwn(FUNCTIONS, token) ? FUNCTIONS[token] : undefined;
    if (call === undefined) throw new SyntaxError();
    this.#expect("(");
    const values = [this.#sum()];
    while (this.#taken(",") !== null) values.push(this.#sum());
    this.#expect(")");
    if (ARITY[token] === undefined ? values.length < 2 : values.length !== ARITY[token]) {
      throw new SyntaxError();
    }
    return (retried) => call(...values.map((value) => value(retried)));
  }

  #taken(...wanted: string[]): string | null {
    const token = this.#tokens[this.#at];
    if (token === undefined || !wanted.includes(token)) return null;
    this.#at += 1;
    return token;
  }

  #expect(wanted: string): void {
    if (this.#taken(wanted) === null) throw new SyntaxError();
  }
}
