import { Ajv2020 } from 'ajv/dist/2020.js';
import { Ajv } from 'ajv/dist/ajv.js';

export type JsonSchema = Record<string, unknown> | boolean;

const options = { strict: false, validateFormats: false, logger: false, addUsedSchema: false } as const;
const compilers: { draft7?: Ajv; draft2020?: Ajv2020 } = {};

/**
 * Compiles a JSON Schema (2020-12 unless `$schema` says draft-07) into a check.
 *
 * @returns a function that gives the first mismatch as a sentence, or null if the value fits
 * @throws Error with ajv's sentence if the schema itself is wrong or refers to another document
 */
export function compileJsonSchema(schema: JsonSchema): (value: unknown) => string | null {
  const ajv = compilerOf(schema);
  try {
    const validate = ajv.compile(schema);
    // such a check answers with a promise, which would count as true
    if ('$async' in validate) throw new Error('"$async" is not allowed');
    return (value) => (validate(value) ? null : ajv.errorsText(validate.errors, { dataVar: 'output' }));
  } finally {
    // ajv keeps every schema that it compiled by its identity: without this a warm process grows for ever
    ajv.removeSchema(schema);
  }
}

/** Compilers are made on first use: each compiles its own meta-schemas, which takes milliseconds. */
function compilerOf(schema: JsonSchema): Ajv | Ajv2020 {
  if (typeof schema === 'object' && String(schema.$schema ?? '').includes('draft-07')) {
    compilers.draft7 ??= new Ajv(options);
    return compilers.draft7;
  }
  compilers.draft2020 ??= new Ajv2020(options);
  return compilers.draft2020;
}
