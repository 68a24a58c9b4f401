// The inside of a function's worker thread. Plain JavaScript: stripping types would double the time that a thread needs to start.
import { enableCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';

// A bundle with the SDK takes a third less time to load.
enableCompileCache();

/** @type {Promise<Function> | undefined} */
let loading;

async function load() {
  const module = await import(workerData.moduleUrl);
  const handler = module[workerData.exportName] ?? module.default?.[workerData.exportName];
  if (typeof handler !== 'function') throw new Error(`${workerData.exportName} is undefined or not exported`);
  if (handler.length > 2)
    throw new Error('Callback handlers are not supported by this runtime: a handler takes (event, context).');
  return handler;
}

function failure(error) {
  const isError = error instanceof Error;
  return JSON.stringify({
    errorType: isError ? error.name : 'Error',
    errorMessage: isError ? error.message : String(error),
    trace: isError ? String(error.stack).split('\n') : [],
  });
}

parentPort.on('message', async ({ requestId, event, deadlineMs, credentials }) => {
  if (credentials) Object.assign(process.env, credentials);
  try {
    loading ??= load();
    const handler = await loading;
    const answer = await handler(JSON.parse(event), {
      ...workerData.context,
      awsRequestId: requestId,
      getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
    });
    parentPort.postMessage({ requestId, payload: JSON.stringify(answer) ?? 'null' });
  } catch (error) {
    console.error(error);
    parentPort.postMessage({ requestId, payload: failure(error), functionError: 'Unhandled' });
  }
});
