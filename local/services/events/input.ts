import { AwsError } from '../../errors.ts';

export interface InputTransformer {
  InputPathsMap?: Record<string, string>;
  InputTemplate: string;
}

/** What EventBridge hands to a target: the event, a part of it, a constant, or a filled-in template. */
export interface InputSettings {
  Input?: string;
  InputPath?: string;
  InputTransformer?: InputTransformer;
}

/** @throws AwsError `ValidationException` */
export function validateInput(settings: InputSettings): void {
  const given = [settings.Input, settings.InputPath, settings.InputTransformer].filter((one) => one !== undefined);
  if (given.length > 1)
    throw new AwsError('ValidationException', 'Only one of Input, InputPath, or InputTransformer must be provided.');
  if (settings.Input !== undefined) refuseNoJson(settings.Input);
  for (const path of [settings.InputPath, ...Object.values(settings.InputTransformer?.InputPathsMap ?? {})])
    if (path !== undefined) parsePath(path);
}

function refuseNoJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new AwsError('ValidationException', 'JSON syntax error in Input.');
  }
}

export function payloadFor(event: object, settings: InputSettings, reserved: Record<string, string>): string {
  if (settings.Input !== undefined) return settings.Input;
  if (settings.InputPath !== undefined) return JSON.stringify(readPath(event, settings.InputPath) ?? {});
  if (settings.InputTransformer) return fillTemplate(event, settings.InputTransformer, reserved);
  return JSON.stringify(event);
}

/** Replaces `<name>`: inside a string of the template by text, elsewhere by JSON. */
function fillTemplate(event: object, transformer: InputTransformer, reserved: Record<string, string>): string {
  const variable = (name: string): unknown => {
    if (name === 'aws.events.event' || name === 'aws.events.event.json') return event;
    const path = transformer.InputPathsMap?.[name];
    return path === undefined ? reserved[name] : readPath(event, path);
  };
  let inString = false;
  return transformer.InputTemplate.replace(/\\.|"|<([\w.-]+)>/gs, (whole, name: string | undefined) => {
    if (whole === '"') inString = !inString;
    if (name === undefined) return whole;
    const value = variable(name);
    if (!inString) return JSON.stringify(value) ?? 'null';
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
    return JSON.stringify(text).slice(1, -1);
  });
}

/** The value at a path such as `$.detail.items[0]['a b']`; undefined when there is none. */
export function readPath(event: unknown, path: string): unknown {
  let value = event;
  for (const step of parsePath(path)) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value;
}

function parsePath(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  const rest = path.replace(/\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]/g, (_whole, name, index, quoted) => {
    steps.push(index === undefined ? (name ?? quoted) : Number(index));
    return '';
  });
  if (rest !== '$')
    throw new AwsError(
      'ValidationException',
      `${path} is not a path that the embedded AWS knows: $.name, [0] and ['name'] are.`,
    );
  return steps;
}
