// biome-ignore lint/style/noRestrictedImports: nothing but V8's own watchdog ends a regular expression that backtracks for ever
import { createContext, Script } from 'node:vm';

const match = new Script('pattern.exec(text)');
const place = createContext({});

/** A regular expression that gives up after this long: some patterns take longer than the universe to say no. */
const longestMs = 250;

/** What JSONata makes its regular expressions with. @throws Error when a match takes too long */
export class BoundedRegExp extends RegExp {
  override exec(text: string): RegExpExecArray | null {
    const own = new RegExp(this.source, this.flags);
    own.lastIndex = this.lastIndex;
    Object.assign(place, { pattern: own, text });
    try {
      return match.runInContext(place, { timeout: longestMs }) as RegExpExecArray | null;
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      throw new Error(`the regular expression /${this.source}/ took longer than ${longestMs} ms`);
    } finally {
      this.lastIndex = own.lastIndex;
      Object.assign(place, { pattern: undefined, text: undefined });
    }
  }
}
