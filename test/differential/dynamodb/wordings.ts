/**
 * Brings two wordings of one refusal together. Where DynamoDB Local's words are not DynamoDB's, the embedded AWS keeps to
 * DynamoDB's (as its users quote them), and this page says which belong together.
 */
type Wording = readonly [said: RegExp, meant: string];

const wordings: readonly Wording[] = [
  // Constraints of parameters: DynamoDB's front end lists them, DynamoDB Local checks some, each in its own words.
  [/^\d+ validation errors? detected: .*/s, 'constraint'],
  [/^Value .* failed to satisfy constraint: .*/s, 'constraint'],
  [/^(Cannot have null key for|Item to put in PutItem cannot be null).*/s, 'constraint'],
  [
    /^(Return values set to invalid value|Limit must be greater than|Select must be|Segment must be|TotalSegments must be).*/s,
    'constraint',
  ],
  [/^(Invalid table\/index name|TableName must be at least).*/s, 'constraint'],
  // A `Key` that isn't the table's.
  [/^The provided key element does not match the schema$/, 'key mismatch'],
  [/^The number of conditions on the keys is invalid$/, 'key mismatch'],
  [/^One of the required keys was not given a value$/, 'key mismatch'],
  [/^One or more parameter values were invalid: Missing the key .*/, 'key mismatch'],
  [/^One or more parameter values were invalid: Type mismatch for key.*/, 'key mismatch'],
  [/(Type mismatch for Index Key).*/, '$1'],
  [
    /^One or more parameter values were invalid: (Size of hashkey|Aggregated size of all range keys) has exceeded.*/,
    'key too long',
  ],
  [/^Hash primary key values must be under 2048 bytes.*/, 'key too long'],
  [/^(Query condition missed key schema element).*/, '$1'],
  // Names and lists that DynamoDB Local leaves out, gets wrong or shows in the order of a hash table.
  [/(Two document paths (?:overlap|conflict) with each other).*/, '$1'],
  [/(does not project(?: one or more filter attributes:)?) \[.*\]/, '$1'],
  [/(valid types:) \{.*\}/, '$1'],
  [/(unused in expressions: keys:) \{.*\}/, '$1'],
  [/(lower bound operand): .*/s, '$1'],
  [/(is not defined; attribute (?:name|value)): .*/, '$1'],
  [/^(One or more parameter values were invalid: )?Input collection .*contains duplicates\.?/, 'duplicates'],
  [/Input collection .*contains duplicates\.?( for key .*)?$/, 'duplicates$1'],
  // Numbers.
  [/The parameter cannot be converted to a numeric value(: (?! for key)[^ ]*)?/, 'not a number'],
  [/A value provided cannot be converted into a number/, 'not a number'],
  [
    /DynamoDB only supports precision up to 38 digits/,
    'Attempting to store more than 38 significant digits in a Number',
  ],
  // Tables.
  [/^Cannot do operations on a non-existent table$/, 'Requested resource not found'],
  [/^The conditional request failed\.$/, 'The conditional request failed'],
];

/** What a message means, the same for both engines. */
export function meaningOf(message: string): string {
  return wordings.reduce((text, [said, meant]) => text.replace(said, meant), message);
}

/** The fixed words of a message, without what it quotes: two messages with the same head tell the same fault. */
export function headOf(message: string): string {
  const parts = meaningOf(message).split(/[;"{[]|: /);
  // Of operands that don't suit, each is a fault of its own.
  return parts.slice(0, parts[1]?.startsWith('Incorrect operand type') ? 5 : 2).join(' ');
}
