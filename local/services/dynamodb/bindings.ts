/** Fills a request's names and values into parsed expressions, and checks operands as DynamoDB does before it reads anything. */
import { validationError } from './errors.ts';
import { expressionError } from './lexer.ts';
import { refuseOverlaps } from './overlap.ts';
import { conditionOf, projectionOf, updateOf } from './parsed.ts';
import { checkedNames, checkedValues, refuseUnused } from './placeholders.ts';
import { keyNames, type Schema } from './schema.ts';
import type {
  Condition,
  ConditionSyntax,
  ExpressionKind,
  FunctionCall,
  Operand,
  OperandSyntax,
  Path,
  PathPart,
  UpdateAction,
  UpdateActionSyntax,
} from './syntax.ts';
import { pathText } from './syntax.ts';
import { type AttributeValue, compareValues, type TypeName, typeNames, typeOf } from './value.ts';

const maxPathDepth = 32;
const argumentCounts: Record<string, number> = {
  attribute_exists: 1,
  attribute_not_exists: 1,
  attribute_type: 2,
  begins_with: 2,
  contains: 2,
  size: 1,
  if_not_exists: 2,
  list_append: 2,
};
const updateFunctions: readonly string[] = ['if_not_exists', 'list_append'];
const longTypeNames: Record<TypeName, string> = {
  S: 'STRING',
  N: 'NUMBER',
  B: 'BINARY',
  SS: 'STRING_SET',
  NS: 'NUMBER_SET',
  BS: 'BINARY_SET',
  BOOL: 'BOOLEAN',
  NULL: 'NULL',
  L: 'LIST',
  M: 'MAP',
};

/** What a request says about its expressions, by their names. */
export type ExpressionInput = { [Kind in ExpressionKind]?: string } & {
  ExpressionAttributeNames?: Record<string, string>;
  /** Not yet checked. */
  ExpressionAttributeValues?: Record<string, unknown>;
};

/** The expressions of one request. Each is given as its text, or undefined when the request has none. */
export class Bindings {
  private readonly names: Record<string, string> | undefined;
  private readonly values: Record<string, AttributeValue> | undefined;
  private readonly usedNames = new Set<string>();
  private readonly usedValues = new Set<string>();
  private readonly paths: Path[] = [];
  private kind: ExpressionKind = 'ConditionExpression';

  /** @param possible the expressions that such a request can have */
  constructor(input: ExpressionInput, possible: readonly ExpressionKind[]) {
    refuseWithoutExpression(input, possible);
    this.names = input.ExpressionAttributeNames && checkedNames(input.ExpressionAttributeNames);
    this.values = input.ExpressionAttributeValues && checkedValues(input.ExpressionAttributeValues);
  }

  condition(kind: ExpressionKind, source: string | undefined): Condition | undefined {
    if (source === undefined) return undefined;
    this.kind = kind;
    return this.bindCondition(conditionOf(kind, source));
  }

  update(source: string | undefined): UpdateAction[] | undefined {
    if (source === undefined) return undefined;
    this.kind = 'UpdateExpression';
    const actions = updateOf('UpdateExpression', source).map((action) => this.bindAction(action));
    refuseOverlaps(
      'UpdateExpression',
      actions.map((action) => action.path),
    );
    return actions;
  }

  projection(source: string | undefined): Path[] | undefined {
    if (source === undefined) return undefined;
    this.kind = 'ProjectionExpression';
    const paths = projectionOf('ProjectionExpression', source).map((parts) => this.path(parts));
    refuseOverlaps('ProjectionExpression', paths);
    return paths;
  }

  /** Refuses names and values that no expression uses, and paths into keys, which are scalars. */
  finish(schema: Schema): void {
    refuseUnused('ExpressionAttributeNames', this.names, this.usedNames);
    refuseUnused('ExpressionAttributeValues', this.values, this.usedValues);
    const keys = keyNames(schema.keys);
    for (const path of this.paths) {
      const name = String(path[0]);
      if (path.length > 1 && Object.hasOwn(schema.types, name))
        throw validationError(
          `Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: ${keys.includes(name) ? 'Key' : 'IndexKey'}: ${name}`,
        );
    }
  }

  private error(detail: string) {
    return expressionError(this.kind, detail);
  }

  private path(parts: PathPart[]): Path {
    if (parts.length > maxPathDepth)
      throw this.error(`The document path has too many nesting levels; nesting levels: ${parts.length}`);
    const path = parts.map((part) => {
      if ('name' in part) return part.name;
      if ('index' in part) return part.index;
      const name = this.names?.[part.placeholder];
      if (name === undefined)
        throw this.error(
          `An expression attribute name used in the document path is not defined; attribute name: ${part.placeholder}`,
        );
      this.usedNames.add(part.placeholder);
      return name;
    });
    this.paths.push(path);
    return path;
  }

  private value(placeholder: string): AttributeValue {
    const value = this.values?.[placeholder];
    if (value === undefined)
      throw this.error(
        `An expression attribute value used in expression is not defined; attribute value: ${placeholder}`,
      );
    this.usedValues.add(placeholder);
    return value;
  }

  private bindCondition(syntax: ConditionSyntax): Condition {
    switch (syntax.kind) {
      case 'and':
      case 'or':
        return { kind: syntax.kind, left: this.bindCondition(syntax.left), right: this.bindCondition(syntax.right) };
      case 'not':
        return { kind: 'not', inner: this.bindCondition(syntax.inner) };
      case 'test':
        return { kind: 'test', call: this.bindTest(syntax.call) };
      case 'comparison': {
        const { operator } = syntax;
        const [left, right] = [this.conditionOperand(syntax.left), this.conditionOperand(syntax.right)];
        this.requireDistinct(operator, left, [right]);
        if (operator !== '=' && operator !== '<>') this.requireTypes(operator, [left, right], ['S', 'N', 'B']);
        return { kind: 'comparison', operator, left, right };
      }
      case 'between': {
        const operand = this.conditionOperand(syntax.operand);
        const [low, high] = [this.conditionOperand(syntax.low), this.conditionOperand(syntax.high)];
        this.requireDistinct('BETWEEN', operand, [low, high]);
        this.requireTypes('BETWEEN', [operand, low, high], ['S', 'N', 'B']);
        this.requireBounds(low, high);
        return { kind: 'between', operand, low, high };
      }
      case 'in': {
        const operand = this.conditionOperand(syntax.operand);
        const list = syntax.list.map((element) => this.conditionOperand(element));
        this.requireDistinct('IN', operand, list);
        return { kind: 'in', operand, list };
      }
      default:
        return syntax satisfies never;
    }
  }

  /** A function that stands for a condition. */
  private bindTest(syntax: Extract<OperandSyntax, { kind: 'call' }>): FunctionCall {
    if (syntax.name === 'size') throw this.misused('size');
    this.requireConditionFunction(syntax.name);
    const call: FunctionCall = {
      kind: 'call',
      name: syntax.name,
      args: syntax.args.map((arg) => this.conditionOperand(arg)),
    };
    this.requireArguments(call);
    const { name, args } = call;
    if (args[1]) this.requireDistinct(name, args[0]!, [args[1]]);
    if (name === 'attribute_exists' || name === 'attribute_not_exists') this.requirePath(name, args[0]!);
    if (name === 'attribute_type') this.requireTypeName(args[1]!);
    if (name === 'begins_with') this.requireTypes(name, args, ['S', 'B']);
    return call;
  }

  /** An operand of a condition: of all functions only `size` can be one. */
  private conditionOperand(syntax: OperandSyntax): Operand {
    if (syntax.kind === 'path') return { kind: 'path', path: this.path(syntax.path) };
    if (syntax.kind === 'value') return { kind: 'value', value: this.value(syntax.value) };
    if (syntax.kind !== 'call') throw new Error('A condition has no arithmetic.');
    this.requireConditionFunction(syntax.name);
    if (syntax.name !== 'size') throw this.misused(syntax.name);
    const call: FunctionCall = {
      kind: 'call',
      name: 'size',
      args: syntax.args.map((arg) => this.conditionOperand(arg)),
    };
    this.requireArguments(call);
    this.requireTypes('size', call.args, ['S', 'B', 'SS', 'NS', 'BS', 'L', 'M']);
    return call;
  }

  private bindAction(syntax: UpdateActionSyntax): UpdateAction {
    const path = this.path(syntax.path);
    if (syntax.kind === 'REMOVE') return { kind: 'REMOVE', path };
    if (syntax.kind === 'SET') return { kind: 'SET', path, operand: this.updateOperand(syntax.operand, true) };
    const value = this.value(syntax.value);
    const type = typeOf(value);
    const isSet = type === 'SS' || type === 'NS' || type === 'BS';
    if (!isSet && !(syntax.kind === 'ADD' && type === 'N'))
      throw this.error(
        `Incorrect operand type for operator or function; operator: ${syntax.kind}, operand type: ${longTypeNames[type]}, typeSet: ALLOWED_FOR_${syntax.kind}_OPERAND`,
      );
    return { kind: syntax.kind, path, value };
  }

  /** @param isWhole whether it is all that stands behind a `=`: only there a list may be appended to */
  private updateOperand(syntax: OperandSyntax, isWhole = false): Operand {
    if (syntax.kind === 'path') return { kind: 'path', path: this.path(syntax.path) };
    if (syntax.kind === 'value') return { kind: 'value', value: this.value(syntax.value) };
    if (syntax.kind === 'arithmetic') {
      const [left, right] = [this.updateOperand(syntax.left), this.updateOperand(syntax.right)];
      this.requireTypes(syntax.operator, [left, right], ['N']);
      return { kind: 'arithmetic', operator: syntax.operator, left, right };
    }
    if (!Object.hasOwn(argumentCounts, syntax.name))
      throw this.error(`Invalid function name; function: ${syntax.name}`);
    if (!updateFunctions.includes(syntax.name))
      throw this.error(`The function is not allowed in an update expression; function: ${syntax.name}`);
    if (syntax.name === 'list_append' && !isWhole) throw this.misused(syntax.name);
    const call: FunctionCall = {
      kind: 'call',
      name: syntax.name,
      args: syntax.args.map((arg) => this.updateOperand(arg)),
    };
    this.requireArguments(call);
    if (call.name === 'if_not_exists') this.requirePath(call.name, call.args[0]!);
    else this.requireTypes(call.name, call.args, ['L']);
    return call;
  }

  private requireConditionFunction(name: string): void {
    if (!Object.hasOwn(argumentCounts, name)) throw this.error(`Invalid function name; function: ${name}`);
    if (updateFunctions.includes(name))
      throw this.error(`The function is not allowed in a condition expression; function: ${name}`);
  }

  private requireArguments({ name, args }: FunctionCall): void {
    if (args.length !== argumentCounts[name])
      throw this.error(
        `Incorrect number of operands for operator or function; operator or function: ${name}, number of operands: ${args.length}`,
      );
  }

  private requirePath(name: string, operand: Operand): void {
    if (operand.kind !== 'path')
      throw this.error(`Operator or function requires a document path; operator or function: ${name}`);
  }

  /** Checks the operands whose type is known: values, and what functions return. */
  private requireTypes(operator: string, operands: Operand[], allowed: readonly TypeName[]): void {
    for (const operand of operands) {
      const type = knownType(operand);
      if (type !== undefined && !allowed.includes(type))
        throw this.error(
          `Incorrect operand type for operator or function; operator or function: ${operator}, operand type: ${type}`,
        );
    }
  }

  private requireTypeName(operand: Operand): void {
    const type = knownType(operand) ?? '{NS,SS,L,BS,N,M,B,BOOL,NULL,S}';
    if (operand.kind !== 'value' || type !== 'S')
      throw this.error(
        `Incorrect operand type for operator or function; operator or function: attribute_type, operand type: ${type}`,
      );
    if (!typeNames.includes(operand.value.S as TypeName))
      throw this.error(
        `Invalid attribute type name found; type: ${operand.value.S}, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}`,
      );
  }

  private requireDistinct(operator: string, first: Operand, others: Operand[]): void {
    if (first.kind !== 'path') return;
    for (const other of others) {
      if (other.kind === 'path' && pathText(first.path) === pathText(other.path))
        throw this.error(
          `The first operand must be distinct from the remaining operands for this operator or function; operator: ${operator}, first operand: ${pathText(first.path)}`,
        );
    }
  }

  private requireBounds(low: Operand, high: Operand): void {
    if (low.kind !== 'value' || high.kind !== 'value') return;
    const [lowType, highType] = [typeOf(low.value), typeOf(high.value)];
    const bounds = `lower bound operand: AttributeValue: {${lowType}:${low.value[lowType]}}, upper bound operand: AttributeValue: {${highType}:${high.value[highType]}}`;
    if (lowType !== highType)
      throw this.error(`The BETWEEN operator requires same data type for lower and upper bounds; ${bounds}`);
    if (compareValues(low.value, high.value)! > 0)
      throw this.error(
        `The BETWEEN operator requires upper bound to be greater than or equal to lower bound; ${bounds}`,
      );
  }

  private misused(name: string) {
    return this.error(`The function is not allowed to be used this way in an expression; function: ${name}`);
  }
}

function knownType(operand: Operand): TypeName | undefined {
  if (operand.kind === 'value') return typeOf(operand.value);
  if (operand.kind === 'arithmetic') return 'N';
  if (operand.kind === 'call' && operand.name === 'size') return 'N';
  if (operand.kind === 'call' && operand.name === 'list_append') return 'L';
  return undefined;
}

function refuseWithoutExpression(input: ExpressionInput, possible: readonly ExpressionKind[]): void {
  const why = 'can only be specified when using expressions';
  const absent = (kinds: readonly ExpressionKind[]) => kinds.every((kind) => input[kind] === undefined);
  if (input.ExpressionAttributeNames && absent(possible)) throw validationError(`ExpressionAttributeNames ${why}`);
  const holding = possible.filter((kind) => kind !== 'ProjectionExpression');
  if (input.ExpressionAttributeValues && absent(holding))
    throw validationError(
      `ExpressionAttributeValues ${why}: ${holding.join(' and ')} ${holding.length > 1 ? 'are' : 'is'} null`,
    );
}
