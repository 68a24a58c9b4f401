/** Recursive descent over the tokens of an expression. What can be said without names and values is checked here. */
import { expressionError, syntaxError, type Token, tokenize } from './lexer.ts';
import { reservedWords } from './reserved-words.ts';
import type {
  ComparisonOperator,
  ConditionSyntax,
  ExpressionKind,
  OperandSyntax,
  PathPart,
  UpdateActionSyntax,
} from './syntax.ts';

const comparisons: readonly string[] = ['=', '<>', '<', '<=', '>', '>='];
const sections = ['SET', 'REMOVE', 'ADD', 'DELETE'] as const;
const keywords: readonly string[] = ['AND', 'OR', 'NOT', 'BETWEEN', 'IN', ...sections];
const maxOperators = 300;
const maxInOperands = 100;

type Node = { condition: ConditionSyntax } | { operand: OperandSyntax };

export function parseCondition(kind: ExpressionKind, source: string): ConditionSyntax {
  const parser = new Parser(kind, source);
  const condition = parser.condition();
  parser.finish();
  return condition;
}

export function parseUpdate(source: string): UpdateActionSyntax[] {
  const parser = new Parser('UpdateExpression', source);
  const actions = parser.update();
  parser.finish();
  return actions;
}

export function parseProjection(source: string): PathPart[][] {
  const parser = new Parser('ProjectionExpression', source);
  const paths = parser.list(() => parser.path());
  parser.finish();
  return paths;
}

class Parser {
  private readonly kind: ExpressionKind;
  private readonly source: string;
  private readonly tokens: Token[];
  private at = 0;
  private operators = 0;
  /** Complaints that wait until the whole source is known to be well-formed. */
  private redundantParentheses = false;
  private reservedWord: string | undefined;

  constructor(kind: ExpressionKind, source: string) {
    this.kind = kind;
    this.source = source;
    this.tokens = tokenize(kind, source);
  }

  finish(): void {
    if (this.token.kind !== 'end') throw this.unexpected();
    if (this.redundantParentheses) throw expressionError(this.kind, 'The expression has redundant parentheses;');
    if (this.reservedWord !== undefined)
      throw expressionError(this.kind, `Attribute name is a reserved keyword; reserved keyword: ${this.reservedWord}`);
    if (this.operators > maxOperators)
      throw expressionError(this.kind, `The expression contains too many operators; operator count: ${this.operators}`);
  }

  condition(): ConditionSyntax {
    return this.asCondition(this.or());
  }

  list<T>(element: () => T): T[] {
    const elements = [element()];
    while (this.skip(',')) elements.push(element());
    return elements;
  }

  path(): PathPart[] {
    return this.pathTail([this.pathName()]);
  }

  update(): UpdateActionSyntax[] {
    const actions: UpdateActionSyntax[] = [];
    const seen = new Set<string>();
    do {
      const section = sections.find((name) => this.isKeyword(name));
      if (!section) throw this.unexpected();
      if (seen.has(section))
        throw expressionError(this.kind, `The "${section}" section can only be used once in an update expression;`);
      seen.add(section);
      this.at += 1;
      actions.push(...this.list(() => this.action(section)));
    } while (this.token.kind !== 'end');
    return actions;
  }

  private action(section: (typeof sections)[number]): UpdateActionSyntax {
    const path = this.path();
    if (section === 'REMOVE') return { kind: 'REMOVE', path };
    if (section === 'SET') {
      this.expect('=');
      return { kind: 'SET', path, operand: this.setValue() };
    }
    if (this.token.kind !== 'valueRef') throw this.unexpected();
    return { kind: section, path, value: this.next().text };
  }

  private setValue(): OperandSyntax {
    const left = this.setOperand();
    const operator = this.token.text;
    if (operator !== '+' && operator !== '-') return left;
    this.operators += 1;
    this.at += 1;
    return { kind: 'arithmetic', operator, left, right: this.setOperand() };
  }

  private setOperand(): OperandSyntax {
    if (!this.skip('(')) return this.operand(() => this.setOperand());
    const doubled = this.token.text === '(';
    const inner = this.setValue();
    this.expect(')');
    if (doubled && this.previous(2).text === ')') this.redundantParentheses = true;
    return inner;
  }

  private or(): Node {
    let left = this.and();
    while (this.isKeyword('OR')) {
      const condition = this.asCondition(left);
      this.skipOperator('OR');
      left = { condition: { kind: 'or', left: condition, right: this.asCondition(this.and()) } };
    }
    return left;
  }

  private and(): Node {
    let left = this.not();
    while (this.isKeyword('AND')) {
      const condition = this.asCondition(left);
      this.skipOperator('AND');
      left = { condition: { kind: 'and', left: condition, right: this.asCondition(this.not()) } };
    }
    return left;
  }

  private not(): Node {
    if (!this.skipOperator('NOT')) return this.comparison();
    return { condition: { kind: 'not', inner: this.asCondition(this.not()) } };
  }

  private comparison(): Node {
    const node = this.primary();
    if (!('operand' in node)) return node;
    const operand = node.operand;
    if (this.token.kind === 'symbol' && comparisons.includes(this.token.text)) {
      this.operators += 1;
      const operator = this.next().text as ComparisonOperator;
      return { condition: { kind: 'comparison', operator, left: operand, right: this.asOperand(this.primary()) } };
    }
    if (this.skipOperator('BETWEEN')) {
      const low = this.asOperand(this.primary());
      if (!this.isKeyword('AND')) throw this.unexpected();
      this.at += 1;
      return { condition: { kind: 'between', operand, low, high: this.asOperand(this.primary()) } };
    }
    if (this.skipOperator('IN')) return { condition: { kind: 'in', operand, list: this.inList() } };
    return node;
  }

  private inList(): OperandSyntax[] {
    this.expect('(');
    const list = this.list(() => this.asOperand(this.primary()));
    this.expect(')');
    if (list.length > maxInOperands)
      throw expressionError(
        this.kind,
        `The IN operator is provided with too many operands; number of operands: ${list.length}`,
      );
    return list;
  }

  /** An operand, or anything in parentheses. */
  private primary(): Node {
    if (!this.skip('(')) return { operand: this.operand(() => this.asOperand(this.primary())) };
    const doubled = this.token.text === '(';
    const first = this.at;
    const inner = this.or();
    this.expect(')');
    if (doubled && this.closes(first, this.at - 2)) this.redundantParentheses = true;
    return inner;
  }

  private operand(argument: () => OperandSyntax): OperandSyntax {
    if (this.token.kind === 'valueRef') return { kind: 'value', value: this.next().text };
    if (this.token.kind === 'name' && this.tokens[this.at + 1]?.text === '(' && !this.isAnyKeyword()) {
      const name = this.next().text;
      this.operators += 1;
      this.expect('(');
      const args = this.list(argument);
      this.expect(')');
      return { kind: 'call', name, args };
    }
    return { kind: 'path', path: this.path() };
  }

  private pathName(): PathPart {
    const token = this.token;
    if (token.kind === 'nameRef') return { placeholder: this.next().text };
    if (token.kind !== 'name' || this.isAnyKeyword()) throw this.unexpected();
    if (reservedWords.has(token.text.toLowerCase())) this.reservedWord ??= token.text;
    return { name: this.next().text };
  }

  private pathTail(parts: PathPart[]): PathPart[] {
    for (;;) {
      if (this.skip('.')) parts.push(this.pathName());
      else if (this.skip('[')) {
        if (this.token.kind !== 'number') throw this.unexpected();
        parts.push({ index: this.index(this.next().text) });
        this.expect(']');
      } else return parts;
    }
  }

  private index(digits: string): number {
    if (digits.length > 9)
      throw expressionError(this.kind, `List index is not within the allowable range; index: [${digits}]`);
    return Number(digits);
  }

  /** A bare function is a condition; a bare path or value is not. */
  private asCondition(node: Node): ConditionSyntax {
    if ('condition' in node) return node.condition;
    if (node.operand.kind !== 'call') throw this.unexpected();
    return { kind: 'test', call: node.operand };
  }

  private asOperand(node: Node): OperandSyntax {
    if ('operand' in node) return node.operand;
    throw this.unexpected();
  }

  /** Whether the parenthesis that opens at one token closes at the other. */
  private closes(open: number, close: number): boolean {
    let depth = 0;
    for (let index = open; index <= close; index += 1) {
      const text = this.tokens[index]!.text;
      if (text === '(') depth += 1;
      if (text === ')') depth -= 1;
      if (depth === 0) return index === close;
    }
    return false;
  }

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  private previous(steps: number): Token {
    return this.tokens[this.at - steps]!;
  }

  private next(): Token {
    const token = this.token;
    this.at += 1;
    return token;
  }

  private isKeyword(word: string): boolean {
    return this.token.kind === 'name' && this.token.text.toUpperCase() === word;
  }

  private isAnyKeyword(): boolean {
    return keywords.some((word) => this.isKeyword(word));
  }

  private skip(symbol: string): boolean {
    if (this.token.kind !== 'symbol' || this.token.text !== symbol) return false;
    this.at += 1;
    return true;
  }

  private skipOperator(word: string): boolean {
    if (!this.isKeyword(word)) return false;
    this.operators += 1;
    this.at += 1;
    return true;
  }

  private expect(symbol: string): void {
    if (!this.skip(symbol)) throw this.unexpected();
  }

  private unexpected() {
    return syntaxError(this.kind, this.source, this.token, this.tokens[this.at - 1], this.tokens[this.at + 1]);
  }
}
