/**
 * Loaded into a process by `--import`: names under `localhost` are this machine (RFC 6761), whatever the system's
 * resolver says. MiniStack serves each HTTP API under a name of its own, like `1a2b3c4d.execute-api.localhost`, which
 * browsers and curl find, and most resolvers don't.
 */
import dns from 'node:dns';

const { lookup } = dns;

dns.lookup = (hostname, options, callback) => {
  const [given, answer] = typeof options === 'function' ? [{}, options] : [options, callback];
  if (!/\.localhost$/i.test(hostname)) return lookup(hostname, given, answer);
  const all = typeof given === 'object' && given.all;
  process.nextTick(() => (all ? answer(null, [{ address: '127.0.0.1', family: 4 }]) : answer(null, '127.0.0.1', 4)));
};
