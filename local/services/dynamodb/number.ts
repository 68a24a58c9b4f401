/**
 * DynamoDB's numbers: decimals of up to 38 significant digits between 1e-130 and 9.99…e125, exact in comparison and arithmetic.
 * They travel as strings; the normal form has no exponent and no superfluous zeros.
 */
import { validationError } from './errors.ts';

interface Decimal {
  negative: boolean;
  /** Significant digits without leading or trailing zeros; empty for zero. */
  digits: string;
  /** The value is `digits × 10^exponent`. */
  exponent: number;
}

const maxDigits = 38;
const maxMagnitude = 125;
const minMagnitude = -130;
const plainInteger = /^(?:0|-?[1-9]\d{0,14})$/;
const numberShape = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:[eE]([+-]?\d{1,6}))?$/;

/** The normal form of a number as a client wrote it. @throws ValidationException when it isn't one or is out of range. */
export function normalNumber(text: string): string {
  // Most numbers are small integers in normal form already.
  return plainInteger.test(text) ? text : format(parse(text));
}

/** Exact sum of two normal numbers. @throws ValidationException when it is out of range. */
export function addNumbers(left: string, right: string): string {
  if (left.length < 15 && right.length < 15 && plainInteger.test(left) && plainInteger.test(right))
    return String(Number(left) + Number(right));
  const a = parse(left);
  const b = parse(right);
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = scaled(a, exponent) + scaled(b, exponent);
  const digits = (sum < 0n ? -sum : sum).toString();
  return format(checked(trimmed(sum < 0n, digits, exponent)));
}

export function subtractNumbers(left: string, right: string): string {
  return addNumbers(left, negated(right));
}

/** Below zero, zero or above zero, for two normal numbers. */
export function compareNumbers(left: string, right: string): number {
  if (left === right) return 0;
  if (plainInteger.test(left) && plainInteger.test(right)) return Number(left) - Number(right);
  return sortableNumber(left) < sortableNumber(right) ? -1 : 1;
}

/** A string that sorts, by code unit, as the number does. */
export function sortableNumber(normal: string): string {
  const { negative, digits, exponent } = parse(normal);
  if (digits === '') return '1';
  const magnitude = digits.length + exponent + 500;
  if (!negative) return `2${magnitude}${digits}`;
  let complement = '';
  for (const digit of digits) complement += 9 - Number(digit);
  // The tilde sorts after all digits: of two negative numbers the one with more digits is the smaller.
  return `0${999 - magnitude}${complement}~`;
}

/** Stored size in bytes: one per two digits (counted from the decimal point), one for the exponent, one for a minus. */
export function numberSize(normal: string): number {
  const { negative, digits, exponent } = parse(normal);
  if (digits === '') return 1;
  const aligned = digits.length + (Math.abs(exponent) % 2);
  return Math.min(21, Math.ceil(aligned / 2) + 1 + (negative ? 1 : 0));
}

function parse(text: string): Decimal {
  const match = numberShape.exec(text);
  if (!match) {
    const detail = text === '' ? '' : `: ${text}`;
    throw validationError(`The parameter cannot be converted to a numeric value${detail}`);
  }
  const whole = match[2] ?? '';
  const fraction = match[3] ?? match[4] ?? '';
  const exponent = Number(match[5] ?? 0) - fraction.length;
  return checked(trimmed(match[1] === '-', whole + fraction, exponent));
}

function trimmed(negative: boolean, digits: string, exponent: number): Decimal {
  let start = 0;
  while (digits[start] === '0') start += 1;
  let end = digits.length;
  while (end > start && digits[end - 1] === '0') end -= 1;
  if (start === end) return { negative: false, digits: '', exponent: 0 };
  return { negative, digits: digits.slice(start, end), exponent: exponent + digits.length - end };
}

function checked(decimal: Decimal): Decimal {
  const magnitude = decimal.digits.length + decimal.exponent - 1;
  if (decimal.digits === '') return decimal;
  if (magnitude > maxMagnitude)
    throw validationError('Number overflow. Attempting to store a number with magnitude larger than supported range');
  if (magnitude < minMagnitude)
    throw validationError('Number underflow. Attempting to store a number with magnitude smaller than supported range');
  if (decimal.digits.length > maxDigits)
    throw validationError('Attempting to store more than 38 significant digits in a Number');
  return decimal;
}

function format({ negative, digits, exponent }: Decimal): string {
  if (digits === '') return '0';
  const sign = negative ? '-' : '';
  if (exponent >= 0) return `${sign}${digits}${'0'.repeat(exponent)}`;
  const point = digits.length + exponent;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

function scaled({ negative, digits, exponent }: Decimal, toExponent: number): bigint {
  const value = BigInt(digits + '0'.repeat(exponent - toExponent) || '0');
  return negative ? -value : value;
}

function negated(normal: string): string {
  if (normal === '0') return normal;
  return normal.startsWith('-') ? normal.slice(1) : `-${normal}`;
}
