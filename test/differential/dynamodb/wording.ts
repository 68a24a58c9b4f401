/** Random expressions of DynamoDB's grammar, with the names and values that they need. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Draw } from '../draw.ts';
import type { KeyAttribute, Table } from './tables.ts';
import { anyValue, attributes, bytes, type Item, keyValue, number, setValue, valueFor } from './values.ts';

const comparisons = ['=', '<>', '<', '<=', '>', '>='];
const typeNames = ['S', 'N', 'B', 'SS', 'NS', 'BS', 'BOOL', 'NULL', 'L', 'M'];

export class Wording {
  private readonly draw: Draw;
  private readonly table: Table;
  private readonly readable: readonly string[];
  private readonly isNarrow: boolean;
  private readonly names: Record<string, string> = {};
  private readonly values: Item = {};
  /** Attributes that the present expression has used: paths of an update or a projection must not overlap. */
  private readonly taken = new Set<string>();
  private mayTouchKeys = true;
  /** A condition's path into a key is refused by DynamoDB, but not in all places by DynamoDB Local. */
  private mayNestKeys = false;

  /** @param readable what an index projects, where that is not everything: no path leads elsewhere */
  constructor(draw: Draw, table: Table, readable?: readonly string[]) {
    this.draw = draw;
    this.table = table;
    this.readable = readable ?? attributes;
    this.isNarrow = readable !== undefined;
  }

  /** The parameters that hold what the expressions so far have used. */
  bindings(): { ExpressionAttributeNames?: Record<string, string>; ExpressionAttributeValues?: Item } {
    return {
      ...(Object.keys(this.names).length > 0 && { ExpressionAttributeNames: this.names }),
      ...(Object.keys(this.values).length > 0 && { ExpressionAttributeValues: this.values }),
    };
  }

  name(name: string): string {
    const isPlain = /^[A-Za-z][A-Za-z0-9]*$/.test(name) && !['status', 'group', 'rank', 'text', 'map'].includes(name);
    if (isPlain && this.draw.chance(0.7)) return name;
    const known = Object.entries(this.names).find(([, bound]) => bound === name);
    if (known) return known[0];
    const placeholder = `#n${Object.keys(this.names).length}`;
    this.names[placeholder] = name;
    return placeholder;
  }

  value(value: AttributeValue): string {
    const placeholder = `:v${Object.keys(this.values).length}`;
    this.values[placeholder] = value;
    return placeholder;
  }

  condition(depth = 0): string {
    const { draw } = this;
    const inner = () => {
      const text = this.condition(depth + 1);
      return draw.chance(0.3) ? `(${text})` : text;
    };
    return draw.weighted([
      [depth < 3 ? 2 : 0, () => `${inner()} AND ${inner()}`],
      [depth < 3 ? 2 : 0, () => `${inner()} ${draw.of(['OR', 'or'])} ${inner()}`],
      [depth < 3 ? 1 : 0, () => `NOT ${inner()}`],
      [6, () => this.comparison()],
      [2, () => `attribute_exists(${this.path()})`],
      [3, () => `attribute_not_exists(${this.path()})`],
      [1, () => `attribute_type(${this.path()}, ${this.value({ S: draw.of(typeNames) })})`],
      [1, () => `begins_with(${this.path()}, ${draw.chance(0.1) ? this.operand() : this.value(ordered(draw))})`],
      [2, () => `contains(${this.path()}, ${this.operand()})`],
      [1, () => this.between()],
      [1, () => `${this.operand()} IN (${draw.many(1, 3, () => this.operand()).join(', ')})`],
    ]);
  }

  projection(): string {
    this.taken.clear();
    this.mayNestKeys = true;
    const paths = this.draw.many(1, 3, () => this.freePath());
    this.mayNestKeys = false;
    return paths.join(', ');
  }

  /** @param mayTouchKeys whether it may, now and then, change a key, which is refused */
  update(mayTouchKeys: boolean): string {
    const { draw } = this;
    this.taken.clear();
    this.mayTouchKeys = mayTouchKeys;
    const sections = draw.some(1 + (draw.chance(0.3) ? 1 : 0) + (draw.chance(0.1) ? 1 : 0), [
      () => `SET ${draw.many(1, 3, () => this.assignment()).join(', ')}`,
      () => `REMOVE ${draw.many(1, 2, () => this.freePath(true)).join(', ')}`,
      () => `ADD ${draw.many(1, 2, () => this.addition()).join(', ')}`,
      () => `DELETE ${this.deletion()}`,
    ]);
    return sections.map((section) => section()).join(' ');
  }

  /** @param keys of the table or the index that is queried */
  keyCondition(keys: readonly KeyAttribute[]): string {
    const { draw } = this;
    const [partition, sort] = keys;
    const first = `${this.name(partition!.name)} = ${this.value(keyValue(draw, partition!))}`;
    if (!sort || draw.chance(0.4)) return first;
    const second = this.sortCondition(sort);
    return draw.chance(0.9) ? `${first} AND ${second}` : `${second} AND ${first}`;
  }

  private sortCondition(sort: KeyAttribute): string {
    const { draw } = this;
    const [name, value] = [() => this.name(sort.name), () => this.value(keyValue(draw, sort))];
    return draw.weighted([
      [5, () => `${name()} ${draw.of(['=', '<', '<=', '>', '>='])} ${value()}`],
      [1, () => `${value()} ${draw.of(['=', '<', '<=', '>', '>='])} ${name()}`],
      [2, () => `${name()} BETWEEN ${value()} AND ${value()}`],
      [2, () => `begins_with(${name()}, ${value()})`],
      [0.2, () => `${name()} <> ${value()}`],
    ]);
  }

  private comparison(): string {
    const { draw } = this;
    const operator = draw.of(comparisons);
    const name = this.attribute();
    const isOrdered = operator.includes('<') && operator !== '<>' && draw.chance(0.95);
    const value = () => this.value(isOrdered ? ordered(draw) : valueFor(draw, name));
    return draw.weighted([
      [8, () => `${this.path(false, name)} ${operator} ${value()}`],
      [1, () => `${value()} ${operator} ${this.path(false, name)}`],
      [1, () => `size(${this.path(false, name)}) ${operator} ${this.value({ N: String(draw.below(5)) })}`],
      [1, () => `${this.operand()} ${operator} ${this.operand()}`],
    ]);
  }

  private between(): string {
    const { draw } = this;
    if (draw.chance(0.1)) return `${this.operand()} BETWEEN ${this.operand()} AND ${this.operand()}`;
    const [low, high] = [Number(number(draw)), Number(number(draw))].sort((one, two) => one - two);
    return `${this.path(false, this.isNarrow ? undefined : 'n')} BETWEEN ${this.value({ N: `${low}` })} AND ${this.value({ N: `${high}` })}`;
  }

  private operand(): string {
    const { draw } = this;
    return draw.weighted([
      [4, () => this.path()],
      [4, () => this.value(anyValue(draw, 1))],
      [1, () => `size(${this.path()})`],
    ]);
  }

  private attribute(): string {
    return this.draw.of(this.readable);
  }

  /** A path whose attribute the expression hasn't used yet, mostly. */
  private freePath(isTarget = false, ...names: string[]): string {
    const { draw } = this;
    const free = (names.length > 0 ? names : this.readable).filter((name) => !this.taken.has(name));
    return this.path(isTarget, free.length > 0 && draw.chance(0.97) ? draw.of(free) : names[0]);
  }

  /** @param isTarget whether something is written there: keys are drawn less often then */
  private path(isTarget = false, name?: string): string {
    const { draw } = this;
    const keys = [...this.table.keys, ...this.table.indexes.flatMap((index) => index.keys)];
    const drawn = isTarget && !this.mayTouchKeys ? keys.slice(this.table.keys.length) : keys;
    const isKey = drawn.length > 0 && name === undefined && !this.isNarrow && draw.chance(isTarget ? 0.5 : 0.1);
    const top = name ?? (isKey ? draw.of(drawn).name : this.attribute());
    this.taken.add(top);
    let path = this.name(top);
    const isKeyName = keys.some((key) => key.name === top);
    const isDeep =
      isKeyName && !this.mayNestKeys ? 0 : ['lst', 'mp', 'map', 'b'].includes(top) ? (isTarget ? 0.25 : 0.5) : 0.02;
    for (let depth = 0; depth < 3 && draw.chance(isDeep); depth += 1) {
      const isIndex = top === 'lst' && depth === 0 ? 0.95 : 0.2;
      path += draw.chance(isIndex) ? `[${draw.below(4)}]` : `.${this.name(draw.of(['x', 'y', 'status', 'z.w']))}`;
    }
    return path;
  }

  private assignment(): string {
    const { draw } = this;
    const indexKeys = this.table.indexes.flatMap((index) => index.keys).filter((key) => !this.taken.has(key.name));
    if (indexKeys.length > 0 && draw.chance(0.2)) {
      const key = draw.of(indexKeys);
      this.taken.add(key.name);
      return `${this.name(key.name)} = ${this.value(keyValue(draw, key))}`;
    }
    if (draw.chance(0.12)) return this.counting();
    if (draw.chance(0.1) && !this.taken.has('lst')) return this.appending();
    const name = draw.of(attributes.filter((one) => !this.taken.has(one)));
    const target = this.freePath(true, name);
    const value = () => this.value(valueFor(draw, name));
    return draw.weighted([
      [12, () => `${target} = ${value()}`],
      [3, () => `${target} = if_not_exists(${this.path()}, ${value()})`],
      [1, () => `${target} = ${this.path()}`],
      [0.3, () => `${target} = list_append(${this.operand()}, ${this.operand()})`],
      [0.3, () => `${target} = ${this.operand()} + ${this.operand()}`],
    ]);
  }

  private counting(): string {
    const { draw } = this;
    const [operator, step] = [draw.of(['+', '-']), this.value({ N: number(draw) })];
    const target = this.freePath(true, 'n', 'a');
    if (draw.chance(0.4)) return `${target} = n ${operator} ${step}`;
    return draw.chance(0.5)
      ? `${target} = if_not_exists(n, ${this.value({ N: '0' })}) ${operator} ${step}`
      : `${target} = ${step} ${operator} if_not_exists(a, ${step})`;
  }

  private appending(): string {
    const { draw } = this;
    this.taken.add('lst');
    const more = this.value({ L: draw.many(0, 2, () => anyValue(draw, 2)) });
    if (draw.chance(0.4)) return `lst = list_append(lst, ${more})`;
    const present = `if_not_exists(lst, ${this.value({ L: [] })})`;
    return draw.chance(0.5) ? `lst = list_append(${present}, ${more})` : `lst = list_append(${more}, ${present})`;
  }

  private addition(): string {
    const { draw } = this;
    return draw.weighted([
      [4, () => `${this.freePath(true, 'n', 'a')} ${this.value({ N: number(draw) })}`],
      [2, () => `${this.freePath(true, 'strings')} ${this.value(setValue(draw, 'SS'))}`],
      [2, () => `${this.freePath(true, 'nums')} ${this.value(setValue(draw, 'NS'))}`],
      [1, () => `${this.freePath(true, 'blobs')} ${this.value(setValue(draw, 'BS'))}`],
      // Not a key of an index: DynamoDB Local adds to one that isn't there without a look at its type.
      [0.3, () => `${this.freePath(true, ...attributes)} ${this.value(anyValue(draw, 2))}`],
    ]);
  }

  private deletion(): string {
    const { draw } = this;
    return draw.weighted([
      [4, () => `${this.freePath(true, 'strings')} ${this.value(setValue(draw, 'SS'))}`],
      [4, () => `${this.freePath(true, 'nums')} ${this.value(setValue(draw, 'NS'))}`],
      [2, () => `${this.freePath(true, 'blobs')} ${this.value(setValue(draw, 'BS'))}`],
      [0.3, () => `${this.freePath(true, ...attributes)} ${this.value(anyValue(draw, 2))}`],
    ]);
  }
}

/** A value of a type that has an order. */
function ordered(draw: Draw): AttributeValue {
  return draw.of([
    () => ({ N: number(draw) }),
    () => ({ S: draw.of(['a', 'ab', 'b', 'é']) }),
    () => ({ B: bytes(draw) }),
  ])();
}
