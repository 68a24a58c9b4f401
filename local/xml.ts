const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '&#xD;' };

export function escapeXml(text: string): string {
  return text.replace(/[&<>"\r]/g, (character) => escapes[character]!);
}

/** What {@link toXml} writes: text, elements by name, or an element that is repeated. Undefined is left out. */
export type XmlValue = string | number | boolean | undefined | XmlValue[] | { [name: string]: XmlValue };

/** Elements `name` with the content `value`: `toXml('A', {B: ['x', 'y']})` is `<A><B>x</B><B>y</B></A>`. */
export function toXml(name: string, value: XmlValue, attributes = ''): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((one) => toXml(name, one)).join('');
  const open = attributes ? `<${name} ${attributes}>` : `<${name}>`;
  if (typeof value !== 'object') return `${open}${escapeXml(String(value))}</${name}>`;
  const content = Object.entries(value).map(([child, one]) => toXml(child, one));
  return `${open}${content.join('')}</${name}>`;
}

export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** An element that was read: its children by name, and its text. */
export interface XmlElement {
  name: string;
  text: string;
  children: XmlElement[];
}

export function childrenOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

export function textOf(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

/** Reads the small documents that SDKs send: no DTDs, no CDATA. Returns undefined when it is no such document. */
export function parseXml(source: string): XmlElement | undefined {
  const root: XmlElement = { name: '', text: '', children: [] };
  const open = [root];
  for (const [, close, name, selfClosing, text] of source.matchAll(
    /<(?:[?!][^>]*|(\/?)([\w:.-]+)[^>]*?(\/?))>|([^<]+)/g,
  )) {
    const current = open.at(-1)!;
    if (text !== undefined) current.text += unescapeXml(text);
    else if (close) {
      if (current.name !== name || open.length === 1) return undefined;
      open.pop();
    } else if (name !== undefined) {
      const element: XmlElement = { name, text: '', children: [] };
      current.children.push(element);
      if (!selfClosing) open.push(element);
    }
  }
  return open.length === 1 && root.children.length === 1 ? root.children[0] : undefined;
}

const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, entity) => {
    if (hex) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal ? String.fromCodePoint(Number(decimal)) : (entities[entity] ?? whole);
  });
}
