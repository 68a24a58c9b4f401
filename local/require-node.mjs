// Runs before every script, in plain JavaScript that any Node understands: says how to mend an install without Node 24.
const required = 24;
const [major] = process.versions.node.split('.').map(Number);
if (major < required) {
  console.error(
    [
      `Rouse's scripts run on Node ${required} or newer (the version of AWS Lambda), but this is Node ${process.versions.node}.`,
      'The "node" development dependency brings it, by an install script that seems to have been off.',
      'Mend it with one of:',
      '  npm ci --ignore-scripts=false && npm rebuild node',
      `  or put Node ${required} on your PATH (nvm install ${required}).`,
    ].join('\n'),
  );
  process.exit(1);
}
