/**
 * Syntax trees of DynamoDB's expressions. As parsed, they hold placeholders (`#name`, `:value`);
 * once bound to a request's ExpressionAttributeNames and -Values, they hold paths and values.
 */
import type { AttributeValue } from './value.ts';

/** One step of a document path as written. */
export type PathPart = { name: string } | { placeholder: string } | { index: number };
/** A document path with names filled in: attribute and member names, and list indexes. */
export type Path = readonly (string | number)[];

export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';

interface Call<P, V> {
  kind: 'call';
  name: string;
  args: OperandOf<P, V>[];
}
export type OperandOf<P, V> =
  | { kind: 'path'; path: P }
  | { kind: 'value'; value: V }
  | Call<P, V>
  | { kind: 'arithmetic'; operator: '+' | '-'; left: OperandOf<P, V>; right: OperandOf<P, V> };

export type ConditionOf<P, V> =
  | { kind: 'comparison'; operator: ComparisonOperator; left: OperandOf<P, V>; right: OperandOf<P, V> }
  | { kind: 'between'; operand: OperandOf<P, V>; low: OperandOf<P, V>; high: OperandOf<P, V> }
  | { kind: 'in'; operand: OperandOf<P, V>; list: OperandOf<P, V>[] }
  | { kind: 'and' | 'or'; left: ConditionOf<P, V>; right: ConditionOf<P, V> }
  | { kind: 'not'; inner: ConditionOf<P, V> }
  | { kind: 'test'; call: Call<P, V> };

export type UpdateActionOf<P, V> =
  | { kind: 'SET'; path: P; operand: OperandOf<P, V> }
  | { kind: 'REMOVE'; path: P }
  | { kind: 'ADD' | 'DELETE'; path: P; value: V };

export type OperandSyntax = OperandOf<PathPart[], string>;
export type ConditionSyntax = ConditionOf<PathPart[], string>;
export type UpdateActionSyntax = UpdateActionOf<PathPart[], string>;

export type Operand = OperandOf<Path, AttributeValue>;
export type FunctionCall = Extract<Operand, { kind: 'call' }>;
export type Condition = ConditionOf<Path, AttributeValue>;
export type UpdateAction = UpdateActionOf<Path, AttributeValue>;

export type ExpressionKind =
  | 'ConditionExpression'
  | 'FilterExpression'
  | 'KeyConditionExpression'
  | 'UpdateExpression'
  | 'ProjectionExpression';

/** A path as error messages show it. */
export function pathText(path: Path): string {
  return `[${path.map((part) => (typeof part === 'number' ? `[${part}]` : part)).join(', ')}]`;
}
